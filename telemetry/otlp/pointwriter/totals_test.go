package pointwriter

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func totalsConfig() TotalsConfig {
	return TotalsConfig{
		Service: "goshawk", Scope: "test", Labels: []string{"service"}, Interval: 15 * time.Second, MaxSeries: 3,
		Families: []Family{{Name: "calls_total", Kind: Sum}, {Name: "latency", Kind: Histogram, Bounds: []float64{0.1, 1}}},
	}
}

// start is a multiple of the interval.
const start = now - now%(15*second)

// advance moves totals on to some seconds after the start, and writes down what
// they say: seconds, labels and values.
func advance(t *testing.T, totals *Totals, seconds int64) string {
	t.Helper()
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "spans", Partition: 7}}
	totals.Advance(b, start+seconds*second)
	var lines []string
	for i := range b.Derived {
		d := &b.Derived[i]
		if d.Signal != telemetry.Metrics || d.Key != "spans/7" || d.Time > start+seconds*second {
			t.Errorf("derived %v for %s at %d", d.Signal, d.Key, d.Time)
		}
		m := read(t, d.Value)
		if int64(m.DataPointCount()) != d.Events {
			t.Errorf("%d events, and %d points", d.Events, m.DataPointCount())
		}
		rm := m.ResourceMetrics().At(0)
		if instance, _ := rm.Resource().Attributes().Get("service.instance.id"); instance.Str() != "spans/7" {
			t.Errorf("instance %s", instance.Str())
		}
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			lines = append(lines, describe(d.Tenant, metric)...)
		}
	}
	return strings.Join(lines, "\n")
}

func describe(tenant string, m pmetric.Metric) []string {
	var lines []string
	line := func(attrs map[string]any, from, at int64, stale bool, value string) {
		text := fmt.Sprintf("%s %s%v", tenant, m.Name(), attrs)
		if stale {
			lines = append(lines, fmt.Sprintf("%s %v stale", text, time.Duration(at-start)))
			return
		}
		lines = append(lines, fmt.Sprintf("%s %v..%v %s", text, time.Duration(from-start), time.Duration(at-start), value))
	}
	if m.Type() == pmetric.MetricTypeSum {
		for _, p := range m.Sum().DataPoints().All() {
			line(p.Attributes().AsRaw(), int64(p.StartTimestamp()), int64(p.Timestamp()), p.Flags().NoRecordedValue(), fmt.Sprint(p.DoubleValue()))
		}
		return lines
	}
	for _, p := range m.Histogram().DataPoints().All() {
		value := fmt.Sprint(p.BucketCounts().AsRaw(), " ", p.Sum())
		for _, e := range p.Exemplars().All() {
			value += fmt.Sprintf(" exemplar %v of %s", e.DoubleValue(), e.TraceID())
		}
		line(p.Attributes().AsRaw(), int64(p.StartTimestamp()), int64(p.Timestamp()), p.Flags().NoRecordedValue(), value)
	}
	return lines
}

func expect(t *testing.T, got string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
		t.Error(diff)
	}
}

func count(totals *Totals, tenant, service string, duration time.Duration, trace byte) *Series {
	s := totals.Series(tenant, service)
	s.Add(0, 1)
	totals.Observe(s, 1, int64(duration), now, telemetry.TraceID{trace}, telemetry.SpanID{1})
	return s
}

func TestTotals(t *testing.T) {
	totals := NewTotals(totalsConfig())
	expect(t, advance(t, totals, 1))
	count(totals, "a", "cart", 100*time.Millisecond, 1)
	count(totals, "a", "cart", 2*time.Second, 3)
	count(totals, "a", "cart", 2*time.Second, 2)
	count(totals, "b", "cart", -time.Second, 0)
	expect(t, advance(t, totals, 14))
	expect(t, advance(t, totals, 17),
		"a calls_totalmap[service:cart] 1ms..1ms 0", "a calls_totalmap[service:cart] 1ms..15s 3",
		"a latencymap[service:cart] 1ms..1ms [0 0 0] 0",
		"a latencymap[service:cart] 1ms..15s [1 0 2] 4.1 exemplar 2 of 02000000000000000000000000000000",
		"b calls_totalmap[service:cart] 1ms..1ms 0", "b calls_totalmap[service:cart] 1ms..15s 1",
		"b latencymap[service:cart] 1ms..1ms [0 0 0] 0", "b latencymap[service:cart] 1ms..15s [1 0 0] 0")

	// What changed is said, in one point after a leap.
	s := count(totals, "a", "cart", 999*time.Millisecond, 0)
	expect(t, advance(t, totals, 61), "a calls_totalmap[service:cart] 1ms..1m0s 4", "a latencymap[service:cart] 1ms..1m0s [1 1 2] 5.099")
	// What did not is said after a minute.
	expect(t, advance(t, totals, 75), "b calls_totalmap[service:cart] 1ms..1m15s 1", "b latencymap[service:cart] 1ms..1m15s [1 0 0] 0")
	expect(t, advance(t, totals, 90))
	// And ends fifteen minutes after it changed last.
	advance(t, totals, 900)
	expect(t, advance(t, totals, 915), "b calls_totalmap[service:cart] 15m15s stale", "b latencymap[service:cart] 15m15s stale")
	if s.Gone || totals.Len() != 1 {
		t.Errorf("%d series are left, the first gone: %t", totals.Len(), s.Gone)
	}
	advance(t, totals, 960)
	if !s.Gone || totals.Len() != 0 || totals.Bytes() != 0 {
		t.Errorf("%d series are left, the first gone: %t", totals.Len(), s.Gone)
	}
	// It begins anew, after its end.
	count(totals, "a", "cart", 0, 0)
	expect(t, advance(t, totals, 975),
		"a calls_totalmap[service:cart] 16m0.001s..16m0.001s 0", "a calls_totalmap[service:cart] 16m0.001s..16m15s 1",
		"a latencymap[service:cart] 16m0.001s..16m0.001s [0 0 0] 0", "a latencymap[service:cart] 16m0.001s..16m15s [1 0 0] 0")

	// The clock is set back: counting goes on.
	count(totals, "a", "cart", 0, 0)
	expect(t, advance(t, totals, 0))
	expect(t, advance(t, totals, 15), "a calls_totalmap[service:cart] 0s..15s 2", "a latencymap[service:cart] 0s..15s [2 0 0] 0")
}

// TestOverflow has more series than may be: the rest is counted together, of each
// tenant.
func TestOverflow(t *testing.T) {
	totals := NewTotals(totalsConfig())
	advance(t, totals, 0)
	for i := range 10 {
		totals.Series("a", fmt.Sprint(i)).Add(0, 1)
	}
	totals.Series("b", "0").Add(0, 1)
	totals.Series("a", "0").Add(0, 1)
	var got []string
	for line := range strings.Lines(advance(t, totals, 15)) {
		if strings.Contains(line, "calls") && strings.Contains(line, "..15s") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	expect(t, strings.Join(got, "\n"),
		"a calls_totalmap[service:0] 1ms..15s 2", "a calls_totalmap[service:1] 1ms..15s 1", "a calls_totalmap[service:2] 1ms..15s 1",
		"a calls_totalmap[otel.metric.overflow:true] 1ms..15s 7", "b calls_totalmap[otel.metric.overflow:true] 1ms..15s 1")
}

// TestRequestsAreCut says much at once: in several requests of a bounded size,
// with every point once.
func TestRequestsAreCut(t *testing.T) {
	cfg := totalsConfig()
	cfg.MaxSeries = 5000
	totals := NewTotals(cfg)
	advance(t, totals, 0)
	for i := range cfg.MaxSeries {
		s := totals.Series("a", fmt.Sprint(i))
		s.Add(0, 1)
		totals.Observe(s, 1, second, start, telemetry.TraceID{}, telemetry.SpanID{})
	}
	b := &telemetry.Batch{}
	totals.Advance(b, start+20*second)
	seen := map[string]int{}
	for i := range b.Derived {
		if n := len(b.Derived[i].Value); n > maxRequest+1000 {
			t.Errorf("request of %d bytes", n)
		}
		for _, m := range read(t, b.Derived[i].Value).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			for _, line := range describe("a", m) {
				seen[line]++
			}
		}
	}
	if len(seen) != 4*cfg.MaxSeries || len(b.Derived) < 2 {
		t.Errorf("%d points in %d requests, want %d", len(seen), len(b.Derived), 4*cfg.MaxSeries)
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("%s: %d times", line, n)
		}
	}
}

// TestState counts at random, with totals that are restored at every step, and
// with others that are not.
func TestState(t *testing.T) {
	cfg := totalsConfig()
	r := rand.New(rand.NewPCG(1, 2))
	carried, restored := NewTotals(cfg), NewTotals(cfg)
	at := int64(0)
	said := 0
	for range 3000 {
		tenant, service := fmt.Sprint(r.IntN(2)), fmt.Sprint(r.IntN(4))
		duration, trace := time.Duration(r.Int64N(int64(3*time.Second))), byte(r.IntN(4))
		at += r.Int64N(20) * r.Int64N(2) * r.Int64N(2)
		if r.IntN(50) == 0 {
			at += 60 * int64(r.IntN(20))
		}
		one, other := advance(t, carried, at), advance(t, restored, at)
		if one != other {
			t.Fatalf("at %d: carried on:\n%s\nrestored:\n%s", at, one, other)
		}
		if one != "" {
			said++
		}
		count(carried, tenant, service, duration, trace)
		count(restored, tenant, service, duration, trace)
		state := restored.AppendState([]byte("before"))
		restored = NewTotals(cfg)
		rest, ok := restored.ReadState(append(state[len("before"):], "behind"...))
		if !ok || string(rest) != "behind" {
			t.Fatalf("restored: %t, then %q", ok, rest)
		}
		if again := restored.AppendState(nil); !bytes.Equal(again, state[len("before"):]) {
			t.Fatalf("a state is\n%x\nand restored\n%x", state[len("before"):], again)
		}
	}
	if said < 300 {
		t.Errorf("only %d times something was said", said)
	}
}

// TestOtherState restores what other settings counted: nothing of it is left, and
// what follows is read.
func TestOtherState(t *testing.T) {
	old := NewTotals(totalsConfig())
	advance(t, old, 0)
	count(old, "a", "cart", time.Second, 1)
	state := append(old.AppendState(nil), "behind"...)
	for name, change := range map[string]func(*TotalsConfig){
		"bounds":   func(c *TotalsConfig) { c.Families[1].Bounds = []float64{0.2, 1} },
		"labels":   func(c *TotalsConfig) { c.Labels = []string{"client"} },
		"families": func(c *TotalsConfig) { c.Families = slices.Clone(c.Families[:1]) },
	} {
		cfg := totalsConfig()
		change(&cfg)
		totals := NewTotals(cfg)
		if rest, ok := totals.ReadState(state); !ok || string(rest) != "behind" || totals.Len() != 0 {
			t.Errorf("other %s: %t, %d series, then %q", name, ok, totals.Len(), rest)
		}
	}
	for n := range len(state) - len("behind") {
		totals := NewTotals(totalsConfig())
		count(totals, "a", "cart", time.Second, 1)
		if _, ok := totals.ReadState(state[:n]); ok || totals.Len() != 0 {
			t.Fatalf("cut at %d: %t with %d series", n, ok, totals.Len())
		}
	}
}

// FuzzState restores anything: it is refused, or says the same again.
func FuzzState(f *testing.F) {
	totals := NewTotals(totalsConfig())
	totals.Advance(&telemetry.Batch{}, start)
	f.Add(totals.AppendState(nil))
	count(totals, "a", "cart", time.Second, 1)
	count(totals, "b", "", -time.Second, 0)
	for i := range 4 {
		count(totals, "a", fmt.Sprint(i), time.Second, 1)
	}
	totals.Advance(&telemetry.Batch{}, start+30*second)
	f.Add(totals.AppendState(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		totals := NewTotals(totalsConfig())
		rest, ok := totals.ReadState(src)
		if !ok {
			if totals.Len() != 0 {
				t.Errorf("%d series of a damaged state", totals.Len())
			}
			return
		}
		state := totals.AppendState(nil)
		again := NewTotals(totalsConfig())
		if end, ok := again.ReadState(append(state, rest...)); !ok || !bytes.Equal(end, rest) || again.Len() != totals.Len() {
			t.Fatalf("restored again: %t, %d series instead of %d", ok, again.Len(), totals.Len())
		}
		totals.Advance(&telemetry.Batch{}, start+40*second)
	})
}

// TestNeverObserved leaves out histograms that have no value: they begin, with a
// zero before, when the first comes, and only then they end.
func TestNeverObserved(t *testing.T) {
	totals := NewTotals(totalsConfig())
	advance(t, totals, 0)
	s := totals.Series("a", "0")
	s.Add(0, 1)
	if text := advance(t, totals, 20); strings.Contains(text, "latency") {
		t.Errorf("a histogram without a value:\n%s", text)
	}
	totals.Observe(s, 1, int64(50*time.Millisecond), start, telemetry.TraceID{1}, telemetry.SpanID{1})
	restored := NewTotals(totalsConfig())
	if _, ok := restored.ReadState(totals.AppendState(nil)); !ok {
		t.Fatal("the state cannot be read")
	}
	text := advance(t, totals, 40)
	if strings.Count(text, "latency") != 2 || !strings.Contains(text, "15.001s") {
		t.Errorf("the first value has no zero before it:\n%s", text)
	}
	if again := advance(t, restored, 40); again != text {
		t.Errorf("after a restore\n%s\ninstead of\n%s", again, text)
	}
	if text := advance(t, totals, 2*int64(Forget/time.Second)); strings.Count(text, "latency") != 1 {
		t.Errorf("the histogram does not end once:\n%s", text)
	}
}
