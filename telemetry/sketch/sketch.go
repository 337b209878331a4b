// Package sketch counts durations in the buckets of OpenTelemetry's exponential
// histograms of scale 5: bucket i has what is greater than 2^(i/32) and not
// greater than 2^((i+1)/32) nanoseconds. The buckets are the same everywhere, so
// sketches merge exactly, by adding up counts, and a quantile that is read from
// them is off by at most 1.1 %.
//
// The formula is that of the OpenTelemetry metrics data model, "Exponential
// Scale". Durations are compared with the bounds as integers: the bucket of a
// duration does not depend on the machine.
package sketch

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
)

const (
	// Scale is the scale of the buckets.
	Scale = 5
	// perDoubling is the number of buckets from a duration to its double.
	perDoubling = 1 << Scale
	// Zero is the bucket of what took no time, or less.
	Zero int16 = math.MinInt16
	// least is the bucket of one nanosecond, the shortest duration that there is.
	least = -1
)

// bounds are the upper bounds of the buckets of one doubling, from 2^62 on,
// rounded down.
var bounds = upperBounds()

func upperBounds() [perDoubling]uint64 {
	const precision = 256
	step := new(big.Float).SetPrec(precision).SetInt64(2)
	for range Scale {
		step.Sqrt(step)
	}
	var all [perDoubling]uint64
	bound := new(big.Float).SetPrec(precision).SetInt(new(big.Int).Lsh(big.NewInt(1), 62))
	for i := range all {
		bound.Mul(bound, step)
		all[i], _ = bound.Uint64()
	}
	// What is a power of two is exact.
	all[perDoubling-1] = 1 << 63
	return all
}

// Index returns the bucket of a duration in nanoseconds: [Zero], or -1 to 2015.
func Index(duration int64) int16 {
	if duration <= 1 {
		if duration < 1 {
			return Zero
		}
		return least
	}
	v := uint64(duration)
	doubling := bits.Len64(v-1) - 1 // 2^doubling < v <= 2^(doubling+1)
	v <<= 62 - doubling
	// The bounds lie below the line between the powers of two, by less than
	// three buckets: the search begins where the line is.
	i := int((v - 1<<62 - 1) >> (62 - Scale))
	for v > bounds[i] {
		i++
	}
	for i > 0 && v <= bounds[i-1] {
		i--
	}
	return int16(doubling*perDoubling + i) //nolint:gosec // 62 doublings
}

// Upper returns the greatest duration of a bucket in nanoseconds, rounded down.
func Upper(index int16) int64 {
	switch {
	case index == Zero:
		return 0
	case index < 0:
		return 1
	}
	doubling := int(index) / perDoubling
	if doubling > 62 {
		return math.MaxInt64
	}
	return int64(min(bounds[int(index)%perDoubling]>>(62-doubling), math.MaxInt64)) //nolint:gosec // bounded
}

// Bucket is how many durations there are of one bucket.
type Bucket struct {
	Index int16
	Count uint64
}

// Quantile returns the duration in nanoseconds, at most 1.1 % off, that a share q
// of the counted ones does not exceed; NaN where there are none. The buckets are
// in the order of their indexes. q is from 0 to 1.
func Quantile(q float64, buckets []Bucket) float64 {
	total := uint64(0)
	for i := range buckets {
		total += buckets[i].Count
	}
	if total == 0 {
		return math.NaN()
	}
	rank := max(1, uint64(math.Ceil(q*float64(total))))
	for i := range buckets {
		b := &buckets[i]
		if b.Count >= rank {
			return middle(b.Index)
		}
		rank -= b.Count
	}
	return middle(buckets[len(buckets)-1].Index)
}

// middle is the duration that is off by the same factor from both ends of a
// bucket.
func middle(index int16) float64 {
	switch index {
	case Zero:
		return 0
	case least:
		return 1
	}
	return math.Exp2((float64(index) + 0.5) / perDoubling)
}

// Sketch counts durations. Its zero value is empty.
type Sketch struct {
	// counts are those of the buckets from first on.
	counts []uint64
	first  int16
	zero   uint64
	total  uint64
	sum    int64
}

// Add counts a duration in nanoseconds, which adds to the sum even where it is
// negative.
func (s *Sketch) Add(duration int64) { s.add(Index(duration), 1, duration) }

func (s *Sketch) add(index int16, n uint64, sum int64) {
	s.total += n
	s.sum += sum
	if index == Zero {
		s.zero += n
		return
	}
	s.counts[s.place(index)] += n
}

// place makes room for a bucket and returns where it is.
func (s *Sketch) place(index int16) int {
	switch {
	case len(s.counts) == 0:
		s.first = index
		s.counts = append(s.counts[:0], 0)
	case index < s.first:
		missing := int(s.first) - int(index)
		s.counts = slices.Insert(s.counts, 0, make([]uint64, missing)...)
		s.first = index
	}
	at := int(index) - int(s.first)
	if missing := at + 1 - len(s.counts); missing > 0 {
		s.counts = append(s.counts, make([]uint64, missing)...)
	}
	return at
}

// Count returns how many durations were counted, and Sum what they add up to in
// nanoseconds.
func (s *Sketch) Count() uint64 { return s.total }

// Sum returns what the durations add up to in nanoseconds.
func (s *Sketch) Sum() int64 { return s.sum }

// Append appends the buckets that are not empty, in the order of their indexes.
func (s *Sketch) Append(dst []Bucket) []Bucket {
	if s.zero > 0 {
		dst = append(dst, Bucket{Zero, s.zero})
	}
	for i, n := range s.counts {
		if n > 0 {
			dst = append(dst, Bucket{s.first + int16(i), n}) //nolint:gosec // the place of a bucket
		}
	}
	return dst
}

// Merge counts what was counted elsewhere. Indexes that no duration has are left
// out.
func (s *Sketch) Merge(buckets []Bucket, sum int64) {
	for _, b := range buckets {
		if b.Index == Zero || b.Index >= least && int(b.Index) < 63*perDoubling {
			s.add(b.Index, b.Count, 0)
		}
	}
	s.sum += sum
}

// Reset empties the sketch and keeps its memory.
func (s *Sketch) Reset() {
	clear(s.counts)
	*s = Sketch{counts: s.counts[:0]}
}

// Bytes returns about how much memory the sketch holds.
func (s *Sketch) Bytes() int64 { return int64(cap(s.counts))*8 + 64 }
