package traceql

import "slices"

// aggregates are the functions of a set of spans.
var aggregates = []string{"count", "min", "max", "avg", "sum"}

// comparison reads a stage that compares aggregates.
func (p *parser) comparison() (stage, error) {
	left, err := p.scalar(2)
	if err != nil {
		return nil, err
	}
	op := p.peek()
	if op.kind != operator || !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, op.text) {
		return nil, p.fail(op, "an aggregate must be compared, as in count() > 2; found %s", op.shown())
	}
	p.next++
	right, err := p.scalar(2)
	if err != nil {
		return nil, err
	}
	return &comparison{op.text, left, right}, nil
}

// scalar reads arithmetic on aggregates whose operators bind stronger than above.
func (p *parser) scalar(above int) (scalar, error) {
	return climb(p, grammar[scalar]{p.scalarOperand, strengthOfArithmetic, func(op, _ *token, left, right scalar) (scalar, error) {
		return &scalarOperation{op.text, left, right}, nil
	}}, above)
}

// strengthOfArithmetic is how strong an operator between numbers binds.
func strengthOfArithmetic(t *token) int {
	if strength := strengthOf(t); strength >= 3 {
		return strength
	}
	return 0
}

func (p *parser) scalarOperand() (scalar, error) {
	t := p.peek()
	p.next++
	switch {
	case t.kind == number:
		return &literal{value{kind: numbers, n: t.value}}, nil
	case t.kind == duration:
		return &literal{value{kind: durations, n: t.value}}, nil
	case t.kind == operator && t.text == "-":
		of, err := p.scalar(3)
		if err != nil {
			return nil, err
		}
		return &scalarOperation{"-", &literal{value{kind: numbers}}, of}, nil
	case t.kind == operator && t.text == "(":
		if p.spansFollow() {
			return nil, p.fail(t, "pipelines cannot be compared with each other")
		}
		inner, err := p.scalar(2)
		if err != nil {
			return nil, err
		}
		return inner, p.need(")")
	case t.kind == word && slices.Contains(aggregates, t.text):
		return p.aggregate(t)
	}
	p.next--
	if t.kind == word {
		if slices.Contains(unsupported, t.text) {
			return nil, p.fail(t, "%s() is not supported", t.text)
		}
		return nil, p.fail(t, "the function %s is not supported", t.shown())
	}
	return nil, p.unexpected(t, "")
}

func (p *parser) aggregate(t *token) (scalar, error) {
	if err := p.need("("); err != nil {
		return nil, err
	}
	a := &aggregate{function: t.text}
	if t.text != "count" {
		at := p.peek()
		of, err := p.field(0)
		if err != nil {
			return nil, err
		}
		if k := of.kind(); k != numbers && k != durations && k != anything {
			return nil, p.fail(at, "%s takes numbers and durations, not %s", t.text, k)
		}
		a.argument = of
	}
	if err := p.need(")"); err != nil {
		return nil, err
	}
	a.name = p.written(t.at)
	return a, nil
}
