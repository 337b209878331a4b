package shop_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// story is what a shop has told, decoded.
type story struct {
	spans   []toldSpan
	byID    map[pcommon.SpanID]int // index in spans
	logs    []toldLog
	points  []toldPoint
	shop    *shop.Shop
	started time.Time
}

type toldSpan struct {
	ptrace.Span
	service, version, host string
}

type toldLog struct {
	plog.LogRecord
	service, scope, host string
}

type toldPoint struct {
	metric, service, host, instance string
	attributes                      pcommon.Map
	at, since                       time.Time
	value                           float64
}

func attribute(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// tell runs a shop for a while and decodes all that it says.
func tell(t *testing.T, c shop.Config, length time.Duration) *story {
	t.Helper()
	s := newShop(t, c)
	told := &story{byID: map[pcommon.SpanID]int{}, shop: s, started: c.Start}
	for _, r := range take(t, s, c.Start.Add(length).UnixNano()) {
		switch r.Signal {
		case telemetry.Logs:
			told.hearLogs(decodeLogs(t, r).Logs())
		case telemetry.Spans:
			told.hearSpans(decodeSpans(t, r).Traces())
		case telemetry.Metrics:
			told.hearMetrics(decodeMetrics(t, r).Metrics())
		}
	}
	return told
}

func (s *story) hearLogs(d plog.Logs) {
	for _, r := range d.ResourceLogs().All() {
		a := r.Resource().Attributes()
		for _, sc := range r.ScopeLogs().All() {
			for _, l := range sc.LogRecords().All() {
				s.logs = append(s.logs, toldLog{l, attribute(a, "service.name"), sc.Scope().Name(), attribute(a, "host.name")})
			}
		}
	}
}

func (s *story) hearSpans(d ptrace.Traces) {
	for _, r := range d.ResourceSpans().All() {
		a := r.Resource().Attributes()
		for _, sc := range r.ScopeSpans().All() {
			for _, p := range sc.Spans().All() {
				s.byID[p.SpanID()] = len(s.spans)
				s.spans = append(s.spans, toldSpan{p, attribute(a, "service.name"), attribute(a, "service.version"), attribute(a, "host.name")})
			}
		}
	}
}

func (s *story) hearMetrics(d pmetric.Metrics) {
	for _, r := range d.ResourceMetrics().All() {
		a := r.Resource().Attributes()
		for _, sc := range r.ScopeMetrics().All() {
			for _, m := range sc.Metrics().All() {
				var points pmetric.NumberDataPointSlice
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					points = m.Gauge().DataPoints()
				case pmetric.MetricTypeSum:
					points = m.Sum().DataPoints()
				default:
					continue
				}
				for _, p := range points.All() {
					value := p.DoubleValue()
					if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
						value = float64(p.IntValue())
					}
					s.points = append(s.points, toldPoint{
						m.Name(), attribute(a, "service.name"), attribute(a, "host.name"), attribute(a, "service.instance.id"), p.Attributes(),
						p.Timestamp().AsTime(), p.StartTimestamp().AsTime(), value,
					})
				}
			}
		}
	}
}

// during counts the spans for which is holds, and those of them that are chosen,
// in and out of a window.
func (s *story) during(from, to time.Time, is, chosen func(*toldSpan) bool) (in, inAll, out, outAll int) {
	for i := range s.spans {
		p := &s.spans[i]
		if !is(p) {
			continue
		}
		inside := !p.EndTimestamp().AsTime().Before(from) && p.EndTimestamp().AsTime().Before(to)
		switch {
		case inside && chosen(p):
			in++
			inAll++
		case inside:
			inAll++
		case chosen(p):
			out++
			outAll++
		default:
			outAll++
		}
	}
	return in, inAll, out, outAll
}

// medianDuration is of the spans for which is holds, in and out of a window.
func (s *story) medianDuration(from, to time.Time, is func(*toldSpan) bool) (in, out time.Duration) {
	var ins, outs []time.Duration
	for i := range s.spans {
		p := &s.spans[i]
		if !is(p) {
			continue
		}
		d := time.Duration(p.EndTimestamp() - p.StartTimestamp())
		if at := p.EndTimestamp().AsTime(); !at.Before(from) && at.Before(to) {
			ins = append(ins, d)
		} else {
			outs = append(outs, d)
		}
	}
	return median(ins), median(outs)
}
