package probe

import (
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// Scope is the instrumentation scope of the results.
const Scope = "github.com/goshawk-observability/goshawk/ingest/probe"

// finding is a result with what the schedule knows of its target.
type finding struct {
	*prober.Result
	site   string
	name   string
	labels map[string]string
	// onDemand results are answered where they were asked for; only their spans
	// go to the pipelines.
	onDemand bool
}

// appendMetrics adds the points of a result. All of them have the time at which
// the probe ended.
func (f *finding) appendMetrics(to pmetric.Metrics, version string) {
	rm := to.ResourceMetrics().AppendEmpty()
	f.resource(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(Scope)
	sm.Scope().SetVersion(version)
	at := pcommon.NewTimestampFromTime(f.Start.Add(f.Duration))
	var gauge pmetric.Gauge
	last := ""
	// Points of one name follow each other.
	for i := range f.Points {
		p := &f.Points[i]
		if p.Name != last {
			last = p.Name
			metric := sm.Metrics().AppendEmpty()
			metric.SetName(p.Name)
			metric.SetDescription(prober.Help[p.Name])
			gauge = metric.SetEmptyGauge()
		}
		point := gauge.DataPoints().AppendEmpty()
		point.SetTimestamp(at)
		point.SetDoubleValue(p.Value)
		f.common(point.Attributes(), len(p.Labels))
		for _, l := range p.Labels {
			point.Attributes().PutStr(l.Name, clean(l.Value))
		}
	}
}

// appendSpan adds the span of a result. Its phases are events at their starts.
func (f *finding) appendSpan(to ptrace.Traces, version string) {
	rs := to.ResourceSpans().AppendEmpty()
	f.resource(rs.Resource())
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(Scope)
	ss.Scope().SetVersion(version)
	span := ss.Spans().AppendEmpty()
	span.SetTraceID(f.TraceID)
	span.SetSpanID(f.SpanID)
	span.SetName(f.SpanName)
	if f.SpanName == "" {
		// The target was refused before the protocol looked at it.
		span.SetName("probe")
	}
	span.SetKind(ptrace.SpanKindClient)
	span.SetFlags(1)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(f.Start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(f.Start.Add(f.Duration)))
	f.common(span.Attributes(), len(f.Attributes)+1)
	for _, a := range f.Attributes {
		if a.IsNumber {
			span.Attributes().PutInt(a.Key, a.Number)
		} else {
			span.Attributes().PutStr(a.Key, clean(a.Text))
		}
	}
	if f.Failure != nil {
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(clean(f.Failure.Error()))
		span.Attributes().PutStr("error.type", f.Failure.Type)
	}
	span.Events().EnsureCapacity(len(f.Phases))
	for _, p := range f.Phases {
		event := span.Events().AppendEmpty()
		event.SetName(p.Name)
		// Times of one span come from one reading of the wall clock.
		event.SetTimestamp(pcommon.NewTimestampFromTime(f.Start.Add(p.Start.Sub(f.Start))))
		event.Attributes().PutDouble("probe.phase.duration", p.End.Sub(p.Start).Seconds())
	}
}

func (f *finding) resource(r pcommon.Resource) {
	r.Attributes().EnsureCapacity(2)
	r.Attributes().PutStr("service.name", f.name)
	r.Attributes().PutStr("service.instance.id", clean(f.Target))
}

// common puts the attributes that all points and the span have, and makes room
// for more.
func (f *finding) common(m pcommon.Map, more int) {
	m.EnsureCapacity(2 + len(f.labels) + more)
	m.PutStr("module", f.Module)
	m.PutStr("site", f.site)
	if len(f.labels) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(f.labels)) {
		m.PutStr(name, f.labels[name])
	}
}

// clean makes text from the network fit for protobuf.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
