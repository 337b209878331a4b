package otlp

import (
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Proto appends a trace to an answer as the fields of a TracesData.
func Proto(o *traces.Out, t *traces.Trace) {
	for _, g := range groups(t, partSpans) {
		o.B = appendGroup(o.B, t, &g)
		o.Flush()
	}
}

// partSpans is how many spans of a resource are written at a time.
const partSpans = 1000

// AppendProto appends a trace as the fields of a TracesData.
func AppendProto(b []byte, t *traces.Trace) []byte {
	for _, g := range groups(t, 0) {
		b = appendGroup(b, t, &g)
	}
	return b
}

// Parts calls part with a trace as several TracesData of about most bytes, of
// more only where one span alone has them. The bytes are valid until it returns.
func Parts(t *traces.Trace, most int, part func([]byte) error) error {
	var b []byte
	size := partSpans
	for from := 0; from < len(t.Spans); {
		to := min(from+size, len(t.Spans))
		b = b[:0]
		for _, g := range groups(&traces.Trace{ID: t.ID, Spans: t.Spans[from:to]}, 0) {
			b = appendGroup(b, t, &g)
		}
		if len(b) > most && to-from > 1 {
			size = max(1, (to-from)/2)
			continue
		}
		if err := part(b); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// open begins a message; one byte is kept for its length.
func open(b []byte, field protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return append(b, 0), len(b) + 1
}

// closed ends the message that began at the mark, and moves it where its length
// takes more than a byte.
func closed(b []byte, mark int) []byte {
	size := len(b) - mark
	if more := protowire.SizeVarint(uint64(size)) - 1; more > 0 {
		b = append(b, make([]byte, more)...)
		copy(b[mark+more:], b[mark:mark+size])
	}
	protowire.AppendVarint(b[:mark-1], uint64(size))
	return b
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), valid(text))
}

// valid repairs a text: readers refuse a whole message for one that is not UTF-8.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func appendBytes(b []byte, field protowire.Number, p []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), p)
}

func appendUint(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendTime(b []byte, field protowire.Number, t int64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(max(t, 0)))
}

func appendFlags(b []byte, field protowire.Number, flags uint32) []byte {
	if flags == 0 {
		return b
	}
	return protowire.AppendFixed32(protowire.AppendTag(b, field, protowire.Fixed32Type), flags)
}

func appendAttrs(b []byte, field protowire.Number, attrs []traces.Attr) []byte {
	for i := range attrs {
		b = AppendAttr(b, field, &attrs[i])
	}
	return b
}

// AppendAttr appends an attribute as a field that holds a KeyValue.
func AppendAttr(b []byte, field protowire.Number, a *traces.Attr) []byte {
	b, pair := open(b, field)
	b = appendText(b, 1, a.Key)
	b, value := open(b, 2)
	switch v := &a.Value; v.Type {
	case traces.TextValue:
		b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), valid(v.Text))
	case traces.BoolValue:
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(v.Number))
	case traces.NumberValue:
		if i, ok := v.Int(); ok {
			b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(i))
		} else {
			b = protowire.AppendFixed64(protowire.AppendTag(b, 4, protowire.Fixed64Type), math.Float64bits(v.Number))
		}
	}
	return closed(closed(b, value), pair)
}

// appendGroup appends a ResourceSpans.
func appendGroup(b []byte, t *traces.Trace, g *group) []byte {
	b, all := open(b, 1)
	b, mark := open(b, 1)
	schema := ""
	if r := g.resource; r != nil {
		b = appendAttrs(b, 1, r.Attrs)
		b = appendUint(b, 2, uint64(r.DroppedAttrs))
		schema = r.SchemaURL
	}
	b = closed(b, mark)
	for _, list := range g.scopes {
		b, mark = open(b, 2)
		b = appendScope(b, &list, t)
		b = closed(b, mark)
	}
	return closed(appendText(b, 3, schema), all)
}

func appendScope(b []byte, list *scopeGroup, t *traces.Trace) []byte {
	schema := ""
	if s := list.scope; s != nil {
		var mark int
		b, mark = open(b, 1)
		b = appendText(b, 1, s.Name)
		b = appendText(b, 2, s.Version)
		b = appendAttrs(b, 3, s.Attrs)
		b = closed(appendUint(b, 4, uint64(s.DroppedAttrs)), mark)
		schema = s.SchemaURL
	}
	for _, s := range list.spans {
		var mark int
		b, mark = open(b, 2)
		b = closed(appendSpan(b, t.ID, s), mark)
	}
	return appendText(b, 3, schema)
}

func appendSpan(b []byte, id telemetry.TraceID, s *traces.Span) []byte {
	b = appendBytes(b, 1, id[:])
	b = appendBytes(b, 2, s.ID[:])
	b = appendText(b, 3, s.TraceState)
	if !s.Root() {
		b = appendBytes(b, 4, s.Parent[:])
	}
	b = appendText(b, 5, s.Name)
	b = appendUint(b, 6, uint64(s.Kind))
	b = appendTime(b, 7, s.Start)
	b = appendTime(b, 8, s.Start+s.Duration)
	b = appendAttrs(b, 9, s.Attrs)
	b = appendUint(b, 10, uint64(s.DroppedAttrs))
	var mark int
	for i := range s.Events {
		e := &s.Events[i]
		b, mark = open(b, 11)
		b = appendTime(b, 1, e.Time)
		b = appendText(b, 2, e.Name)
		b = appendAttrs(b, 3, e.Attrs)
		b = closed(appendUint(b, 4, uint64(e.DroppedAttrs)), mark)
	}
	b = appendUint(b, 12, uint64(s.DroppedEvents))
	for i := range s.Links {
		l := &s.Links[i]
		b, mark = open(b, 13)
		b = appendBytes(b, 1, l.Trace[:])
		b = appendBytes(b, 2, l.Span[:])
		b = appendText(b, 3, l.TraceState)
		b = appendAttrs(b, 4, l.Attrs)
		b = appendUint(b, 5, uint64(l.DroppedAttrs))
		b = closed(appendFlags(b, 6, l.Flags), mark)
	}
	b = appendUint(b, 14, uint64(s.DroppedLinks))
	if s.Status != traces.StatusUnset || s.StatusMessage != "" {
		b, mark = open(b, 15)
		b = appendText(b, 2, s.StatusMessage)
		b = closed(appendUint(b, 3, uint64(s.Status)), mark)
	}
	return appendFlags(b, 16, s.Flags)
}
