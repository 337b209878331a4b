package shop_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/benchmarks/replay"
	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

func quiet() shop.Config {
	c := config()
	c.Flat = true
	c.Incidents = shop.Plan{}
	c.Rate = 300
	return c
}

// TestTraces holds traces to what a trace is: every parent is there, a child
// is within its parent, client and server come in pairs, the one trace that
// has no parent to be within is linked to the producer that caused it.
func TestTraces(t *testing.T) {
	s := tell(t, quiet(), 100*time.Second)
	kinds := map[ptrace.SpanKind]int{}
	traces := map[pcommon.TraceID]int{}
	sizes := 0
	exceptions, links, errors := 0, 0, 0
	for i := range s.spans {
		p := &s.spans[i]
		kinds[p.Kind()]++
		traces[p.TraceID()]++
		sizes++
		if p.TraceID().IsEmpty() || p.SpanID().IsEmpty() || p.Name() == "" || p.StartTimestamp() == 0 || p.EndTimestamp() < p.StartTimestamp() {
			t.Fatalf("span %d of %s: %q from %d to %d", i, p.service, p.Name(), p.StartTimestamp(), p.EndTimestamp())
		}
		if p.Status().Code() == ptrace.StatusCodeError {
			errors++
			if attribute(p.Attributes(), "error.type") == "" {
				t.Errorf("%s %q is an error without error.type", p.service, p.Name())
			}
		}
		for _, e := range p.Events().All() {
			exceptions++
			if e.Name() != "exception" || attribute(e.Attributes(), "exception.type") == "" {
				t.Errorf("event %q", e.Name())
			}
			if e.Timestamp() < p.StartTimestamp() || e.Timestamp() > p.EndTimestamp() {
				t.Errorf("an event of %q is outside of its span", p.Name())
			}
		}
		if p.ParentSpanID().IsEmpty() {
			switch p.Kind() {
			case ptrace.SpanKindServer:
				if p.service != "nginx" {
					t.Errorf("a trace begins at %s", p.service)
				}
			case ptrace.SpanKindConsumer:
				links++
				if p.Links().Len() != 1 {
					t.Fatalf("a consumer's span has %d links", p.Links().Len())
				}
				link := p.Links().At(0)
				index, ok := s.byID[link.SpanID()]
				if !ok || s.spans[index].TraceID() != link.TraceID() || s.spans[index].Kind() != ptrace.SpanKindProducer {
					t.Fatalf("a consumer's link leads nowhere")
				}
				if p.StartTimestamp() < s.spans[index].EndTimestamp() {
					t.Errorf("a message was processed %d ns before it was sent", s.spans[index].EndTimestamp()-p.StartTimestamp())
				}
			default:
				t.Errorf("a root of kind %s", p.Kind())
			}
			continue
		}
		index, ok := s.byID[p.ParentSpanID()]
		if !ok {
			t.Fatalf("%s %q has a parent that does not exist", p.service, p.Name())
		}
		parent := &s.spans[index]
		if parent.TraceID() != p.TraceID() {
			t.Fatalf("%q and its parent are of different traces", p.Name())
		}
		if p.StartTimestamp() < parent.StartTimestamp() || p.EndTimestamp() > parent.EndTimestamp() {
			t.Errorf("%s %q [%d %d] is not within its parent %s %q [%d %d]", p.service, p.Name(), p.StartTimestamp(), p.EndTimestamp(),
				parent.service, parent.Name(), parent.StartTimestamp(), parent.EndTimestamp())
		}
		if p.Kind() == ptrace.SpanKindServer && (parent.Kind() != ptrace.SpanKindClient || parent.service == p.service) {
			t.Errorf("server span %q was called by a span of kind %s of %s", p.Name(), parent.Kind(), parent.service)
		}
		if p.Kind() != ptrace.SpanKindServer && parent.service != p.service {
			t.Errorf("span %q of %s is a child of one of %s", p.Name(), p.service, parent.service)
		}
	}
	for _, kind := range []ptrace.SpanKind{ptrace.SpanKindInternal, ptrace.SpanKindServer, ptrace.SpanKindClient, ptrace.SpanKindProducer, ptrace.SpanKindConsumer} {
		if kinds[kind] == 0 {
			t.Errorf("no span of kind %s", kind)
		}
	}
	if exceptions == 0 || links == 0 || errors == 0 {
		t.Errorf("%d exceptions, %d links, %d errors; want some of each", exceptions, links, errors)
	}
	t.Logf("%d traces, %.1f spans each, kinds %v, %d exceptions, %d errors", len(traces), float64(sizes)/float64(len(traces)), kinds, exceptions, errors)
}

// TestLogs holds logs to their traces, and access lines to the format.
func TestLogs(t *testing.T) {
	s := tell(t, quiet(), 100*time.Second)
	services := map[string]map[string]bool{} // bodies without digits, for templates
	access, traced := 0, 0
	hosts := map[string]int{}
	for i := range s.logs {
		l := &s.logs[i]
		if l.Timestamp() == 0 || l.SeverityNumber() == 0 || l.SeverityText() == "" || l.Body().Str() == "" {
			t.Fatalf("log record of %s: %v", l.service, l.Body().AsString())
		}
		if !l.SpanID().IsEmpty() {
			traced++
			index, ok := s.byID[l.SpanID()]
			if !ok || s.spans[index].TraceID() != l.TraceID() {
				t.Fatalf("a log record of %s names a span that does not exist", l.service)
			}
			p := &s.spans[index]
			if p.service != l.service || p.host != l.host {
				t.Errorf("a log record of %s on %s names a span of %s on %s", l.service, l.host, p.service, p.host)
			}
			if l.scope != "nginx.access" && (l.Timestamp() < p.StartTimestamp() || l.Timestamp() > p.EndTimestamp()) {
				t.Errorf("%q was logged outside of its span", l.Body().Str())
			}
		}
		if l.scope == "nginx.access" {
			access++
			hosts[l.host]++
			h, err := replay.ParseHit(l.Body().Str())
			if err != nil {
				t.Fatalf("%s: %v", l.Body().Str(), err)
			}
			a := l.Attributes()
			if h.Method != attribute(a, "http.request.method") || h.Path != attribute(a, "url.path") || h.Query != attribute(a, "url.query") ||
				fmt.Sprint(h.Status) != attribute(a, "http.response.status_code") || h.Client != attribute(a, "client.address") || h.Agent != attribute(a, "user_agent.original") {
				t.Errorf("attributes and line differ: %s", l.Body().Str())
			}
			if !h.Time.Equal(l.Timestamp().AsTime().Truncate(time.Second)) {
				t.Errorf("line %s is of %s", l.Body().Str(), l.Timestamp().AsTime())
			}
			continue
		}
		if services[l.service] == nil {
			services[l.service] = map[string]bool{}
		}
		services[l.service][strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'f' {
				return -1
			}
			return r
		}, l.Body().Str()[:min(16, len(l.Body().Str()))])] = true
	}
	if len(hosts) != 2 || access == 0 || traced == 0 {
		t.Errorf("access lines of hosts %v, %d traced records", hosts, traced)
	}
	if len(services) < 10 {
		t.Errorf("application logs of %d services, want at least 10", len(services))
	}
}

// TestMetrics checks that every host reports, that counters rise and that a
// round has about as many points as the shop reckons with.
func TestMetrics(t *testing.T) {
	c := quiet()
	c.Rate = 3000 // enough that collections are not stretched
	c.MetricInterval = 5 * time.Second
	s := newShop(t, c)
	take(t, s, start.Add(time.Minute).UnixNano())
	if round := float64(s.Events(telemetry.Metrics)) / 12; math.Abs(round-shop.PointsPerRound) > shop.PointsPerRound/8 {
		t.Errorf("%.0f points a round, the shop reckons with %d", round, shop.PointsPerRound)
	}

	told := tell(t, quiet(), 60*time.Second)
	hosts := map[string]bool{}
	last := map[string]float64{}
	for _, p := range told.points {
		if p.service == "host-agent" {
			hosts[p.host] = true
		}
		if p.metric == "system.cpu.time" || p.metric == "system.network.io" || p.metric == "process.cpu.time" || p.metric == "nginx.requests" {
			series := p.metric + p.host + p.instance + fmt.Sprint(p.attributes.AsRaw())
			if p.value < last[series] {
				t.Errorf("counter %s fell from %g to %g", series, last[series], p.value)
			}
			last[series] = p.value
		}
	}
	if len(hosts) != 6 {
		t.Errorf("hosts %v, want six", hosts)
	}
}

// TestRate counts events, which must be as many as the rate says for the time
// that the model has passed, whatever that took.
func TestRate(t *testing.T) {
	for _, rate := range []float64{60, 1000, 40000} {
		c := quiet()
		c.Rate = rate
		s := newShop(t, c)
		seconds := max(2, min(120, 40000/rate))
		take(t, s, start.Add(time.Duration(seconds*1e9)).UnixNano())
		total := 0.0
		for _, signal := range telemetry.Signals {
			total += float64(s.Events(signal))
		}
		if want := rate * seconds; math.Abs(total-want) > want/50+100 {
			t.Errorf("rate %g: %.0f events in %g s", rate, total, seconds)
		}
	}
}

// TestRhythm compares the demand of hours and days.
func TestRhythm(t *testing.T) {
	at := func(day, hour int) float64 { return shop.Rhythm(time.Date(2026, 3, 1+day, hour, 0, 0, 0, time.UTC)) } // the 1st is a Sunday
	if at(2, 4) > .6*at(2, 12) || at(2, 12) >= at(2, 20) {
		t.Errorf("Tuesday: %.2f at 4, %.2f at 12, %.2f at 20", at(2, 4), at(2, 12), at(2, 20))
	}
	if at(6, 15) < 1.2*at(4, 15) {
		t.Errorf("at 15 h: Saturday %.2f, Thursday %.2f", at(6, 15), at(4, 15))
	}
	last := shop.Rhythm(start)
	for minute := range 7 * 24 * 60 {
		now := shop.Rhythm(start.Add(time.Duration(minute) * time.Minute))
		if math.Abs(now-last) > .02*last {
			t.Fatalf("demand jumps from %.3f to %.3f at minute %d", last, now, minute)
		}
		last = now
	}
}
