package logql

import (
	"fmt"
	"strings"
)

// maxDepth bounds how deep expressions may nest.
const maxDepth = 200

// MaxQuery is how long a query may be, in bytes.
const MaxQuery = 128 << 10

type parser struct {
	query  string
	tokens []token
	pos    int
	depth  int
}

// Parse reads a query. The error is an [*Error].
func Parse(query string) (Expr, error) {
	return parsed(query, func(p *parser) Expr { return p.binary(0) })
}

// ParseSelector reads a stream selector without a pipeline.
func ParseSelector(query string) ([]*Matcher, error) {
	e, err := parsed(query, func(p *parser) Expr { return &LogExpr{Matchers: p.matchers()} })
	if err != nil {
		return nil, err
	}
	return e.(*LogExpr).Matchers, nil
}

func parsed(query string, read func(*parser) Expr) (e Expr, err error) {
	if len(query) > MaxQuery {
		return nil, fault("", 0, "the query is longer than %d bytes", MaxQuery)
	}
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &parser{query: query, tokens: tokens}
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			e, err = nil, failed
		}
	}()
	e = read(p)
	if t := p.peek(); t.kind != end {
		p.fail(t, "unexpected %s", t)
	}
	return e, nil
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// ahead is a token further on, the end where there is none.
func (p *parser) ahead() token { return p.tokens[min(p.pos+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != end {
		p.pos++
	}
	return t
}

// fail ends the parse; [parsed] returns the error.
func (p *parser) fail(t token, format string, args ...any) {
	panic(fault(p.query, t.pos, format, args...))
}

func (p *parser) is(s string) bool {
	t := p.peek()
	return t.kind == sign && t.text == s
}

func (p *parser) isWord(s string) bool {
	t := p.peek()
	return t.kind == word && t.text == s
}

func (p *parser) accept(s string) bool {
	if p.is(s) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) acceptWord(s string) bool {
	if p.isWord(s) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(s string) token {
	t := p.peek()
	if !p.accept(s) {
		p.fail(t, "unexpected %s, expected %s", t, s)
	}
	return t
}

func (p *parser) want(k kind, what string) token {
	t := p.next()
	if t.kind != k {
		p.fail(t, "unexpected %s, expected %s", t, what)
	}
	return t
}

func (p *parser) label() string { return p.want(word, "the name of a label").text }
func (p *parser) text() token   { return p.want(text, "a text in quotes") }

// enter counts how deep the expression is.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), "the query nests deeper than %d levels", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// matchers reads a stream selector.
func (p *parser) matchers() []*Matcher {
	open := p.expect("{")
	var all []*Matcher
	for !p.accept("}") {
		if len(all) > 0 {
			if t := p.peek(); !p.accept(",") {
				p.fail(t, "unexpected %s, expected , or }", t)
			}
			if p.accept("}") {
				break
			}
		}
		t := p.peek()
		if t.kind != word {
			p.fail(t, "unexpected %s, expected the name of a label or }", t)
		}
		all = append(all, p.matcher(p.label()))
	}
	for _, m := range all {
		if !m.Matches("") {
			return all
		}
	}
	p.fail(open, "a selector needs a matcher that an empty value does not meet, such as service_name=~\".+\"")
	return nil
}

// matchOp reads an operator that compares texts.
func (p *parser) matchOp() (MatchOp, bool) {
	for i, s := range matchOps {
		if p.accept(s) {
			return MatchOp(i), true
		}
	}
	return 0, false
}

func (p *parser) matcher(name string) *Matcher {
	t := p.peek()
	op, ok := p.matchOp()
	if !ok {
		p.fail(t, "unexpected %s, expected =, !=, =~ or !~", t)
	}
	return p.matcherOf(name, op, p.text())
}

func (p *parser) matcherOf(name string, op MatchOp, value token) *Matcher {
	m := &Matcher{Name: name, Op: op, Value: value.text}
	if op == Match || op == NotMatch {
		var err error
		if m.Pattern, err = anchored(value.text); err != nil {
			p.fail(value, "%s", regexpFault(err))
		}
	}
	return m
}

// regexpFault words an error of package regexp.
func regexpFault(err error) string {
	return "the regular expression is not valid: " + shortened(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// logExpr reads a selector and its pipeline.
func (p *parser) logExpr() *LogExpr {
	return &LogExpr{Matchers: p.matchers(), Stages: p.stages()}
}

// binaryOps are the levels of precedence, the loosest first.
var binaryOps = [][]string{{"or"}, {"and", "unless"}, {"==", "!=", ">", ">=", "<", "<="}, {"+", "-"}, {"*", "/", "%"}, {"^"}}

// operator returns the operator of a level that comes next, "" where none does.
func (p *parser) operator(level int) string {
	t := p.peek()
	if t.kind != sign && t.kind != word {
		return ""
	}
	for _, op := range binaryOps[level] {
		if t.text == op {
			return op
		}
	}
	return ""
}

func (p *parser) binary(level int) Expr {
	if level == len(binaryOps) {
		return p.unary()
	}
	if level == 0 || level == len(binaryOps)-1 { // where an expression can be in another
		p.enter()
		defer p.leave()
	}
	left := p.binary(level + 1)
	for {
		op := p.operator(level)
		if op == "" {
			return left
		}
		t := p.next()
		e := &BinaryExpr{Op: op, Left: left}
		p.modifiers(e)
		if op == "^" {
			e.Right = p.binary(level) // from right to left
		} else {
			e.Right = p.binary(level + 1)
		}
		p.check(t, e)
		left = folded(e)
	}
}

func (p *parser) modifiers(e *BinaryExpr) {
	if t := p.peek(); p.acceptWord("bool") {
		if e.Bool = true; !comparison(e.Op) {
			p.fail(t, "bool belongs to comparisons only")
		}
	}
	on := p.isWord("on")
	if !on && !p.isWord("ignoring") {
		return
	}
	p.next()
	e.Matching = &Matching{On: on, Labels: p.labels()}
	for _, side := range []string{"left", "right"} {
		if t := p.peek(); p.acceptWord("group_" + side) {
			if set(e.Op) {
				p.fail(t, "%s has many series on both sides; group_%s is not for it", e.Op, side)
			}
			e.Matching.Many = side
			if p.is("(") {
				e.Matching.Include = p.labels()
			}
			break
		}
	}
}

// labels reads names in parentheses.
func (p *parser) labels() []string {
	p.expect("(")
	all := []string{}
	for !p.accept(")") {
		if len(all) > 0 {
			if t := p.peek(); !p.accept(",") {
				p.fail(t, "unexpected %s, expected , or )", t)
			}
			if p.accept(")") {
				break
			}
		}
		all = append(all, p.label())
	}
	return all
}

func comparison(op string) bool { return strings.ContainsAny(op, "=<>") }
func set(op string) bool        { return op == "and" || op == "or" || op == "unless" }

// check refuses what two sides cannot do.
func (p *parser) check(t token, e *BinaryExpr) {
	for _, side := range []Expr{e.Left, e.Right} {
		switch side.(type) {
		case *LogExpr:
			p.fail(t, "%s needs numbers on both sides; a query for lines has none", e.Op)
		case *NumberExpr:
			if set(e.Op) {
				p.fail(t, "%s needs series on both sides, not a number", e.Op)
			}
			if e.Matching != nil {
				p.fail(t, "on and ignoring need series on both sides")
			}
		}
	}
	if _, left := e.Left.(*NumberExpr); left && comparison(e.Op) && !e.Bool {
		if _, right := e.Right.(*NumberExpr); right {
			e.Bool = true // as Loki does: a number has no series to leave out
		}
	}
}

// folded computes what has numbers on both sides.
func folded(e *BinaryExpr) Expr {
	left, ok := e.Left.(*NumberExpr)
	if !ok {
		return e
	}
	right, ok := e.Right.(*NumberExpr)
	if !ok {
		return e
	}
	value, keep := Apply(e.Op, left.Value, right.Value)
	if comparison(e.Op) {
		value = 0
		if keep {
			value = 1
		}
	}
	return &NumberExpr{value}
}

// unary reads an operand.
func (p *parser) unary() Expr {
	t := p.peek()
	switch {
	case p.is("-"), p.is("+"):
		p.next()
		n := p.want(number, "a number")
		value := p.numberOf(n)
		if t.text == "-" {
			value = -value
		}
		return &NumberExpr{value}
	case t.kind == number:
		p.next()
		return &NumberExpr{p.numberOf(t)}
	case p.is("{"):
		return p.logExpr()
	case p.is("("):
		return p.parenthesis()
	case t.kind == word:
		return p.function()
	}
	p.fail(t, "unexpected %s, expected a selector, a function or a number", t)
	return nil
}

// parenthesis reads an expression in parentheses. Lines may have more stages
// behind it.
func (p *parser) parenthesis() Expr {
	p.enter()
	defer p.leave()
	p.next()
	e := p.binary(0)
	p.expect(")")
	if lines, ok := e.(*LogExpr); ok {
		lines.Stages = append(lines.Stages, p.stages()...)
	}
	return e
}

func (p *parser) numberOf(t token) float64 {
	value, unit, err := quantity(t.text)
	if err != nil || unit != Plain {
		p.fail(t, "%s is no number", t)
	}
	return value
}

var _ error = (*Error)(nil)

func unsupported(what string) string { return fmt.Sprintf("%s is not supported", what) }
