package remotewrite

import (
	"encoding/binary"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// histogram is a native histogram while it is read.
type histogram struct {
	time, start        int64  // milliseconds
	count, zero        uint64 // integers, or the bits of doubles
	floats, zeroFloats bool   // whether they are the latter
	sum, threshold     uint64 // the bits of doubles
	schema             int32
	hint               uint64
	positive, negative side
	bounds             []uint64 // custom values, the bits of doubles
	tooMany            bool
	problem            string // what is wrong, for people
}

// side is one side of a histogram: which buckets there are, how many
// observations they have, and all buckets from the first to the last.
type side struct {
	spans  []span
	deltas []int64
	counts []uint64 // the bits of doubles
	dense  []uint64
	first  int32 // the index of the first bucket of dense, as OTLP counts
}

// span is a run of buckets.
type span struct {
	offset int32
	length uint32
}

const (
	// maxBuckets bounds a side of a histogram with all empty buckets in between,
	// and its custom values.
	maxBuckets = 1 << 16
	// customSchema is the schema of histograms with custom values.
	customSchema = -53
	// Exponential schemas. What is finer than maxSchema is merged to it.
	minSchema, maxSchema, finestSchema = -4, 8, 52
	hintGauge                          = 3
)

func (h *histogram) reset() {
	for _, d := range []*side{&h.positive, &h.negative} {
		d.spans, d.deltas, d.counts, d.dense, d.first = d.spans[:0], d.deltas[:0], d.counts[:0], d.dense[:0], 0
	}
	*h = histogram{positive: h.positive, negative: h.negative, bounds: h.bounds[:0]}
}

// readHistograms reads the histograms of the current series and writes those
// that are taken, the last one with the exemplars. It reports whether there was
// one for these.
func (s *splitter) readHistograms(tag byte, exemplars []byte) (attached, ok bool) {
	last := -1
	if len(exemplars) > 0 {
		// Which one is the last that is taken has to be known when it is written.
		ok = s.eachHistogram(tag, func(at int) bool {
			if s.series.bad == fine && s.checkHistogram() == fine {
				last = at
			}
			return s.memory.Err() == nil
		})
		if !ok {
			return false, false
		}
	}
	ok = s.eachHistogram(tag, func(at int) bool {
		switch {
		case !s.takeHistogram():
			return s.memory.Err() == nil
		case at == last:
			return s.writeHistogram(exemplars)
		}
		return s.writeHistogram(nil)
	})
	return last >= 0, ok
}

// eachHistogram reads the histograms of the current series, one after another.
func (s *splitter) eachHistogram(tag byte, do func(at int) bool) bool {
	end := s.series.end
	body := s.body[:end]
	for pos := s.series.histograms; pos < end; {
		if body[pos] != tag {
			if pos = s.next(pos, end); pos < 0 {
				return false
			}
			continue
		}
		start, stop := wire.Extent(body, pos+1)
		if !s.readHistogram(body[:stop], start) || !do(pos) {
			return false
		}
		pos = stop
	}
	return true
}

// takeHistogram checks the histogram that was read and counts it where it is
// refused.
func (s *splitter) takeHistogram() bool {
	why := s.series.bad
	if why == fine {
		why = s.checkHistogram()
	}
	if why == fine {
		return true
	}
	detail := ""
	switch why {
	case badHistogram:
		detail = s.histogram.problem
	case timeTooOld, timeInFuture:
		detail = stamp(s.histogram.time)
	}
	s.reject(why, detail)
	return false
}

// readHistogram reads a Histogram. Both versions have the same fields but for
// the start.
func (s *splitter) readHistogram(buf []byte, pos int) bool {
	h := &s.histogram
	h.reset()
	h.start = s.series.created
	for pos < len(buf) {
		tag, next := wire.Uvarint(buf, pos)
		var n uint64
		switch tag {
		case 1<<3 | wire.VarintType:
			h.count, pos = wire.Uvarint(buf, next)
			h.floats = false
		case 2<<3 | wire.Fixed64Type:
			h.count, pos = wire.Fixed64(buf, next)
			h.floats = true
		case 3<<3 | wire.Fixed64Type:
			h.sum, pos = wire.Fixed64(buf, next)
		case 4<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			h.schema = wire.Zigzag32(n)
		case 5<<3 | wire.Fixed64Type:
			h.threshold, pos = wire.Fixed64(buf, next)
		case 6<<3 | wire.VarintType:
			h.zero, pos = wire.Uvarint(buf, next)
			h.zeroFloats = false
		case 7<<3 | wire.Fixed64Type:
			h.zero, pos = wire.Fixed64(buf, next)
			h.zeroFloats = true
		case 8<<3 | wire.LengthType:
			pos = h.span(&h.negative, buf, next)
		case 9<<3 | wire.LengthType, 9<<3 | wire.VarintType:
			pos = h.deltas(&h.negative, buf, next, tag)
		case 10<<3 | wire.LengthType, 10<<3 | wire.Fixed64Type:
			h.negative.counts, pos = h.doubles(h.negative.counts, buf, next, tag)
		case 11<<3 | wire.LengthType:
			pos = h.span(&h.positive, buf, next)
		case 12<<3 | wire.LengthType, 12<<3 | wire.VarintType:
			pos = h.deltas(&h.positive, buf, next, tag)
		case 13<<3 | wire.LengthType, 13<<3 | wire.Fixed64Type:
			h.positive.counts, pos = h.doubles(h.positive.counts, buf, next, tag)
		case 14<<3 | wire.VarintType:
			h.hint, pos = wire.Uvarint(buf, next)
		case 15<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			h.time = int64(n)
		case 16<<3 | wire.LengthType, 16<<3 | wire.Fixed64Type:
			h.bounds, pos = h.doubles(h.bounds, buf, next, tag)
		default:
			if tag == 17<<3|wire.VarintType && s.version == version2 {
				if n, pos = wire.Uvarint(buf, next); n != 0 {
					h.start = int64(n)
				}
				break
			}
			known := uint32(1<<17 - 1<<1)
			if s.version == version2 {
				known |= 1 << 17
			}
			pos = skipField(buf, next, tag, known)
		}
		if pos < 0 {
			return false
		}
	}
	return true
}

// span reads a BucketSpan whose length is at pos.
func (h *histogram) span(d *side, buf []byte, pos int) int {
	start, end := wire.Extent(buf, pos)
	if end < 0 {
		return -1
	}
	buf = buf[:end]
	var sp span
	for pos = start; pos < end; {
		tag, next := wire.Uvarint(buf, pos)
		var n uint64
		switch tag {
		case 1<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			sp.offset = wire.Zigzag32(n)
		case 2<<3 | wire.VarintType:
			n, pos = wire.Uvarint(buf, next)
			sp.length = uint32(n)
		default:
			pos = skipField(buf, next, tag, 1<<1|1<<2)
		}
		if pos < 0 {
			return -1
		}
	}
	if len(d.spans) == maxBuckets {
		h.tooMany = true
		return end
	}
	d.spans = append(d.spans, sp)
	return end
}

// deltas reads a field of differences between counts, packed or not.
func (h *histogram) deltas(d *side, buf []byte, pos int, tag uint64) int {
	var end int
	if tag&7 == wire.LengthType {
		if pos, end = wire.Extent(buf, pos); end < 0 {
			return -1
		}
	} else if _, end = wire.Uvarint(buf, pos); end < 0 {
		return -1
	}
	for pos < end {
		var n uint64
		if n, pos = wire.Uvarint(buf[:end], pos); pos < 0 {
			return -1
		}
		if len(d.deltas) == maxBuckets {
			h.tooMany = true
			continue
		}
		d.deltas = append(d.deltas, wire.Zigzag64(n))
	}
	return end
}

// doubles reads a field of doubles, packed or not.
func (h *histogram) doubles(into []uint64, buf []byte, pos int, tag uint64) ([]uint64, int) {
	end := pos + 8
	if tag&7 == wire.LengthType {
		pos, end = wire.Extent(buf, pos)
	}
	if end < 0 || end > len(buf) || (end-pos)%8 != 0 {
		return into, -1
	}
	for ; pos < end; pos += 8 {
		if len(into) == maxBuckets {
			h.tooMany = true
			break
		}
		into = append(into, binary.LittleEndian.Uint64(buf[pos:]))
	}
	return into, end
}
