package promql

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// This file answers calls of windows from rollups: those of the days that are
// rolled up, and of the others what their samples add up to, which is the same.
// Where rollups do not say what the samples say, the call is answered from
// samples.

// leastPerRow is how many samples a row of rollups must stand for on average. To
// read a row and evaluate it is about as much work as six samples are.
const leastPerRow = 8

// rolledSpan is over how much time a query must reach for rollups to be looked
// for.
const rolledSpan = 12 * int64(time.Hour/time.Millisecond)

// wide reports whether rollups may serve a call: it reaches over much time, and
// its windows begin and end where those of a resolution do.
func (c *windowCall) wide() bool {
	return c.function.rolled != nil && c.end-c.start+c.window >= rolledSpan && c.aligned(tables.Resolutions()[0].Milliseconds)
}

// aligned reports whether all windows consist of whole ones of a width.
func (c *windowCall) aligned(width int64) bool {
	return c.start%width == 0 && c.window%width == 0 && (c.step%width == 0 || c.start == c.end)
}

// roller is a querier that has rollups.
type roller interface {
	// selectRolled selects the results of a call, nil where they have to come
	// from samples.
	selectRolled(ctx context.Context, call windowCall, matchers []*labels.Matcher) (*rolledSet, error)
}

var _ roller = (*querier)(nil)

// selectRolled implements roller.
func (q *querier) selectRolled(ctx context.Context, call windowCall, matchers []*labels.Matcher) (*rolledSet, error) {
	s := q.store
	if !s.cfg.Rollups {
		return nil, nil
	}
	known, err := s.rolledDays(ctx, tenantOf(ctx))
	if err != nil {
		return nil, err
	}
	read := &rolledRead{grid: call.grid, window: call.window, needs: call.needs, limit: s.cfg.MaxSamples / fragmentSamples}
	if read.choose(known, s.perRow); read.days == nil {
		return nil, nil
	}
	in := span{call.start - call.window + 1, call.end}
	views, err := s.find(ctx, in, matchers, withSamples)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(views, func(v view) bool { return v.part != partValue || v.delta }) {
		return nil, nil
	}
	found, _ := sortOut(views, matchers, func(part) bool { return true })
	set := &rolledSet{call: call, all: found.sorted()}
	set.fragments, err = s.rolledFragments(ctx, read, set.all, namesOnly(matchers))
	if errors.Is(err, errMany) || errors.Is(err, rollup.ErrOverlap) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if time.Since(known.read) > rollupPatience {
		return nil, nil // it took so long that rows may have gone meanwhile
	}
	s.rolled.WithLabelValues(read.resolution.Name).Inc()
	return set, nil
}

// choose picks the coarsest resolution that serves, and the days that have it. Its
// rows must stand for so many samples.
func (r *rolledRead) choose(known *rolledDays, perRow uint64) {
	first, last := rollup.DayOf(r.start-r.window+1), rollup.DayOf(r.end)
	call := windowCall{grid: r.grid, window: r.window}
	for _, candidate := range tables.Resolutions() {
		if !call.aligned(candidate.Milliseconds) {
			continue
		}
		days := map[int64]rolledDay{}
		var samples, rows uint64
		for day, d := range known.days {
			if n := d.rows[candidate.Name]; first <= day && day <= last && n > 0 {
				days[day] = d
				samples, rows = samples+d.samples, rows+n
			}
		}
		if rows > 0 && samples/rows >= perRow && len(days) >= len(r.days) {
			r.resolution, r.days = candidate, days
		}
	}
}

// gaps are the times that no day of the rollups has.
func (r *rolledRead) gaps() []span {
	var all []span
	for day := rollup.DayOf(r.start - r.window + 1); day <= rollup.DayOf(r.end); day++ {
		if _, ok := r.days[day]; ok {
			continue
		}
		gap := span{max(day*rollup.Day, r.start-r.window) + 1, min((day+1)*rollup.Day, r.end)}
		if n := len(all); n > 0 && all[n-1].to == gap.from-1 {
			all[n-1].to = gap.to
		} else {
			all = append(all, gap)
		}
	}
	return all
}

// rolledFragments returns the fragments of series of a selection, in the order of
// time.
func (s *Store) rolledFragments(ctx context.Context, r *rolledRead, all []*series, everyOne bool) ([][]rollup.Fragment, error) {
	if len(all) == 0 {
		return nil, nil
	}
	var w wanted
	for _, one := range all {
		for _, row := range one.from {
			w.add(row)
		}
	}
	found, err := s.fragments(ctx, r, &w, everyOne)
	if err != nil {
		return nil, err
	}
	out := make([][]rollup.Fragment, len(all))
	total := 0
	for i, one := range all {
		for _, row := range one.from {
			out[i] = append(out[i], found[row.fingerprint]...)
		}
		total += len(out[i])
	}
	for _, gap := range r.gaps() {
		samples, err := s.fetch(ctx, all, gap, fetching{all: everyOne, limit: s.cfg.MaxSamples})
		if err != nil {
			return nil, err
		}
		for i, p := range samples {
			before := len(out[i])
			out[i] = appendFragments(out[i], p, r.resolution.Milliseconds)
			if total += len(out[i]) - before; total > r.limit {
				return nil, errMany
			}
		}
	}
	for i := range out {
		if err := rollup.Sort(out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rolledSet are the results of a call that is answered from rollups.
type rolledSet struct {
	call      windowCall
	all       []*series
	fragments [][]rollup.Fragment
	at        int // number of series that Next has reached
}

// Next implements storage.SeriesSet.
func (s *rolledSet) Next() bool {
	s.at++
	return s.at <= len(s.all)
}

// At returns the series that Next has reached.
func (s *rolledSet) At() storage.Series { return &rolledSeries{s.all[s.at-1], s, s.at - 1} }

// Err is nil: everything was read before.
func (s *rolledSet) Err() error { return nil }

// Warnings is nil.
func (s *rolledSet) Warnings() annotations.Annotations { return nil }

type rolledSeries struct {
	*series
	set   *rolledSet
	place int
}

// Labels are those of the call's result.
func (s *rolledSeries) Labels() labels.Labels { return s.set.call.resultLabels(s.series.Labels()) }

// Iterator returns an iterator over the results.
func (s *rolledSeries) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	own, ok := it.(*iterator)
	if !ok {
		own = &iterator{}
	}
	own.reset(s.set.call.evaluateRolled(s.set.fragments[s.place]))
	return own
}

// evaluateRolled is evaluate for what samples add up to.
func (c *windowCall) evaluateRolled(all []rollup.Fragment) (*points, error) {
	steps := int((c.end-c.start)/c.step) + 1
	out := &points{times: make([]int64, 0, steps), values: make([]float64, 0, steps)}
	from, to, found := 0, 0, false
	for t := c.start; t <= c.end; t += c.step {
		for from < len(all) && all[from].End <= t-c.window {
			from++
		}
		for to = max(to, from); to < len(all) && all[to].End <= t; {
			to++
		}
		v := staleValue
		if w := rollup.Window(all[from:to]); w.Count() >= c.least {
			var ok bool
			if v, ok = c.function.rolled(c, t, w); !ok {
				return nil, errNotPlain
			}
			found = true
		}
		out.times, out.values = append(out.times, t), append(out.values, v)
	}
	if !found {
		return &noPoints, nil
	}
	return out, nil
}

// deferredSet is a set that is known later.
type deferredSet struct {
	storage.SeriesSet
	ready chan struct{} // closed once the set is there
}

// later returns the set that f returns, without waiting for it.
func later(f func() storage.SeriesSet) storage.SeriesSet {
	d := &deferredSet{ready: make(chan struct{})}
	go func() {
		defer close(d.ready)
		d.SeriesSet = f()
	}()
	return d
}

func (d *deferredSet) Next() bool {
	<-d.ready
	return d.SeriesSet.Next()
}

func (d *deferredSet) Err() error {
	<-d.ready
	return d.SeriesSet.Err()
}

func (d *deferredSet) Warnings() annotations.Annotations {
	<-d.ready
	return d.SeriesSet.Warnings()
}
