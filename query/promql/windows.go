package promql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/kahansum"
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

// engine is Prometheus's engine with that shortcut.
type engine struct {
	*promql.Engine
	parser parser.Parser
	// starts is set where the engine takes the start times of samples into
	// account, which the shortcut does not.
	starts bool
	// maxSteps bounds the steps of a query's subqueries; 0 does not.
	maxSteps int
}

// NewRangeQuery implements promql.QueryEngine.
func (e *engine) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, start, end time.Time, step time.Duration) (promql.Query, error) {
	if err := e.boundSubqueries(text, end.Sub(start)); err != nil {
		return nil, err
	}
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
	fast, err := e.Engine.NewRangeQuery(ctx, &windows{q, r.calls}, opts, expr.String(), start, end, step)
	if err != nil {
		return plain, nil
	}
	return &windowsQuery{Query: plain, fast: fast}, nil
}

// windowsQuery is a query in two forms.
type windowsQuery struct {
	promql.Query // as it was asked
	fast         promql.Query
}

// Exec evaluates the fast form, and the other where that does not hold or has
// something to say beside its result.
func (q *windowsQuery) Exec(ctx context.Context) *promql.Result {
	result := q.fast.Exec(ctx)
	if result.Err == nil && len(result.Warnings) == 0 || ctx.Err() != nil {
		return result
	}
	q.fast.Close()
	return q.Query.Exec(ctx)
}

// Close lets go of the results.
func (q *windowsQuery) Close() {
	q.fast.Close()
	q.Query.Close()
}

// Cancel stops the evaluation.
func (q *windowsQuery) Cancel() {
	q.fast.Cancel()
	q.Query.Cancel()
}

// grid are the times of a range query, Unix milliseconds.
type grid struct{ start, end, step int64 }

// windowCall is a call of a function of a window.
type windowCall struct {
	grid
	window int64 // milliseconds
	function
}

// function is how a call is evaluated.
type function struct {
	// least is how many samples a window needs.
	least int
	// counter is set for functions of counters.
	counter bool
	// at evaluates the call at the end of a window.
	at func(*windowCall, *window) float64
}

// functions are those that are evaluated here.
var functions = map[string]function{
	"rate":            {2, true, func(c *windowCall, w *window) float64 { return c.increase(w, true) }},
	"increase":        {2, true, func(c *windowCall, w *window) float64 { return c.increase(w, false) }},
	"max_over_time":   {1, false, func(_ *windowCall, w *window) float64 { return w.greatest() }},
	"min_over_time":   {1, false, func(_ *windowCall, w *window) float64 { return w.least() }},
	"count_over_time": {1, false, func(_ *windowCall, w *window) float64 { return float64(len(w.values)) }},
	"sum_over_time":   {1, false, func(_ *windowCall, w *window) float64 { return w.sum() }},
}

// window are the samples that a function sees at a time.
type window struct {
	end    int64
	times  []int64
	values []float64
	// resets are the places in all at which a counter begins anew, from the
	// second sample of the window on and beyond it; last is the place of its end.
	resets []int
	all    []float64
	last   int
}

// rewriter replaces calls by selectors.
type rewriter struct {
	grid
	calls []windowCall
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
	f, ok := functions[call.Func.Name]
	if !ok {
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
	name := nameOf(s.LabelMatchers)
	if name == "" || f.counter && !counterName(name) {
		return nil
	}
	r.calls = append(r.calls, windowCall{grid: r.grid, window: m.Range.Milliseconds(), function: f})
	marked := *s
	marked.LabelMatchers = append([]*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, windowLabel, strconv.Itoa(len(r.calls)-1)),
	}, s.LabelMatchers...)
	return &marked
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

// windows is a storage in which the marked selectors select what calls return.
type windows struct {
	storage.Queryable
	calls []windowCall
}

func (c *windows) Querier(mint, maxt int64) (storage.Querier, error) {
	for _, call := range c.calls {
		mint = min(mint, call.start-call.window)
	}
	q, err := c.Queryable.Querier(mint, maxt)
	return &windowsQuerier{q, c.calls}, err
}

type windowsQuerier struct {
	storage.Querier
	calls []windowCall
}

func (q *windowsQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	for i, m := range matchers {
		if m.Name != windowLabel {
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
		return &windowsSet{q.Querier.Select(ctx, sorted, &read, rest...), call}
	}
	return q.Querier.Select(ctx, sorted, hints, matchers...)
}

type windowsSet struct {
	storage.SeriesSet
	call windowCall
}

func (s *windowsSet) At() storage.Series { return &windowsSeries{s.SeriesSet.At(), s.call} }

type windowsSeries struct {
	storage.Series
	call windowCall
}

// Labels are those of the call's result, which has no name.
func (s *windowsSeries) Labels() labels.Labels {
	return labels.NewBuilder(s.Series.Labels()).Del(model.MetricNameLabel).Labels()
}

// Iterator returns an iterator over the results.
func (s *windowsSeries) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
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
func (c *windowCall) evaluate(p *points) *points {
	times, values := fresh(p)
	var resets []int // samples that are less than the one before
	for i := 1; c.counter && i < len(values); i++ {
		if values[i] < values[i-1] {
			resets = append(resets, i)
		}
	}
	steps := int((c.end-c.start)/c.step) + 1
	out := &points{times: make([]int64, 0, steps), values: make([]float64, 0, steps)}
	w := window{all: values}
	from, to, reset, found := 0, 0, 0, false
	for t := c.start; t <= c.end; t += c.step {
		for from < len(times) && times[from] <= t-c.window {
			from++
		}
		for to < len(times) && times[to] <= t {
			to++
		}
		v := staleValue
		if to-from >= c.least {
			for reset < len(resets) && resets[reset] <= from {
				reset++
			}
			w.end, w.times, w.values, w.resets, w.last = t, times[from:to], values[from:to], resets[reset:], to
			v = c.at(c, &w)
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

// increase extrapolates the increase within a window, as promql.extrapolatedRate
// does for counters of floats without start times.
func (c *windowCall) increase(w *window, rate bool) float64 {
	last := len(w.times) - 1
	result := w.values[last] - w.values[0]
	for _, i := range w.resets {
		if i >= w.last {
			break
		}
		result += w.all[i-1]
	}
	toStart := float64(w.times[0]-(w.end-c.window)) / 1000
	toEnd := float64(w.end-w.times[last]) / 1000
	sampled := float64(w.times[last]-w.times[0]) / 1000
	average := sampled / float64(last)
	threshold := average * 1.1
	if toStart >= threshold {
		toStart = average / 2
	}
	toZero := toStart
	if result > 0 && w.values[0] >= 0 {
		toZero = sampled * (w.values[0] / result)
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
	if rate {
		factor /= (time.Duration(c.window) * time.Millisecond).Seconds()
	}
	return result * factor
}

// greatest is the greatest value; NaN only where there is nothing else.
func (w *window) greatest() float64 {
	most := w.values[0]
	for _, v := range w.values {
		if v > most || math.IsNaN(most) {
			most = v
		}
	}
	return most
}

// least is the least value; NaN only where there is nothing else.
func (w *window) least() float64 {
	least := w.values[0]
	for _, v := range w.values {
		if v < least || math.IsNaN(least) {
			least = v
		}
	}
	return least
}

// sum adds with Kahan's compensation, as the engine does.
func (w *window) sum() float64 {
	var sum, c float64
	for _, v := range w.values {
		sum, c = kahansum.Inc(v, sum, c)
	}
	if math.IsInf(sum, 0) {
		return sum
	}
	return sum + c
}
