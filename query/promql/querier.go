package promql

import (
	"context"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// querier answers for a range of time, Unix milliseconds, both included. The
// tenant comes with the context of each call.
type querier struct {
	store      *Store
	mint, maxt int64
}

var _ storage.Querier = (*querier)(nil)

// Close has nothing to release: what a query holds ends with its series.
func (q *querier) Close() error { return nil }

// Select returns the series that match, in the order of their labels, unless
// they have more samples than can be held at a time. It starts to read and
// returns; the set waits for what it needs.
func (q *querier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{ready: make(chan struct{})}
	go func() {
		defer close(set.ready)
		set.all, set.err = q.selected(ctx, hints, matchers)
	}()
	return set
}

func (q *querier) selected(ctx context.Context, hints *storage.SelectHints, matchers []*labels.Matcher) ([]*series, error) {
	in := span{q.mint, q.maxt}
	if hints != nil {
		in = span{hints.Start, hints.End}
	}
	if in.from > in.to {
		return nil, nil
	}
	views, err := q.store.find(ctx, in, matchers, withSamples)
	if err != nil {
		return nil, err
	}
	limit := 0
	if hints != nil {
		limit = hints.Limit
	}
	if hints != nil && hints.Func == "series" {
		return q.store.described(ctx, views, in, matchers, limit)
	}
	return q.store.selected(ctx, views, in, matchers, limit)
}

// LabelNames returns the names of the labels of the series that match, sorted.
func (q *querier) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	if len(matchers) == 0 {
		seen, err := q.store.allNames(ctx, span{q.mint, q.maxt})
		return limited(seen, hints), nil, err
	}
	seen := map[string]struct{}{}
	err := q.describe(ctx, matchers, func(l labels.Labels) {
		l.Range(func(one labels.Label) { seen[one.Name] = struct{}{} })
	})
	return limited(seen, hints), nil, err
}

// LabelValues returns the values of a label of the series that match, sorted.
func (q *querier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	if len(matchers) == 0 {
		seen, ok, err := q.store.allValues(ctx, span{q.mint, q.maxt}, name)
		if ok || err != nil {
			return limited(seen, hints), nil, err
		}
	}
	seen := map[string]struct{}{}
	err := q.describe(ctx, matchers, func(l labels.Labels) {
		if v := l.Get(name); v != "" {
			seen[v] = struct{}{}
		}
	})
	return limited(seen, hints), nil, err
}

func limited(seen map[string]struct{}, hints *storage.LabelHints) []string {
	all := make([]string, 0, len(seen))
	for text := range seen {
		all = append(all, strings.Clone(text))
	}
	slices.Sort(all)
	if hints != nil && hints.Limit > 0 && len(all) > hints.Limit {
		all = all[:hints.Limit]
	}
	return all
}

// describe calls add with the labels of each series that matches.
func (q *querier) describe(ctx context.Context, matchers []*labels.Matcher, add func(labels.Labels)) error {
	in := span{q.mint, q.maxt}
	views, err := q.store.find(ctx, in, matchers, withSamples)
	if err != nil {
		return err
	}
	all, err := q.store.described(ctx, views, in, matchers, 0)
	for _, s := range all {
		add(s.labels)
	}
	return err
}

// seriesSet is the result of a selection.
type seriesSet struct {
	ready chan struct{} // closed once the rest is known
	all   []*series
	err   error
	at    int // number of series that Next has reached
}

func (s *seriesSet) Next() bool {
	<-s.ready
	s.at++
	return s.err == nil && s.at <= len(s.all)
}

func (s *seriesSet) At() storage.Series { return s.all[s.at-1] }

func (s *seriesSet) Err() error {
	<-s.ready
	return s.err
}

func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// series is one series of a result. Its samples are at hand, or are read when
// somebody asks for them.
type series struct {
	labels labels.Labels
	held   *points
	// from are the stored series whose samples it has beside those.
	from   []*stored
	loader *loader
	place  int // of the series in the loader
}

func (s *series) Labels() labels.Labels { return s.labels }

// Iterator returns an iterator over the samples. It makes one that is passed in
// start anew.
func (s *series) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	own, ok := it.(*iterator)
	if !ok {
		own = &iterator{}
	}
	held := s.held
	var err error
	if s.loader != nil {
		held, err = s.loader.load(s.place)
	}
	own.reset(held, err)
	return own
}

// selected returns the series of the views with their samples.
func (s *Store) selected(ctx context.Context, views []view, in span, matchers []*labels.Matcher, limit int) ([]*series, error) {
	found, eager := sortOut(views, matchers, func(p part) bool { return p == partValue })
	// Whether the first histogram was reset, the one before it tells.
	earlier := span{in.from - s.cfg.Lookback.Milliseconds(), in.to}
	if err := s.readEager(ctx, eager, earlier, found); err != nil {
		return nil, err
	}
	all := first(found.sorted(), limit)
	l := &loader{ctx: ctx, store: s, in: in, all: limit == 0 && namesOnly(matchers)}
	for _, one := range all {
		if one.held != nil {
			one.held.finish()
			one.held.markResets()
			one.held.trim(in.from)
		}
		if len(one.from) > 0 {
			one.loader, one.place = l, len(l.series)
			l.series = append(l.series, one)
		}
	}
	if err := l.begin(); err != nil {
		return nil, err
	}
	if l.batches == nil {
		return all, nil
	}
	// Read in batches, they have to be asked for in the order of these.
	held := slices.DeleteFunc(all, func(one *series) bool { return one.loader != nil })
	return append(held, l.series...), nil
}

// sortOut divides views by their parts: those that are stored, each a series that
// is known without its points, and the eager ones.
func sortOut(views []view, matchers []*labels.Matcher, stored func(part) bool) (*merger, *eagerViews) {
	found, eager := newMerger(matchers), &eagerViews{}
	for i := range views {
		v := &views[i]
		if stored(v.part) {
			found.stored(v)
			continue
		}
		eager.add(v)
	}
	return found, eager
}

// namesOnly reports whether all series of the metrics are selected.
func namesOnly(matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name != model.MetricNameLabel && !m.Matches("") })
}

func first(all []*series, limit int) []*series {
	if limit > 0 && len(all) > limit {
		return all[:limit]
	}
	return all
}

// described returns the series of the views without samples.
func (s *Store) described(ctx context.Context, views []view, in span, matchers []*labels.Matcher, limit int) ([]*series, error) {
	found, eager := sortOut(views, matchers, func(p part) bool { return !p.spread() })
	if err := s.spreadLabels(ctx, eager, in, found); err != nil {
		return nil, err
	}
	all := first(found.sorted(), limit)
	for _, one := range all {
		one.held, one.from = nil, nil
	}
	return all, nil
}
