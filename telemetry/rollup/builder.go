package rollup

import (
	"math"

	"github.com/prometheus/prometheus/util/kahansum"
)

// Builder sums up the samples of one series at one resolution. Its arithmetic is
// that of Prometheus' functions over time, in the order of the samples.
type Builder struct {
	open         Fragment
	begun        bool
	compensation float64
	drops        []float64
}

// Add takes a sample, which is later than all before. Where it is the first of
// another window of the given width, Add closes the window before and reports
// true.
func (b *Builder) Add(t int64, v float64, width int64) (closed Fragment, ok bool) {
	if b.begun && t > b.open.End {
		closed, ok = b.Close()
	}
	f := &b.open
	if !b.begun {
		*f = Fragment{End: EndOf(t, width)}
		b.begun = true
	}
	if IsStale(v) {
		f.Stale = t
		return closed, ok
	}
	if f.Count == 0 {
		f.FirstTime, f.First, f.Min, f.Max = t, v, v, v
	} else if v < f.Last {
		b.drops = append(b.drops, f.Last)
	}
	f.Count++
	f.LastTime, f.Last, f.Stale = t, v, 0
	if v < f.Min || math.IsNaN(f.Min) {
		f.Min = v
	}
	if v > f.Max || math.IsNaN(f.Max) {
		f.Max = v
	}
	f.Sum, b.compensation = kahansum.Inc(v, f.Sum, b.compensation)
	return closed, ok
}

// Held is about how many bytes the builder holds.
func (b *Builder) Held() int { return 160 + 8*cap(b.drops) }

// Close returns what there is of the window that is open, if any. The builder
// may be used again.
func (b *Builder) Close() (Fragment, bool) {
	if !b.begun {
		return Fragment{}, false
	}
	f := b.open
	if !math.IsInf(f.Sum, 0) {
		f.Sum += b.compensation
	}
	f.Resets, f.Rounding = resets(f.Last-f.First, b.drops)
	b.open, b.begun, b.compensation, b.drops = Fragment{}, false, 0, b.drops[:0]
	return f, true
}

// resets returns what to add to the difference of the last and the first sample
// to get what adding each drop to it in turn gives: most often the sum of the
// drops, or a number next to it; where none gives the same bits, also what is
// missing.
func resets(difference float64, drops []float64) (sum, rounding float64) {
	increase := difference
	for _, d := range drops {
		sum += d
		increase += d
	}
	if len(drops) < 2 || difference+sum == increase || math.IsNaN(increase) || math.IsInf(increase, 0) {
		return sum, 0
	}
	near := increase - difference
	for _, r := range []float64{near, math.Nextafter(near, math.Inf(1)), math.Nextafter(near, math.Inf(-1))} {
		if difference+r == increase {
			return r, 0
		}
	}
	return sum, increase - (difference + sum)
}
