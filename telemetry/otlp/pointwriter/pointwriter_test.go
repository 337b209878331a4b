package pointwriter

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
)

const second = int64(1e9)

// now is a time that decoders take for plausible.
const now = 1_700_000_000 * second

func read(t testing.TB, value []byte) pmetric.Metrics {
	t.Helper()
	req := pmetricotlp.NewExportRequest()
	if err := req.UnmarshalProto(value); err != nil {
		t.Fatal(err)
	}
	return req.Metrics()
}

func decode(t testing.TB, value []byte) *telemetry.Batch {
	t.Helper()
	b := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Metrics}}
	b.Records = append(b.Records, telemetry.Record{Value: value, Declared: -1, ReceiveTime: now})
	limits := otlp.DefaultLimits()
	otlp.Decode(b, &limits)
	if len(b.Rejects) > 0 {
		t.Fatalf("rejected: %v", b.Rejects)
	}
	return b
}

// TestEveryField writes what pdata writes too, and compares the bytes after pdata
// has read and written them.
func TestEveryField(t *testing.T) {
	labels := []Label{{"service", "cart"}, {"span_name", strings.Repeat("long ", 100)}, {"empty", ""}}
	trace, span := telemetry.TraceID{1, 2, 15: 3}, telemetry.SpanID{4, 7: 5}
	bounds, counts := []float64{0.1, 1, math.Inf(1)}, []uint64{1, 0, 1 << 40, 3}

	w := New([]Label{{"service.name", "goshawk"}, {"service.instance.id", "a/1"}}, "scope")
	w.Metric("left out", "s", "no points", Sum)
	w.Metric("calls", "1", "How many.", Sum)
	w.Number(labels, now-second, now, 1.5, Exemplar{now - 1, 0.25, trace, span}, Exemplar{Time: now - 2, Value: 7})
	w.Number(nil, 0, now, -1)
	w.Stale(labels, now)
	w.Metric("temperature", "", "", Gauge)
	w.Number(labels[:1], 0, now, math.NaN())
	w.Metric("latency", "s", "How long.", Histogram)
	w.Histogram(labels, now-second, now, 1<<40+4, 17.25, bounds, counts, Exemplar{now - 3, 2.5, trace, span})
	w.Histogram(nil, now-second, now, 2, 1, nil, []uint64{2})
	w.Stale(labels, now)
	value, events := w.Finish()

	want := pmetric.NewMetrics()
	rm := want.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "goshawk")
	rm.Resource().Attributes().PutStr("service.instance.id", "a/1")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("scope")
	all := func(attrs pcommon.Map, labels []Label) {
		for _, l := range labels {
			attrs.PutStr(l.Key, l.Value)
		}
	}
	number := func(p pmetric.NumberDataPoint, labels []Label, start int64, value float64) pmetric.NumberDataPoint {
		all(p.Attributes(), labels)
		p.SetStartTimestamp(pcommon.Timestamp(start))
		p.SetTimestamp(pcommon.Timestamp(now))
		p.SetDoubleValue(value)
		return p
	}
	exemplar := func(e pmetric.Exemplar, time int64, value float64) pmetric.Exemplar {
		e.SetTimestamp(pcommon.Timestamp(time))
		e.SetDoubleValue(value)
		return e
	}
	m := sm.Metrics().AppendEmpty()
	m.SetName("calls")
	m.SetUnit("1")
	m.SetDescription("How many.")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := number(sum.DataPoints().AppendEmpty(), labels, now-second, 1.5)
	e := exemplar(p.Exemplars().AppendEmpty(), now-1, 0.25)
	e.SetTraceID(pcommon.TraceID(trace))
	e.SetSpanID(pcommon.SpanID(span))
	exemplar(p.Exemplars().AppendEmpty(), now-2, 7)
	number(sum.DataPoints().AppendEmpty(), nil, 0, -1)
	stale := sum.DataPoints().AppendEmpty()
	all(stale.Attributes(), labels)
	stale.SetTimestamp(pcommon.Timestamp(now))
	stale.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	m = sm.Metrics().AppendEmpty()
	m.SetName("temperature")
	number(m.SetEmptyGauge().DataPoints().AppendEmpty(), labels[:1], 0, math.NaN())
	m = sm.Metrics().AppendEmpty()
	m.SetName("latency")
	m.SetUnit("s")
	m.SetDescription("How long.")
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	hp := h.DataPoints().AppendEmpty()
	all(hp.Attributes(), labels)
	hp.SetStartTimestamp(pcommon.Timestamp(now - second))
	hp.SetTimestamp(pcommon.Timestamp(now))
	hp.SetCount(1<<40 + 4)
	hp.SetSum(17.25)
	hp.ExplicitBounds().FromRaw(bounds)
	hp.BucketCounts().FromRaw(counts)
	e = exemplar(hp.Exemplars().AppendEmpty(), now-3, 2.5)
	e.SetTraceID(pcommon.TraceID(trace))
	e.SetSpanID(pcommon.SpanID(span))
	hp = h.DataPoints().AppendEmpty()
	hp.SetStartTimestamp(pcommon.Timestamp(now - second))
	hp.SetTimestamp(pcommon.Timestamp(now))
	hp.SetCount(2)
	hp.SetSum(1)
	hp.BucketCounts().FromRaw([]uint64{2})
	hp = h.DataPoints().AppendEmpty()
	all(hp.Attributes(), labels)
	hp.SetTimestamp(pcommon.Timestamp(now))
	hp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))

	text := func(m pmetric.Metrics) string {
		b, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(m)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "},", "},\n")
	}
	if diff := cmp.Diff(text(want), text(read(t, value))); diff != "" {
		t.Error(diff)
	}
	if events != int64(want.DataPointCount()) {
		t.Errorf("%d events, want %d", events, want.DataPointCount())
	}

	// What is read by goshawk itself has all points and exemplars, too.
	b := decode(t, value)
	if b.EventCount() != want.DataPointCount() || len(b.Exemplars) != 3 || len(b.Metrics) != 3 || b.Resources[0].Service != "goshawk" {
		t.Errorf("decoded %d points, %d exemplars, %d metrics of %s", b.EventCount(), len(b.Exemplars), len(b.Metrics), b.Resources[0].Service)
	}
	if !b.Metrics[0].Monotonic || b.Metrics[0].Temporality != telemetry.Cumulative || b.Histograms[2].Flags != telemetry.FlagNoRecordedValue {
		t.Errorf("decoded %+v, %+v", b.Metrics[0], b.Histograms[2])
	}
	if b.Exemplars[0].TraceID != trace || b.Exemplars[0].SpanID != span || b.Numbers[0].Start != now-second {
		t.Errorf("decoded %+v of %+v", b.Exemplars[0], b.Numbers[0])
	}
}

// TestFinish makes requests one after the other: each has what is its own.
func TestFinish(t *testing.T) {
	w := New(nil, "")
	w.Metric("m", "", "", Sum)
	if value, events := w.Finish(); value != nil || events != 0 {
		t.Errorf("%d events in %x", events, value)
	}
	var kept [][]byte
	for i := range 3 {
		w.Metric(fmt.Sprint("m", i), "", "", Sum)
		w.Number(nil, 0, now, 1)
		if w.Len() == 0 {
			t.Error("a request with a point has no length")
		}
		value, events := w.Finish()
		if events != 1 {
			t.Errorf("%d events", events)
		}
		kept = append(kept, value)
	}
	for i, value := range kept {
		m := read(t, value)
		if got := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics(); got.Len() != 1 || got.At(0).Name() != fmt.Sprint("m", i) {
			t.Errorf("request %d has %d metrics, of %s", i, got.Len(), got.At(0).Name())
		}
	}
	w.Metric("m", "", "", Sum)
	w.Number(nil, 0, now, 1)
	w.Reset()
	if _, events := w.Finish(); events != 0 {
		t.Errorf("%d events after a reset", events)
	}
}

// TestNames says how PromQL calls what is written: a name that ends in what a
// suffix would say gets none.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		kind       Kind
		want       string
	}{
		{"traces_spanmetrics_calls_total", "", Sum, "traces_spanmetrics_calls_total"},
		{"traces_spanmetrics_calls", "", Sum, "traces_spanmetrics_calls_total"},
		{"traces_spanmetrics_latency", "", Histogram, "traces_spanmetrics_latency"},
		{"traces_spanmetrics_latency", "s", Histogram, "traces_spanmetrics_latency_seconds"},
		{"traces_service_graph_request_total", "", Sum, "traces_service_graph_request_total"},
		{"traces_service_graph_request_server_seconds", "", Histogram, "traces_service_graph_request_server_seconds"},
		{"traces_service_graph_request_server_seconds", "s", Histogram, "traces_service_graph_request_server_seconds"},
	} {
		w := New([]Label{{"service.name", "goshawk"}, {"service.instance.id", "spans/0"}}, "s")
		w.Metric(c.name, c.unit, "", c.kind)
		w.Stale([]Label{{"span_name", "GET /"}, {"span.kind", ""}}, now)
		value, _ := w.Finish()
		b := decode(t, value)
		n := prometheus.NewNamer(nil)
		if got := n.Name(&b.Metrics[0], prometheus.OTLP); got != c.want {
			t.Errorf("%s in %q is %s, want %s", c.name, c.unit, got, c.want)
		}
		var point telemetry.Range
		if c.kind == Histogram {
			point = b.Histograms[0].Attrs
		} else {
			point = b.Numbers[0].Attrs
		}
		labels := fmt.Sprint(n.AppendLabels(nil, prometheus.OTLP, b.AttrsOf(b.Resources[0].Attrs), nil, b.AttrsOf(point), &b.Scopes[0]))
		if want := "[{instance spans/0} {job goshawk} {otel_scope_name s} {span_name GET /}]"; labels != want {
			t.Errorf("labels %s, want %s", labels, want)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	w := New([]Label{{"service.name", "goshawk"}}, "s")
	labels := []Label{{"service", "cart"}, {"span_name", "GET /cart"}, {"span_kind", "SPAN_KIND_SERVER"}, {"status_code", "STATUS_CODE_UNSET"}}
	bounds, counts := make([]float64, 14), make([]uint64, 15)
	b.ReportAllocs()
	for b.Loop() {
		w.Metric("m", "", "", Histogram)
		for range 1000 {
			w.Histogram(labels, now, now, 1, 1, bounds, counts)
		}
		w.Finish()
	}
}

// TestDelta writes a sum of delta temporality, whose points are read as such.
func TestDelta(t *testing.T) {
	w := New(nil, "")
	w.Metric("sessions", "{session}", "", Delta)
	w.Number([]Label{{"status", "ok"}}, 0, now, 3)
	value, events := w.Finish()
	m := read(t, value).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	if s := m.Sum(); events != 1 || s.AggregationTemporality() != pmetric.AggregationTemporalityDelta || !s.IsMonotonic() || s.DataPoints().At(0).DoubleValue() != 3 {
		t.Errorf("%d events: %v", events, m.Sum())
	}
	if b := decode(t, value); len(b.Numbers) != 1 || b.Metrics[0].Temporality != telemetry.Delta {
		t.Errorf("decoded %+v", b.Metrics)
	}
}
