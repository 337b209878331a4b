package promql

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

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
func (m *merger) held(v *view, p *points) { m.join(v.labels, p) }

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
	m.join(m.builder.Labels(), p)
}

func (m *merger) join(l labels.Labels, p *points) {
	s := m.of(l)
	if s.held == nil {
		s.held = &points{}
	}
	s.held.join(p)
}

// sorted returns the series in the order of their labels.
func (m *merger) sorted() []*series {
	all := make([]*series, 0, len(m.series))
	for _, same := range m.series {
		all = append(all, same...)
	}
	slices.SortFunc(all, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	return all
}
