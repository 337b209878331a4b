package traceql

// grammar is a language of operands with operators between them.
type grammar[T any] struct {
	operand func() (T, error)
	// strength is how strong an operator binds, 0 for what is none.
	strength func(*token) int
	// join makes one of two; at is the first token of the right one.
	join func(op, at *token, left, right T) (T, error)
}

// climb reads an expression whose operators bind stronger than above: from left to
// right, but for powers, which it reads from right to left.
func climb[T any](p *parser, g grammar[T], above int) (none T, err error) {
	if err := p.deeper(); err != nil {
		return none, err
	}
	defer func() { p.depth-- }()
	left, err := g.operand()
	if err != nil {
		return none, err
	}
	for {
		op := p.peek()
		bind := g.strength(op)
		if bind <= above {
			return left, nil
		}
		p.next++
		if p.operators++; p.operators > maxOperators {
			return none, p.fail(op, "the query has more than %d operators", maxOperators)
		}
		if op.text == "^" {
			bind--
		}
		at := p.peek()
		right, err := climb(p, g, bind)
		if err != nil {
			return none, err
		}
		if left, err = g.join(op, at, left, right); err != nil {
			return none, err
		}
	}
}
