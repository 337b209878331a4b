package loki

import (
	"context"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
)

// patterns answers /patterns: how often lines of a pattern came.
func (q *query) patterns(ctx context.Context) (logs.Answer, error) {
	matchers, err := q.selected()
	if err != nil {
		return logs.Answer{}, err
	}
	start, end := q.span(q.Config().Lookback)
	step := max(q.step(start, end).Truncate(time.Minute), time.Minute)
	if q.err != nil {
		return logs.Answer{}, q.err
	}
	start, end = min(start, lastTime), min(end, lastTime)
	if err := logs.CheckSteps(start, end, step); err != nil {
		return logs.Answer{}, err
	}
	found, err := q.Patterns(ctx, matchers, logs.Range{From: start, To: end}, step)
	if err != nil {
		return logs.Answer{}, err
	}
	type pattern struct {
		Pattern string      `json:"pattern"`
		Level   string      `json:"level"`
		Samples [][2]uint64 `json:"samples"`
	}
	all := make([]pattern, 0, len(found))
	for _, f := range found {
		one := pattern{Pattern: f.Text, Level: f.Level}
		for _, s := range f.Samples {
			one.Samples = append(one.Samples, [2]uint64{uint64(s.Time / int64(time.Second)), s.Lines})
		}
		slices.SortFunc(one.Samples, func(a, b [2]uint64) int { return int(int64(a[0]) - int64(b[0])) })
		all = append(all, one)
	}
	return success(all)
}
