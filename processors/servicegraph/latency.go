package servicegraph

import (
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// latency counts durations in the buckets of package sketch. It keeps a place for
// each bucket from the first to the last that is not empty, so that a call is
// counted at once, and how much memory it takes follows from what was counted: a
// bound on it does the same after a restart.
type latency struct {
	sum int64
	// counts are those of the buckets from first on, and zero that of sketch.Zero.
	counts []uint32
	first  int16
	zero   uint32
}

// add counts a duration and returns by how many places the latency grew.
func (l *latency) add(duration int64) (grown int) {
	l.sum = addSaturating(l.sum, duration)
	index := sketch.Index(duration)
	if index == sketch.Zero {
		l.zero++
		return 0
	}
	at := int(index) - int(l.first)
	if uint(at) >= uint(len(l.counts)) { //nolint:gosec // a negative one is beyond every length
		grown = l.reach(index)
		at = int(index) - int(l.first)
	}
	l.counts[at]++
	return grown
}

// reach makes a place for a bucket that has none, and returns by how many places
// the latency grew.
func (l *latency) reach(index int16) (grown int) {
	switch {
	case len(l.counts) == 0:
		l.first, grown = index, 1
		l.counts = append(l.counts, 0)
	case index < l.first:
		grown = int(l.first) - int(index)
		l.counts = slices.Insert(l.counts, 0, make([]uint32, grown)...)
		l.first = index
	default:
		grown = int(index) - int(l.first) + 1 - len(l.counts)
		l.counts = append(l.counts, make([]uint32, grown)...)
	}
	return grown
}

// buckets yields the buckets that are not empty, in the order of their indexes.
func (l *latency) buckets(yield func(sketch.Bucket) bool) {
	if l.zero > 0 && !yield(sketch.Bucket{Index: sketch.Zero, Count: uint64(l.zero)}) {
		return
	}
	for i, n := range l.counts {
		if n > 0 && !yield(sketch.Bucket{Index: l.first + int16(i), Count: uint64(n)}) { //nolint:gosec // the place of a bucket
			return
		}
	}
}

// row puts the latency into a batch.
func (l *latency) row(b *telemetry.Batch) telemetry.Latency {
	row := telemetry.Latency{Sum: l.sum, Buckets: telemetry.Range{Start: uint32(len(b.Buckets))}} //nolint:gosec // bounded by memory
	b.Buckets = slices.AppendSeq(b.Buckets, l.buckets)
	row.Buckets.End = uint32(len(b.Buckets)) //nolint:gosec // bounded by memory
	return row
}

// reset empties the latency and keeps its memory.
func (l *latency) reset() {
	clear(l.counts)
	*l = latency{counts: l.counts[:0]}
}

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
