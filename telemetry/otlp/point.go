package otlp

import (
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// pointFields is what the shapes of data points have in common while they are
// being read.
type pointFields struct {
	time, start   uint64
	attrs         uint32 // index of the first attribute
	exemplars     uint32 // index of the first exemplar
	firstExemplar int    // position of the first exemplar's field, -1 for none
	flags         uint32
}

func (w *walker) newPoint() pointFields {
	return pointFields{
		attrs:         uint32(len(w.b.Attrs)),
		exemplars:     uint32(len(w.b.Exemplars)),
		firstExemplar: -1,
	}
}

// exemplar steps over an exemplar's field that starts at the given position:
// exemplars have attributes of their own, so they are read after the point's.
func (p *pointFields) exemplar(w *walker, buf []byte, at, pos int) int {
	if p.firstExemplar < 0 {
		p.firstExemplar = at
	}
	return w.stepOver(buf, pos)
}

// finishPoint reads the exemplars, whose fields have the given tag, and returns
// the point. It returns false where an exemplar is broken.
func (w *walker) finishPoint(buf []byte, p *pointFields, tag uint64, into *telemetry.Point) bool {
	into.Attrs = telemetry.Range{Start: p.attrs, End: uint32(len(w.b.Attrs))}
	if pos := p.firstExemplar; pos >= 0 {
		for pos < len(buf) {
			t, next := wire.Uvarint(buf, pos)
			if t != tag {
				pos = skip(buf, next, t)
				continue
			}
			start, end := wire.Extent(buf, next)
			if !w.exemplar(buf[:end], start) {
				return false
			}
			pos = end
		}
	}
	into.Exemplars = telemetry.Range{Start: p.exemplars, End: uint32(len(w.b.Exemplars))}
	into.Time, into.Start = w.eventTime(p.time), otherTime(p.start)
	into.Metric, into.Flags = w.metric, p.flags
	return true
}

// dropPoint takes back what a point added to the arenas.
func (w *walker) dropPoint(p *pointFields) {
	w.b.Attrs, w.b.Exemplars = w.b.Attrs[:p.attrs], w.b.Exemplars[:p.exemplars]
}

// exemplar reads an Exemplar. An id of a wrong length is left out.
func (w *walker) exemplar(buf []byte, pos int) bool {
	var e telemetry.Exemplar
	var time uint64
	attrs := uint32(len(w.b.Attrs))
	w.count = 0
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 2<<3 | wire.Fixed64Type:
			time, pos = w.fixed(buf, next)
		case 3<<3 | wire.Fixed64Type:
			e.IsInt, e.Int = false, 0
			e.Value, pos = w.double(buf, next)
		case 4<<3 | wire.LengthType:
			_, pos = w.spanID(buf, next, &e.SpanID)
		case 5<<3 | wire.LengthType:
			_, pos = w.traceID(buf, next, &e.TraceID)
		case 6<<3 | wire.Fixed64Type:
			var n uint64
			n, pos = w.fixed(buf, next)
			e.IsInt, e.Int, e.Value = true, int64(n), float64(int64(n))
		case 7<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		default:
			pos = w.other(buf, at, next, tag, 1<<2|1<<3|1<<4|1<<5|1<<6|1<<7)
		}
		if pos < 0 {
			return false
		}
	}
	e.Time = otherTime(time)
	e.Attrs = telemetry.Range{Start: attrs, End: uint32(len(w.b.Attrs))}
	if !w.check {
		w.b.Exemplars = append(w.b.Exemplars, e)
	}
	return true
}

// double reads a double; next is -1 where it is broken.
func (w *walker) double(buf []byte, pos int) (v float64, next int) {
	n, next := w.fixed(buf, pos)
	return math.Float64frombits(n), next
}

// number reads a NumberDataPoint, whose field starts at the given position.
func (w *walker) number(buf []byte, field, pos int) bool {
	p := w.newPoint()
	var n telemetry.NumberPoint
	for pos < len(buf) {
		at := pos
		tag, next := uint64(buf[pos]), pos+1
		if tag >= 0x80 {
			tag, next = wire.UvarintLong(buf, pos)
		}
		switch tag {
		case 2<<3 | wire.Fixed64Type:
			p.start, pos = w.fixed(buf, next)
		case 3<<3 | wire.Fixed64Type:
			p.time, pos = w.fixed(buf, next)
		case 4<<3 | wire.Fixed64Type:
			n.IsInt, n.Int = false, 0
			n.Value, pos = w.double(buf, next)
		case 5<<3 | wire.LengthType:
			pos = p.exemplar(w, buf, at, next)
		case 6<<3 | wire.Fixed64Type:
			var v uint64
			v, pos = w.fixed(buf, next)
			n.IsInt, n.Int, n.Value = true, int64(v), float64(int64(v))
		case 7<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 8<<3 | wire.VarintType:
			p.flags, pos = w.uint32(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<2|1<<3|1<<4|1<<5|1<<6|1<<7|1<<8)
		}
		if pos < 0 {
			return false
		}
	}
	if !w.finishPoint(buf, &p, 5<<3|wire.LengthType, &n.Point) {
		return false
	}
	if w.settle(field, len(buf)) {
		if len(w.b.Numbers) == cap(w.b.Numbers) {
			w.b.Numbers = doubled(w.b.Numbers)
		}
		w.b.Numbers = append(w.b.Numbers, n)
	} else {
		w.dropPoint(&p)
	}
	return true
}

// summary reads a SummaryDataPoint, whose field starts at the given position.
func (w *walker) summary(buf []byte, field, pos int) bool {
	p := w.newPoint()
	var s telemetry.SummaryPoint
	quantiles := uint32(len(w.b.Floats))
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 2<<3 | wire.Fixed64Type:
			p.start, pos = w.fixed(buf, next)
		case 3<<3 | wire.Fixed64Type:
			p.time, pos = w.fixed(buf, next)
		case 4<<3 | wire.Fixed64Type:
			s.Count, pos = w.fixed(buf, next)
		case 5<<3 | wire.Fixed64Type:
			s.Sum, pos = w.double(buf, next)
		case 6<<3 | wire.LengthType:
			pos = w.quantile(buf, next)
		case 7<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 8<<3 | wire.VarintType:
			p.flags, pos = w.uint32(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<2|1<<3|1<<4|1<<5|1<<6|1<<7|1<<8)
		}
		if pos < 0 {
			return false
		}
	}
	if !w.finishPoint(buf, &p, 0, &s.Point) {
		return false
	}
	s.Quantiles = telemetry.Range{Start: quantiles, End: uint32(len(w.b.Floats))}
	if w.settle(field, len(buf)) {
		w.b.Summaries = append(w.b.Summaries, s)
	} else {
		w.dropPoint(&p)
		w.b.Floats = w.b.Floats[:quantiles]
	}
	return true
}

// quantile reads a ValueAtQuantile and returns the position after it, -1 where
// it is broken.
func (w *walker) quantile(buf []byte, pos int) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return w.malformed(pos, badLength)
	}
	buf = buf[:end]
	var quantile, value float64
	for pos = start; pos < end; {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.Fixed64Type:
			quantile, pos = w.double(buf, next)
		case 2<<3 | wire.Fixed64Type:
			value, pos = w.double(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<1|1<<2)
		}
		if pos < 0 {
			return -1
		}
	}
	if !w.check {
		w.b.Floats = append(w.b.Floats, quantile, value)
	}
	return end
}
