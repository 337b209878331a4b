package otlp

import (
	"encoding/base64"
	"strconv"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// JSON writes a trace as a list of ResourceSpans, in the notation of protobuf:
// ids are in base64, as in the answers of Tempo, and enumerations are words.
func JSON(o *traces.Out, t *traces.Trace) {
	o.B = append(o.B, '[')
	for i, g := range groups(t, 0) {
		comma(o, i)
		o.B = append(o.B, `{"resource":{`...)
		schema := ""
		if r := g.resource; r != nil {
			o.B = append(o.B, `"attributes":`...)
			o.B = AppendAttrs(o.B, r.Attrs)
			o.B = appendCount(o.B, "droppedAttributesCount", r.DroppedAttrs)
			schema = r.SchemaURL
		}
		o.B = append(o.B, `},"scopeSpans":[`...)
		for j := range g.scopes {
			comma(o, j)
			writeScope(o, &g.scopes[j], t)
		}
		o.B = append(o.B, ']')
		o.B = appendMember(o.B, "schemaUrl", schema)
		o.B = append(o.B, '}')
	}
	o.B = append(o.B, ']')
}

func comma(o *traces.Out, i int) {
	if i > 0 {
		o.B = append(o.B, ',')
	}
}

func writeScope(o *traces.Out, list *scopeGroup, t *traces.Trace) {
	o.B = append(o.B, `{"scope":{`...)
	schema := ""
	if s := list.scope; s != nil {
		o.B = append(o.B, `"name":`...)
		o.B = traces.AppendString(o.B, s.Name)
		o.B = appendMember(o.B, "version", s.Version)
		if len(s.Attrs) > 0 {
			o.B = append(o.B, `,"attributes":`...)
			o.B = AppendAttrs(o.B, s.Attrs)
		}
		o.B = appendCount(o.B, "droppedAttributesCount", s.DroppedAttrs)
		schema = s.SchemaURL
	}
	o.B = append(o.B, `},"spans":[`...)
	for i, s := range list.spans {
		comma(o, i)
		o.B = appendJSONSpan(o.B, t, s)
		o.Flush()
	}
	o.B = append(o.B, ']')
	o.B = appendMember(o.B, "schemaUrl", schema)
	o.B = append(o.B, '}')
}

var (
	kindNames   = [...]string{"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"}
	statusNames = [...]string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
)

func appendJSONSpan(b []byte, t *traces.Trace, s *traces.Span) []byte {
	b = append(b, `{"traceId":`...)
	b = appendID(b, t.ID[:])
	b = append(b, `,"spanId":`...)
	b = appendID(b, s.ID[:])
	if !s.Root() {
		b = append(b, `,"parentSpanId":`...)
		b = appendID(b, s.Parent[:])
	}
	b = appendMember(b, "traceState", s.TraceState)
	b = append(b, `,"name":`...)
	b = traces.AppendString(b, s.Name)
	b = appendMember(b, "kind", kindNames[min(int(s.Kind), len(kindNames)-1)])
	b = append(b, `,"startTimeUnixNano":`...)
	b = traces.AppendQuotedInt(b, s.Start)
	b = append(b, `,"endTimeUnixNano":`...)
	b = traces.AppendQuotedInt(b, max(s.Start+s.Duration, 0))
	b = append(b, `,"attributes":`...)
	b = AppendAttrs(b, s.Attrs)
	b = appendCount(b, "droppedAttributesCount", s.DroppedAttrs)
	for i := range s.Events {
		e := &s.Events[i]
		b = append(b, list("events", i)...)
		b = append(b, `{"timeUnixNano":`...)
		b = traces.AppendQuotedInt(b, e.Time)
		b = appendMember(b, "name", e.Name)
		b = append(b, `,"attributes":`...)
		b = AppendAttrs(b, e.Attrs)
		b = append(appendCount(b, "droppedAttributesCount", e.DroppedAttrs), '}')
	}
	b = ended(b, len(s.Events))
	b = appendCount(b, "droppedEventsCount", s.DroppedEvents)
	for i := range s.Links {
		l := &s.Links[i]
		b = append(b, list("links", i)...)
		b = append(b, `{"traceId":`...)
		b = appendID(b, l.Trace[:])
		b = append(b, `,"spanId":`...)
		b = appendID(b, l.Span[:])
		b = appendMember(b, "traceState", l.TraceState)
		b = append(b, `,"attributes":`...)
		b = AppendAttrs(b, l.Attrs)
		b = appendCount(b, "flags", l.Flags)
		b = append(appendCount(b, "droppedAttributesCount", l.DroppedAttrs), '}')
	}
	b = ended(b, len(s.Links))
	b = appendCount(b, "droppedLinksCount", s.DroppedLinks)
	b = appendCount(b, "flags", s.Flags)
	if s.Status != traces.StatusUnset || s.StatusMessage != "" {
		b = append(b, `,"status":{"code":"`...)
		b = append(b, statusNames[min(int(s.Status), len(statusNames)-1)]...)
		b = append(b, '"')
		b = append(appendMember(b, "message", s.StatusMessage), '}')
	}
	return append(b, '}')
}

// list begins a member that is a list, or goes on with it.
func list(name string, i int) string {
	if i > 0 {
		return ","
	}
	return `,"` + name + `":[`
}

func ended(b []byte, n int) []byte {
	if n > 0 {
		b = append(b, ']')
	}
	return b
}

func appendID(b, id []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, id)
	return append(b, '"')
}

func appendMember(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return traces.AppendString(b, text)
}

func appendCount(b []byte, name string, n uint32) []byte {
	if n == 0 {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return strconv.AppendUint(b, uint64(n), 10)
}

// AppendAttrs appends a list of KeyValues.
func AppendAttrs(b []byte, attrs []traces.Attr) []byte {
	b = append(b, '[')
	for i := range attrs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"key":`...)
		b = traces.AppendString(b, attrs[i].Key)
		b = append(b, `,"value":{`...)
		switch v := &attrs[i].Value; v.Type {
		case traces.TextValue:
			b = append(b, `"stringValue":`...)
			b = traces.AppendString(b, v.Text)
		case traces.BoolValue:
			b = append(b, `"boolValue":`...)
			b = strconv.AppendBool(b, v.Number != 0)
		case traces.NumberValue:
			if n, ok := v.Int(); ok {
				b = append(b, `"intValue":`...)
				b = traces.AppendQuotedInt(b, n)
			} else {
				b = append(b, `"doubleValue":`...)
				b = traces.AppendNumber(b, v.Number)
			}
		}
		b = append(b, '}', '}')
	}
	return append(b, ']')
}
