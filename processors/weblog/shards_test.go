package weblog_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors/weblog"
	"github.com/goshawk-observability/goshawk/processors/websessions"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	hits "github.com/goshawk-observability/goshawk/telemetry/weblog"
)

// traffic returns the lines of an access log of about a day in order, with their
// times: visitors who come again after pauses of any length.
func traffic(at time.Time) (lines []string, times []int64) {
	random := rand.New(rand.NewPCG(3, 1))
	agents := []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "curl/8.5.0", "-",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	}
	paths := []string{"/", "/cart", "/product/1234", "/a.css", "/search?q=x", "/img/9.png", "/\\x22quoted"}
	statuses := []int{200, 200, 200, 304, 301, 404, 500}
	for range 4000 {
		at = at.Add(time.Duration(random.ExpFloat64() * 20 * float64(time.Second)))
		visitor := random.IntN(40)
		user := "-"
		if visitor%7 == 0 {
			user = "bob"
		}
		lines = append(lines, fmt.Sprintf(`198.51.%d.%d - %s [%s] "GET %s HTTP/1.1" %d %d "https://www.google.com/" "%s"`, visitor/4, visitor, user,
			at.Format("02/Jan/2006:15:04:05 -0700"), paths[random.IntN(len(paths))], statuses[random.IntN(len(statuses))], random.IntN(5000), agents[visitor%len(agents)]))
		times = append(times, at.Unix()*1e9)
	}
	return lines, times
}

// shards is what partitions and web servers a log is split over.
type shards struct {
	logs  []pipeline.Processor
	hits  []pipeline.Processor
	found []string // hits and sessions, one line each
	// store is called with every batch, if it is set.
	store func(*telemetry.Batch)
}

func newShards(t *testing.T, n int) *shards {
	t.Helper()
	s := &shards{}
	for range n {
		cfg := weblog.DefaultConfig()
		cfg.Geo.Enabled = false
		logs, err := weblog.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		sessions, err := websessions.New(websessions.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		s.logs, s.hits = append(s.logs, logs), append(s.hits, sessions)
	}
	return s
}

// read reads lines of one web server, which are received at a time.
func (s *shards) read(t *testing.T, server int, lines []string, received int64) {
	t.Helper()
	b := &telemetry.Batch{
		Records:   []telemetry.Record{{Tenant: "acme", ReceiveTime: received}},
		Attrs:     []telemetry.Attr{{Key: "host.name", Value: telemetry.StringValue(fmt.Sprint("web-", server))}},
		Resources: []telemetry.Resource{{Service: "shop", Attrs: telemetry.Range{End: 1}}},
		Scopes:    make([]telemetry.Scope, 1),
	}
	for _, line := range lines {
		b.Logs = append(b.Logs, telemetry.Log{Time: received, Body: telemetry.StringValue(line)})
	}
	if err := s.logs[server%len(s.logs)].Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if s.store != nil {
		s.store(b)
	}
	if len(b.WebHits) != len(lines) {
		t.Fatalf("%d hits of %d lines", len(b.WebHits), len(lines))
	}
	for i := range b.WebHits {
		h := b.WebHits[i]
		h.Resource = 0
		s.found = append(s.found, strings.Clone(fmt.Sprintf("%+v", h)))
	}
	for i := range b.Derived {
		d := &b.Derived[i]
		hash := fnv.New32a()
		hash.Write([]byte(d.Key))
		s.deliver(t, int(hash.Sum32())%len(s.hits), telemetry.Record{Tenant: d.Tenant, ReceiveTime: d.Time, Declared: d.Events, Value: d.Value})
	}
}

// deliver reads a record of the topic where hits meet.
func (s *shards) deliver(t *testing.T, partition int, r telemetry.Record) {
	t.Helper()
	b := &telemetry.Batch{Records: []telemetry.Record{r}}
	b.Signal = telemetry.Logs
	if !r.Idle {
		limits := otlp.DefaultLimits()
		otlp.Decode(b, &limits)
	}
	hits.ReadVisits(b)
	if int64(len(b.Visits)) != r.Declared {
		t.Fatalf("%d visits of %d", len(b.Visits), r.Declared)
	}
	if err := s.hits[partition].Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if s.store != nil {
		s.store(b)
	}
	for i := range b.WebSessions {
		s.found = append(s.found, fmt.Sprintf("session %+v", b.WebSessions[i]))
	}
}

// TestShards splits the same lines over partitions and web servers, which send
// theirs a little apart, and expects the same hits and the same sessions.
func TestShards(t *testing.T) {
	lines, times := traffic(time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC))
	run := func(partitions, servers int) []string {
		s := newShards(t, partitions)
		const batch = 2 * time.Minute
		for from := 0; from < len(lines); {
			to := from
			for to < len(lines) && times[to] < times[from]+int64(batch) {
				to++
			}
			parts := make([][]string, servers)
			for i := from; i < to; i++ {
				parts[i%servers] = append(parts[i%servers], lines[i])
			}
			// The one that is last this time is the first the next time.
			for i := range servers {
				if server := (i + from) % servers; len(parts[server]) > 0 {
					s.read(t, server, parts[server], times[to-1])
				}
			}
			from = to
		}
		for p := range s.hits {
			s.deliver(t, p, telemetry.Record{Idle: true, ReceiveTime: times[len(times)-1] + int64(time.Hour)})
		}
		slices.Sort(s.found)
		return s.found
	}
	want := run(1, 1)
	sessions := 0
	for _, line := range want {
		if strings.HasPrefix(line, "session") {
			sessions++
		}
	}
	if hits := len(want) - sessions; hits != len(lines) || sessions < 100 || sessions > len(lines)/4 {
		t.Fatalf("%d hits and %d sessions of %d lines test nothing", hits, sessions, len(lines))
	}
	for _, split := range [][2]int{{1, 3}, {3, 1}, {3, 3}, {7, 5}} {
		if diff := cmp.Diff(want, run(split[0], split[1])); diff != "" {
			t.Errorf("%d partitions, %d web servers:\n%s", split[0], split[1], diff)
		}
	}
}
