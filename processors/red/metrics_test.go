package red_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
)

// point is a point of either metric.
type point struct {
	labels     pcommon.Map
	start, at  time.Duration // since base
	stale      bool
	value, sum float64
	count      uint64
	buckets    string
}

func pointsOf(m pmetric.Metric) []point {
	var all []point
	since := func(at pcommon.Timestamp) time.Duration { return time.Duration(int64(at) - base) }
	if m.Type() == pmetric.MetricTypeSum {
		for _, p := range m.Sum().DataPoints().All() {
			all = append(all, point{
				labels: p.Attributes(), start: since(p.StartTimestamp()), at: since(p.Timestamp()),
				stale: p.Flags().NoRecordedValue(), value: p.DoubleValue(),
			})
		}
		return all
	}
	for _, p := range m.Histogram().DataPoints().All() {
		buckets := fmt.Sprint(p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw())
		for _, e := range p.Exemplars().All() {
			buckets += fmt.Sprintf(" %v %s %s", e.DoubleValue(), e.TraceID(), e.SpanID())
		}
		all = append(all, point{
			labels: p.Attributes(), start: since(p.StartTimestamp()), at: since(p.Timestamp()),
			stale: p.Flags().NoRecordedValue(), count: p.Count(), sum: p.Sum(), buckets: buckets,
		})
	}
	return all
}

// TestMetrics reads what is told of a few spans: by name and labels as PromQL has
// them, with the slowest span as the exemplar.
func TestMetrics(t *testing.T) {
	cfg := red.DefaultConfig()
	cfg.Metrics.Bounds = []float64{0.1, 1}
	span := func(id byte, kind, status uint8, took time.Duration) sent {
		return sent{service: "cart", version: "1", Span: telemetry.Span{
			TraceID: telemetry.TraceID{id}, SpanID: telemetry.SpanID{id}, Name: "GET /cart", Kind: kind, Status: status,
			Start: base + 10*second - int64(took), End: base + 10*second,
		}}
	}
	out := run(t, cfg, []record{
		{tenant: "acme", received: base + 10*second, spans: []sent{
			span(1, 2, 0, 50*time.Millisecond), span(2, 2, 0, 3*time.Second), span(3, 2, 0, time.Second), span(4, 2, 2, time.Second),
			span(5, 3, 0, time.Second), span(6, 1, 0, time.Second), // nobody asked for clients and what is internal
		}},
		{tenant: "acme", received: base + 16*second, idle: true},
		{tenant: "acme", received: base + 90*second, idle: true},
		{tenant: "acme", received: base + 1000*second, idle: true},
	}, one, never)
	var got []string
	for i := range out.derived {
		d := &out.derived[i]
		if d.Tenant != "acme" || d.Signal != telemetry.Metrics || d.Key != "spans/3" || d.Time%(15*second) != 0 {
			t.Errorf("derived %+v", d)
		}
		events := int64(0)
		for _, m := range metricsOf(t, d) {
			for _, p := range pointsOf(m) {
				events++
				status, _ := p.labels.Get("status_code")
				line := fmt.Sprintf("%s %s ", strings.TrimPrefix(m.Name(), "traces_spanmetrics_"), strings.TrimPrefix(status.Str(), "STATUS_CODE_"))
				if p.stale {
					got = append(got, line+fmt.Sprint(p.at, " stale"))
				} else {
					got = append(got, line+fmt.Sprint(p.start, " ", p.at, ": ", p.value, " ", p.sum, " ", p.buckets))
				}
			}
		}
		if d.Events != events {
			t.Errorf("%d events, %d points", d.Events, events)
		}
	}
	want := []string{
		"calls_total UNSET 1ms 1ms: 0 0 ", "calls_total UNSET 1ms 15s: 3 0 ", "calls_total ERROR 1ms 1ms: 0 0 ", "calls_total ERROR 1ms 15s: 1 0 ",
		"latency UNSET 1ms 1ms: 0 0 [0.1 1] [0 0 0]",
		"latency UNSET 1ms 15s: 0 4.05 [0.1 1] [1 1 1] 3 02000000000000000000000000000000 0200000000000000",
		"latency ERROR 1ms 1ms: 0 0 [0.1 1] [0 0 0]",
		"latency ERROR 1ms 15s: 0 1 [0.1 1] [0 1 0] 1 04000000000000000000000000000000 0400000000000000",
		"calls_total UNSET 1ms 1m30s: 3 0 ", "calls_total ERROR 1ms 1m30s: 1 0 ",
		"latency UNSET 1ms 1m30s: 0 4.05 [0.1 1] [1 1 1]", "latency ERROR 1ms 1m30s: 0 1 [0.1 1] [0 1 0]",
		"calls_total UNSET 16m30s stale", "calls_total ERROR 16m30s stale", "latency UNSET 16m30s stale", "latency ERROR 16m30s stale",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	// As PromQL has it.
	b := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Metrics}}
	b.Records = append(b.Records, telemetry.Record{Value: out.derived[0].Value, Declared: -1, ReceiveTime: out.derived[0].Time})
	limits := otlp.DefaultLimits()
	otlp.Decode(b, &limits)
	if len(b.Rejects) > 0 {
		t.Fatal(b.Rejects)
	}
	n := prometheus.NewNamer(prometheus.DefaultPromoted())
	var series []string
	for _, p := range []telemetry.Point{b.Numbers[0].Point, b.Histograms[0].Point} {
		m := &b.Metrics[p.Metric]
		labels := n.AppendLabels(nil, prometheus.OTLP, b.AttrsOf(b.Resources[m.Resource].Attrs), nil, b.AttrsOf(p.Attrs), &b.Scopes[m.Scope])
		series = append(series, fmt.Sprint(n.Name(m, prometheus.OTLP), labels))
	}
	labels := "[{instance spans/3} {job goshawk} {otel_scope_name github.com/goshawk-observability/goshawk/processors/red} " +
		"{service cart} {span_kind SPAN_KIND_SERVER} {span_name GET /cart} {status_code STATUS_CODE_UNSET}]"
	if diff := gocmp.Diff([]string{"traces_spanmetrics_calls_total" + labels, "traces_spanmetrics_latency" + labels}, series); diff != "" {
		t.Error(diff)
	}
}

// checkMetrics compares the last points of all series with what was counted.
func checkMetrics(t *rapid.T, want map[key]*counted, derived []telemetry.Derived) {
	type total struct {
		Calls, Count uint64
		Nanoseconds  int64
	}
	expected, got := map[string]total{}, map[string]total{}
	kinds := []string{"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}
	for k, c := range want {
		name := fmt.Sprintf("%s %q %q SPAN_KIND_%s", k.tenant, k.service, k.name, kinds[k.kind])
		sum := expected[name]
		expected[name] = total{sum.Calls + c.Calls, sum.Count + c.Calls, sum.Nanoseconds + c.Sum}
	}
	// By status, which rows do not have.
	last, ended := map[string]total{}, map[string]bool{}
	for i := range derived {
		for _, m := range metricsOf(t, &derived[i]) {
			for _, p := range pointsOf(m) {
				text := func(key string) string { v, _ := p.labels.Get(key); return v.Str() }
				name := fmt.Sprintf("%s %q %q %s", derived[i].Tenant, text("service"), text("span_name"), text("span_kind"))
				name += "|" + text("status_code")
				sum := last[name]
				switch {
				case p.stale:
					ended[name] = true
					continue
				case m.Name() == "traces_spanmetrics_calls_total":
					sum.Calls = max(sum.Calls, uint64(p.value))
				default:
					sum.Count = max(sum.Count, p.count)
					sum.Nanoseconds = max(sum.Nanoseconds, int64(p.sum*1e9+0.5))
				}
				last[name] = sum
			}
		}
	}
	if len(ended) != len(last) {
		t.Fatal(len(ended), " of ", len(last), " series have ended after twenty minutes of silence")
	}
	for name, sum := range last {
		name = name[:bytes.IndexByte([]byte(name), '|')]
		all := got[name]
		got[name] = total{all.Calls + sum.Calls, all.Count + sum.Count, all.Nanoseconds + sum.Nanoseconds}
	}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		// Sums are floats in seconds.
		if d := expected[name].Nanoseconds - got[name].Nanoseconds; d < 100 && d > -100 {
			g := got[name]
			g.Nanoseconds = expected[name].Nanoseconds
			got[name] = g
		}
	}
	if diff := gocmp.Diff(expected, got); diff != "" {
		t.Fatalf("(-one by one +metrics):\n%s", diff)
	}
}

func metricsOf(t interface{ Fatal(...any) }, d *telemetry.Derived) []pmetric.Metric {
	req := pmetricotlp.NewExportRequest()
	if err := req.UnmarshalProto(d.Value); err != nil {
		t.Fatal(err)
	}
	var all []pmetric.Metric
	for _, rm := range req.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				all = append(all, m)
			}
		}
	}
	return all
}
