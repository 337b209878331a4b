package logql

import (
	"regexp"
	"strconv"
	"strings"
)

// filter reads a condition on labels: or binds looser than and, as which a comma
// counts.
func (p *parser) filter() LabelFilter {
	p.enter()
	defer p.leave()
	left := p.conjunction()
	for p.acceptWord("or") {
		left = &LogicFilter{Or: true, Left: left, Right: p.conjunction()}
	}
	return left
}

func (p *parser) conjunction() LabelFilter {
	left := p.condition()
	for {
		switch {
		case p.acceptWord("and"), p.accept(","):
		case p.peek().kind == word && p.comparisonAhead():
		default:
			return left
		}
		left = &LogicFilter{Left: left, Right: p.condition()}
	}
}

func (p *parser) condition() LabelFilter {
	if p.accept("(") {
		f := p.filter()
		p.expect(")")
		return f
	}
	name := p.label()
	op := p.next()
	if op.kind != sign {
		p.fail(op, "unexpected %s, expected a comparison", op)
	}
	t := p.peek()
	switch {
	case t.kind == text:
		for i, s := range matchOps {
			if op.text == s {
				return &TextFilter{p.matcherOf(name, MatchOp(i), p.next())}
			}
		}
		p.fail(op, "unexpected %s, expected =, !=, =~ or !~ before a text", op)
	case t.kind == word && t.text == "ip":
		p.next()
		if op.text != "=" && op.text != "!=" {
			p.fail(op, "ip() goes with = and != only")
		}
		return &IPFilter{Name: name, Not: op.text == "!=", Range: p.ip()}
	}
	f := &NumberFilter{Name: name, Op: op.text}
	switch op.text {
	case "=":
		f.Op = "=="
	case "==", "!=", ">", ">=", "<", "<=":
	default:
		p.fail(op, "unexpected %s, expected a comparison of numbers", op)
	}
	minus := p.accept("-")
	n := p.want(number, "a text in quotes, a number, a duration, a number of bytes or ip()")
	var err error
	if f.Value, f.Unit, err = quantity(n.text); err != nil {
		p.fail(n, "%s is no number, duration or number of bytes", n)
	}
	f.Text = n.text
	if minus {
		f.Value, f.Text = -f.Value, "-"+n.text
	}
	return f
}

// bracket reads [0] or ["key"] at the beginning of a path.
func bracket(s string) (PathPart, string, bool) {
	if strings.HasPrefix(s, `["`) {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err != nil || !strings.HasPrefix(s[1+len(quoted):], "]") {
			return PathPart{}, "", false
		}
		key, err := strconv.Unquote(quoted)
		return PathPart{Key: key}, s[len(quoted)+2:], err == nil && key != ""
	}
	n := strings.IndexByte(s, ']')
	if n < 0 {
		return PathPart{}, "", false
	}
	index, err := strconv.Atoi(s[1:n])
	return PathPart{Index: index}, s[n+1:], err == nil && index >= 0
}

// patternParts reads a pattern: text with captures such as <method>. Why says
// what is wrong with it.
func patternParts(s string) (parts []PatternPart, why string) {
	literal := ""
	for s != "" {
		name, rest, ok := capture(s)
		if !ok {
			literal, s = literal+s[:1], s[1:]
			continue
		}
		if literal != "" {
			parts = append(parts, PatternPart{Literal: literal})
			literal = ""
		} else if len(parts) > 0 {
			return nil, "there must be text between two captures"
		}
		parts, s = append(parts, PatternPart{Name: name}), rest
	}
	if literal != "" {
		parts = append(parts, PatternPart{Literal: literal})
	}
	if len(parts) == 0 {
		return nil, "the pattern is empty"
	}
	return parts, ""
}

// capture reads a capture at the beginning of a pattern.
func capture(s string) (name, rest string, ok bool) {
	if s[0] != '<' {
		return "", "", false
	}
	n := strings.IndexByte(s, '>')
	if n < 0 || !Name(s[1:n]) {
		return "", "", false
	}
	return s[1:n], s[n+1:], true
}

// patternRegexp is the regular expression for a pattern of all of a line.
func patternRegexp(parts []PatternPart) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for _, part := range parts {
		if part.Name != "" {
			b.WriteString(".+")
			continue
		}
		b.WriteString(regexp.QuoteMeta(part.Literal))
	}
	return b.String() + "$"
}
