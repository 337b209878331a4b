package promql

import (
	"cmp"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
)

// points are the samples of one series, in the order of their times, at most
// one for each millisecond once they are finished.
type points struct {
	times  []int64 // Unix milliseconds
	values []float64
	// starts are since when each sample counts, Unix milliseconds, 0 where
	// nobody said; nil where they are not read.
	starts []int64
	// histograms has a histogram for every sample that is one; nil where none is.
	histograms []*histogram.FloatHistogram
	// runs are where a sample begins that is not after the one before.
	runs []int32
}

func (p *points) add(t int64, v float64) {
	if n := len(p.times); n > 0 && t <= p.times[n-1] {
		p.runs = append(p.runs, int32(n))
	}
	p.times, p.values = append(p.times, t), append(p.values, v)
}

func (p *points) addHistogram(t int64, h *histogram.FloatHistogram) {
	if p.histograms == nil {
		p.histograms = make([]*histogram.FloatHistogram, len(p.times), len(p.times)+16)
	}
	p.add(t, h.Sum)
	p.histograms = append(p.histograms, h)
}

// join adds the samples of another series of the same labels.
func (p *points) join(q *points) {
	if len(q.times) == 0 {
		return
	}
	if len(p.times) == 0 {
		*p = *q
		// What is appended must not show in q.
		p.times, p.values = slices.Clip(p.times), slices.Clip(p.values)
		p.starts, p.histograms, p.runs = slices.Clip(p.starts), slices.Clip(p.histograms), slices.Clip(p.runs)
		return
	}
	before := int32(len(p.times))
	if q.times[0] <= p.times[before-1] {
		p.runs = append(p.runs, before)
	}
	for _, at := range q.runs {
		p.runs = append(p.runs, before+at)
	}
	if p.histograms == nil && q.histograms != nil {
		p.histograms = make([]*histogram.FloatHistogram, len(p.times))
	}
	if p.histograms != nil {
		if q.histograms == nil {
			q.histograms = make([]*histogram.FloatHistogram, len(q.times))
		}
		p.histograms = append(p.histograms, q.histograms...)
	}
	p.times, p.values = append(p.times, q.times...), append(p.values, q.values...)
	if p.starts == nil && q.starts != nil {
		p.starts = make([]int64, before)
	}
	if p.starts != nil {
		p.starts = append(p.starts, q.starts...)
		p.starts = append(p.starts, make([]int64, len(p.times)-len(p.starts))...)
	}
}

// finish orders the samples and answers each time once. Of several samples of
// one millisecond the greatest stays, in an order in which a number is greater
// than the mark of a stale series, and a histogram greater than both: so the
// answer does not depend on which of them came first.
func (p *points) finish() {
	if len(p.runs) == 0 {
		return
	}
	order, apart := p.runOrder()
	p.runs = nil
	if apart {
		p.pick(order)
		return
	}
	slices.SortFunc(order, func(a, b int32) int {
		if p.times[a] != p.times[b] {
			if p.times[a] < p.times[b] {
				return -1
			}
			return 1
		}
		return p.compare(a, b)
	})
	kept := order[:0]
	for i, at := range order {
		if i+1 == len(order) || p.times[order[i+1]] != p.times[at] {
			kept = append(kept, at)
		}
	}
	p.pick(kept)
}

// runOrder returns the samples in the order of the runs they are in, and whether
// that is the order of their times, each of them once: then nothing is left to
// sort. Blocks that are read at the same time come that way.
func (p *points) runOrder() (order []int32, apart bool) {
	type run struct{ from, to int32 }
	all := make([]run, 0, len(p.runs)+1)
	from := int32(0)
	for _, at := range append(p.runs, int32(len(p.times))) {
		all = append(all, run{from, at})
		from = at
	}
	slices.SortStableFunc(all, func(a, b run) int { return cmp.Compare(p.times[a.from], p.times[b.from]) })
	order, apart = make([]int32, 0, len(p.times)), true
	last := int64(math.MinInt64)
	for _, r := range all {
		apart = apart && p.times[r.from] > last
		last = p.times[r.to-1]
		for i := r.from; i < r.to; i++ {
			order = append(order, i)
		}
	}
	return order, apart
}

// pick keeps the samples of the list, in its order.
func (p *points) pick(which []int32) {
	p.times, p.values = picked(p.times, which), picked(p.values, which)
	p.starts, p.histograms = picked(p.starts, which), picked(p.histograms, which)
}

func picked[T any](all []T, which []int32) []T {
	if all == nil {
		return nil
	}
	out := make([]T, len(which))
	for i, at := range which {
		out[i] = all[at]
	}
	return out
}

// compare orders two samples of the same time.
func (p *points) compare(a, b int32) int {
	rank := func(i int32) int {
		switch {
		case p.histograms != nil && p.histograms[i] != nil && !isStale(p.values[i]):
			return 2
		case math.IsNaN(p.values[i]):
			return 0
		}
		return 1
	}
	if x, y := rank(a), rank(b); x != y {
		return x - y
	}
	switch x, y := p.values[a], p.values[b]; {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	if c := cmp.Compare(math.Float64bits(p.values[a]), math.Float64bits(p.values[b])); c != 0 || p.histograms == nil {
		return c
	}
	return compareHistograms(p.histograms[a], p.histograms[b])
}

// compareHistograms orders histograms of the same sum.
func compareHistograms(a, b *histogram.FloatHistogram) int {
	if a == nil || b == nil {
		return 0
	}
	spans := func(x, y histogram.Span) int {
		return cmp.Or(cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.Length, y.Length))
	}
	return cmp.Or(
		cmp.Compare(a.Count, b.Count), cmp.Compare(a.ZeroCount, b.ZeroCount), cmp.Compare(a.Schema, b.Schema),
		cmp.Compare(a.ZeroThreshold, b.ZeroThreshold), slices.Compare(a.CustomValues, b.CustomValues),
		slices.CompareFunc(a.PositiveSpans, b.PositiveSpans, spans), slices.Compare(a.PositiveBuckets, b.PositiveBuckets),
		slices.CompareFunc(a.NegativeSpans, b.NegativeSpans, spans), slices.Compare(a.NegativeBuckets, b.NegativeBuckets),
	)
}

// markResets says of each histogram that its counter was not reset before it,
// where that is so, as Prometheus's own storage does: functions take it from
// there, and so do what they warn about. Of the others nothing is said.
func (p *points) markResets() {
	var previous *histogram.FloatHistogram
	for _, h := range p.histograms {
		switch {
		case h == nil || isStale(h.Sum) || h.CounterResetHint == histogram.GaugeType:
			previous = nil
			continue
		case previous == nil || h.CounterResetHint != histogram.NotCounterReset && h.DetectReset(previous):
			h.CounterResetHint = histogram.UnknownCounterReset
		default:
			h.CounterResetHint = histogram.NotCounterReset
		}
		previous = h
	}
}

// trim leaves out what is before a time.
func (p *points) trim(from int64) {
	n, _ := slices.BinarySearch(p.times, from)
	if n == 0 {
		return
	}
	p.times, p.values = p.times[n:], p.values[n:]
	if p.starts != nil {
		p.starts = p.starts[n:]
	}
	if p.histograms != nil {
		p.histograms = p.histograms[n:]
	}
}

// accumulate makes running totals of what each sample has added, on top of what
// there was before the first.
func (p *points) accumulate(before float64) { p.accumulateOn(before, nil) }

// accumulateOn is accumulate for samples that may be histograms. It takes sum
// over, which may be nil. What is not a number adds nothing.
func (p *points) accumulateOn(before float64, sum *histogram.FloatHistogram) {
	total := before
	for i := range p.times {
		switch {
		case p.histograms != nil && p.histograms[i] != nil:
			h := p.histograms[i]
			if isStale(h.Sum) {
				continue
			}
			if sum != nil {
				added, _, _, err := sum.Copy().Add(h)
				if err != nil {
					// Histograms that cannot be added begin anew, as after a restart.
					added = h
				}
				p.histograms[i] = added
			}
			sum = p.histograms[i]
		case math.IsNaN(p.values[i]):
		default:
			total += p.values[i]
			p.values[i] = total
		}
	}
}
