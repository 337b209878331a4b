package traceql

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Parse reads a query. Errors are of the type [*Error].
func Parse(in string) (*Query, error) {
	if len(in) > maxLength {
		return nil, failed("", 0, "the query has %d bytes, more than %d", len(in), maxLength)
	}
	tokens, err := lex(in)
	if err != nil {
		return nil, err
	}
	p := &parser{in: in, tokens: tokens}
	q := &Query{text: in}
	if q.pipeline, err = p.pipeline(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, p.unexpected(t, "")
	}
	q.shown = p.shown
	return q, nil
}

type parser struct {
	in        string
	tokens    []token
	next      int
	depth     int
	operators int
	shown     []*reference
}

func (p *parser) peek() *token { return &p.tokens[p.next] }

// is reports whether the next token is the sign.
func (p *parser) is(sign string) bool {
	t := p.peek()
	return t.kind == operator && t.text == sign
}

// take steps over the sign where it is next.
func (p *parser) take(sign string) bool {
	if p.is(sign) {
		p.next++
		return true
	}
	return false
}

func (p *parser) need(sign string) error {
	if !p.take(sign) {
		return p.unexpected(p.peek(), sign)
	}
	return nil
}

func (p *parser) fail(t *token, format string, args ...any) error {
	return failed(p.in, t.at, format, args...)
}

func (p *parser) unexpected(t *token, want string) error {
	if want == "" {
		return p.fail(t, "unexpected %s", t.shown())
	}
	return p.fail(t, "unexpected %s, want %q", t.shown(), want)
}

// deeper bounds the recursion.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.peek(), "the query is nested more than %d deep", maxDepth)
	}
	return nil
}

// unsupported are functions of TraceQL that are not there.
var unsupported = []string{
	"rate", "count_over_time", "min_over_time", "max_over_time", "avg_over_time", "sum_over_time", "quantile_over_time",
	"histogram_over_time", "compare", "topk", "bottomk", "with",
}

// pipeline reads stages up to the end or a closing parenthesis.
func (p *parser) pipeline() (*pipeline, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var all pipeline
	for {
		s, err := p.stage(len(all.stages) == 0)
		if err != nil {
			return nil, err
		}
		all.stages = append(all.stages, s)
		if t := p.peek(); t.kind == word && slices.Contains(unsupported, t.text) {
			return nil, p.fail(t, "%s() is not supported", t.text)
		}
		if !p.take("|") {
			return &all, nil
		}
	}
}

func (p *parser) stage(first bool) (stage, error) {
	t := p.peek()
	if p.spansFollow() {
		return p.spansets(0)
	}
	if t.kind == end && first {
		return nil, p.fail(t, "the query is empty")
	}
	if t.kind == word {
		switch t.text {
		case "by":
			return p.grouping()
		case "coalesce":
			p.next++
			if err := p.need("("); err != nil {
				return nil, err
			}
			return coalescing{}, p.need(")")
		case "select":
			return p.selection()
		}
		if slices.Contains(unsupported, t.text) {
			return nil, p.fail(t, "%s() is not supported", t.text)
		}
	}
	return p.comparison()
}

// spansFollow reports whether what follows, behind parentheses, is a filter.
func (p *parser) spansFollow() bool {
	at := p.next
	for p.tokens[at].kind == operator && p.tokens[at].text == "(" {
		at++
	}
	return p.tokens[at].kind == operator && p.tokens[at].text == "{"
}

// structural are the operators between sets that look at parents.
var structural = []string{
	">", ">>", "<", "<<", "~", "!>", "!>>", "!<", "!<<", "!~", "&>", "&>>", "&<", "&<<", "&~",
}

// strengthOfSets is how strong an operator between sets binds, 0 where the token
// is none. As in Tempo, && and || bind alike, from left to right.
func strengthOfSets(t *token) int {
	switch {
	case t.kind != operator:
	case t.text == "&&" || t.text == "||":
		return 1
	case slices.Contains(structural, t.text):
		return 2
	}
	return 0
}

// spansets reads filters and operators between them that bind stronger than above.
func (p *parser) spansets(above int) (stage, error) {
	return climb(p, grammar[stage]{p.spanset, strengthOfSets, func(op, _ *token, left, right stage) (stage, error) {
		return &combination{op.text, left, right}, nil
	}}, above)
}

func (p *parser) spanset() (stage, error) {
	if p.take("(") {
		inner, err := p.pipeline()
		if err != nil {
			return nil, err
		}
		if err := p.need(")"); err != nil {
			return nil, err
		}
		if len(inner.stages) == 1 {
			return inner.stages[0], nil
		}
		return inner, nil
	}
	if err := p.need("{"); err != nil {
		return nil, err
	}
	if p.take("}") {
		return &filter{}, nil
	}
	at := p.peek()
	expression, err := p.field(0)
	if err != nil {
		return nil, err
	}
	if k := expression.kind(); k != truths && k != anything {
		return nil, p.fail(at, "a filter must be true or false, not %s", k)
	}
	return &filter{expression}, p.need("}")
}

func (p *parser) grouping() (stage, error) {
	from := p.peek().at
	p.next++
	if err := p.need("("); err != nil {
		return nil, err
	}
	by, err := p.field(0)
	if err != nil {
		return nil, err
	}
	if err := p.need(")"); err != nil {
		return nil, err
	}
	return &grouping{by, p.written(from)}, nil
}

// written is the text of the query from a position to the last token.
func (p *parser) written(from int) string {
	to := len(p.in)
	if p.next < len(p.tokens) {
		to = p.tokens[p.next].at
	}
	return strings.TrimSpace(p.in[from:to])
}

func (p *parser) selection() (stage, error) {
	p.next++
	if err := p.need("("); err != nil {
		return nil, err
	}
	for {
		t := p.peek()
		r, err := p.field(strongest)
		if err != nil {
			return nil, err
		}
		if _, ok := r.(*reference); !ok {
			return nil, p.fail(t, "select takes attributes and intrinsics, not %s", t.shown())
		}
		if !p.take(",") {
			return &selection{}, p.need(")")
		}
	}
}

// compiled makes a regular expression, which must match a whole text.
func (p *parser) compiled(t *token) (*regexp.Regexp, string, error) {
	if len(t.text) > maxPattern {
		return nil, "", p.fail(t, "the regular expression has %d bytes, more than %d", len(t.text), maxPattern)
	}
	source := "^(?s:" + t.text + ")$"
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err == nil {
		var program *syntax.Prog
		if program, err = syntax.Compile(parsed.Simplify()); err == nil && len(program.Inst) > maxProgram {
			err = fmt.Errorf("it is too complex")
		}
	}
	var compiled *regexp.Regexp
	if err == nil {
		compiled, err = regexp.Compile(source)
	}
	if err != nil {
		return nil, "", p.fail(t, "the regular expression %q: %v", shortened(t.text), err)
	}
	return compiled, source, nil
}
