package promql

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// closedQuery has a result, and counts how often it is closed.
type closedQuery struct {
	promql.Query
	result promql.Result
	closed int
}

func (q *closedQuery) Exec(context.Context) *promql.Result { return &q.result }
func (q *closedQuery) Close()                              { q.closed++ }

// TestClosedOnce closes each form of a query once, whichever of them answers: the
// engine would give a result that is closed twice to two others.
func TestClosedOnce(t *testing.T) {
	var warned annotations.Annotations
	warned.Add(errors.New("a warning"))
	for name, result := range map[string]promql.Result{
		"the fast form answers": {}, "it fails": {Err: errNotPlain}, "it has something to say": {Warnings: warned},
	} {
		plain, fast := &closedQuery{}, &closedQuery{result: result}
		q := &windowsQuery{Query: plain, fast: fast}
		q.Exec(t.Context())
		q.Close()
		if plain.closed != 1 || fast.closed != 1 {
			t.Errorf("%s: closed %d and %d times", name, plain.closed, fast.closed)
		}
	}
}
