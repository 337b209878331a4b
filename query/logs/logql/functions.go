package logql

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// rangeOp says what a function of a range of lines takes.
type rangeOp struct {
	// unwrap says whether it needs the value of a label: 0 never, 1 may have one, 2 must.
	unwrap int
	// grouping says whether it may be followed by by or without.
	grouping bool
}

var rangeOps = map[string]rangeOp{
	"count_over_time": {}, "rate": {unwrap: 1}, "bytes_over_time": {}, "bytes_rate": {},
	"absent_over_time": {unwrap: 1}, "rate_counter": {unwrap: 2}, "sum_over_time": {unwrap: 2},
	"avg_over_time": {2, true}, "min_over_time": {2, true}, "max_over_time": {2, true},
	"stddev_over_time": {2, true}, "stdvar_over_time": {2, true}, "quantile_over_time": {2, true},
	"first_over_time": {2, true}, "last_over_time": {2, true},
}

// vectorOps are the aggregations of series; those that are true take a number.
var vectorOps = map[string]bool{
	"sum": false, "avg": false, "min": false, "max": false, "count": false, "stddev": false, "stdvar": false,
	"sort": false, "sort_desc": false, "topk": true, "bottomk": true, "approx_topk": true,
}

// function reads a function or an aggregation.
func (p *parser) function() Expr {
	p.enter()
	defer p.leave()
	t := p.next()
	if _, ok := rangeOps[t.text]; ok {
		return p.rangeExpr(t)
	}
	if _, ok := vectorOps[t.text]; ok {
		return p.vectorExpr(t)
	}
	switch t.text {
	case "vector":
		p.expect("(")
		minus := p.accept("-")
		value := p.numberOf(p.want(number, "a number"))
		p.expect(")")
		if minus {
			value = -value
		}
		return &ConstExpr{value}
	case "label_replace":
		return p.replace()
	}
	if p.is("(") {
		p.fail(t, "%s", unsupported("the function "+shortened(t.text)))
	}
	p.fail(t, "unexpected %s, expected a selector, a function or a number", t)
	return nil
}

func (p *parser) rangeExpr(t token) Expr {
	op := rangeOps[t.text]
	e := &RangeExpr{Op: t.text}
	p.expect("(")
	if e.Op == "quantile_over_time" {
		minus := p.accept("-")
		e.Param = p.numberOf(p.want(number, "a quantile"))
		if minus {
			e.Param = -e.Param
		}
		p.expect(",")
	}
	parentheses := 0
	for p.accept("(") {
		if parentheses++; parentheses > maxDepth {
			p.fail(p.peek(), "the query nests deeper than %d levels", maxDepth)
		}
	}
	e.Log = &LogExpr{Matchers: p.matchers()}
	for ; ; parentheses-- {
		// The range stands behind the selector or at the end.
		if p.is("[") && e.Range == 0 {
			p.rangeOf(e)
		}
		e.Log.Stages = append(e.Log.Stages, p.rangeStages(e)...)
		if p.is("[") && e.Range == 0 {
			p.rangeOf(e)
		}
		if parentheses == 0 {
			break
		}
		p.expect(")")
	}
	if e.Range == 0 {
		t := p.peek()
		p.fail(t, "unexpected %s, expected a range such as [5m]", t)
	}
	p.expect(")")
	if g := p.grouping(); g != nil {
		if !op.grouping {
			p.fail(t, "grouping is not allowed for %s", e.Op)
		}
		e.Grouping = g
	}
	switch {
	case op.unwrap == 2 && e.Unwrap == nil:
		p.fail(t, "%s needs | unwrap", e.Op)
	case op.unwrap == 0 && e.Unwrap != nil:
		p.fail(t, "%s takes no | unwrap", e.Op)
	}
	return e
}

// rangeOf reads [5m] offset 1h.
func (p *parser) rangeOf(e *RangeExpr) {
	p.expect("[")
	t := p.want(number, "a duration")
	e.Range = p.duration(t)
	if e.Range <= 0 || e.Range > maxRange {
		p.fail(t, "%s is no range of time", t)
	}
	if t := p.peek(); t.kind == word && t.text[0] == ':' {
		p.fail(t, "%s", unsupported("a subquery"))
	}
	p.expect("]")
	if p.acceptWord("offset") {
		minus := p.accept("-")
		t := p.want(number, "a duration")
		e.Offset = p.duration(t)
		if e.Offset > maxRange {
			p.fail(t, "%s is too long an offset", t)
		}
		if minus {
			e.Offset = -e.Offset
		}
	}
}

// maxRange keeps times from overflowing.
const maxRange = 100 * 365 * 24 * time.Hour

func (p *parser) duration(t token) time.Duration {
	d, err := ParseDuration(t.text)
	if err != nil {
		p.fail(t, "%s is no duration", t)
	}
	return d
}

// grouping reads by (...) or without (...), nil where there is none.
func (p *parser) grouping() *Grouping {
	without := p.isWord("without")
	if !without && !p.isWord("by") {
		return nil
	}
	p.next()
	return &Grouping{Without: without, Labels: p.labels()}
}

func (p *parser) vectorExpr(t token) Expr {
	e := &VectorExpr{Op: t.text, Grouping: p.grouping()}
	p.expect("(")
	if vectorOps[e.Op] {
		n := p.want(number, "a number of series")
		k := p.numberOf(n)
		if k < 1 || k != math.Trunc(k) || k > 1e6 {
			p.fail(n, "%s is no number of series", n)
		}
		e.Param = int(k)
		p.expect(",")
	}
	first := p.peek()
	e.Expr = p.binary(0)
	p.series(first, e.Op, e.Expr)
	p.expect(")")
	if g := p.grouping(); g != nil {
		if e.Grouping != nil {
			p.fail(t, "%s is grouped twice", e.Op)
		}
		e.Grouping = g
	}
	if e.Grouping != nil && (e.Op == "sort" || e.Op == "sort_desc") {
		p.fail(t, "grouping is not allowed for %s", e.Op)
	}
	return e
}

// series refuses what is no series.
func (p *parser) series(t token, what string, e Expr) {
	switch e.(type) {
	case *LogExpr:
		p.fail(t, "%s needs numbers, not lines; count_over_time makes some of them", what)
	case *NumberExpr:
		p.fail(t, "%s needs series, not a number", what)
	}
}

func (p *parser) replace() Expr {
	p.expect("(")
	first := p.peek()
	e := &ReplaceExpr{Expr: p.binary(0)}
	p.series(first, "label_replace", e.Expr)
	var at token
	for _, part := range []*string{&e.Target, &e.Replacement, &e.Source, &e.Original} {
		p.expect(",")
		at = p.text()
		*part = at.text
	}
	p.expect(")")
	if !Name(e.Target) {
		p.fail(first, "label_replace: %q is no name of a label", shortened(e.Target))
	}
	var err error
	if e.Pattern, err = anchored(e.Original); err != nil {
		p.fail(at, "%s", regexpFault(err))
	}
	return e
}

// Name reports whether a text can be the name of a label.
func Name(s string) bool {
	if s == "" || digit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) {
			return false
		}
	}
	return true
}

// Apply applies an operator to two numbers. Of a comparison the value is that of
// the left side, and keep says whether it holds.
func Apply(op string, left, right float64) (value float64, keep bool) {
	switch op {
	case "+":
		return left + right, true
	case "-":
		return left - right, true
	case "*":
		return left * right, true
	case "/":
		return left / right, true
	case "%":
		return math.Mod(left, right), true
	case "^":
		return math.Pow(left, right), true
	}
	return left, Compare(op, left, right)
}

// Compare reports whether a comparison of two numbers holds.
func Compare(op string, left, right float64) bool {
	switch op {
	case "==":
		return left == right
	case "!=":
		return left != right
	case ">":
		return left > right
	case ">=":
		return left >= right
	case "<":
		return left < right
	case "<=":
		return left <= right
	}
	return false
}

// Mentioned returns the labels that the query names outside of its pipelines:
// in groupings, matchings and label_replace. Those are told apart in series.
func Mentioned(e Expr) []string {
	var all []string
	add := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	var walk func(Expr)
	walk = func(e Expr) {
		switch e := e.(type) {
		case *RangeExpr:
			if e.Grouping != nil && !e.Grouping.Without {
				add(e.Grouping.Labels...)
			}
		case *VectorExpr:
			if e.Grouping != nil && !e.Grouping.Without {
				add(e.Grouping.Labels...)
			}
			walk(e.Expr)
		case *BinaryExpr:
			if e.Matching != nil {
				if e.Matching.On {
					add(e.Matching.Labels...)
				}
				add(e.Matching.Include...)
			}
			walk(e.Left)
			walk(e.Right)
		case *ReplaceExpr:
			add(e.Source)
			walk(e.Expr)
		}
	}
	walk(e)
	return all
}

func formatNumber(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
