package loki

import (
	"context"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
)

// defaultLimit is how many lines are answered unless a limit is named.
const defaultLimit = 100

func (q *query) entryLimit() int {
	return q.limit("limit", defaultLimit, q.Config().MaxEntries, "query.logs.max_entries")
}

// instant answers /query.
func (q *query) instant(ctx context.Context) (logs.Answer, error) {
	e, err := q.expression()
	if err != nil {
		return logs.Answer{}, err
	}
	t := min(q.time("time", q.now.UnixNano()), lastTime)
	q.entryLimit()
	q.forward()
	if q.err != nil {
		return logs.Answer{}, q.err
	}
	if _, ok := e.(*logql.LogExpr); ok {
		return logs.Answer{}, logs.Invalid("log queries are not supported as an instant query type, please change your query to a range query type")
	}
	began := time.Now()
	v, err := q.Evaluate(ctx, e, metric.Steps{Start: t, Step: 1, N: 1})
	if err != nil {
		return logs.Answer{}, err
	}
	w := &writer{}
	w.begin()
	if v.Scalar {
		w.scalar(t, v.Number)
	} else {
		w.vector(t, v.Series)
	}
	return w.end(q.Reader, began, 0), nil
}

// overRange answers /query_range.
func (q *query) overRange(ctx context.Context) (logs.Answer, error) {
	e, err := q.expression()
	if err != nil {
		return logs.Answer{}, err
	}
	start, end := q.span(q.Config().Lookback)
	step := q.step(start, end)
	limit, forward, interval := q.entryLimit(), q.forward(), q.duration("interval")
	if q.err != nil {
		return logs.Answer{}, q.err
	}
	start, end = min(start, lastTime), min(end, lastTime)
	began := time.Now()
	w := &writer{categorized: categorized(q.request)}
	if lines, ok := e.(*logql.LogExpr); ok {
		found, err := q.Find(ctx, logs.Search{
			Query: lines, In: logs.Range{From: start, To: max(end-1, start)}, Limit: limit, Forward: forward, Interval: interval,
		})
		if err != nil {
			return logs.Answer{}, err
		}
		w.begin()
		w.streams(found)
		return w.end(q.Reader, began, len(found)), nil
	}
	if err := logs.CheckSteps(start, end, step); err != nil {
		return logs.Answer{}, err
	}
	steps := metric.Steps{Start: start, Step: int64(step), N: int((end-start)/int64(step)) + 1}
	v, err := q.Evaluate(ctx, e, steps)
	if err != nil {
		return logs.Answer{}, err
	}
	if v.Scalar {
		v.Series = []*metric.Series{metric.Const(v.Number, steps)}
	}
	w.begin()
	w.matrix(v.Series, steps)
	return w.end(q.Reader, began, 0), nil
}
