package logql

import (
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs/linetemplate"
)

// stages reads a pipeline.
func (p *parser) stages() []Stage {
	var all []Stage
	for {
		s := p.stage()
		if s == nil {
			return all
		}
		all = append(all, s)
	}
}

// rangeStages reads the pipeline of a range of lines, which may end with an
// unwrap.
func (p *parser) rangeStages(e *RangeExpr) []Stage {
	var all []Stage
	for {
		if e.Unwrap == nil && p.is("|") && p.ahead().kind == word && p.ahead().text == "unwrap" {
			p.pos += 2
			e.Unwrap = p.unwrap()
			continue
		}
		at := p.peek()
		s := p.stage()
		if s == nil {
			return all
		}
		if e.Unwrap == nil {
			all = append(all, s)
			continue
		}
		f, ok := s.(LabelFilter)
		if !ok {
			p.fail(at, "behind unwrap there can be label filters only")
		}
		e.Unwrap.Filters = append(e.Unwrap.Filters, f)
	}
}

func (p *parser) unwrap() *Unwrap {
	t := p.want(word, "the name of a label")
	if !p.accept("(") {
		return &Unwrap{Label: t.text}
	}
	switch t.text {
	case "duration", "duration_seconds", "bytes":
	default:
		p.fail(t, "%s", unsupported("the conversion "+shortened(t.text)))
	}
	u := &Unwrap{Conversion: t.text, Label: p.label()}
	p.expect(")")
	return u
}

// stage reads one stage, nil where none comes.
func (p *parser) stage() Stage {
	t := p.peek()
	if t.kind != sign {
		return nil
	}
	for i, s := range lineOps {
		if t.text == s && p.lineValue() {
			p.next()
			return p.lineFilter(LineOp(i))
		}
	}
	if !p.accept("|") {
		return nil
	}
	return p.named()
}

// lineValue reports whether a text to compare lines with comes behind the
// operator; numbers are compared with != as well.
func (p *parser) lineValue() bool {
	t := p.ahead()
	return t.kind == text || t.kind == word && t.text == "ip" || p.peek().text[0] == '|'
}

func (p *parser) lineFilter(op LineOp) Stage {
	f := &LineFilter{Op: op}
	f.Values = append(f.Values, p.lineText(op))
	for p.acceptWord("or") {
		f.Values = append(f.Values, p.lineText(op))
	}
	return f
}

func (p *parser) lineText(op LineOp) LineValue {
	t := p.peek()
	if t.kind == word && t.text == "ip" {
		p.next()
		if op != Contains && op != NotContains {
			p.fail(t, "ip() goes with |= and != only")
		}
		v := p.ip()
		return LineValue{Text: v.Text, IP: v}
	}
	v := LineValue{Text: p.text().text}
	var err error
	switch op {
	case LineMatch, NotLineMatch:
		if v.Pattern, err = compile(v.Text); err != nil {
			p.fail(t, "%s", regexpFault(err))
		}
	case PatternMatch, NotPatternMatch:
		parts, why := patternParts(v.Text)
		for _, part := range parts {
			if part.Name != "" && part.Name != "_" {
				why = "a pattern that filters lines has <_> only, not <" + shortened(part.Name) + ">"
			}
		}
		if why != "" {
			p.fail(t, "%s", why)
		}
		if v.Pattern, err = compile(patternRegexp(parts)); err != nil {
			p.fail(t, "%s", regexpFault(err))
		}
	case Contains, NotContains:
	}
	return v
}

// ip reads ("range").
func (p *parser) ip() *IPRange {
	p.expect("(")
	t := p.text()
	r, err := parseIPRange(t.text)
	if err != nil {
		p.fail(t, "%q is no address, network or range of addresses", shortened(t.text))
	}
	p.expect(")")
	return r
}

// named reads what stands behind a bar.
func (p *parser) named() Stage {
	t := p.peek()
	if t.kind == sign && t.text == "(" {
		return p.filter()
	}
	if t.kind != word {
		p.fail(t, "unexpected %s, expected a stage or the name of a label", t)
	}
	if p.comparisonAhead() {
		return p.filter()
	}
	p.next()
	switch t.text {
	case "json":
		return p.fields(&Parser{Kind: JSON})
	case "logfmt":
		s := &Parser{Kind: Logfmt}
		for p.is("-") {
			p.flag(s)
		}
		return p.fields(s)
	case "unpack":
		return &Parser{Kind: Unpack}
	case "pattern":
		return p.pattern()
	case "regexp":
		return p.regexp()
	case "line_format":
		at := p.text()
		p.template(at)
		return &LineFormat{at.text}
	case "label_format":
		return p.labelFormat()
	case "decolorize":
		return Decolorize{}
	case "drop", "keep":
		return p.pick(t.text == "keep")
	case "distinct":
		p.fail(t, "%s", unsupported("the stage distinct"))
	case "unwrap":
		p.fail(t, "unwrap belongs into a function of a range of time, such as sum_over_time")
	}
	if n := p.peek(); n.kind == end || n.kind == sign && strings.Contains("|)]}", n.text) || n.kind == text {
		p.fail(t, "%s", unsupported("the stage "+shortened(t.text)))
	}
	n := p.peek()
	p.fail(n, "unexpected %s, expected a comparison of the label %s", n, shortened(t.text))
	return nil
}

// comparisonAhead reports whether a label is compared here.
func (p *parser) comparisonAhead() bool {
	t := p.ahead()
	if t.kind != sign {
		return false
	}
	switch t.text {
	case "=", "!=", "=~", "!~", "==", ">", ">=", "<", "<=":
		return true
	}
	return false
}

func (p *parser) flag(s *Parser) {
	t := p.peek()
	p.expect("-")
	p.expect("-")
	name := p.want(word, "a flag").text
	for p.is("-") && p.ahead().kind == word {
		p.next()
		name += "-" + p.next().text
	}
	switch name {
	case "strict":
		s.Strict = true
	case "keep-empty":
		s.KeepEmpty = true
	default:
		p.fail(t, "%s", unsupported("the flag --"+shortened(name)))
	}
}

// fields reads the labels that are wanted of a parser.
func (p *parser) fields(s *Parser) Stage {
	for p.peek().kind == word {
		f := Field{Label: p.label()}
		f.Expression = f.Label
		at := p.peek()
		if p.accept("=") {
			at = p.text()
			f.Expression = at.text
		}
		var ok bool
		if f.Path, ok = parsePath(f.Expression); !ok && s.Kind == JSON {
			p.fail(at, "%q is no path in JSON such as a.b[0][\"c\"]", shortened(f.Expression))
		}
		s.Fields = append(s.Fields, f)
		if !p.accept(",") {
			break
		}
		if p.peek().kind != word {
			p.fail(p.peek(), "unexpected %s, expected the name of a label", p.peek())
		}
	}
	return s
}

// parsePath reads a.b[0]["c"].
func parsePath(s string) ([]PathPart, bool) {
	var all []PathPart
	for first := true; s != "" || first; first = false {
		switch {
		case strings.HasPrefix(s, "["):
			part, rest, ok := bracket(s)
			if !ok {
				return nil, false
			}
			all, s = append(all, part), rest
			continue
		case !first && strings.HasPrefix(s, "."):
			s = s[1:]
		case !first:
			return nil, false
		}
		n := strings.IndexAny(s, ".[")
		if n < 0 {
			n = len(s)
		}
		if n == 0 {
			return nil, false
		}
		all, s = append(all, PathPart{Key: s[:n]}), s[n:]
	}
	return all, true
}

func (p *parser) pattern() Stage {
	at := p.text()
	parts, why := patternParts(at.text)
	if why == "" {
		names := map[string]bool{}
		for _, part := range parts {
			if names[part.Name] {
				why = "the pattern has <" + shortened(part.Name) + "> twice"
			}
			if part.Name != "" && part.Name != "_" {
				names[part.Name] = true
			}
		}
		if len(names) == 0 {
			why = "the pattern has no capture with a name, such as <method>"
		}
	}
	if why != "" {
		p.fail(at, "%s", why)
	}
	return &Parser{Kind: Pattern, Text: at.text, Parts: parts}
}

func (p *parser) regexp() Stage {
	at := p.text()
	re, err := compile(at.text)
	if err != nil {
		p.fail(at, "%s", regexpFault(err))
	}
	names := map[string]bool{}
	for _, name := range re.SubexpNames() {
		if name == "" {
			continue
		}
		if !Name(name) {
			p.fail(at, "%q is no name of a label", shortened(name))
		}
		if names[name] {
			p.fail(at, "the regular expression has the name %s twice", shortened(name))
		}
		names[name] = true
	}
	if len(names) == 0 {
		p.fail(at, "the regular expression has no group with a name, such as (?P<method>...)")
	}
	return &Parser{Kind: RegexpParser, Text: at.text, Regexp: re}
}

func (p *parser) labelFormat() Stage {
	s := &LabelFormat{}
	for {
		at := p.peek()
		f := Format{Label: p.label()}
		p.expect("=")
		t := p.next()
		switch t.kind {
		case word:
			f.Source = t.text
		case text:
			p.template(t)
			f.Template = t.text
		default:
			p.fail(t, "unexpected %s, expected a label or a template in quotes", t)
		}
		for _, other := range s.Formats {
			if other.Label == f.Label {
				p.fail(at, "label_format sets %s twice", shortened(f.Label))
			}
		}
		s.Formats = append(s.Formats, f)
		if !p.accept(",") {
			return s
		}
	}
}

func (p *parser) template(at token) {
	if _, err := linetemplate.New(at.text); err != nil {
		p.fail(at, "the template is not valid: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
}

func (p *parser) pick(keep bool) Stage {
	s := &Pick{Keep: keep}
	for {
		n := PickName{Name: p.label()}
		if op, ok := p.matchOp(); ok {
			n.Matcher = p.matcherOf(n.Name, op, p.text())
		}
		s.Names = append(s.Names, n)
		if !p.accept(",") {
			return s
		}
	}
}
