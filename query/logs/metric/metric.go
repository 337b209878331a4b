// Package metric computes what LogQL computes of numbers: functions of ranges of
// time, aggregations, and operations on series. All steps of a query are computed
// together.
//
// It must not know where the numbers come from.
package metric

import (
	"fmt"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// Steps are the times that a query is computed for, in Unix nanoseconds.
type Steps struct {
	Start, Step int64
	N           int
}

// At returns a time.
func (s Steps) At(i int) int64 { return s.Start + int64(i)*s.Step }

// Series has a value for some of the steps.
type Series struct {
	Labels pipeline.Labels
	Values []float64
	// Present says for which steps there is a value.
	Present []bool
}

func newSeries(labels pipeline.Labels, n int) *Series {
	return &Series{Labels: labels, Values: make([]float64, n), Present: make([]bool, n)}
}

func (s *Series) set(i int, v float64) { s.Values[i], s.Present[i] = v, true }

// Value is what an expression is: a number for all steps, or series.
type Value struct {
	Scalar bool
	Number float64
	Series []*Series
}

// Limits bound what is held.
type Limits struct {
	// Series and Values bound each intermediate result.
	Series, Values int
	// SeriesKey and ValuesKey name the settings.
	SeriesKey, ValuesKey string
}

// LimitError says which limit a query exceeds.
type LimitError struct{ Message string }

// Error returns the message.
func (e *LimitError) Error() string { return e.Message }

// Check refuses more than may be held.
func (l *Limits) Check(series, steps int) error {
	if series > l.Series {
		return &LimitError{fmt.Sprintf("the query makes more than %d series (%s): aggregate them by fewer labels", l.Series, l.SeriesKey)}
	}
	if steps > 0 && series > l.Values/steps {
		return &LimitError{fmt.Sprintf("the query makes more than %d values (%s): use a longer step, or aggregate by fewer labels", l.Values, l.ValuesKey)}
	}
	return nil
}

// Const is the series of vector(n).
func Const(v float64, steps Steps) *Series {
	s := newSeries(nil, steps.N)
	for i := range s.Values {
		s.set(i, v)
	}
	return s
}

// Grouped returns the labels of a set that a grouping keeps; without a grouping
// all of them.
func Grouped(l pipeline.Labels, g *logql.Grouping) pipeline.Labels {
	if g == nil {
		return l
	}
	kept := make(pipeline.Labels, 0, len(l))
	for _, one := range l {
		named := false
		for _, name := range g.Labels {
			named = named || name == one.Name
		}
		if named != g.Without {
			kept = append(kept, one)
		}
	}
	return kept
}

// Replace is label_replace.
func Replace(e *logql.ReplaceExpr, series []*Series) []*Series {
	all := make([]*Series, 0, len(series))
	for _, s := range series {
		found := e.Pattern.FindStringSubmatchIndex(s.Labels.Get(e.Source))
		if found == nil {
			all = append(all, s)
			continue
		}
		value := string(e.Pattern.ExpandString(nil, e.Replacement, s.Labels.Get(e.Source), found))
		labels := make(pipeline.Labels, 0, len(s.Labels)+1)
		for _, l := range s.Labels {
			if l.Name != e.Target {
				labels = append(labels, l)
			}
		}
		if value != "" {
			labels = append(labels, pipeline.Label{Name: e.Target, Value: value})
			labels.Sort()
		}
		all = append(all, &Series{Labels: labels, Values: s.Values, Present: s.Present})
	}
	return all
}
