package topology

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/sinks/watch/watchtest"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestEvents follows things that come, go and come back.
func TestEvents(t *testing.T) {
	f := newFixture(t)
	always := []string{"web/1", "web>cart service", ">web entry"}
	f.calls(t, "a", 0, always...)
	f.calls(t, "a", 0, "cart/1", "cart>redis database")
	f.look(t, 0)
	f.want(t) // all of it is known
	f.calls(t, "a", 1, always...)
	f.calls(t, "a", 1, "cart/2", "cart>redis database", "cart>queue messaging", "old", "web>redis database")
	f.look(t, 1)
	born := []string{
		"a 01 topology.version.new cart/2", "a 01 topology.edge.new cart cart>queue messaging", "a 01 topology.service.new old",
		"a 01 topology.edge.new web web>redis database",
	}
	f.want(t, born...)
	f.look(t, 1)
	f.calls(t, "a", 30, always...)
	f.calls(t, "a", 30, "cart/2", "cart>redis database", "cart>queue messaging")
	f.look(t, 30)
	f.want(t, born...)

	f.calls(t, "a", 60, always...)
	f.look(t, 60) // what was last seen in minute 0
	gone := append(slices.Clone(born), "a 60 topology.version.vanished cart/1")
	f.want(t, gone...)
	f.calls(t, "a", 61, always...)
	f.look(t, 61)
	gone = append(gone, "a 61 topology.service.vanished old", "a 61 topology.edge.vanished web web>redis database")
	f.want(t, gone...)

	f.calls(t, "a", 63, append(always, "old/9", "cart/2")...)
	f.look(t, 64)
	f.want(t, append(gone, "a 63 topology.service.returned old", "a 63 topology.version.new old/9")...)

	// As people ask for it.
	var severity, text, trace, first, last, scope string
	err := f.Conn.QueryRow(context.Background(), `SELECT severity_text, body, hex(trace_id), attributes['topology.first_seen'], attributes['topology.last_seen'], scope_name
FROM `+f.Dialect.Table(tables.Logs)+` WHERE event_name = 'topology.edge.vanished' AND severity = 13`).Scan(&severity, &text, &trace, &first, &last, &scope)
	if err != nil {
		t.Fatal(err)
	}
	at := f.At(1).Format(time.RFC3339)
	got := []string{severity, text, trace, first, last, scope}
	want := []string{
		"WARN", "edge web -> redis (database) has vanished, it was last seen at " + at, fmt.Sprintf("0101%X000002", "web>redis d"), at, at,
		"github.com/goshawk-observability/goshawk/sinks/topology",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var bodies []string
	if err := f.Conn.QueryRow(context.Background(), "SELECT arraySort(groupArray(body)) FROM "+f.Dialect.Table(tables.Logs)+" WHERE severity = 9").Scan(&bodies); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"edge cart -> queue (messaging) is new", "edge web -> redis (database) is new", "service old is back", "service old is new",
		"version 2 of service cart is new", "version 9 of service old is new",
	}, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

// TestLearn has data from before the first look, which are no news, also not for
// the next job.
func TestLearn(t *testing.T) {
	f := newFixture(t)
	f.calls(t, "a", 0, "ancient")
	f.calls(t, "a", 55, "before")
	f.calls(t, "a", 100, "web", "outside>in entry")
	f.look(t, 100)
	f.look(t, 100)
	f.restart()
	f.look(t, 100)
	f.want(t)
	f.calls(t, "a", 101, "web")
	f.restart()
	f.look(t, 101)
	f.want(t)
	f.calls(t, "a", 115, "web", "ancient")
	f.restart()
	f.look(t, 115)
	f.want(t, "a 115 topology.service.new ancient", "a 115 topology.service.vanished before")
}

// TestSilence lets time pass without data: nothing vanishes, and times of clocks
// that are ahead count for nothing until then.
func TestSilence(t *testing.T) {
	f := newFixture(t)
	f.calls(t, "a", 0, "web", "cart")
	f.calls(t, "b", 0, "web", "cart")
	f.look(t, 0)
	f.calls(t, "b", 200, "web")
	f.calls(t, "a", 300, "ahead")
	f.look(t, 200)
	f.Clock = f.At(290)
	f.restart()
	if err := f.job.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.want(t, "b 200 topology.service.vanished cart")
	f.look(t, 300)
	f.want(t, "b 200 topology.service.vanished cart",
		"a 300 topology.service.new ahead", "a 300 topology.service.vanished cart", "a 300 topology.service.vanished web")
}

// TestLate has minutes that are counted late.
func TestLate(t *testing.T) {
	f := newFixture(t)
	f.calls(t, "a", 0, "web")
	f.look(t, 0)
	f.calls(t, "a", 30, "web")
	f.look(t, 30)
	f.calls(t, "a", 21, "late")
	f.look(t, 30)
	f.want(t, "a 21 topology.service.new late")
	f.calls(t, "a", 81, "web")
	f.look(t, 81)
	f.calls(t, "a", 81, "late")
	f.look(t, 81) // it comes back in the minute in which it went
	f.want(t, "a 21 topology.service.new late", "a 81 topology.service.vanished late", "a 82 topology.service.returned late")
}

// TestLimits makes no more events at a look, and watches no more things, than it
// may.
func TestLimits(t *testing.T) {
	f := newFixture(t)
	f.cfg.MaxThings, f.cfg.MaxEvents = 9, 3
	f.restart()
	f.calls(t, "a", 0, "web")
	f.look(t, 0)
	var want []string
	for i := range 10 {
		f.calls(t, "a", 1, fmt.Sprintf("s%d", i))
		if i < 8 {
			want = append(want, fmt.Sprintf("a 01 topology.service.new s%d", i))
		}
	}
	for i := range 5 {
		f.look(t, 1)
		if got := len(f.events(t)); got != min(3*(i+1), 8) {
			t.Errorf("%d events after %d looks", got, i+1)
		}
	}
	f.want(t, want...)
	if got := testutil.ToFloat64(f.job.metrics.unseen); got != 2 {
		t.Errorf("%v things are not watched", got)
	}
	// What has vanished makes room once it is forgotten.
	f.calls(t, "a", 70, "web")
	for range 3 {
		f.look(t, 70)
	}
	for i := range 8 {
		want = append(want, fmt.Sprintf("a 70 topology.service.vanished s%d", i))
	}
	f.want(t, want...)
	f.cfg.ForgetAfter = 3 * time.Hour
	f.restart()
	f.calls(t, "a", 251, "web", "s9", "s0")
	f.look(t, 251)
	want = append(want, "a 251 topology.service.new s9", "a 251 topology.service.new s0")
	f.want(t, want...)
	f.restart()
	f.look(t, 251)
	f.want(t, want...)
}

// TestRefused goes on after events that Kafka will never take.
func TestRefused(t *testing.T) {
	f := newFixture(t)
	f.calls(t, "a", 0, "web")
	f.look(t, 0)
	f.calls(t, "a", 1, "cart", "other")
	f.Producer.Fail = pipeline.ErrRefused
	f.look(t, 1)
	if got := testutil.ToFloat64(f.job.metrics.Refused); got != 2 {
		t.Errorf("%v events were refused", got)
	}
	f.Producer.Fail = nil
	f.calls(t, "a", 2, "third")
	f.look(t, 2)
	f.want(t, "a 02 topology.service.new third")
	if got := testutil.ToFloat64(f.job.metrics.things.WithLabelValues("service", watch.Present)); got != 4 {
		t.Errorf("%v services are known", got)
	}
}

// TestTwoJobs lets one be paused in the middle of a look, while another goes on.
// What it writes afterwards puts nothing back.
func TestTwoJobs(t *testing.T) {
	f := newFixture(t)
	f.cfg.VanishAfter, f.cfg.Lateness = 5*time.Minute, time.Minute
	f.restart()
	f.calls(t, "a", 0, "web")
	f.look(t, 0)
	f.calls(t, "a", 1, "cart")
	slow, paused := f.job, false
	slow.Step = func(name string) error {
		if name == "write" && !paused {
			paused = true
			f.restart()
			f.look(t, 1)
			f.calls(t, "a", 6, "web")
			f.look(t, 6)
		}
		return nil
	}
	f.Clock = f.At(2)
	if err := slow.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
	books, err := f.job.load(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if k := books.things[thing{kind: service, service: "cart"}]; k == nil || !k.Gone || !k.Announced {
		t.Errorf("the books say %+v", k)
	}
	f.restart()
	f.look(t, 6)
	f.want(t, "a 01 topology.service.new cart", "a 06 topology.service.vanished cart")
}

// TestModel draws what is seen minute by minute, of two tenants, and compares the
// events with what follows from it. In between jobs are killed before any of their
// steps, and what they produce is acknowledged or the answer is lost; nothing is
// lost or there twice for that.
func TestModel(t *testing.T) {
	const minutes, vanishAfter = 50, 5
	things := []string{"web/1", "cart/1", "cart/2", "web>cart service", "cart>redis database", ">web entry"}
	f := newFixture(t)
	f.cfg.VanishAfter, f.cfg.Lateness = vanishAfter*time.Minute, 2*time.Minute
	f.restart()
	r := rand.New(rand.NewPCG(7, 8))
	k := &watchtest.Killer{Random: r, Steps: 5, Reached: map[string]int{}}
	models := map[string]*model{"a": {seen: map[string]int{}, gone: map[string]int{}, newest: -1}, "b": {seen: map[string]int{}, gone: map[string]int{}, newest: -1}}
	rates := map[string]float64{}
	var want []string
	for m := range minutes {
		for _, tenant := range slices.Sorted(maps.Keys(models)) {
			model := models[tenant]
			var now []string
			for _, name := range things {
				if key := tenant + name; m == 0 || r.Float64() < 0.15 {
					rates[key] = []float64{0, 0, 0.3, 1}[r.IntN(4)]
				}
				if r.Float64() < rates[tenant+name] {
					now = append(now, name)
				}
			}
			if m == 0 {
				now = append(now[:0], "web/1", "cart/1")
			}
			f.calls(t, tenant, m, now...)
			for _, event := range model.minute(m, vanishAfter, now) {
				want = append(want, tenant+event)
			}
		}
		f.Clock = f.At(m + 1)
		for !k.Look(t, f.Bed, f.job, &f.job.Step) {
			f.restart()
		}
		if r.IntN(3) == 0 {
			f.restart()
		}
	}
	f.want(t, want...)
	for _, name := range []string{"learn", "write", "produce", "announced"} {
		if k.Reached[name] == 0 {
			t.Errorf("no job came to %s", name)
		}
	}
	repeated := f.Stored(t)
	t.Logf("%d events, %d jobs killed, %d answers lost, %d repeats dropped", len(want), k.Kills, k.Losses, repeated)
	if len(want) < 50 || k.Kills < 20 || k.Losses == 0 || repeated == 0 {
		t.Error("that shows nothing")
	}
}

// model knows what has to be said of a tenant, by thing when it was last seen, and
// since when it is gone.
type model struct {
	seen, gone map[string]int
	newest     int
}

func (m *model) minute(now, vanishAfter int, calls []string) (events []string) {
	learning := m.newest < 0
	if len(calls) == 0 {
		return nil
	}
	m.newest = now
	var names []string
	for _, call := range calls {
		if a, _ := cut(call, '/'); !strings.Contains(call, ">") {
			names = append(names, a+"|service")
		}
		names = append(names, call)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		_, known := m.seen[name]
		since, gone := m.gone[name]
		m.seen[name] = now
		delete(m.gone, name)
		switch {
		case gone:
			events = append(events, describe(max(now, since+1), "returned", name))
		case !known && !learning:
			events = append(events, describe(now, "new", name))
		}
	}
	for name, last := range m.seen {
		if _, gone := m.gone[name]; !gone && last <= now-vanishAfter {
			m.gone[name] = now
			events = append(events, describe(now, "vanished", name))
		}
	}
	return events
}

// describe writes an event as fixture.events does.
func describe(at int, change, name string) string {
	kind, subject := "version", name
	if service, ok := strings.CutSuffix(name, "|service"); ok {
		kind, subject = "service", service
	} else if strings.Contains(name, ">") {
		caller, rest := cut(name, '>')
		if kind = "edge"; caller == "" {
			caller, _ = cut(rest, ' ')
		}
		subject = caller + " " + name
	}
	return fmt.Sprintf(" %02d topology.%s.%s %s", at, kind, change, subject)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for wrong, change := range map[string]func(*Config){
		"interval: 1ms is below":      func(c *Config) { c.Interval = time.Millisecond },
		"vanish_after: 1m0s is below": func(c *Config) { c.VanishAfter, c.Lateness = time.Minute, time.Minute },
		"lateness: 2h0m0s is not":     func(c *Config) { c.Lateness = 2 * time.Hour },
		"lateness: 0s is not":         func(c *Config) { c.Lateness = 0 },
		"forget_after: 2h0m0s is not": func(c *Config) { c.ForgetAfter = 2 * time.Hour },
		"max_things: 0 is not":        func(c *Config) { c.MaxThings = 0 },
		"max_events: 0 is below":      func(c *Config) { c.MaxEvents = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "sinks.topology."+wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
