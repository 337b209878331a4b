package otlp

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// expected is what a request should give: a line for every row, sorted, and how
// many rows are rejected for which reason. It knows the rules about times, ids
// and buckets, not the limits of size.
type expected struct {
	lines    []string
	rejects  map[string]int64
	events   int64
	received int64
	lim      Limits
}

// expect says what a canonical request should give.
func expect(tb testing.TB, signal telemetry.Signal, body []byte, received int64, lim *Limits) *expected {
	tb.Helper()
	e := &expected{rejects: map[string]int64{}, received: received, lim: *lim}
	var err error
	switch signal {
	case telemetry.Logs:
		var ld plog.Logs
		if ld, err = new(plog.ProtoUnmarshaler).UnmarshalLogs(body); err == nil {
			e.logs(ld)
		}
	case telemetry.Spans:
		var td ptrace.Traces
		if td, err = new(ptrace.ProtoUnmarshaler).UnmarshalTraces(body); err == nil {
			e.spans(td)
		}
	case telemetry.Metrics:
		var md pmetric.Metrics
		if md, err = new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(body); err == nil {
			e.metrics(md)
		}
	}
	if err != nil {
		tb.Fatalf("pdata refuses a canonical request: %v", err)
	}
	slices.Sort(e.lines)
	return e
}

func (e *expected) add(problem, line string) {
	e.events++
	if problem != "" {
		e.rejects[problem]++
		return
	}
	e.lines = append(e.lines, line)
}

// time returns a row's time and what is wrong with it.
func (e *expected) time(t uint64) (int64, string) {
	switch {
	case t == 0:
		return e.received, ""
	case t > math.MaxInt64 || int64(t) > e.received+int64(e.lim.MaxFuture):
		return 0, ReasonFuture
	case int64(t) < e.received-int64(e.lim.MaxAge):
		return 0, ReasonAge
	}
	return int64(t), ""
}

func other(t pcommon.Timestamp) int64 {
	if uint64(t) > math.MaxInt64 {
		return 0
	}
	return int64(t)
}

func within(v, last int32) int32 {
	if v < 0 || v > last {
		return 0
	}
	return v
}

func service(r pcommon.Resource) string {
	name := "unknown_service"
	for k, v := range r.Attributes().All() {
		if k != "service.name" {
			continue
		}
		switch name = "unknown_service"; v.Type() {
		case pcommon.ValueTypeEmpty:
		case pcommon.ValueTypeStr:
			if v.Str() != "" {
				name = v.Str()
			}
		default:
			name = jsonOf(v, true)
		}
	}
	return name
}

func origin(r pcommon.Resource, resourceURL string, s pcommon.InstrumentationScope, scopeURL string) string {
	return fmt.Sprintf("resource{%q %q %s %d} scope{%q %q %q %s %d}",
		service(r), resourceURL, pdataMap(r.Attributes()), r.DroppedAttributesCount(),
		s.Name(), s.Version(), scopeURL, pdataMap(s.Attributes()), s.DroppedAttributesCount())
}

func (e *expected) logs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			from := origin(rl.Resource(), rl.SchemaUrl(), sl.Scope(), sl.SchemaUrl())
			for _, l := range sl.LogRecords().All() {
				t := l.Timestamp()
				if t == 0 {
					t = l.ObservedTimestamp()
				}
				when, problem := e.time(uint64(t))
				e.add(problem, fmt.Sprintf("log %s time=%d observed=%d trace=%x span=%x body=%s severity=%d/%q event=%q attrs=%s dropped=%d flags=%d",
					from, when, other(l.ObservedTimestamp()), [16]byte(l.TraceID()), [8]byte(l.SpanID()), pdataValue(l.Body()),
					within(int32(l.SeverityNumber()), 24), l.SeverityText(), l.EventName(), pdataMap(l.Attributes()),
					l.DroppedAttributesCount(), uint32(l.Flags())))
			}
		}
	}
}

func (e *expected) spans(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			from := origin(rs.Resource(), rs.SchemaUrl(), ss.Scope(), ss.SchemaUrl())
			for _, s := range ss.Spans().All() {
				var events, links []string
				for _, v := range s.Events().All() {
					events = append(events, fmt.Sprintf("(%d %q %s %d)", other(v.Timestamp()), v.Name(), pdataMap(v.Attributes()), v.DroppedAttributesCount()))
				}
				for _, k := range s.Links().All() {
					links = append(links, fmt.Sprintf("(%x %x %q %s %d %d)", [16]byte(k.TraceID()), [8]byte(k.SpanID()), k.TraceState().AsRaw(), pdataMap(k.Attributes()), k.DroppedAttributesCount(), k.Flags()))
				}
				start, end := s.StartTimestamp(), s.EndTimestamp()
				if start == 0 {
					start = end
				}
				if end == 0 {
					end = start
				}
				startTime, problem := e.time(uint64(start))
				endTime, endProblem := e.time(uint64(end))
				if problem == "" {
					problem = endProblem
				}
				if s.SpanID().IsEmpty() {
					problem = ReasonSpanID
				}
				if s.TraceID().IsEmpty() {
					problem = ReasonTraceID
				}
				e.add(problem, fmt.Sprintf("span %s start=%d end=%d trace=%x span=%x parent=%x name=%q state=%q status=%d/%q kind=%d attrs=%s events=%s links=%s dropped=%d/%d/%d flags=%d",
					from, startTime, endTime, [16]byte(s.TraceID()), [8]byte(s.SpanID()), [8]byte(s.ParentSpanID()), s.Name(), s.TraceState().AsRaw(),
					within(int32(s.Status().Code()), 2), s.Status().Message(), within(int32(s.Kind()), 5), pdataMap(s.Attributes()),
					events, links, s.DroppedAttributesCount(), s.DroppedEventsCount(), s.DroppedLinksCount(), s.Flags()))
			}
		}
	}
}

// dataPoint is what pdata's data points have in common.
type dataPoint interface {
	Timestamp() pcommon.Timestamp
	StartTimestamp() pcommon.Timestamp
	Attributes() pcommon.Map
	Flags() pmetric.DataPointFlags
}

func (e *expected) point(metric string, p dataPoint, exemplars pmetric.ExemplarSlice) (line, problem string) {
	var list []string
	for _, x := range exemplars.All() {
		value, integer, isInt := x.DoubleValue(), int64(0), x.ValueType() == pmetric.ExemplarValueTypeInt
		if isInt {
			integer = x.IntValue()
			value = float64(integer)
		}
		list = append(list, fmt.Sprintf("(%d %s/%d/%t %s %x %x)", other(x.Timestamp()), num(value), integer, isInt, pdataMap(x.FilteredAttributes()), [16]byte(x.TraceID()), [8]byte(x.SpanID())))
	}
	when, problem := e.time(uint64(p.Timestamp()))
	return fmt.Sprintf("%s time=%d start=%d attrs=%s exemplars=%s flags=%d",
		metric, when, other(p.StartTimestamp()), pdataMap(p.Attributes()), list, uint32(p.Flags())), problem
}

func (e *expected) metrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			from := origin(rm.Resource(), rm.SchemaUrl(), sm.Scope(), sm.SchemaUrl())
			for _, m := range sm.Metrics().All() {
				e.metric(from, m)
			}
		}
	}
}

func (e *expected) metric(from string, m pmetric.Metric) {
	describe := func(kind telemetry.MetricKind, temporality pmetric.AggregationTemporality, monotonic bool) string {
		return fmt.Sprintf("%s metric{%q %q %q %s %d %d %t}", from, m.Name(), m.Description(), m.Unit(),
			pdataMap(m.Metadata()), kind, within(int32(temporality), 2), monotonic)
	}
	numbers := func(metric string, points pmetric.NumberDataPointSlice) {
		for _, p := range points.All() {
			line, problem := e.point(metric, p, p.Exemplars())
			value, integer, isInt := p.DoubleValue(), int64(0), p.ValueType() == pmetric.NumberDataPointValueTypeInt
			if isInt {
				integer = p.IntValue()
				value = float64(integer)
			}
			e.add(problem, fmt.Sprintf("number %s value=%s/%d/%t", line, num(value), integer, isInt))
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(describe(telemetry.Gauge, 0, false), m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		numbers(describe(telemetry.Sum, m.Sum().AggregationTemporality(), m.Sum().IsMonotonic()), m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		metric := describe(telemetry.Histogram, m.Histogram().AggregationTemporality(), false)
		for _, p := range m.Histogram().DataPoints().All() {
			line, problem := e.point(metric, p, p.Exemplars())
			if counts, bounds := p.BucketCounts().Len(), p.ExplicitBounds().Len(); counts != bounds+1 && counts+bounds != 0 {
				problem = ReasonBuckets
			}
			e.add(problem, fmt.Sprintf("histogram %s count=%d sum=%s bounds=%s counts=%v min=%s max=%s",
				line, p.Count(), optional(p.HasSum(), p.Sum()), floats(p.ExplicitBounds().AsRaw()), p.BucketCounts().AsRaw(),
				optional(p.HasMin(), p.Min()), optional(p.HasMax(), p.Max())))
		}
	case pmetric.MetricTypeExponentialHistogram:
		metric := describe(telemetry.ExponentialHistogram, m.ExponentialHistogram().AggregationTemporality(), false)
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			line, problem := e.point(metric, p, p.Exemplars())
			e.add(problem, fmt.Sprintf("exponential %s count=%d zero=%d/%s sum=%s scale=%d positive=%d%v negative=%d%v min=%s max=%s",
				line, p.Count(), p.ZeroCount(), num(p.ZeroThreshold()), optional(p.HasSum(), p.Sum()), p.Scale(),
				p.Positive().Offset(), p.Positive().BucketCounts().AsRaw(), p.Negative().Offset(), p.Negative().BucketCounts().AsRaw(),
				optional(p.HasMin(), p.Min()), optional(p.HasMax(), p.Max())))
		}
	case pmetric.MetricTypeSummary:
		metric := describe(telemetry.Summary, 0, false)
		for _, p := range m.Summary().DataPoints().All() {
			line, problem := e.point(metric, p, pmetric.NewExemplarSlice())
			var quantiles []float64
			for _, q := range p.QuantileValues().All() {
				quantiles = append(quantiles, q.Quantile(), q.Value())
			}
			e.add(problem, fmt.Sprintf("summary %s count=%d sum=%s quantiles=%s", line, p.Count(), num(p.Sum()), floats(quantiles)))
		}
	case pmetric.MetricTypeEmpty:
	}
}
