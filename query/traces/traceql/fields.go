package traceql

import (
	"slices"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// strongest is above what any operator binds: it reads one operand.
const strongest = 7

// strengthOf is how strong an operator between fields binds. As in Tempo, && and
// || bind alike.
func strengthOf(t *token) int {
	if t.kind != operator {
		return 0
	}
	switch t.text {
	case "&&", "||":
		return 1
	case "=", "!=", "<", "<=", ">", ">=", "=~", "!~":
		return 2
	case "+", "-":
		return 3
	case "*", "/", "%":
		return 5
	case "^":
		return 6
	}
	return 0
}

// notStrength is how strong ! binds.
const notStrength = 4

// field reads an expression whose operators bind stronger than above.
func (p *parser) field(above int) (field, error) {
	return climb(p, grammar[field]{p.operand, strengthOf, p.joined}, above)
}

// joined checks the types of an operation and makes it.
func (p *parser) joined(op, at *token, left, right field) (field, error) {
	a, b := left.kind(), right.kind()
	o := &operation{op: op.text, left: left, right: right}
	switch op.text {
	case "&&", "||":
		for _, k := range []valueKind{a, b} {
			if k != truths && k != anything {
				return nil, p.fail(op, "%s joins what is true or false, not %s", op.text, k)
			}
		}
	case "=~", "!~":
		pattern, ok := right.(*literal)
		if !ok || pattern.value.kind != texts || at.kind != text {
			return nil, p.fail(at, "%s takes a regular expression in quotes", op.text)
		}
		if a != texts && a != anything {
			return nil, p.fail(op, "%s compares texts, not %s", op.text, a)
		}
		var err error
		if o.pattern, o.source, err = p.compiled(at); err != nil {
			return nil, err
		}
	case "=", "!=":
		if !matching(a, b) {
			return nil, p.fail(op, "%s cannot be compared with %s", a, b)
		}
	case "<", "<=", ">", ">=":
		if !matching(a, b) {
			return nil, p.fail(op, "%s cannot be compared with %s", a, b)
		}
		for _, k := range []valueKind{a, b} {
			if k == nothing || k == truths || k == statuses || k == kinds {
				return nil, p.fail(op, "%s has no order", k)
			}
		}
	default:
		for _, k := range []valueKind{a, b} {
			if k != numbers && k != durations && k != anything {
				return nil, p.fail(op, "%s takes numbers and durations, not %s", op.text, k)
			}
		}
	}
	return o, nil
}

func matching(a, b valueKind) bool {
	number := func(k valueKind) bool { return k == numbers || k == durations }
	return a == b || a == anything || b == anything || a == nothing || b == nothing || number(a) && number(b)
}

func (p *parser) operand() (field, error) {
	t := p.peek()
	p.next++
	switch t.kind {
	case text:
		return &literal{value{kind: texts, text: t.text}}, nil
	case number:
		return &literal{value{kind: numbers, n: t.value}}, nil
	case duration:
		return &literal{value{kind: durations, n: t.value}}, nil
	case attribute:
		return p.refer(&reference{scope: t.scope, key: t.text}), nil
	case intrinsic:
		return p.named(t, t.scope+":"+t.text)
	case word:
		return p.named(t, t.text)
	case operator:
		switch t.text {
		case "(":
			inner, err := p.field(0)
			if err != nil {
				return nil, err
			}
			return inner, p.need(")")
		case "!", "-":
			return p.unary(t)
		}
	case end:
	}
	p.next--
	return nil, p.unexpected(t, "")
}

func (p *parser) unary(t *token) (field, error) {
	strength := notStrength
	if t.text == "-" {
		strength = 3
	}
	of, err := p.field(strength)
	if err != nil {
		return nil, err
	}
	k := of.kind()
	switch {
	case t.text == "!" && k != truths && k != anything:
		return nil, p.fail(t, "! takes what is true or false, not %s", k)
	case t.text == "-" && k != numbers && k != durations && k != anything:
		return nil, p.fail(t, "- takes numbers and durations, not %s", k)
	}
	if l, ok := of.(*literal); ok && t.text == "-" {
		return &literal{value{kind: l.value.kind, n: -l.value.n}}, nil
	}
	return &unary{t.text, of}, nil
}

// named reads a constant or an intrinsic.
func (p *parser) named(t *token, name string) (field, error) {
	switch name {
	case "true", "false":
		return &literal{truth(name == "true")}, nil
	case "nil":
		return &literal{}, nil
	}
	if status, ok := traces.StatusOf(name); ok {
		return &literal{value{kind: statuses, n: float64(status)}}, nil
	}
	if k, ok := traces.KindOf(name); ok {
		return &literal{value{kind: kinds, n: float64(k)}}, nil
	}
	if i := slices.IndexFunc(intrinsics[:], func(known intrinsicName) bool { return slices.Contains(known.names, name) }); i >= 0 {
		return p.refer(&reference{intrinsic: intrinsicField(i), written: intrinsics[i].names[0]}), nil
	}
	if slices.Contains(unsupported, name) {
		return nil, p.fail(t, "%s() is not supported", name)
	}
	if slices.Contains(aggregates, name) {
		return nil, p.fail(t, "%s() is for pipelines: { ... } | %s(...)", name, name)
	}
	if t.kind == intrinsic {
		return nil, p.fail(t, "the intrinsic %s is not supported", shortened(name))
	}
	return nil, p.fail(t, "%s is not known; attributes begin with a dot or a scope, as span.%s", t.shown(), shortened(name))
}

// refer remembers what the query names.
func (p *parser) refer(r *reference) *reference {
	if !slices.ContainsFunc(p.shown, func(known *reference) bool { return *known == *r }) {
		p.shown = append(p.shown, r)
	}
	return r
}
