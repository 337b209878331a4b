package rollup

import (
	"math"

	"github.com/prometheus/prometheus/util/kahansum"
)

// Window are the fragments, in the order of time, of consecutive windows that
// are evaluated as one. Its methods return what Prometheus' functions over time
// return for the samples: the same bits for a single fragment, and beyond that
// the same but for the rounding of sums.
type Window []Fragment

// Count returns the number of samples.
func (w Window) Count() int {
	n := 0
	for i := range w {
		n += int(w[i].Count)
	}
	return n
}

// Bounds returns the first and the last fragment that has samples, nil where
// none has.
func (w Window) Bounds() (first, last *Fragment) {
	for i := range w {
		if w[i].Count > 0 {
			if first == nil {
				first = &w[i]
			}
			last = &w[i]
		}
	}
	return first, last
}

// Newest returns the last sample, and whether there is one that no mark of a
// stale series follows.
func (w Window) Newest() (v float64, ok bool) {
	newest, stale := int64(math.MinInt64), int64(math.MinInt64)
	for i := range w {
		f := &w[i]
		if f.Count > 0 && f.LastTime > newest {
			newest, v, ok = f.LastTime, f.Last, true
		}
		if f.Stale != 0 {
			stale = max(stale, f.Stale)
		}
	}
	return v, ok && stale <= newest
}

// Min returns the least sample; NaN only where there is nothing else.
func (w Window) Min() float64 {
	least := math.NaN()
	for i := range w {
		if f := &w[i]; f.Count > 0 && (f.Min < least || math.IsNaN(least)) {
			least = f.Min
		}
	}
	return least
}

// Max returns the greatest sample; NaN only where there is nothing else.
func (w Window) Max() float64 {
	greatest := math.NaN()
	for i := range w {
		if f := &w[i]; f.Count > 0 && (f.Max > greatest || math.IsNaN(greatest)) {
			greatest = f.Max
		}
	}
	return greatest
}

// Sum returns the sum of the samples. It reports false where a number may not
// hold the sum of some of them: what the others make of it is not known then.
func (w Window) Sum() (sum float64, ok bool) {
	sum, c, ok := w.sum()
	return sum + c, ok
}

// Mean returns the mean of the samples, of which there must be one. It reports
// false where Sum does.
func (w Window) Mean() (mean float64, ok bool) {
	sum, c, ok := w.sum()
	n := float64(w.Count())
	return sum/n + c/n, ok
}

func (w Window) sum() (sum, compensation float64, ok bool) {
	for i := range w {
		if w[i].Count > 0 {
			if math.IsInf(w[i].Sum, 0) {
				return 0, 0, false
			}
			sum, compensation = kahansum.Inc(w[i].Sum, sum, compensation)
		}
	}
	return sum, compensation, !math.IsInf(sum, 0)
}

// Increase returns by how much a counter grew from the first sample to the last:
// their difference, and the sample before each at which it began anew.
func (w Window) Increase() float64 {
	first, last := w.Bounds()
	if first == nil {
		return 0
	}
	increase := last.Last - first.First
	var before *Fragment
	for i := range w {
		f := &w[i]
		if f.Count == 0 {
			continue
		}
		if before != nil && f.First < before.Last {
			increase += before.Last
		}
		before = f
		if f.Resets != 0 || f.Rounding != 0 {
			increase = increase + f.Resets + f.Rounding
		}
	}
	return increase
}
