package servicegraph

import (
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// latency counts durations in the buckets of package sketch. It keeps only those
// that are not empty: how much memory it takes follows from what was counted, so
// that a bound on it does the same after a restart.
type latency struct {
	sum int64
	// indexes are those of the buckets that are not empty, ascending, and counts
	// what is in them. They are apart because indexes are searched for each call.
	indexes []int16
	counts  []uint64
}

// add counts a duration and reports whether it is the first of its bucket.
func (l *latency) add(duration int64) (fresh bool) {
	l.sum = addSaturating(l.sum, duration)
	index := sketch.Index(duration)
	at, n := 0, len(l.indexes)
	for n > 0 {
		half := n / 2
		if l.indexes[at+half] < index {
			at += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	if at < len(l.indexes) && l.indexes[at] == index {
		l.counts[at]++
		return false
	}
	l.indexes = slices.Insert(l.indexes, at, index)
	l.counts = slices.Insert(l.counts, at, 1)
	return true
}

// row puts the latency into a batch.
func (l *latency) row(b *telemetry.Batch) telemetry.Latency {
	row := telemetry.Latency{Sum: l.sum, Buckets: telemetry.Range{Start: uint32(len(b.Buckets))}} //nolint:gosec // bounded by memory
	for i, index := range l.indexes {
		b.Buckets = append(b.Buckets, sketch.Bucket{Index: index, Count: l.counts[i]})
	}
	row.Buckets.End = uint32(len(b.Buckets)) //nolint:gosec // bounded by memory
	return row
}

// reset empties the latency and keeps its memory.
func (l *latency) reset() { l.sum, l.indexes, l.counts = 0, l.indexes[:0], l.counts[:0] }

// addSaturating adds without going round.
func addSaturating(a, b int64) int64 {
	switch sum := a + b; {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum >= 0:
		return math.MinInt64
	default:
		return sum
	}
}
