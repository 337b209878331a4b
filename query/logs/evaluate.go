package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// Evaluate computes a query for numbers at all of its steps. The series come in
// the order of their labels, unless the query sorts them.
func (r *Reader) Evaluate(ctx context.Context, e logql.Expr, steps metric.Steps) (metric.Value, error) {
	cfg := r.Config()
	v := &evaluation{
		Reader: r, steps: steps, mentioned: logql.Mentioned(e),
		limits: metric.Limits{Series: cfg.MaxSeries, Values: cfg.MaxSamples, SeriesKey: "query.logs.max_series", ValuesKey: "query.logs.max_samples"},
	}
	value, err := v.of(ctx, e)
	if err != nil {
		return value, err
	}
	if !ordered(e) {
		slices.SortStableFunc(value.Series, func(a, b *metric.Series) int { return compareLabels(a.Labels, b.Labels) })
	}
	value.Series = slices.DeleteFunc(value.Series, func(s *metric.Series) bool { return !slices.Contains(s.Present, true) })
	return value, nil
}

// ordered reports whether the order of the series is part of the answer.
func ordered(e logql.Expr) bool {
	v, ok := e.(*logql.VectorExpr)
	if !ok {
		return false
	}
	switch v.Op {
	case "sort", "sort_desc", "topk", "bottomk", "approx_topk":
		return true
	}
	return false
}

func compareLabels(a, b pipeline.Labels) int {
	return slices.CompareFunc(a, b, func(x, y pipeline.Label) int {
		if n := strings.Compare(x.Name, y.Name); n != 0 {
			return n
		}
		return strings.Compare(x.Value, y.Value)
	})
}

// evaluation is a query that is computed.
type evaluation struct {
	*Reader
	steps     metric.Steps
	mentioned []string
	limits    metric.Limits
}

func (v *evaluation) of(ctx context.Context, e logql.Expr) (metric.Value, error) {
	var all []*metric.Series
	var err error
	switch e := e.(type) {
	case *logql.NumberExpr:
		return metric.Value{Scalar: true, Number: e.Value}, nil
	case *logql.ConstExpr:
		all = []*metric.Series{metric.Const(e.Value, v.steps)}
	case *logql.ReplaceExpr:
		inner, failed := v.of(ctx, e.Expr)
		all, err = metric.Replace(e, inner.Series), failed
	case *logql.VectorExpr:
		all, err = v.aggregate(ctx, e)
	case *logql.RangeExpr:
		all, err = v.window(ctx, e, e.Grouping)
	case *logql.BinaryExpr:
		all, err = v.binary(ctx, e)
	default:
		return metric.Value{}, Invalid("%s is a query for lines, not for numbers", shortened(e.String()))
	}
	if err == nil {
		err = v.limits.Check(len(all), v.steps.N)
	}
	if err == nil {
		err = distinct(all)
	}
	return metric.Value{Series: all}, err
}

// distinct refuses several series with the same labels, as label_replace may make.
func distinct(all []*metric.Series) error {
	seen := make(map[string]bool, len(all))
	var key []byte
	for _, s := range all {
		key = s.Labels.AppendKey(key[:0])
		if seen[string(key)] {
			return Invalid("several series have the same labels, %s", shortened(s.Labels.String()))
		}
		seen[string(key)] = true
	}
	return nil
}

func (v *evaluation) aggregate(ctx context.Context, e *logql.VectorExpr) ([]*metric.Series, error) {
	if inner, ok := e.Expr.(*logql.RangeExpr); ok && e.Op == "sum" && summed(inner) {
		// The sum over series is that over all of their lines.
		grouping := e.Grouping
		if grouping == nil {
			grouping = &logql.Grouping{}
		}
		return v.window(ctx, inner, grouping)
	}
	inner, err := v.of(ctx, e.Expr)
	if err != nil {
		return nil, err
	}
	return metric.Aggregate(e, inner.Series, v.steps), nil
}

// summed reports whether a function adds up what its lines are worth.
func summed(e *logql.RangeExpr) bool {
	switch e.Op {
	case "count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time":
		return true
	}
	return false
}

func (v *evaluation) window(ctx context.Context, e *logql.RangeExpr, grouping *logql.Grouping) ([]*metric.Series, error) {
	w := metric.Window{Op: e.Op, Param: e.Param, Range: e.Range, Offset: e.Offset, Unwrapped: e.Unwrap != nil}
	absent := e.Op == "absent_over_time"
	if absent {
		grouping = &logql.Grouping{}
	}
	found, err := v.rangePoints(ctx, e, grouping, v.mentioned, v.steps)
	if err != nil {
		return nil, err
	}
	if err := v.limits.Check(len(found.byKey), v.steps.N); err != nil {
		return nil, err
	}
	var all []*metric.Series
	for _, s := range found.byKey {
		if series := w.Series(s.labels, s.points, v.steps); series != nil {
			all = append(all, series)
		}
	}
	slices.SortFunc(all, func(a, b *metric.Series) int { return compareLabels(a.Labels, b.Labels) })
	if !absent {
		return all, nil
	}
	one := metric.Absent(absentLabels(e.Log.Matchers), all, v.steps)
	if one == nil {
		return nil, nil
	}
	return []*metric.Series{one}, nil
}

// absentLabels are the labels of what is absent: those that the selector says.
func absentLabels(matchers []*logql.Matcher) pipeline.Labels {
	var labels pipeline.Labels
	for _, m := range matchers {
		if _, taken := labels.Find(m.Name); m.Op == logql.Equal && m.Value != "" && !taken {
			labels = append(labels, pipeline.Label{Name: m.Name, Value: m.Value})
		}
	}
	labels.Sort()
	return labels
}

func (v *evaluation) binary(ctx context.Context, e *logql.BinaryExpr) ([]*metric.Series, error) {
	left, err := v.of(ctx, e.Left)
	if err != nil {
		return nil, err
	}
	right, err := v.of(ctx, e.Right)
	if err != nil {
		return nil, err
	}
	return metric.Binary(e, left, right, v.steps)
}
