package interop

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// counts are numbers of events, by signal.
type counts struct{ logs, spans, points int }

func (c *counts) add(other counts) {
	c.logs += other.logs
	c.spans += other.spans
	c.points += other.points
}

// signals is one request of each signal.
type signals struct {
	logs    plog.Logs
	traces  ptrace.Traces
	metrics pmetric.Metrics
}

// counts returns what the requests hold.
func (s signals) counts() counts {
	return counts{s.logs.LogRecordCount(), s.traces.SpanCount(), s.metrics.DataPointCount()}
}

// generate makes requests with several resources of one service, several traces
// and every kind of metric point. The seed decides what is in them.
func generate(service string, seed uint64, resources, events int) signals {
	r := rand.New(rand.NewPCG(seed, 1))
	s := signals{plog.NewLogs(), ptrace.NewTraces(), pmetric.NewMetrics()}
	now := time.Now()
	stamp := func(i int) pcommon.Timestamp {
		return pcommon.NewTimestampFromTime(now.Add(time.Duration(i) * time.Microsecond))
	}
	describe := func(resource pcommon.Resource, i int) {
		resource.Attributes().PutStr("service.name", service)
		resource.Attributes().PutStr("service.instance.id", fmt.Sprintf("%s-%d-%d", service, seed, i))
	}
	for i := range resources {
		logs := s.logs.ResourceLogs().AppendEmpty()
		describe(logs.Resource(), i)
		spans := s.traces.ResourceSpans().AppendEmpty()
		describe(spans.Resource(), i)
		metrics := s.metrics.ResourceMetrics().AppendEmpty()
		describe(metrics.Resource(), i)

		records := logs.ScopeLogs().AppendEmpty().LogRecords()
		list := spans.ScopeSpans().AppendEmpty().Spans()
		points := metrics.ScopeMetrics().AppendEmpty().Metrics()
		for j := range events {
			trace, span := traceID(r), spanID(r)

			record := records.AppendEmpty()
			record.SetTimestamp(stamp(j))
			record.SetObservedTimestamp(stamp(j))
			record.SetSeverityNumber(plog.SeverityNumber(1 + r.IntN(24)))
			record.Body().SetStr(fmt.Sprintf("order %d was shipped", r.IntN(1000)))
			record.SetTraceID(trace)
			record.SetSpanID(span)
			record.Attributes().PutInt("order.items", int64(r.IntN(9)))

			s := list.AppendEmpty()
			s.SetTraceID(trace)
			s.SetSpanID(span)
			s.SetName("ship")
			s.SetKind(ptrace.SpanKindServer)
			s.SetStartTimestamp(stamp(j))
			s.SetEndTimestamp(stamp(j + r.IntN(5000)))
			s.Attributes().PutStr("http.route", "/orders/{id}")
			s.Events().AppendEmpty().SetName("packed")

			fillMetric(points.AppendEmpty(), service, r, stamp(j), j)
		}
	}
	return s
}

// fillMetric makes a metric with one point, of the kinds in turn.
func fillMetric(m pmetric.Metric, service string, r *rand.Rand, at pcommon.Timestamp, i int) {
	m.SetName(fmt.Sprintf("%s.kind%d", service, i%5))
	m.SetUnit("1")
	switch i % 5 {
	case 0:
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetDoubleValue(r.Float64())
	case 1:
		m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		m.Sum().SetIsMonotonic(true)
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetIntValue(r.Int64N(1000))
	case 2:
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetCount(3)
		p.SetSum(4)
		p.ExplicitBounds().FromRaw([]float64{1, 2})
		p.BucketCounts().FromRaw([]uint64{1, 1, 1})
	case 3:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetCount(2)
		p.SetSum(3)
		p.SetScale(2)
		p.Positive().BucketCounts().FromRaw([]uint64{1, 1})
	case 4:
		p := m.SetEmptySummary().DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetCount(2)
		p.SetSum(3)
		q := p.QuantileValues().AppendEmpty()
		q.SetQuantile(0.5)
		q.SetValue(1.5)
	}
}

func traceID(r *rand.Rand) (id pcommon.TraceID) {
	for i := range id {
		id[i] = byte(1 + r.IntN(255))
	}
	return id
}

func spanID(r *rand.Rand) (id pcommon.SpanID) {
	for i := range id {
		id[i] = byte(1 + r.IntN(255))
	}
	return id
}

func isOf(resource pcommon.Resource, service string) bool {
	name, ok := resource.Attributes().Get("service.name")
	return ok && name.Str() == service
}

func countLogs(logs plog.Logs, service string) (n int) {
	for _, resource := range logs.ResourceLogs().All() {
		if isOf(resource.Resource(), service) {
			for _, scope := range resource.ScopeLogs().All() {
				n += scope.LogRecords().Len()
			}
		}
	}
	return n
}

func countSpans(traces ptrace.Traces, service string) (n int) {
	for _, resource := range traces.ResourceSpans().All() {
		if isOf(resource.Resource(), service) {
			for _, scope := range resource.ScopeSpans().All() {
				n += scope.Spans().Len()
			}
		}
	}
	return n
}

func countPoints(metrics pmetric.Metrics, service string) int {
	of := pmetric.NewMetrics()
	for _, resource := range metrics.ResourceMetrics().All() {
		if isOf(resource.Resource(), service) {
			resource.CopyTo(of.ResourceMetrics().AppendEmpty())
		}
	}
	return of.DataPointCount()
}

// serviceName returns a name for a service that no other test uses, nor the same
// test in another run against the same broker.
func serviceName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("interop-%x", rand.Uint64())
}

// settle is how long a test waits for the rest of what it sent. It bounds a test
// that fails; one that passes ends when all has arrived.
const settle = 90 * time.Second

// await polls until what arrived is what was sent, then makes sure that nothing
// comes after it.
func await(t *testing.T, where string, want counts, got func() counts) {
	t.Helper()
	deadline := time.Now().Add(settle)
	for got() != want {
		c := got()
		if time.Now().After(deadline) || c.logs > want.logs || c.spans > want.spans || c.points > want.points {
			t.Fatalf("%s: got %+v, want %+v", where, c, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
	if c := got(); c != want {
		t.Fatalf("%s: more came afterwards: got %+v, want %+v", where, c, want)
	}
}
