package loki

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// selected are the matchers of the parameter query, which may be any query.
func (q *query) selected() ([]*logql.Matcher, error) {
	if q.get("query") == "" || q.get("query") == "{}" {
		return logql.ParseSelector(`{service_name=~".+"}`)
	}
	lines, err := q.lines()
	if err != nil {
		return nil, err
	}
	return lines.Matchers, nil
}

// stats answers /index/stats: how much a selector would read.
func (q *query) stats(ctx context.Context) (logs.Answer, error) {
	matchers, err := q.selected()
	if err != nil {
		return logs.Answer{}, err
	}
	in := q.in(q.Config().Lookback)
	if q.err != nil {
		return logs.Answer{}, q.err
	}
	size, err := q.Size(ctx, matchers, in)
	if err != nil {
		return logs.Answer{}, err
	}
	return answer(map[string]uint64{"streams": size.Streams, "chunks": size.Buckets, "entries": size.Lines, "bytes": size.Bytes})
}

// volume answers /index/volume and /index/volume_range: the bytes of lines by
// labels.
func (q *query) volume(ctx context.Context, overTime bool) (logs.Answer, error) {
	matchers, err := q.selected()
	if err != nil {
		return logs.Answer{}, err
	}
	start, end := q.span(q.Config().Lookback)
	step := q.step(start, end)
	limit := q.limit("limit", defaultLimit, q.Config().MaxSeries, "query.logs.max_series")
	byName := false
	switch by := q.get("aggregateBy"); by {
	case "", "series":
	case "labels":
		byName = true
	default:
		q.fail("aggregateBy: %q is neither series nor labels", short(by))
	}
	if q.err != nil {
		return logs.Answer{}, q.err
	}
	start, end = min(start, lastTime), min(end, lastTime)
	steps := metric.Steps{Start: end, Step: 1, N: 1}
	width := max(time.Duration(end-start), 1)
	if overTime {
		if err := logs.CheckSteps(start, end, step); err != nil {
			return logs.Answer{}, err
		}
		steps = metric.Steps{Start: start, Step: int64(step), N: int((end-start)/int64(step)) + 1}
		width = step
	}
	bytes := &logql.RangeExpr{Op: "bytes_over_time", Log: &logql.LogExpr{Matchers: matchers}, Range: width}
	var wanted []string
	if text := q.get("targetLabels"); text != "" {
		wanted = strings.Split(text, ",")
	}
	var e logql.Expr = bytes
	if !byName {
		by := wanted
		if by == nil {
			for _, m := range matchers {
				if !slices.Contains(by, m.Name) {
					by = append(by, m.Name)
				}
			}
		}
		e = &logql.VectorExpr{Op: "sum", Expr: bytes, Grouping: &logql.Grouping{Labels: by}}
	}
	began := time.Now()
	v, err := q.Evaluate(ctx, e, steps)
	if err != nil {
		return logs.Answer{}, err
	}
	series := v.Series
	if byName {
		series = byLabel(series, wanted, steps)
	}
	slices.SortStableFunc(series, func(a, b *metric.Series) int { return cmp.Compare(total(b), total(a)) })
	series = series[:min(limit, len(series))]
	w := &writer{}
	w.begin()
	if overTime {
		w.matrix(series, steps)
	} else {
		w.vector(end, series)
	}
	return w.end(q.Reader, began, 0), nil
}

func total(s *metric.Series) (sum float64) {
	for _, v := range s.Values {
		sum += v
	}
	return sum
}

// byLabel sums series by the names of their labels, of those that are wanted where
// any are named.
func byLabel(series []*metric.Series, wanted []string, steps metric.Steps) []*metric.Series {
	sums := map[string]*metric.Series{}
	var all []*metric.Series
	for _, s := range series {
		for _, l := range s.Labels {
			if wanted != nil && !slices.Contains(wanted, l.Name) {
				continue
			}
			sum := sums[l.Name]
			if sum == nil {
				sum = &metric.Series{Labels: pipeline.Labels{{Name: l.Name}}, Values: make([]float64, steps.N), Present: make([]bool, steps.N)}
				sums[l.Name] = sum
				all = append(all, sum)
			}
			for i := range s.Values {
				sum.Values[i] += s.Values[i]
				sum.Present[i] = sum.Present[i] || s.Present[i]
			}
		}
	}
	return all
}
