package promql

import (
	"context"
	"fmt"
	"strconv"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// grid are the times of a range query, Unix milliseconds.
type grid struct{ start, end, step int64 }

// windowCall is a call of a function of a window.
type windowCall struct {
	grid
	window int64 // milliseconds
	function
}

// windows is a storage in which the marked selectors select what calls return.
type windows struct {
	storage.Queryable
	calls []windowCall
}

func (c *windows) Querier(mint, maxt int64) (storage.Querier, error) {
	for _, call := range c.calls {
		mint, maxt = min(mint, call.start-call.window), max(maxt, call.end)
	}
	q, err := c.Queryable.Querier(mint, maxt)
	return &windowsQuerier{q, c.calls}, err
}

type windowsQuerier struct {
	storage.Querier
	calls []windowCall
}

func (q *windowsQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	for i, m := range matchers {
		if m.Name != windowLabel {
			continue
		}
		n, err := strconv.Atoi(m.Value)
		if err != nil || n >= len(q.calls) {
			return storage.ErrSeriesSet(fmt.Errorf("%w: %s", errNotPlain, m.Value))
		}
		call := q.calls[n]
		rest := append(append([]*labels.Matcher{}, matchers[:i]...), matchers[i+1:]...)
		read := storage.SelectHints{}
		if hints != nil {
			read = *hints
		}
		read.Start, read.End, read.Range = call.start-call.window+1, call.end, call.window
		fromSamples := func() storage.SeriesSet {
			if call.at == nil {
				return q.Querier.Select(ctx, sorted, hints, rest...)
			}
			return &windowsSet{q.Querier.Select(ctx, sorted, &read, rest...), call}
		}
		from, ok := q.Querier.(roller)
		if !ok || !call.wide() || read.Limit > 0 {
			return fromSamples()
		}
		return later(func() storage.SeriesSet {
			set, err := from.selectRolled(ctx, call, rest)
			switch {
			case err != nil:
				return storage.ErrSeriesSet(err)
			case set == nil:
				return fromSamples()
			}
			return set
		})
	}
	return q.Querier.Select(ctx, sorted, hints, matchers...)
}

type windowsSet struct {
	storage.SeriesSet
	call windowCall
}

func (s *windowsSet) At() storage.Series { return &windowsSeries{s.SeriesSet.At(), s.call} }

type windowsSeries struct {
	storage.Series
	call windowCall
}

// Labels are those of the call's result.
func (s *windowsSeries) Labels() labels.Labels { return s.call.resultLabels(s.Series.Labels()) }

// resultLabels are the labels of the result for a series.
func (c *windowCall) resultLabels(l labels.Labels) labels.Labels {
	if c.named {
		return l
	}
	return labels.NewBuilder(l).Del(model.MetricNameLabel).Labels()
}

// Iterator returns an iterator over the results.
func (s *windowsSeries) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	own, ok := it.(*iterator)
	if !ok {
		own = &iterator{}
	}
	p, err := samplesOf(s.Series.Iterator(nil))
	if err != nil {
		own.reset(nil, err)
		return own
	}
	own.reset(s.call.evaluate(p))
	return own
}

// samplesOf returns the samples of a series that has no histograms.
func samplesOf(it chunkenc.Iterator) (*points, error) {
	if own, ok := it.(*iterator); ok {
		if own.err == nil && own.histograms != nil {
			return nil, errNotPlain
		}
		return own.points, own.err
	}
	p := &points{}
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if kind != chunkenc.ValFloat {
			return nil, errNotPlain
		}
		p.add(it.At())
	}
	return p, it.Err()
}

// evaluate returns the results of the call at every step, which is the mark of a
// stale series where there is none.
func (c *windowCall) evaluate(p *points) (*points, error) {
	times, values := fresh(p)
	var resets []int // samples that are less than the one before
	for i := 1; c.counter && i < len(values); i++ {
		if values[i] < values[i-1] {
			resets = append(resets, i)
		}
	}
	steps := int((c.end-c.start)/c.step) + 1
	out := &points{times: make([]int64, 0, steps), values: make([]float64, 0, steps)}
	w := window{all: values}
	from, to, reset, found := 0, 0, 0, false
	for t := c.start; t <= c.end; t += c.step {
		for from < len(times) && times[from] <= t-c.window {
			from++
		}
		for to < len(times) && times[to] <= t {
			to++
		}
		v := staleValue
		if to-from >= c.least {
			for reset < len(resets) && resets[reset] <= from {
				reset++
			}
			w.end, w.times, w.values, w.resets, w.last = t, times[from:to], values[from:to], resets[reset:], to
			v = c.at(c, &w)
			found = true
		}
		out.times, out.values = append(out.times, t), append(out.values, v)
	}
	switch {
	case w.strange:
		return nil, errNotPlain
	case !found:
		return &noPoints, nil
	}
	return out, nil
}

// fresh returns the samples that are no marks of a stale series.
func fresh(p *points) ([]int64, []float64) {
	stale := false
	for _, v := range p.values {
		stale = stale || isStale(v)
	}
	if !stale {
		return p.times, p.values
	}
	var times []int64
	var values []float64
	for i, v := range p.values {
		if !isStale(v) {
			times, values = append(times, p.times[i]), append(values, v)
		}
	}
	return times, values
}
