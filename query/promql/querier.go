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

	"github.com/goshawk-observability/goshawk/telemetry"
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
	views, err := q.store.find(ctx, in.from, in.to, matchers, withSamples)
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
	all, err := q.describe(ctx, matchers)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]struct{}{}
	for _, s := range all {
		s.labels.Range(func(l labels.Label) { seen[l.Name] = struct{}{} })
	}
	return limited(seen, hints), nil, nil
}

// LabelValues returns the values of a label of the series that match, sorted.
func (q *querier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	if len(matchers) == 0 {
		seen, ok, err := q.store.allValues(ctx, span{q.mint, q.maxt}, name)
		if ok || err != nil {
			return limited(seen, hints), nil, err
		}
	}
	all, err := q.describe(ctx, matchers)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]struct{}{}
	for _, s := range all {
		if v := s.labels.Get(name); v != "" {
			seen[v] = struct{}{}
		}
	}
	return limited(seen, hints), nil, nil
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

func (q *querier) describe(ctx context.Context, matchers []*labels.Matcher) ([]*series, error) {
	in := span{q.mint, q.maxt}
	views, err := q.store.find(ctx, in.from, in.to, matchers, withSamples)
	if err != nil {
		return nil, err
	}
	return q.store.described(ctx, views, in, matchers, 0)
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
	found := newMerger(matchers)
	var eager eagerViews
	for i := range views {
		v := &views[i]
		if v.part == partValue {
			found.stored(v)
			continue
		}
		eager.add(v)
	}
	// Whether the first histogram was reset, the one before it tells.
	earlier := span{in.from - s.cfg.Lookback.Milliseconds(), in.to}
	if err := s.readEager(ctx, &eager, earlier, found); err != nil {
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
	found := newMerger(matchers)
	var eager eagerViews
	for i := range views {
		v := &views[i]
		if !v.part.spread() {
			found.stored(v)
			continue
		}
		eager.add(v)
	}
	if err := s.spreadLabels(ctx, &eager, in, found); err != nil {
		return nil, err
	}
	all := first(found.sorted(), limit)
	for _, one := range all {
		one.held, one.from = nil, nil
	}
	return all, nil
}

// merger joins what has the same labels.
type merger struct {
	matchers []*labels.Matcher
	series   map[uint64][]*series // by hash of the labels
	builder  labels.Builder
}

func newMerger(matchers []*labels.Matcher) *merger {
	return &merger{matchers: matchers, series: map[uint64][]*series{}}
}

func (m *merger) of(l labels.Labels) *series {
	hash := l.Hash()
	for _, s := range m.series[hash] {
		if labels.Equal(s.labels, l) {
			return s
		}
	}
	s := &series{labels: l}
	m.series[hash] = append(m.series[hash], s)
	return s
}

// stored adds a stored series whose samples are read later.
func (m *merger) stored(v *view) {
	s := m.of(v.labels)
	s.from = append(s.from, v.stored)
}

// held adds samples to the series of a view.
func (m *merger) held(v *view, p *points) {
	s := m.of(v.labels)
	if s.held == nil {
		s.held = &points{}
	}
	s.held.join(p)
}

// spread adds samples to the series that a view has for a value of its label,
// where that matches.
func (m *merger) spread(v *view, value string, p *points) {
	for _, matcher := range m.matchers {
		if matcher.Name == v.rest() && !matcher.Matches(value) {
			return
		}
	}
	m.builder.Reset(v.labels)
	m.builder.Set(v.rest(), value)
	s := m.of(m.builder.Labels())
	if s.held == nil {
		s.held = &points{}
	}
	s.held.join(p)
}

func (m *merger) sorted() []*series {
	all := make([]*series, 0, len(m.series))
	for _, same := range m.series {
		all = append(all, same...)
	}
	slices.SortFunc(all, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	return all
}

// eagerViews are the views whose points have to be read before it is known
// which series they are.
type eagerViews struct {
	native, classic, summaries kindViews
}

// kindViews are the views of stored series of one table.
type kindViews struct {
	wanted wanted
	deltas wanted // those of delta temporality
	rows   map[uint64]*stored
	views  map[uint64][]*view
}

func (e *eagerViews) add(v *view) {
	switch v.kind {
	case telemetry.ExponentialHistogram:
		e.native.add(v)
	case telemetry.Histogram:
		e.classic.add(v)
	case telemetry.Summary:
		e.summaries.add(v)
	case telemetry.MetricEmpty, telemetry.Gauge, telemetry.Sum:
	}
}

func (k *kindViews) add(v *view) {
	if k.rows == nil {
		k.rows, k.views = map[uint64]*stored{}, map[uint64][]*view{}
	}
	if k.rows[v.fingerprint] == nil {
		k.rows[v.fingerprint] = v.stored
		k.wanted.add(v.stored)
		if v.delta {
			k.deltas.add(v.stored)
		}
	}
	k.views[v.fingerprint] = append(k.views[v.fingerprint], v)
}

// readEager reads the points of the views and adds their series.
func (s *Store) readEager(ctx context.Context, e *eagerViews, in span, found *merger) error {
	if len(e.native.rows) > 0 {
		if err := s.readNative(ctx, &e.native, in, found); err != nil {
			return err
		}
	}
	if len(e.classic.rows) > 0 {
		if err := s.readClassic(ctx, &e.classic, in, found); err != nil {
			return err
		}
	}
	if len(e.summaries.rows) > 0 {
		return s.readSummaries(ctx, &e.summaries, in, found)
	}
	return nil
}

func (s *Store) readNative(ctx context.Context, k *kindViews, in span, found *merger) error {
	all, err := s.natives(ctx, &k.wanted, k.rows, in)
	if err != nil {
		return err
	}
	before, err := s.nativesBefore(ctx, &k.deltas, in.from)
	if err != nil {
		return err
	}
	for f, p := range all {
		p.finish()
		if k.rows[f].delta {
			p.accumulateOn(0, before[f])
		}
		for _, v := range k.views[f] {
			found.held(v, p)
		}
	}
	return nil
}

// parts are the samples of one histogram or summary with all that it is spread
// over.
type parts struct {
	spread     spread
	count, sum points
	gone       []int64 // when points had no recorded value, Unix milliseconds
}

func partsOf(all map[uint64]*parts, f uint64) *parts {
	p := all[f]
	if p == nil {
		p = &parts{spread: spread{}}
		all[f] = p
	}
	return p
}

// give adds the parts to the series of the views. Before is what those of delta
// temporality build upon, nil for others.
func (p *parts) give(k *kindViews, f uint64, found *merger, before *classicTotals) {
	done := func(q *points, total float64) {
		for _, t := range p.gone {
			q.add(t, staleValue)
		}
		q.finish()
		if before != nil {
			q.accumulate(total)
		}
	}
	var on classicTotals
	if before != nil {
		on = *before
	}
	done(&p.count, on.count)
	done(&p.sum, on.sum)
	for value, q := range p.spread {
		done(q, on.buckets[value])
	}
	for _, v := range k.views[f] {
		switch v.part {
		case partCount:
			found.held(v, &p.count)
		case partSum:
			found.held(v, &p.sum)
		case partBucket, partQuantile:
			for value, q := range p.spread {
				found.spread(v, value, q)
			}
		case partValue, partHistogram:
		}
	}
}

func (s *Store) readClassic(ctx context.Context, k *kindViews, in span, found *merger) error {
	natives := map[uint64]*points{}
	all := map[uint64]*parts{}
	names := map[float64]string{}
	err := s.classic(ctx, &k.wanted, k.rows, in, func(row *stored, time, start int64, h *classicPoint) {
		if row.native() {
			s.keep(natives, row.fingerprint, time, start, h.native(row))
			return
		}
		t := time / 1e6
		p := partsOf(all, row.fingerprint)
		if h.stale {
			p.gone = append(p.gone, t)
			return
		}
		total := 0.0
		for i, bound := range h.bounds {
			if i < len(h.counts) {
				total += float64(h.counts[i])
				name, ok := names[bound]
				if !ok {
					name = labelOf(bound)
					names[bound] = name
				}
				p.spread.of(name).add(t, total)
			}
		}
		count := float64(h.count)
		p.spread.of("+Inf").add(t, count)
		p.count.add(t, count)
		if h.hasSum {
			p.sum.add(t, h.sum)
		}
	})
	if err != nil {
		return err
	}
	before, err := s.classicBefore(ctx, &k.deltas, in.from)
	if err != nil {
		return err
	}
	for f, p := range natives {
		p.finish()
		if k.rows[f].delta {
			p.accumulate(0)
		}
		for _, v := range k.views[f] {
			found.held(v, p)
		}
	}
	for f, p := range all {
		var on *classicTotals
		if k.rows[f].delta {
			if on = before[f]; on == nil {
				on = &classicTotals{}
			}
		}
		p.give(k, f, found, on)
	}
	return nil
}

func (s *Store) readSummaries(ctx context.Context, k *kindViews, in span, found *merger) error {
	all := map[uint64]*parts{}
	err := s.summaries(ctx, &k.wanted, k.rows, in, func(row *stored, time, _ int64, h *summaryPoint) {
		t := time / 1e6
		p := partsOf(all, row.fingerprint)
		if h.stale {
			p.gone = append(p.gone, t)
			return
		}
		for i, quantile := range h.quantiles {
			p.spread.of(labelOf(quantile)).add(t, h.values[i])
		}
		p.count.add(t, h.count)
		p.sum.add(t, h.sum)
	})
	if err != nil {
		return err
	}
	for f, p := range all {
		p.give(k, f, found, nil)
	}
	return nil
}
