package promql

import (
	"fmt"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// boundSubqueries refuses a query whose subqueries have more steps than samples
// may be held. The engine reserves 16 bytes for each step before it evaluates the
// first, so that a subquery over years at a millisecond would end the process.
func (e *engine) boundSubqueries(query promql.Query) error {
	asked, ok := query.Statement().(*parser.EvalStmt)
	if !ok {
		return nil
	}
	var steps float64
	parser.Inspect(asked.Expr, func(node parser.Node, path []parser.Node) error {
		sub, ok := node.(*parser.SubqueryExpr)
		if !ok {
			return nil
		}
		whole := float64(asked.End.Sub(asked.Start)) + float64(sub.Range)
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
