// Package rollup sums samples of a metric up over windows of time, so that long
// ranges can be answered without reading every sample, and evaluates what was
// summed up as PromQL evaluates the samples themselves.
//
// A window of a resolution r ends at a multiple of r and has the samples of
// (end-r, end], as ranges of PromQL do. What is known of it is one [Fragment],
// or several of times that do not overlap: a window may be summed up in pieces.
// The windows of a day, UTC, are those that end within it, its last moment
// included and its first not.
//
// It is pure: it must not know where samples come from or how fragments are
// stored. All times are Unix milliseconds.
package rollup

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Resolutions, in milliseconds.
const (
	Minute      int64 = 60_000
	FiveMinutes       = 5 * Minute
	Hour              = 60 * Minute
)

// Day is the length of a day in milliseconds, a multiple of every resolution.
const Day = 24 * Hour

// EndOf returns the end of the window of a width that a time is in.
func EndOf(t, width int64) int64 { return floor(t-1, width)*width + width }

// DayOf returns the number of the day, counted from 1970-01-01, whose windows a
// time is in: that of midnight is the day that ends.
func DayOf(t int64) int64 { return floor(t-1, Day) }

// floor divides and rounds down.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Fragment is what is kept of the samples of a window, or of a part of it. Marks
// of a stale series are no samples; of them only Stale is kept.
type Fragment struct {
	// End is the end of the window.
	End int64
	// Count is the number of samples. Where it is 0, only Stale says something.
	Count uint32
	// The first and the last sample.
	FirstTime, LastTime int64
	First, Last         float64
	// Stale is the time of the last mark of a stale series where no sample comes
	// after it, 0 where there is none.
	Stale int64
	// Min and Max are NaN where every sample is; Sum is where one is.
	Min, Max, Sum float64
	// Resets is the sum of the samples before each at which a counter begins
	// anew, so that Last-First+Resets is the increase of a counter. Rounding is
	// what is missing then to the bits that adding them one by one gives; it is 0
	// but for counters that began anew several times.
	Resets, Rounding float64
}

// from is when the fragment begins.
func (f *Fragment) from() int64 {
	if f.Count == 0 {
		return f.Stale
	}
	return f.FirstTime
}

// ErrOverlap says that fragments of a series overlap in time: how their samples
// follow each other is not known then.
var ErrOverlap = errors.New("fragments of a series overlap in time")

// Sort puts the fragments of a series in the order of time. It returns
// ErrOverlap where they have none, as those of two stored series that PromQL
// sees as one.
func Sort(all []Fragment) error {
	inOrder := func(a, b Fragment) int { return cmp.Compare(a.from(), b.from()) }
	if !slices.IsSortedFunc(all, inOrder) {
		slices.SortStableFunc(all, inOrder)
	}
	last := int64(math.MinInt64)
	for i := range all {
		f := &all[i]
		if f.Count == 0 {
			continue
		}
		if f.FirstTime <= last {
			return ErrOverlap
		}
		last = f.LastTime
	}
	return nil
}

// staleBits are the bits of the NaN that marks a stale series, value.StaleNaN of
// Prometheus.
const staleBits = 0x7ff0000000000002

// IsStale reports whether a value is the mark of a stale series.
func IsStale(v float64) bool { return math.Float64bits(v) == staleBits }

// Wins reports whether of two values of the same millisecond the first is the
// answer: a number wins over what is none, the greater over the smaller.
func Wins(a, b float64) bool {
	switch aNaN, bNaN := math.IsNaN(a), math.IsNaN(b); {
	case aNaN != bNaN:
		return bNaN
	case a > b:
		return true
	case a < b:
		return false
	}
	return math.Float64bits(a) > math.Float64bits(b)
}
