package patterns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/sinks/watch/watchtest"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestEvents follows patterns that come, are merged, go and come back.
func TestEvents(t *testing.T) {
	f := newFixture(t)
	f.cfg.VanishAfter, f.cfg.Lateness = 30*time.Minute, 5*time.Minute
	f.restart()
	f.lines(t, "a", 0, "cart: order 7 placed", "cart: payment 9 declined by bank", "web: up 7")
	f.lines(t, "b", 0, "cart: order 7 placed")
	f.look(t, 0)
	f.want(t) // all of it is known
	for m := range 3 {
		f.lines(t, "a", 1+m, "cart: order 8 placed", "cart: cache miss for item 9", "cart: session opened for user bob by 7")
		f.look(t, 1+m)
	}
	born := []string{"a 01 new cart: cache miss for item <*>", "a 01 new cart: session opened for user bob by <*>"}
	f.want(t, born...)
	// A second user makes one pattern of both, which is not new.
	f.restart()
	f.lines(t, "a", 4, "cart: order 9 placed", "cart: session opened for user alice by 7")
	f.look(t, 4)
	f.lines(t, "a", 20, "cart: order 9 placed", "cart: session opened for user carol by 7")
	f.look(t, 20)
	f.want(t, born...)

	var merged, variants uint64
	var text, state string
	err := f.Conn.QueryRow(context.Background(), "SELECT any(merged_id), count(), any(merged), toString(any(state)) FROM "+f.Dialect.Table(tables.LogPatterns)+
		" FINAL WHERE startsWith(pattern, 'session') GROUP BY merged_id").Scan(&merged, &variants, &text, &state)
	if err != nil {
		t.Fatal(err)
	}
	if want := logpattern.ID([]byte("session opened for user bob by <*>")); merged != want || variants != 3 || text != "session opened for user <*> by <*>" || state != watch.Present {
		t.Errorf("%d variants are merged to %d %q, which is %s; want 3, %d", variants, merged, text, state, want)
	}

	// What came three times is missed, what came once is not; a service that is
	// silent misses nothing.
	f.lines(t, "a", 34, "cart: order 9 placed")
	f.look(t, 34)
	f.want(t, append(born, "a 34 vanished cart: cache miss for item <*>")...)
	f.lines(t, "a", 400, "web: down 7")
	f.look(t, 400)
	f.lines(t, "a", 401, "cart: cache miss for item 10", "cart: order 11 placed")
	f.look(t, 401)
	f.want(t, append(born, "a 34 vanished cart: cache miss for item <*>", "a 400 new web: down <*>", "a 401 returned cart: cache miss for item <*>",
		"a 401 vanished cart: session opened for user <*> by <*>")...)

	// As people ask for it.
	var got [8]string
	err = f.Conn.QueryRow(context.Background(), `SELECT severity_text, body, attributes['log_pattern.id'], attributes['log_pattern.severity'],
	attributes['log_pattern.first_seen'], attributes['log_pattern.last_seen'], scope_name, toString(service)
FROM `+f.Dialect.Table(tables.Logs)+` WHERE event_name = 'log_pattern.vanished' AND position(body, 'cache') > 0`).Scan(&got[0], &got[1], &got[2], &got[3], &got[4], &got[5], &got[6], &got[7])
	if err != nil {
		t.Fatal(err)
	}
	last := f.At(3).Format(time.RFC3339)
	if diff := cmp.Diff([8]string{
		"WARN", "log pattern has vanished, it last came at " + last + ": cache miss for item <*>", fmt.Sprint(logpattern.ID([]byte("cache miss for item <*>"))),
		"INFO", f.At(1).Format(time.RFC3339), last, "github.com/goshawk-observability/goshawk/sinks/patterns", "cart",
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	// The documented queries.
	f.documented(t)

	// Events that Kafka will never take are counted and left out.
	f.lines(t, "a", 402, "cart: a new thing", "cart: order 11 placed")
	f.Producer.Fail = pipeline.ErrRefused
	f.look(t, 402)
	f.Producer.Fail = nil
	f.look(t, 402)
	if got := testutil.ToFloat64(f.job.metrics.Refused); got != 1 {
		t.Errorf("%v events were refused", got)
	}
	if got := testutil.ToFloat64(f.job.metrics.patterns.WithLabelValues(watch.Present)); got != 4 {
		t.Errorf("%v patterns are known", got)
	}
}

// TestKilled kills jobs before any of their steps, loses answers of Kafka, and
// pauses a job while another takes over. Every event is there once.
func TestKilled(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(5, 6))
	words := strings.Fields("apple banana cherry date elder fig grape hazel iris juniper kale lemon")
	f.lines(t, "a", 0, "cart: zero")
	f.look(t, 0)
	var want []string
	k := &watchtest.Killer{Random: r, Steps: 4, Reached: map[string]int{}}
	for m := 1; m <= 2*len(words); m++ {
		line := "cart: " + words[(m-1)/2] + " came at last"
		if m%2 == 1 {
			want = append(want, fmt.Sprintf("a %02d new %s", m, line))
		}
		f.lines(t, "a", m, line)
		f.Clock = f.At(m + 1)
		for !k.Look(t, f.Bed, f.job, &f.job.Step) {
			paused := f.job
			f.restart()
			if r.IntN(2) == 0 { // the old one goes on for a while
				paused.Step = func(string) error { return nil }
				if err := paused.Look(context.Background()); err != nil && !errors.Is(err, watchtest.ErrKilled) {
					t.Fatal(err)
				}
			}
		}
	}
	f.want(t, want...)
	if repeated := f.Stored(t); k.Kills < 10 || repeated == 0 || k.Reached["write"] == 0 || k.Reached["produce"] == 0 || k.Reached["announced"] == 0 {
		t.Errorf("%d kills, %d repeats, %v: that shows nothing", k.Kills, repeated, k.Reached)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for wrong, change := range map[string]func(*Config){
		"interval: 1ms is below":      func(c *Config) { c.Interval = time.Millisecond },
		"vanish_after: 1m0s is below": func(c *Config) { c.VanishAfter, c.Lateness, c.Learn = time.Minute, time.Minute, 0 },
		"lateness: 48h0m0s is not":    func(c *Config) { c.Lateness = 48 * time.Hour },
		"lateness: 0s is not":         func(c *Config) { c.Lateness = 0 },
		"learn: -1s is not":           func(c *Config) { c.Learn = -time.Second },
		"forget_after: 2h0m0s is not": func(c *Config) { c.ForgetAfter = 2 * time.Hour },
		"max_patterns: 0 is not":      func(c *Config) { c.MaxPatterns = 0 },
		"max_patterns: 10000 is not":  func(c *Config) { c.MaxTotal = 9999 },
		"max_total: 0 is not":         func(c *Config) { c.MaxTotal = 0 },
		"max_events: 0 is below":      func(c *Config) { c.MaxEvents = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "sinks.patterns."+wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
