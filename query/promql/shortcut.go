package promql

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// This file evaluates functions of a window, such as rate and max_over_time, over
// a range of time where the samples are: without copying a window for every
// step. The engine is given a query in which such a call is a selector with one
// more matcher; what that selects are the results of the call at every step. The
// arithmetic is that of the engine, term by term, so the results are the same
// bits. Whatever could make a difference, as histograms and annotations do, has
// the query evaluated again as it was asked.

// windowLabel names the matcher. Nobody can guess it, so that no query of a
// user has such a matcher.
var windowLabel = "goshawk_" + rand.Text()

// errNotPlain is the error where the shortcut does not hold.
var errNotPlain = errors.New("the samples are not plain numbers")

// shortened returns a query with its fast form, or as it is where there is none.
// An instant query has one only where rollups may serve it.
func (e *engine) shortened(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, plain promql.Query) promql.Query {
	asked, ok := plain.Statement().(*parser.EvalStmt)
	instant := ok && asked.Interval == 0 && asked.End.Equal(asked.Start)
	if !ok || e.starts || !instant && (asked.Interval < time.Millisecond || !asked.End.After(asked.Start)) || instant && !e.rollups {
		return plain
	}
	// The engine changes an expression when it evaluates it, so that each form
	// needs one of its own.
	expr, err := e.parser.ParseExpr(plain.String())
	if err != nil {
		return plain // the engine has parsed it, with other options
	}
	r := rewriter{
		grid:     grid{start: asked.Start.UnixMilli(), end: asked.End.UnixMilli(), step: max(1, asked.Interval.Milliseconds())},
		lookback: asked.LookbackDelta.Milliseconds(), instant: instant, rollups: e.rollups,
	}
	if r.rewrite(&expr); len(r.calls) == 0 {
		return plain
	}
	// What the engine is to parse stands for the expression that is parsed already.
	var fast promql.Query
	if instant {
		fast, err = e.Engine.NewInstantQuery(ctx, &windows{q, r.calls}, opts, "0", asked.Start)
	} else {
		fast, err = e.Engine.NewRangeQuery(ctx, &windows{q, r.calls}, opts, "0", asked.Start, asked.End, asked.Interval)
	}
	if err != nil {
		return plain
	}
	statement, ok := fast.Statement().(*parser.EvalStmt)
	if !ok {
		return plain
	}
	if statement.Expr, err = promql.PreprocessExpr(expr, asked.Start, asked.End, asked.Interval); err != nil {
		return plain
	}
	return &windowsQuery{Query: plain, fast: fast}
}

// windowsQuery is a query in two forms.
type windowsQuery struct {
	promql.Query // as it was asked
	fast         promql.Query
	fastClosed   bool
}

// Exec evaluates the fast form, and the other where that does not hold or has
// something to say beside its result.
func (q *windowsQuery) Exec(ctx context.Context) *promql.Result {
	result := q.fast.Exec(ctx)
	if result.Err == nil && len(result.Warnings) == 0 || ctx.Err() != nil {
		return result
	}
	q.closeFast()
	return q.Query.Exec(ctx)
}

// Close lets go of the results.
func (q *windowsQuery) Close() {
	q.closeFast()
	q.Query.Close()
}

// closeFast closes the fast form once: its result goes back to the engine's pool,
// and what is there twice is given to two queries.
func (q *windowsQuery) closeFast() {
	if !q.fastClosed {
		q.fastClosed = true
		q.fast.Close()
	}
}

// Cancel stops the evaluation.
func (q *windowsQuery) Cancel() {
	q.fast.Cancel()
	q.Query.Cancel()
}

// rewriter replaces calls by selectors.
type rewriter struct {
	grid
	lookback int64 // milliseconds
	instant  bool
	rollups  bool
	calls    []windowCall
}

// rewrite replaces what it can below an expression. It goes on only into
// expressions that do the same with a call as with a selector.
func (r *rewriter) rewrite(expr *parser.Expr) {
	switch e := (*expr).(type) {
	case *parser.AggregateExpr:
		r.rewrite(&e.Expr)
	case *parser.ParenExpr:
		r.rewrite(&e.Expr)
	case *parser.BinaryExpr:
		r.rewrite(&e.LHS)
		r.rewrite(&e.RHS)
	case *parser.Call:
		if s := r.call(e); s != nil {
			*expr = s
			return
		}
		switch e.Func.Name {
		case "histogram_quantile", "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max":
			for i := range e.Args {
				r.rewrite(&e.Args[i])
			}
		}
	case *parser.VectorSelector:
		if s := r.selector(e); s != nil {
			*expr = s
		}
	}
}

// selector returns what stands for a plain selector, nil where nothing need: only
// rollups answer it otherwise than the engine does.
func (r *rewriter) selector(s *parser.VectorSelector) parser.Expr {
	g, ok := r.moved(s)
	c := windowCall{grid: g, window: r.lookback, function: selection}
	if !ok || !r.rollups || r.instant || !c.wide() {
		return nil
	}
	return r.mark(s, c)
}

// moved returns the times that a selector is evaluated at.
func (r *rewriter) moved(s *parser.VectorSelector) (grid, bool) {
	g, only := r.grid, int64(0)
	switch {
	case s.OriginalOffsetExpr != nil || s.Anchored || s.Smoothed:
		return g, false
	case s.Timestamp != nil:
		only = *s.Timestamp
	case s.StartOrEnd == parser.START:
		only = g.start
	case s.StartOrEnd == parser.END:
		only = g.end
	}
	if s.Timestamp != nil || s.StartOrEnd != 0 {
		g = grid{only, only, 1}
	}
	offset := s.OriginalOffset.Milliseconds()
	g.start, g.end = g.start-offset, g.end-offset
	return g, true
}

// mark returns a selector that selects the results of a call.
func (r *rewriter) mark(s *parser.VectorSelector, c windowCall) parser.Expr {
	r.calls = append(r.calls, c)
	marked := *s
	marked.LabelMatchers = append([]*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, windowLabel, strconv.Itoa(len(r.calls)-1)),
	}, s.LabelMatchers...)
	return &marked
}

// call returns what stands for a call, nil where nothing can.
func (r *rewriter) call(call *parser.Call) parser.Expr {
	f, ok := functions[call.Func.Name]
	if !ok {
		return nil
	}
	m, ok := call.Args[0].(*parser.MatrixSelector)
	if !ok || m.RangeExpr != nil {
		return nil
	}
	s, ok := m.VectorSelector.(*parser.VectorSelector)
	if !ok {
		return nil
	}
	g, ok := r.moved(s)
	name := nameOf(s.LabelMatchers)
	if !ok || name == "" || f.counter && !counterName(name) {
		return nil
	}
	c := windowCall{grid: g, window: m.Range.Milliseconds(), function: f}
	if r.instant && !c.wide() {
		return nil
	}
	return r.mark(s, c)
}

// nameOf returns the one name that the selected series have, "" where they may
// have several: without it, they may differ in nothing else.
func nameOf(matchers []*labels.Matcher) string {
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// counterName reports whether the engine takes series of the name for counters;
// of others it says that they may not be.
func counterName(name string) bool {
	for _, suffix := range []string{"_total", sumSuffix, countSuffix, bucketSuffix} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
