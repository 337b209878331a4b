package otlp

import (
	"encoding/binary"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// histogram reads a HistogramDataPoint, whose field starts at the given position.
func (w *walker) histogram(buf []byte, field, pos int) bool {
	p := w.newPoint()
	var h telemetry.HistogramPoint
	floats, uints := uint32(len(w.b.Floats)), uint32(len(w.b.Uints))
	var counts, bounds int
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
			h.Count, pos = w.fixed(buf, next)
		case 5<<3 | wire.Fixed64Type:
			h.HasSum = true
			h.Sum, pos = w.double(buf, next)
		case 6<<3 | wire.LengthType, 6<<3 | wire.Fixed64Type:
			var list []byte
			list, pos = w.fixedList(buf, next, tag)
			counts += len(list) / 8
			for ; !w.check && len(list) > 0; list = list[8:] {
				w.b.Uints = append(w.b.Uints, binary.LittleEndian.Uint64(list))
			}
		case 7<<3 | wire.LengthType, 7<<3 | wire.Fixed64Type:
			var list []byte
			list, pos = w.fixedList(buf, next, tag)
			bounds += len(list) / 8
			for ; !w.check && len(list) > 0; list = list[8:] {
				w.b.Floats = append(w.b.Floats, math.Float64frombits(binary.LittleEndian.Uint64(list)))
			}
		case 8<<3 | wire.LengthType:
			pos = p.exemplar(w, buf, at, next)
		case 9<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 10<<3 | wire.VarintType:
			p.flags, pos = w.uint32(buf, next)
		case 11<<3 | wire.Fixed64Type:
			h.HasMin = true
			h.Min, pos = w.double(buf, next)
		case 12<<3 | wire.Fixed64Type:
			h.HasMax = true
			h.Max, pos = w.double(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<13-1<<2)
		}
		if pos < 0 {
			return false
		}
	}
	if counts != bounds+1 && (counts != 0 || bounds != 0) {
		w.note(bucketMismatch, int64(counts), int64(bounds))
	}
	if !w.finishPoint(buf, &p, 8<<3|wire.LengthType, &h.Point) {
		return false
	}
	h.Bounds = telemetry.Range{Start: floats, End: uint32(len(w.b.Floats))}
	h.Counts = telemetry.Range{Start: uints, End: uint32(len(w.b.Uints))}
	if w.settle(field, len(buf)) {
		w.b.Histograms = append(w.b.Histograms, h)
	} else {
		w.dropPoint(&p)
		w.b.Floats, w.b.Uints = w.b.Floats[:floats], w.b.Uints[:uints]
	}
	return true
}

// fixedList returns the bytes of a repeated field of eight bytes each, packed or
// not; next is -1 where they are broken.
func (w *walker) fixedList(buf []byte, pos int, tag uint64) (list []byte, next int) {
	start, end := pos, pos+8
	if tag&7 == wire.LengthType {
		start, end = wire.Extent(buf, pos)
	}
	switch {
	case end < 0:
		return nil, w.malformed(pos, badLength)
	case end > len(buf):
		return nil, w.malformed(pos, badValue)
	case (end-start)%8 != 0:
		return nil, w.malformed(pos, badPacked)
	}
	return buf[start:end], end
}

// Tags of the two sides of an ExponentialHistogramDataPoint.
const (
	tagPositive = 8<<3 | wire.LengthType
	tagNegative = 9<<3 | wire.LengthType
)

// exponential reads an ExponentialHistogramDataPoint, whose field starts at the
// given position. Both sides share an arena, so each is read in its own pass.
func (w *walker) exponential(buf []byte, field, pos int) bool {
	p := w.newPoint()
	var e telemetry.ExponentialPoint
	uints := uint32(len(w.b.Uints))
	positive, negative := -1, -1
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.LengthType:
			pos = w.attributes(buf, next, byte(tag))
		case 2<<3 | wire.Fixed64Type:
			p.start, pos = w.fixed(buf, next)
		case 3<<3 | wire.Fixed64Type:
			p.time, pos = w.fixed(buf, next)
		case 4<<3 | wire.Fixed64Type:
			e.Count, pos = w.fixed(buf, next)
		case 5<<3 | wire.Fixed64Type:
			e.HasSum = true
			e.Sum, pos = w.double(buf, next)
		case 6<<3 | wire.VarintType:
			var n uint64
			n, pos = w.varint(buf, next)
			e.Scale = wire.Zigzag32(n)
		case 7<<3 | wire.Fixed64Type:
			e.ZeroCount, pos = w.fixed(buf, next)
		case tagPositive:
			if positive < 0 {
				positive = at
			}
			pos = w.stepOver(buf, next)
		case tagNegative:
			if negative < 0 {
				negative = at
			}
			pos = w.stepOver(buf, next)
		case 10<<3 | wire.VarintType:
			p.flags, pos = w.uint32(buf, next)
		case 11<<3 | wire.LengthType:
			pos = p.exemplar(w, buf, at, next)
		case 12<<3 | wire.Fixed64Type:
			e.HasMin = true
			e.Min, pos = w.double(buf, next)
		case 13<<3 | wire.Fixed64Type:
			e.HasMax = true
			e.Max, pos = w.double(buf, next)
		case 14<<3 | wire.Fixed64Type:
			e.ZeroThreshold, pos = w.double(buf, next)
		default:
			pos = w.other(buf, at, next, tag, 1<<15-1<<1)
		}
		if pos < 0 {
			return false
		}
	}
	if !w.finishPoint(buf, &p, 11<<3|wire.LengthType, &e.Point) ||
		!w.eachBuckets(buf, positive, tagPositive, &e.Positive) ||
		!w.eachBuckets(buf, negative, tagNegative, &e.Negative) {
		return false
	}
	if w.settle(field, len(buf)) {
		w.b.Exponentials = append(w.b.Exponentials, e)
	} else {
		w.dropPoint(&p)
		w.b.Uints = w.b.Uints[:uints]
	}
	return true
}

// eachBuckets reads every field with the given tag, Buckets, from the position
// of the first, -1 for none. Several are one message.
func (w *walker) eachBuckets(buf []byte, pos int, tag uint64, into *telemetry.Buckets) bool {
	into.Counts.Start = uint32(len(w.b.Uints))
	for pos >= 0 && pos < len(buf) {
		t, next := wire.Uvarint(buf, pos)
		if t != tag {
			pos = skip(buf, next, t)
			continue
		}
		start, end := wire.Extent(buf, next)
		if !w.buckets(buf[:end], start, into) {
			return false
		}
		pos = end
	}
	into.Counts.End = uint32(len(w.b.Uints))
	return true
}

func (w *walker) buckets(buf []byte, pos int, into *telemetry.Buckets) bool {
	for pos < len(buf) {
		at := pos
		tag, next := wire.Uvarint(buf, pos)
		switch tag {
		case 1<<3 | wire.VarintType:
			var n uint64
			n, pos = w.varint(buf, next)
			into.Offset = wire.Zigzag32(n)
		case 2<<3 | wire.VarintType:
			pos = w.bucketCount(buf, next)
		case 2<<3 | wire.LengthType:
			start, end := wire.Extent(buf, next)
			if end < 0 {
				w.malformed(next, badLength)
				return false
			}
			for pos = start; pos >= 0 && pos < end; {
				pos = w.bucketCount(buf[:end], pos)
			}
		default:
			pos = w.other(buf, at, next, tag, 1<<1|1<<2)
		}
		if pos < 0 {
			return false
		}
	}
	return true
}

// bucketCount reads a count and returns the position after it, -1 where it is
// broken.
func (w *walker) bucketCount(buf []byte, pos int) int {
	n, next := w.varint(buf, pos)
	if next >= 0 && !w.check {
		w.b.Uints = append(w.b.Uints, n)
	}
	return next
}
