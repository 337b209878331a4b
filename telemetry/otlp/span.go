package otlp

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

const (
	tagSpanEvent = 11<<3 | wire.LengthType
	tagSpanLink  = 13<<3 | wire.LengthType

	knownSpan = 1<<17 - 1<<1 // 1 to 16
)

// span reads a Span, whose field starts at the given position. Events and links
// share the arena of attributes with the span itself, so each list is read in
// its own pass.
func (w *walker) span(buf []byte, field, pos int) bool {
	b := w.b
	attrs, events, links := uint32(len(b.Attrs)), uint32(len(b.Events)), uint32(len(b.Links))
	if len(b.Spans) == cap(b.Spans) {
		b.Spans = doubled(b.Spans)
	}
	b.Spans = append(b.Spans, telemetry.Span{})
	s := &b.Spans[len(b.Spans)-1]
	w.why, w.count = problem{}, 0

	var startTime, endTime uint64
	var traceID, spanID int // lengths
	firstEvent, firstLink := -1, -1
	for pos < len(buf) {
		at := pos
		tag, next := uint64(buf[pos]), pos+1
		if tag >= 0x80 {
			tag, next = wire.UvarintLong(buf, pos)
		}
		switch tag {
		case 1<<3 | wire.LengthType:
			traceID, pos = w.traceID(buf, next, &s.TraceID)
		case 2<<3 | wire.LengthType:
			spanID, pos = w.spanID(buf, next, &s.SpanID)
		case 3<<3 | wire.LengthType:
			s.TraceState, pos = w.text(buf, next)
		case 4<<3 | wire.LengthType:
			_, pos = w.spanID(buf, next, &s.ParentID)
		case 5<<3 | wire.LengthType:
			s.Name, pos = w.text(buf, next)
		case 6<<3 | wire.VarintType:
			var n uint64
			n, pos = w.varint(buf, next)
			s.Kind = upTo(n, 5)
		case 7<<3 | wire.Fixed64Type:
			startTime, pos = w.fixed(buf, next)
		case 8<<3 | wire.Fixed64Type:
			endTime, pos = w.fixed(buf, next)
		case 9<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 10<<3 | wire.VarintType:
			s.DroppedAttrs, pos = w.uint32(buf, next)
		case tagSpanEvent:
			if firstEvent < 0 {
				firstEvent = at
			}
			pos = w.stepOver(buf, next)
		case 12<<3 | wire.VarintType:
			s.DroppedEvents, pos = w.uint32(buf, next)
		case tagSpanLink:
			if firstLink < 0 {
				firstLink = at
			}
			pos = w.stepOver(buf, next)
		case 14<<3 | wire.VarintType:
			s.DroppedLinks, pos = w.uint32(buf, next)
		case 15<<3 | wire.LengthType:
			pos = w.status(buf, next, s)
		case 16<<3 | wire.Fixed32Type:
			if s.Flags, pos = wire.Fixed32(buf, next); pos < 0 {
				w.malformed(next, badValue)
			}
		default:
			pos = w.other(buf, at, next, tag, knownSpan)
		}
		if pos < 0 {
			return false
		}
	}
	s.Attrs = telemetry.Range{Start: attrs, End: uint32(len(b.Attrs))}
	if firstEvent >= 0 && !w.spanEvents(buf, firstEvent) || firstLink >= 0 && !w.spanLinks(buf, firstLink) {
		return false
	}
	s.Events = telemetry.Range{Start: events, End: uint32(len(b.Events))}
	s.Links = telemetry.Range{Start: links, End: uint32(len(b.Links))}
	s.Resource, s.Scope = w.resource, w.scope
	if s.TraceID.IsZero() {
		w.note(invalidTraceID, int64(traceID), int64(traceIDBytes))
	}
	if s.SpanID.IsZero() {
		w.note(invalidSpanID, int64(spanID), int64(spanIDBytes))
	}
	switch {
	case startTime == 0:
		startTime = endTime
	case endTime == 0:
		endTime = startTime
	}
	s.Start, s.End = w.eventTime(startTime), w.eventTime(endTime)
	if w.cut != nil {
		w.key = int32(PartitionOfTrace(s.TraceID, w.partitions))
	}
	if !w.settle(field, len(buf)) {
		b.Spans, b.Attrs = b.Spans[:len(b.Spans)-1], b.Attrs[:attrs]
		b.Events, b.Links = b.Events[:events], b.Links[:links]
	}
	return true
}

// uint32 reads a varint field of 32 bits; next is -1 where it is broken.
func (w *walker) uint32(buf []byte, pos int) (v uint32, next int) {
	n, next := w.varint(buf, pos)
	return uint32(n), next
}

// stepOver returns the position after a length-delimited field, which another
// pass reads; -1 where it is broken.
func (w *walker) stepOver(buf []byte, pos int) int {
	_, end := wire.Extent(buf, pos)
	if end < 0 {
		return w.malformed(pos, badLength)
	}
	return end
}

// status merges a Status into the span.
func (w *walker) status(buf []byte, pos int, s *telemetry.Span) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return w.malformed(pos, badLength)
	}
	buf = buf[:end]
	for pos = start; pos < end; {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 2<<3 | wire.LengthType:
			s.StatusMessage, pos = w.text(buf, next)
		case 3<<3 | wire.VarintType:
			var n uint64
			n, pos = w.varint(buf, next)
			s.Status = upTo(n, 2)
		default:
			pos = w.other(buf, at, next, tag, 1<<2|1<<3)
		}
		if pos < 0 {
			return -1
		}
	}
	return end
}

// spanEvents reads the events of a span from the position of the first. The
// span's fields were walked over before, so they are whole.
func (w *walker) spanEvents(buf []byte, pos int) bool {
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		if tag != tagSpanEvent {
			pos = skip(buf, next, tag)
			continue
		}
		start, end := wire.Extent(buf, next)
		if !w.spanEvent(buf[:end], start) {
			return false
		}
		pos = end
	}
	return true
}

func (w *walker) spanEvent(buf []byte, pos int) bool {
	var e telemetry.Event
	var time uint64
	attrs := uint32(len(w.b.Attrs))
	w.count = 0
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.Fixed64Type:
			time, pos = w.fixed(buf, next)
		case 2<<3 | wire.LengthType:
			e.Name, pos = w.text(buf, next)
		case 3<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 4<<3 | wire.VarintType:
			e.DroppedAttrs, pos = w.uint32(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<1|1<<2|1<<3|1<<4)
		}
		if pos < 0 {
			return false
		}
	}
	e.Time = otherTime(time)
	e.Attrs = telemetry.Range{Start: attrs, End: uint32(len(w.b.Attrs))}
	if !w.check {
		w.b.Events = append(w.b.Events, e)
	}
	return true
}

// spanLinks is spanEvents for links.
func (w *walker) spanLinks(buf []byte, pos int) bool {
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		if tag != tagSpanLink {
			pos = skip(buf, next, tag)
			continue
		}
		start, end := wire.Extent(buf, next)
		if !w.spanLink(buf[:end], start) {
			return false
		}
		pos = end
	}
	return true
}

// spanLink reads a Link. An id of a wrong length is left out, the link is kept.
func (w *walker) spanLink(buf []byte, pos int) bool {
	var l telemetry.Link
	attrs := uint32(len(w.b.Attrs))
	w.count = 0
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			_, pos = w.traceID(buf, next, &l.TraceID)
		case 2<<3 | wire.LengthType:
			_, pos = w.spanID(buf, next, &l.SpanID)
		case 3<<3 | wire.LengthType:
			l.TraceState, pos = w.text(buf, next)
		case 4<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 5<<3 | wire.VarintType:
			l.DroppedAttrs, pos = w.uint32(buf, next)
		case 6<<3 | wire.Fixed32Type:
			if l.Flags, pos = wire.Fixed32(buf, next); pos < 0 {
				w.malformed(next, badValue)
			}
		default:
			pos = w.other(buf, at, next, tag, 1<<1|1<<2|1<<3|1<<4|1<<5|1<<6)
		}
		if pos < 0 {
			return false
		}
	}
	l.Attrs = telemetry.Range{Start: attrs, End: uint32(len(w.b.Attrs))}
	if !w.check {
		w.b.Links = append(w.b.Links, l)
	}
	return true
}
