package jaeger

import (
	"encoding/json"
	"strconv"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// render answers with traces.
func render(all []*traces.Trace, note string, errs []fault) traces.Answer {
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) {
		o.B = append(o.B, `{"data":[`...)
		for i, t := range all {
			if i > 0 {
				o.B = append(o.B, ',')
			}
			writeTrace(o, t, note)
		}
		o.B = append(o.B, `],"total":`...)
		o.B = strconv.AppendInt(o.B, int64(len(all)), 10)
		o.B = append(o.B, `,"limit":0,"offset":0,"errors":`...)
		text, _ := json.Marshal(errs) // it holds texts and numbers
		o.B = append(append(o.B, text...), '}')
	}}
}

// process is what the spans of a process have in common.
type process struct {
	service  string
	resource *traces.Resource
}

func writeTrace(o *traces.Out, t *traces.Trace, note string) {
	o.B = append(o.B, `{"traceID":`...)
	o.B = traces.AppendQuotedHex(o.B, t.ID[:])
	o.B = append(o.B, `,"spans":[`...)
	processes := map[process]int{}
	var order []process
	for i := range t.Spans {
		s := &t.Spans[i]
		p := process{s.Service, s.Resource}
		n, ok := processes[p]
		if !ok {
			n = len(order)
			processes[p] = n
			order = append(order, p)
		}
		if i > 0 {
			o.B = append(o.B, ',')
		}
		o.B = appendSpan(o.B, t.ID, s, n)
		o.Flush()
	}
	o.B = append(o.B, `],"processes":{`...)
	for n, p := range order {
		if n > 0 {
			o.B = append(o.B, ',')
		}
		o.B = appendProcessID(o.B, n)
		o.B = append(o.B, `:{"serviceName":`...)
		o.B = traces.AppendString(o.B, p.service)
		o.B = append(o.B, `,"tags":`...)
		tags := list{o.B, 0}
		if p.resource != nil {
			for i := range p.resource.Attrs {
				if a := &p.resource.Attrs[i]; a.Key != "service.name" {
					tags.add(a.Key, &a.Value)
				}
			}
		}
		o.B = append(tags.end(), '}')
		o.Flush()
	}
	o.B = append(o.B, `},"warnings":`...)
	if t.Cut {
		o.B = append(o.B, '[')
		o.B = traces.AppendString(o.B, note)
		o.B = append(o.B, ']')
	} else {
		o.B = append(o.B, "null"...)
	}
	o.B = append(o.B, '}')
}

func appendProcessID(b []byte, n int) []byte {
	b = append(b, `"p`...)
	return append(strconv.AppendInt(b, int64(n+1), 10), '"')
}

// microseconds is the unit of Jaeger's times.
const microseconds = 1000

func appendSpan(b []byte, trace telemetry.TraceID, s *traces.Span, process int) []byte {
	b = append(b, `{"traceID":`...)
	b = traces.AppendQuotedHex(b, trace[:])
	b = append(b, `,"spanID":`...)
	b = traces.AppendQuotedHex(b, s.ID[:])
	b = append(b, `,"flags":`...)
	b = strconv.AppendUint(b, flags(s), 10)
	b = append(b, `,"operationName":`...)
	b = traces.AppendString(b, s.Name)
	b = append(b, `,"references":[`...)
	if !s.Root() {
		b = appendReference(b, "CHILD_OF", trace, s.Parent)
	}
	for i := range s.Links {
		if i > 0 || !s.Root() {
			b = append(b, ',')
		}
		kind := "FOLLOWS_FROM"
		if traces.FindText(s.Links[i].Attrs, "opentracing.ref_type") == "child_of" {
			kind = "CHILD_OF"
		}
		b = appendReference(b, kind, s.Links[i].Trace, s.Links[i].Span)
	}
	b = append(b, `],"startTime":`...)
	b = strconv.AppendInt(b, s.Start/microseconds, 10)
	b = append(b, `,"duration":`...)
	b = strconv.AppendInt(b, max(s.Duration, 0)/microseconds, 10)
	b = append(b, `,"tags":`...)
	b = appendTags(b, s)
	b = append(b, `,"logs":[`...)
	for i := range s.Events {
		e := &s.Events[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"timestamp":`...)
		b = strconv.AppendInt(b, e.Time/microseconds, 10)
		b = append(b, `,"fields":`...)
		fields := list{b, 0}
		if _, named := traces.Find(e.Attrs, "event"); e.Name != "" && !named {
			fields.text("event", e.Name)
		}
		for j := range e.Attrs {
			fields.add(e.Attrs[j].Key, &e.Attrs[j].Value)
		}
		fields.count("otel.event.dropped_attributes_count", e.DroppedAttrs)
		b = append(fields.end(), '}')
	}
	b = append(b, `],"processID":`...)
	b = appendProcessID(b, process)
	if s.Duration < 0 {
		return append(b, `,"warnings":["the span ends before it starts"]}`...)
	}
	return append(b, `,"warnings":null}`...)
}

// debugKey is the attribute that the flag debug is kept as.
const debugKey = "jaeger.debug"

// flags are Jaeger's: sampled and debug.
func flags(s *traces.Span) uint64 {
	const debug = 2
	all := uint64(s.Flags & 0xff)
	if traces.FindText(s.Attrs, debugKey) == "true" {
		all |= debug
	}
	return all
}

func appendReference(b []byte, kind string, trace telemetry.TraceID, span telemetry.SpanID) []byte {
	b = append(b, `{"refType":"`...)
	b = append(b, kind...)
	b = append(b, `","traceID":`...)
	b = traces.AppendQuotedHex(b, trace[:])
	b = append(b, `,"spanID":`...)
	return append(traces.AppendQuotedHex(b, span[:]), '}')
}

// appendTags appends the attributes of a span and what OpenTelemetry's mapping
// to Jaeger makes tags of.
func appendTags(b []byte, s *traces.Span) []byte {
	tags := list{b, 0}
	for i := range s.Attrs {
		if s.Attrs[i].Key != debugKey {
			tags.add(s.Attrs[i].Key, &s.Attrs[i].Value)
		}
	}
	if s.Kind != traces.KindUnspecified {
		tags.text("span.kind", s.Kind.String())
	}
	switch s.Status {
	case traces.StatusOK:
		tags.text("otel.status_code", "OK")
	case traces.StatusError:
		tags.text("otel.status_code", "ERROR")
		if _, ok := traces.Find(s.Attrs, "error"); !ok {
			failed := traces.Bool(true)
			tags.add("error", &failed)
		}
	case traces.StatusUnset:
	}
	if s.StatusMessage != "" {
		tags.text("otel.status_description", s.StatusMessage)
	}
	if s.Scope != nil {
		if s.Scope.Name != "" {
			tags.text("otel.scope.name", s.Scope.Name)
		}
		if s.Scope.Version != "" {
			tags.text("otel.scope.version", s.Scope.Version)
		}
	}
	if s.TraceState != "" {
		tags.text("w3c.tracestate", s.TraceState)
	}
	tags.count("otel.dropped_attributes_count", s.DroppedAttrs)
	tags.count("otel.dropped_events_count", s.DroppedEvents)
	tags.count("otel.dropped_links_count", s.DroppedLinks)
	return tags.end()
}

// list is a list of tags that is being written.
type list struct {
	b []byte
	n int
}

func (l *list) text(key, value string) {
	v := traces.Text(value)
	l.add(key, &v)
}

func (l *list) count(key string, n uint32) {
	if n > 0 {
		v := traces.Number(float64(n))
		l.add(key, &v)
	}
}

func (l *list) add(key string, v *traces.Value) {
	if l.n++; l.n == 1 {
		l.b = append(l.b, '[')
	} else {
		l.b = append(l.b, ',')
	}
	l.b = append(l.b, `{"key":`...)
	l.b = traces.AppendString(l.b, key)
	switch v.Type {
	case traces.TextValue:
		l.b = append(l.b, `,"type":"string","value":`...)
		l.b = traces.AppendString(l.b, v.Text)
	case traces.BoolValue:
		l.b = append(l.b, `,"type":"bool","value":`...)
		l.b = strconv.AppendBool(l.b, v.Number != 0)
	case traces.NumberValue:
		kind := `,"type":"float64","value":`
		if _, ok := v.Int(); ok {
			kind = `,"type":"int64","value":`
		}
		l.b = append(l.b, kind...)
		l.b = traces.AppendNumber(l.b, v.Number)
	}
	l.b = append(l.b, '}')
}

func (l *list) end() []byte {
	if l.n == 0 {
		return append(l.b, '[', ']')
	}
	return append(l.b, ']')
}
