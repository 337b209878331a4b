package remotewrite

import (
	"encoding/binary"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// The tags of an ExponentialHistogramDataPoint and of its Buckets.
const (
	exponentialAttributes = 1<<3 | wire.LengthType
	exponentialStart      = 2<<3 | wire.Fixed64Type
	exponentialTime       = 3<<3 | wire.Fixed64Type
	exponentialCount      = 4<<3 | wire.Fixed64Type
	exponentialSum        = 5<<3 | wire.Fixed64Type
	exponentialScale      = 6<<3 | wire.VarintType
	exponentialZero       = 7<<3 | wire.Fixed64Type
	exponentialPositive   = 8<<3 | wire.LengthType
	exponentialNegative   = 9<<3 | wire.LengthType
	exponentialFlags      = 10<<3 | wire.VarintType
	exponentialExemplar   = 11<<3 | wire.LengthType
	exponentialThreshold  = 14<<3 | wire.Fixed64Type

	bucketsOffset = 1<<3 | wire.VarintType
	bucketsCounts = 2<<3 | wire.LengthType
)

// The tags of a HistogramDataPoint.
const (
	histogramStart      = 2<<3 | wire.Fixed64Type
	histogramTime       = 3<<3 | wire.Fixed64Type
	histogramCount      = 4<<3 | wire.Fixed64Type
	histogramSum        = 5<<3 | wire.Fixed64Type
	histogramCounts     = 6<<3 | wire.LengthType
	histogramBounds     = 7<<3 | wire.LengthType
	histogramExemplar   = 8<<3 | wire.LengthType
	histogramAttributes = 9<<3 | wire.LengthType
	histogramFlags      = 10<<3 | wire.VarintType
)

// writeHistogram writes the histogram that was read and checked.
func (s *splitter) writeHistogram(exemplars []byte) bool {
	h := &s.histogram
	kind := itemKind{shape: exponentialShape, kind: s.series.kind, floats: h.floats}
	if h.hint == hintGauge {
		kind.kind = gaugeHistogram
	}
	if kind.kind == counter || kind.kind == gauge {
		kind.kind = unknown // of what is no histogram; the shape says more
	}
	if h.schema == customSchema {
		kind.shape = histogramShape
		return s.writeCustom(kind, exemplars)
	}
	retag(exemplars, exponentialExemplar)
	start := startOf(h.start)
	stale := h.sum == staleNaN
	scale := uint64(uint32(min(h.schema, maxSchema)<<1) ^ uint32(h.schema>>31))
	size := 9 + 9 + 1 + wire.UvarintLen(scale) + s.series.attributes + len(exemplars)
	if start != 0 {
		size += 9
	}
	positive, negative := h.positive.size(), h.negative.size()
	size += h.flagsLen()
	if !stale {
		size += 9 + 9 + 9 + sideLen(positive) + sideLen(negative)
	}
	if s.tooLarge(size) {
		return true
	}
	b, pos, ok := s.openPoint(kind, size)
	if !ok {
		return false
	}
	pos = s.putAttributes(b, pos, exponentialAttributes)
	if start != 0 {
		pos = putFixed(b, pos, exponentialStart, start)
	}
	pos = putFixed(b, pos, exponentialTime, uint64(h.time)*1_000_000)
	if !stale {
		pos = putFixed(b, pos, exponentialCount, h.count)
	}
	pos = putFixed(b, pos, exponentialSum, h.sum)
	b[pos] = exponentialScale
	pos += 1 + binary.PutUvarint(b[pos+1:], scale)
	pos = h.putFlags(b, pos, exponentialFlags)
	if !stale {
		pos = putFixed(b, pos, exponentialZero, h.zero)
		pos = h.positive.put(b, pos, exponentialPositive, positive)
		pos = h.negative.put(b, pos, exponentialNegative, negative)
	}
	pos += copy(b[pos:], exemplars)
	if !stale {
		pos = putFixed(b, pos, exponentialThreshold, h.threshold)
	}
	s.out = b[:pos]
	s.tookHistogram()
	return true
}

func (s *splitter) tookHistogram() {
	s.written.histograms++
	s.newestKept = max(s.newestKept, s.histogram.time)
}

// offset returns the zigzag encoding of the first bucket's index.
func (d *side) offset() uint64 { return uint64(uint32(d.first<<1) ^ uint32(d.first>>31)) }

// size returns the length of the side as Buckets, 0 for none.
func (d *side) size() int {
	if len(d.dense) == 0 {
		return 0
	}
	return 1 + wire.UvarintLen(d.offset()) + fieldLen(d.countsLen())
}

func (d *side) countsLen() (n int) {
	for _, c := range d.dense {
		n += wire.UvarintLen(c)
	}
	return n
}

func sideLen(size int) int {
	if size == 0 {
		return 0
	}
	return fieldLen(size)
}

func (d *side) put(b []byte, pos int, tag byte, size int) int {
	if size == 0 {
		return pos
	}
	pos = putHead(b, pos, tag, size)
	b[pos] = bucketsOffset
	pos += 1 + binary.PutUvarint(b[pos+1:], d.offset())
	pos = putHead(b, pos, bucketsCounts, d.countsLen())
	for _, c := range d.dense {
		pos += binary.PutUvarint(b[pos:], c)
	}
	return pos
}

// writeCustom writes a histogram with custom values.
func (s *splitter) writeCustom(kind itemKind, exemplars []byte) bool {
	h := &s.histogram
	retag(exemplars, histogramExemplar)
	start := startOf(h.start)
	stale := h.sum == staleNaN
	size := 9 + 9 + s.series.attributes + len(exemplars)
	if start != 0 {
		size += 9
	}
	size += h.flagsLen()
	if !stale {
		size += 9 + fieldLen(8*len(h.positive.dense)) + fieldLen(8*len(h.bounds))
	}
	if s.tooLarge(size) {
		return true
	}
	b, pos, ok := s.openPoint(kind, size)
	if !ok {
		return false
	}
	if start != 0 {
		pos = putFixed(b, pos, histogramStart, start)
	}
	pos = putFixed(b, pos, histogramTime, uint64(h.time)*1_000_000)
	if !stale {
		pos = putFixed(b, pos, histogramCount, h.count)
	}
	pos = putFixed(b, pos, histogramSum, h.sum)
	if !stale {
		pos = putDoubles(b, pos, histogramCounts, h.positive.dense)
		pos = putDoubles(b, pos, histogramBounds, h.bounds)
	}
	pos += copy(b[pos:], exemplars)
	pos = s.putAttributes(b, pos, histogramAttributes)
	pos = h.putFlags(b, pos, histogramFlags)
	s.out = b[:pos]
	s.tookHistogram()
	return true
}

// flags are what a reader has to know of this point beside its series.
func (h *histogram) flags() uint64 {
	if h.sum == staleNaN {
		return telemetry.FlagNoRecordedValue
	}
	flags := h.hint & 3 << telemetry.FlagResetHintShift
	if h.floats {
		flags |= telemetry.FlagFloatCounts
	}
	return flags
}

func (h *histogram) flagsLen() int {
	if h.flags() == 0 {
		return 0
	}
	return 1 + wire.UvarintLen(h.flags())
}

func (h *histogram) putFlags(b []byte, pos int, tag byte) int {
	if h.flags() == 0 {
		return pos
	}
	b[pos] = tag
	return pos + 1 + binary.PutUvarint(b[pos+1:], h.flags())
}

func putDoubles(b []byte, pos int, tag byte, list []uint64) int {
	pos = putHead(b, pos, tag, 8*len(list))
	for _, v := range list {
		binary.LittleEndian.PutUint64(b[pos:], v)
		pos += 8
	}
	return pos
}
