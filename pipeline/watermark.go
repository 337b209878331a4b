package pipeline

import (
	"encoding/binary"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Watermark is the clock of event time for a processor of spans or visits: the
// latest end of a span, or time of a visit, that is plausible, which means that it is
// not after the receipt of its record. A host whose clock is a year ahead moves it no further than to the
// present. It is a function of the records alone. Its zero value is before the
// first record.
type Watermark struct {
	// Now is in Unix nanoseconds, 0 before the first event.
	Now int64
	// behind counts the records in a row that were received long before Now.
	behind uint32
}

const (
	// longBefore is from where on a receipt before the watermark says that one
	// of the two is wrong.
	longBefore = int64(time.Minute)
	// believed is how many records in a row must say so until the watermark is
	// what is wrong: a foreign producer stamped records with a wrong clock.
	believed = 1000
)

// Advance moves the watermark on by a record and its spans. It reports whether it
// was set back instead.
func (w *Watermark) Advance(r *telemetry.Record, spans []telemetry.Span) (setBack bool) {
	now := w.Now
	for i := range spans {
		now = max(now, min(spans[i].End, r.ReceiveTime))
	}
	return w.advance(r, now)
}

// AdvanceVisits moves the watermark on by a record and its visits, as Advance does.
func (w *Watermark) AdvanceVisits(r *telemetry.Record, visits []telemetry.WebHit) (setBack bool) {
	now := w.Now
	for i := range visits {
		now = max(now, min(visits[i].Time, r.ReceiveTime))
	}
	return w.advance(r, now)
}

func (w *Watermark) advance(r *telemetry.Record, now int64) (setBack bool) {
	received := r.ReceiveTime
	if r.Idle {
		now = max(now, received)
	}
	if now == w.Now && received < w.Now-longBefore {
		if w.behind++; w.behind >= believed {
			*w = Watermark{Now: max(received, 0)}
			return true
		}
		return false
	}
	*w = Watermark{Now: now}
	return false
}

// Append appends the watermark to the state of a processor.
func (w *Watermark) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(w.Now)) //nolint:gosec // not negative
	return binary.AppendUvarint(dst, uint64(w.behind))
}

// Read replaces the watermark by one that Append wrote, and returns what follows
// it; ok is false where it is damaged.
func (w *Watermark) Read(src []byte) (rest []byte, ok bool) {
	now, n := binary.Uvarint(src)
	if n <= 0 || now > 1<<63-1 {
		return nil, false
	}
	behind, m := binary.Uvarint(src[n:])
	if m <= 0 || behind >= believed {
		return nil, false
	}
	*w = Watermark{Now: int64(now), behind: uint32(behind)}
	return src[n+m:], true
}

// EachRecord calls f with every record of a batch and the spans that came in it,
// in order: a processor that decides after every record decides the same whatever
// blocks the records come in.
func EachRecord(b *telemetry.Batch, f func(record uint32, spans []telemetry.Span)) {
	eachRecord(b, b.Spans, func(s *telemetry.Span) uint32 { return s.Resource }, f)
}

// EachVisits calls f with every record of a batch and the visits that came in it, in
// order.
func EachVisits(b *telemetry.Batch, f func(record uint32, visits []telemetry.WebHit)) {
	eachRecord(b, b.Visits, func(h *telemetry.WebHit) uint32 { return h.Resource }, f)
}

func eachRecord[T any](b *telemetry.Batch, rows []T, resource func(*T) uint32, f func(record uint32, rows []T)) {
	from := 0
	for record := range b.Records {
		to := from
		for to < len(rows) && b.Resources[resource(&rows[to])].Record == uint32(record) { //nolint:gosec // a place
			to++
		}
		f(uint32(record), rows[from:to]) //nolint:gosec // a place
		from = to
	}
}
