package otlp

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

const (
	traceIDBytes = len(telemetry.TraceID{})
	spanIDBytes  = len(telemetry.SpanID{})

	knownLog = 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// log reads a LogRecord, whose field starts at the given position.
func (w *walker) log(buf []byte, field, pos int) bool {
	b := w.b
	attrs := uint32(len(b.Attrs))
	if len(b.Logs) == cap(b.Logs) {
		b.Logs = doubled(b.Logs)
	}
	b.Logs = append(b.Logs, telemetry.Log{})
	l := &b.Logs[len(b.Logs)-1]
	w.why, w.count = problem{}, 0

	var time, observed uint64
	var body occurrences
	for pos < len(buf) {
		at := pos
		tag, next := uint64(buf[pos]), pos+1
		if tag >= 0x80 {
			tag, next = wire.UvarintLong(buf, pos)
		}
		switch tag {
		case 1<<3 | wire.Fixed64Type:
			time, pos = w.fixed(buf, next)
		case 2<<3 | wire.VarintType:
			var n uint64
			n, pos = w.varint(buf, next)
			l.Severity = upTo(n, 24)
		case 3<<3 | wire.LengthType:
			l.SeverityText, pos = w.text(buf, next)
		case 5<<3 | wire.LengthType:
			pos = w.anyValue(buf, next, w.maxBody, &body, &l.Body)
		case 6<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 7<<3 | wire.VarintType:
			l.DroppedAttrs, pos = w.uint32(buf, next)
		case 8<<3 | wire.Fixed32Type:
			if l.Flags, pos = wire.Fixed32(buf, next); pos < 0 {
				w.malformed(next, badValue)
			}
		case 9<<3 | wire.LengthType:
			_, pos = w.traceID(buf, next, &l.TraceID)
		case 10<<3 | wire.LengthType:
			_, pos = w.spanID(buf, next, &l.SpanID)
		case 11<<3 | wire.Fixed64Type:
			observed, pos = w.fixed(buf, next)
		case 12<<3 | wire.LengthType:
			l.EventName, pos = w.text(buf, next)
		default:
			pos = w.other(buf, at, next, tag, knownLog)
		}
		if pos < 0 {
			return false
		}
	}
	if !w.mergedValue(w.maxBody, &body, &l.Body) {
		return false
	}
	if time == 0 {
		time = observed
	}
	l.Time, l.Observed = w.eventTime(time), otherTime(observed)
	l.Attrs = telemetry.Range{Start: attrs, End: uint32(len(b.Attrs))}
	l.Resource, l.Scope = w.resource, w.scope
	if !w.settle(field, len(buf)) {
		b.Logs, b.Attrs = b.Logs[:len(b.Logs)-1], b.Attrs[:attrs]
	}
	return true
}

// traceID reads a trace id. One of a wrong length counts as absent; n is the
// length that was found, next is -1 where the field is broken.
func (w *walker) traceID(buf []byte, pos int, id *telemetry.TraceID) (n, next int) {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return 0, w.malformed(pos, badLength)
	}
	if end-start == traceIDBytes {
		*id = telemetry.TraceID(buf[start:end])
	} else {
		*id = telemetry.TraceID{}
	}
	return end - start, end
}

// spanID is traceID for the id of a span.
func (w *walker) spanID(buf []byte, pos int, id *telemetry.SpanID) (n, next int) {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return 0, w.malformed(pos, badLength)
	}
	if end-start == spanIDBytes {
		*id = telemetry.SpanID(buf[start:end])
	} else {
		*id = telemetry.SpanID{}
	}
	return end - start, end
}

// eventTime returns a row's time, the time of receipt where it is zero, and
// notes a time that is out of bounds.
func (w *walker) eventTime(t uint64) int64 {
	if t == 0 {
		return w.received
	}
	n := int64(min(t, 1<<63-1))
	switch {
	case n > w.newest || t > 1<<63-1:
		w.note(timeInFuture, n, w.newest)
	case n < w.oldest:
		w.note(timeTooOld, n, w.oldest)
	}
	return n
}

// otherTime returns a time that no row is filed under: any that can be held, 0
// for one that cannot.
func otherTime(t uint64) int64 {
	if t > 1<<63-1 {
		return 0
	}
	return int64(t)
}

// upTo returns an enum's value, 0 (unspecified in each of OTLP's) where it is
// greater than the last that is known.
func upTo(v uint64, last uint8) uint8 {
	if n := uint32(v); n <= uint32(last) {
		return uint8(n)
	}
	return 0
}
