package promql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// This file evaluates rate and increase over a range of time where the samples
// are: one pass over a series instead of a look at a window for every step. The
// engine is given a query in which such a call is a selector with one more
// matcher; what that selects are the results of the call at every step. The
// arithmetic is that of the engine, term by term, so the results are the same
// bits. Whatever could make a difference, as histograms and annotations do, has
// the query evaluated again as it was asked.

// counterLabel names the matcher. Nobody can guess it, so that no query of a
// user has such a matcher.
var counterLabel = "goshawk_" + rand.Text()

// errNotPlain is the error where the shortcut does not hold.
var errNotPlain = errors.New("the series is no plain counter")

// engine is Prometheus's engine with that shortcut.
type engine struct {
	*promql.Engine
	parser parser.Parser
	// starts is set where the engine takes the start times of samples into
	// account, which the shortcut does not.
	starts bool
}

// NewRangeQuery implements promql.QueryEngine.
func (e *engine) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, start, end time.Time, step time.Duration) (promql.Query, error) {
	plain, err := e.Engine.NewRangeQuery(ctx, q, opts, text, start, end, step)
	if err != nil || e.starts || step < time.Millisecond || !end.After(start) {
		return plain, err
	}
	expr, err := e.parser.ParseExpr(text)
	if err != nil {
		return plain, nil // the engine has parsed it, with other options
	}
	g := grid{start: start.UnixMilli(), end: end.UnixMilli(), step: step.Milliseconds()}
	r := rewriter{grid: g}
	if r.rewrite(&expr); len(r.calls) == 0 {
		return plain, nil
	}
	fast, err := e.Engine.NewRangeQuery(ctx, &counters{q, r.calls}, opts, expr.String(), start, end, step)
	if err != nil {
		return plain, nil
	}
	return &countersQuery{Query: plain, fast: fast}, nil
}

// countersQuery is a query in two forms.
type countersQuery struct {
	promql.Query // as it was asked
	fast         promql.Query
}

// Exec evaluates the fast form, and the other where that does not hold or has
// something to say beside its result.
func (q *countersQuery) Exec(ctx context.Context) *promql.Result {
	result := q.fast.Exec(ctx)
	if result.Err == nil && len(result.Warnings) == 0 || ctx.Err() != nil {
		return result
	}
	q.fast.Close()
	return q.Query.Exec(ctx)
}

// Close lets go of the results.
func (q *countersQuery) Close() {
	q.fast.Close()
	q.Query.Close()
}

// Cancel stops the evaluation.
func (q *countersQuery) Cancel() {
	q.fast.Cancel()
	q.Query.Cancel()
}

// grid are the times of a range query, Unix milliseconds.
type grid struct{ start, end, step int64 }

// counterCall is a call of rate or increase.
type counterCall struct {
	grid
	window int64 // milliseconds
	rate   bool
}

// rewriter replaces calls by selectors.
type rewriter struct {
	grid
	calls []counterCall
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
		if s := r.selector(e); s != nil {
			*expr = s
			return
		}
		switch e.Func.Name {
		case "histogram_quantile", "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max":
			for i := range e.Args {
				r.rewrite(&e.Args[i])
			}
		}
	}
}

// selector returns what stands for a call, nil where nothing can.
func (r *rewriter) selector(call *parser.Call) parser.Expr {
	if call.Func.Name != "rate" && call.Func.Name != "increase" {
		return nil
	}
	m, ok := call.Args[0].(*parser.MatrixSelector)
	if !ok || m.RangeExpr != nil {
		return nil
	}
	s, ok := m.VectorSelector.(*parser.VectorSelector)
	if !ok || s.OriginalOffset != 0 || s.OriginalOffsetExpr != nil || s.Timestamp != nil || s.StartOrEnd != 0 || s.Anchored || s.Smoothed {
		return nil
	}
	if !counterName(s.LabelMatchers) {
		return nil
	}
	r.calls = append(r.calls, counterCall{grid: r.grid, window: m.Range.Milliseconds(), rate: call.Func.Name == "rate"})
	marked := *s
	marked.LabelMatchers = append([]*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, counterLabel, strconv.Itoa(len(r.calls)-1)),
	}, s.LabelMatchers...)
	return &marked
}

// counterName reports whether the selected series have one name, and one by
// which the engine takes them for counters.
func counterName(matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			for _, suffix := range []string{"_total", sumSuffix, countSuffix, bucketSuffix} {
				if strings.HasSuffix(m.Value, suffix) {
					return true
				}
			}
		}
	}
	return false
}

// counters is a storage in which the marked selectors select what calls return.
type counters struct {
	storage.Queryable
	calls []counterCall
}

func (c *counters) Querier(mint, maxt int64) (storage.Querier, error) {
	for _, call := range c.calls {
		mint = min(mint, call.start-call.window)
	}
	q, err := c.Queryable.Querier(mint, maxt)
	return &countersQuerier{q, c.calls}, err
}

type countersQuerier struct {
	storage.Querier
	calls []counterCall
}

func (q *countersQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	for i, m := range matchers {
		if m.Name != counterLabel {
			continue
		}
		n, err := strconv.Atoi(m.Value)
		if err != nil || n >= len(q.calls) {
			return storage.ErrSeriesSet(fmt.Errorf("%w: %s", errNotPlain, m.Value))
		}
		call := q.calls[n]
		rest := append(append([]*labels.Matcher{}, matchers[:i]...), matchers[i+1:]...)
		read := storage.SelectHints{}
		if hints != nil {
			read = *hints
		}
		read.Start, read.End, read.Range = call.start-call.window+1, call.end, call.window
		return &countersSet{q.Querier.Select(ctx, sorted, &read, rest...), call}
	}
	return q.Querier.Select(ctx, sorted, hints, matchers...)
}

type countersSet struct {
	storage.SeriesSet
	call counterCall
}

func (s *countersSet) At() storage.Series { return &countersSeries{s.SeriesSet.At(), s.call} }

type countersSeries struct {
	storage.Series
	call counterCall
}

// Labels are those of the call's result, which has no name.
func (s *countersSeries) Labels() labels.Labels {
	return labels.NewBuilder(s.Series.Labels()).Del(model.MetricNameLabel).Labels()
}

// Iterator returns an iterator over the results.
func (s *countersSeries) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	own, ok := it.(*iterator)
	if !ok {
		own = &iterator{}
	}
	p, err := samplesOf(s.Series.Iterator(nil))
	if err != nil {
		own.reset(nil, err)
		return own
	}
	own.reset(s.call.evaluate(p), nil)
	return own
}

// samplesOf returns the samples of a series that has no histograms.
func samplesOf(it chunkenc.Iterator) (*points, error) {
	if own, ok := it.(*iterator); ok {
		if own.err == nil && own.histograms != nil {
			return nil, errNotPlain
		}
		return own.points, own.err
	}
	p := &points{}
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if kind != chunkenc.ValFloat {
			return nil, errNotPlain
		}
		p.add(it.At())
	}
	return p, it.Err()
}

// evaluate returns the results of the call at every step, which is the mark of a
// stale series where there is none.
func (c *counterCall) evaluate(p *points) *points {
	times, values := fresh(p)
	var resets []int // samples that are less than the one before
	for i := 1; i < len(values); i++ {
		if values[i] < values[i-1] {
			resets = append(resets, i)
		}
	}
	steps := int((c.end-c.start)/c.step) + 1
	out := &points{times: make([]int64, 0, steps), values: make([]float64, 0, steps)}
	from, to, reset, found := 0, 0, 0, false
	for t := c.start; t <= c.end; t += c.step {
		for from < len(times) && times[from] <= t-c.window {
			from++
		}
		for to < len(times) && times[to] <= t {
			to++
		}
		v := staleValue
		if to-from >= 2 {
			for reset < len(resets) && resets[reset] <= from {
				reset++
			}
			v = c.increase(t, times[from:to], values[from:to], resets[reset:], values, to)
			found = true
		}
		out.times, out.values = append(out.times, t), append(out.values, v)
	}
	if !found {
		return &noPoints
	}
	return out
}

// fresh returns the samples that are no marks of a stale series.
func fresh(p *points) ([]int64, []float64) {
	stale := false
	for _, v := range p.values {
		stale = stale || isStale(v)
	}
	if !stale {
		return p.times, p.values
	}
	var times []int64
	var values []float64
	for i, v := range p.values {
		if !isStale(v) {
			times, values = append(times, p.times[i]), append(values, v)
		}
	}
	return times, values
}

// increase extrapolates the increase within the window that ends at t, as
// promql.extrapolatedRate does for counters of floats without start times.
func (c *counterCall) increase(t int64, times []int64, values []float64, resets []int, all []float64, to int) float64 {
	last := len(times) - 1
	result := values[last] - values[0]
	for _, i := range resets {
		if i >= to {
			break
		}
		result += all[i-1]
	}
	toStart := float64(times[0]-(t-c.window)) / 1000
	toEnd := float64(t-times[last]) / 1000
	sampled := float64(times[last]-times[0]) / 1000
	average := sampled / float64(last)
	threshold := average * 1.1
	if toStart >= threshold {
		toStart = average / 2
	}
	toZero := toStart
	if result > 0 && values[0] >= 0 {
		toZero = sampled * (values[0] / result)
	}
	if toZero < toStart {
		toStart = toZero
	}
	if toEnd >= threshold {
		toEnd = average / 2
	}
	factor := 1.0
	if sampled != 0 {
		factor = (sampled + toStart + toEnd) / sampled
	}
	if c.rate {
		factor /= (time.Duration(c.window) * time.Millisecond).Seconds()
	}
	return result * factor
}
