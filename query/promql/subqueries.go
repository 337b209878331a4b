package promql

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// NewInstantQuery implements promql.QueryEngine.
func (e *engine) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, at time.Time) (promql.Query, error) {
	if err := e.boundSubqueries(text, 0); err != nil {
		return nil, err
	}
	return e.Engine.NewInstantQuery(ctx, q, opts, text, at)
}

// boundSubqueries refuses a query over a span of time whose subqueries have more
// steps than samples may be held. The engine reserves 16 bytes for each step
// before it evaluates the first, so that a subquery over years at a millisecond
// would end the process.
func (e *engine) boundSubqueries(text string, over time.Duration) error {
	expr, err := e.parser.ParseExpr(text)
	if err != nil {
		return nil //nolint:nilerr // the engine says it better
	}
	var steps float64
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		sub, ok := node.(*parser.SubqueryExpr)
		if !ok {
			return nil
		}
		whole := float64(over) + float64(sub.Range)
		for _, outer := range path {
			if o, ok := outer.(*parser.SubqueryExpr); ok {
				whole += float64(o.Range)
			}
		}
		step := sub.Step
		if step <= 0 {
			step = defaultSubqueryStep
		}
		steps += whole / float64(step)
		return nil
	})
	if e.maxSteps > 0 && steps > float64(e.maxSteps) {
		return fmt.Errorf("the subqueries have %.0f steps, more than query.promql.max_samples allows (%d): take a longer step, or ask for less time", steps, e.maxSteps)
	}
	return nil
}
