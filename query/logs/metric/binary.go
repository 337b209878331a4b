package metric

import (
	"fmt"
	"slices"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// Binary computes an operation. One of the sides at least is no number.
func Binary(e *logql.BinaryExpr, left, right Value, steps Steps) ([]*Series, error) {
	switch {
	case right.Scalar:
		return withNumber(e, left.Series, right.Number, false, steps), nil
	case left.Scalar:
		return withNumber(e, right.Series, left.Number, true, steps), nil
	}
	m := &matcher{on: e.Matching != nil && e.Matching.On}
	if e.Matching != nil {
		m.labels = e.Matching.Labels
	}
	switch e.Op {
	case "and", "unless":
		return m.and(left.Series, right.Series, e.Op == "and", steps), nil
	case "or":
		return append(slices.Clone(left.Series), m.and(right.Series, left.Series, false, steps)...), nil
	}
	return m.join(e, left.Series, right.Series, steps)
}

func comparison(op string) bool {
	switch op {
	case "==", "!=", ">", ">=", "<", "<=":
		return true
	}
	return false
}

// applied applies an operator; ok says whether the result has a value.
func applied(e *logql.BinaryExpr, left, right float64) (v float64, ok bool) {
	v, holds := logql.Apply(e.Op, left, right)
	if !comparison(e.Op) {
		return v, true
	}
	if e.Bool {
		if holds {
			return 1, true
		}
		return 0, true
	}
	return v, holds
}

// withNumber computes series with a number, which is on the left where it is
// swapped. A comparison keeps the values of the series.
func withNumber(e *logql.BinaryExpr, series []*Series, number float64, swapped bool, steps Steps) []*Series {
	all := make([]*Series, 0, len(series))
	for _, s := range series {
		out := newSeries(s.Labels, steps.N)
		for i := range steps.N {
			if !s.Present[i] {
				continue
			}
			left, right := s.Values[i], number
			if swapped {
				left, right = right, left
			}
			v, ok := applied(e, left, right)
			if ok && comparison(e.Op) && !e.Bool {
				v = s.Values[i]
			}
			if ok {
				out.set(i, v)
			}
		}
		all = append(all, out)
	}
	return all
}

// matcher says which series belong together.
type matcher struct {
	on     bool
	labels []string
}

func (m *matcher) key(l pipeline.Labels) string {
	return string(Grouped(l, &logql.Grouping{Without: !m.on, Labels: m.labels}).AppendKey(nil))
}

// and keeps the values of a side at steps for which the other has a value with
// the same labels, or has none.
func (m *matcher) and(side, other []*Series, have bool, steps Steps) []*Series {
	byKey := map[string][]*Series{}
	for _, s := range other {
		key := m.key(s.Labels)
		byKey[key] = append(byKey[key], s)
	}
	var all []*Series
	for _, s := range side {
		out := newSeries(s.Labels, steps.N)
		kept := false
		others := byKey[m.key(s.Labels)]
		for i := range steps.N {
			found := slices.ContainsFunc(others, func(o *Series) bool { return o.Present[i] })
			if s.Present[i] && found == have {
				out.set(i, s.Values[i])
				kept = true
			}
		}
		if kept {
			all = append(all, out)
		}
	}
	return all
}

// ManyError says that series cannot be joined one to one.
type ManyError struct{ Message string }

// Error returns the message.
func (e *ManyError) Error() string { return e.Message }

// join computes an operation of series that belong together.
func (m *matcher) join(e *logql.BinaryExpr, left, right []*Series, steps Steps) ([]*Series, error) {
	many, one := left, right
	swapped := e.Matching != nil && e.Matching.Many == "right"
	if swapped {
		many, one = right, left
	}
	byKey := map[string][]*Series{}
	for _, s := range one {
		key := m.key(s.Labels)
		byKey[key] = append(byKey[key], s)
	}
	found := map[string]*Series{}
	var all []*Series
	for _, s := range many {
		for _, o := range byKey[m.key(s.Labels)] {
			labels := m.result(e, s.Labels, o.Labels)
			key := string(labels.AppendKey(nil))
			out := found[key]
			for i := range steps.N {
				if !s.Present[i] || !o.Present[i] {
					continue
				}
				if out == nil {
					out = newSeries(labels, steps.N)
					found[key] = out
					all = append(all, out)
				}
				if out.Present[i] {
					return nil, &ManyError{fmt.Sprintf("several series on one side belong to one of the other, %s: use on, ignoring, group_left or group_right", labels)}
				}
				x, y := s.Values[i], o.Values[i]
				if swapped {
					x, y = y, x
				}
				if v, ok := applied(e, x, y); ok {
					out.set(i, v)
				}
			}
		}
	}
	return all, nil
}

// result are the labels of what two series give.
func (m *matcher) result(e *logql.BinaryExpr, many, one pipeline.Labels) pipeline.Labels {
	if e.Matching == nil {
		return many
	}
	if e.Matching.Many == "" {
		return Grouped(many, &logql.Grouping{Without: !m.on, Labels: m.labels})
	}
	labels := slices.DeleteFunc(slices.Clone(many), func(l pipeline.Label) bool { return slices.Contains(e.Matching.Include, l.Name) })
	for _, name := range e.Matching.Include {
		if v := one.Get(name); v != "" {
			labels = append(labels, pipeline.Label{Name: name, Value: v})
		}
	}
	labels.Sort()
	return labels
}
