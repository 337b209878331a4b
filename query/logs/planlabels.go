package logs

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// selector adds the matchers of a stream selector.
func (p *planner) selector(matchers []*logql.Matcher) {
	rest := false
	for _, m := range matchers {
		switch m.Name {
		case labelService:
			p.add(serviceTerm(p.c, m))
		case labelLevel:
			p.add(p.level(m))
		default:
			rest = true
		}
	}
	if !rest {
		return
	}
	p.add(p.among(func(s *stream) bool { return s.matches(matchers) }))
}

// serviceTerm is a matcher on service_name.
func serviceTerm(c *clickhouse.Condition, m *logql.Matcher) string {
	none := m.Matches(unknownService) // as a line without a service reads
	switch {
	case m.Op == logql.Equal && none:
		return "service IN ('', " + c.Text(m.Value) + ")"
	case m.Op == logql.Equal:
		if m.Value == "" {
			return never
		}
		return "service = " + c.Text(m.Value)
	}
	term := ""
	switch m.Op {
	case logql.NotEqual:
		term = "service != " + c.Text(m.Value)
	case logql.Match:
		if all := alternatives(m.Pattern.Text); len(all) > 0 && !none {
			return "service IN (" + strings.Join(bindAll(c, all), ", ") + ")"
		}
		term = "match(service, " + c.Text(m.Pattern.Text) + ")"
	case logql.NotMatch:
		term = "NOT match(service, " + c.Text(m.Pattern.Text) + ")"
	case logql.Equal:
	}
	if none {
		return "(service = '' OR " + term + ")"
	}
	return "(service != '' AND " + term + ")"
}

// plainNames finds expressions that are names with bars, as Grafana writes them.
var plainNames = regexp.MustCompile(`^\^\(\?s:([0-9A-Za-z_/@ -]+(?:\|[0-9A-Za-z_/@ -]+)*)\)\$$`)

// alternatives returns the texts that an expression stands for, nil where it is
// not a list of them.
func alternatives(pattern string) []string {
	found := plainNames.FindStringSubmatch(pattern)
	if found == nil {
		return nil
	}
	return strings.Split(found[1], "|")
}

func bindAll(c *clickhouse.Condition, values []string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = c.Text(v)
	}
	return all
}

// level is a matcher on the level of the stream: that of the resource, or else the
// class of the severity.
func (p *planner) level(m *logql.Matcher) string {
	var classes []string
	for class, word := range levels {
		if m.Matches(word) {
			classes = append(classes, strconv.Itoa(class))
		}
	}
	term := never
	switch len(classes) {
	case 0:
	case len(levels):
		term = always
	default:
		term = "severity_class IN (" + strings.Join(classes, ", ") + ")"
	}
	own := p.count((*stream).ownLevel)
	if own == 0 {
		return term
	}
	meets := p.among(func(s *stream) bool { return s.ownLevel() && m.Matches(s.labels.Get(labelLevel)) })
	return either(meets, both(p.among(func(s *stream) bool { return !s.ownLevel() }), term))
}

func (p *planner) count(is func(*stream) bool) (n int) {
	for _, s := range p.streams {
		if is(s) {
			n++
		}
	}
	return n
}

// among is the condition that a row is of one of the streams for which is holds.
func (p *planner) among(is func(*stream) bool) string {
	in, out := map[string]bool{}, map[string]bool{}
	for _, s := range p.streams {
		if is(s) {
			in[s.resource] = true
		} else {
			out[s.resource] = true
		}
	}
	if len(in) == 0 {
		return never
	}
	// A resource with and without may be that of two services.
	for resource := range in {
		if out[resource] {
			return p.amongPairs(is)
		}
	}
	if len(out) == 0 {
		return always
	}
	if len(out) < len(in) {
		return "resource NOT IN (" + p.bindSet(out) + ")"
	}
	return "resource IN (" + p.bindSet(in) + ")"
}

func (p *planner) amongPairs(is func(*stream) bool) string {
	var pairs []string
	for _, s := range p.streams {
		if is(s) {
			pairs = append(pairs, "("+p.c.Text(s.service)+", "+p.c.Text(s.resource)+")")
		}
	}
	return "(service, resource) IN (" + strings.Join(pairs, ", ") + ")"
}

func (p *planner) bindSet(set map[string]bool) string {
	all := make([]string, 0, len(set))
	for _, s := range p.streams { // in their order
		if set[s.resource] {
			all = append(all, p.c.Text(s.resource))
			delete(set, s.resource)
		}
	}
	return strings.Join(all, ", ")
}

func either(a, b string) string {
	switch {
	case a == always || b == always:
		return always
	case a == never:
		return b
	case b == never:
		return a
	}
	return "(" + a + " OR " + b + ")"
}

func both(a, b string) string {
	switch {
	case a == never || b == never:
		return never
	case a == always:
		return b
	case b == always:
		return a
	}
	return "(" + a + " AND " + b + ")"
}

// filter is a condition on labels behind the selector; "" where there is none that
// every wanted row meets.
func (p *planner) filter(f logql.LabelFilter) string {
	switch f := f.(type) {
	case *logql.LogicFilter:
		left, right := p.filter(f.Left), p.filter(f.Right)
		switch {
		case left != "" && right != "" && f.Or:
			return either(left, right)
		case f.Or:
			return ""
		case left == "" || right == "":
			p.inexact = true
			return left + right
		}
		return both(left, right)
	case *logql.TextFilter:
		return p.text(f.Matcher)
	case *logql.NumberFilter:
		// Behind a value that is no number all others are kept.
		term := ""
		if !p.inexact {
			term = p.number(f)
		}
		p.inexact = true
		return term
	case *logql.IPFilter:
	}
	return ""
}

func (p *planner) text(m *logql.Matcher) string {
	switch m.Name {
	case labelService:
		return serviceTerm(p.c, m)
	case labelLevel:
		return p.level(m)
	case pipeline.ErrorLabel, pipeline.DetailsLabel:
		if p.inexact { // a stage before may have failed
			return ""
		}
		if m.Matches("") {
			return always
		}
		return never
	case labelTrace:
		return p.id("trace_id", 16, m)
	case labelSpan:
		return p.id("span_id", 8, m)
	case labelEvent:
		return p.compared("event_name", m)
	case labelDetectedLevel:
		if p.count(func(s *stream) bool { _, ok := s.labels.Find(labelDetectedLevel); return ok }) > 0 {
			return ""
		}
		return p.level(m)
	}
	if strings.HasSuffix(m.Name, "_extracted") || p.long(m.Name) {
		return "" // which of two attributes it is depends on the stream
	}
	has := func(s *stream) bool { _, ok := s.labels.Find(m.Name); return ok }
	meets := p.among(func(s *stream) bool { return has(s) && m.Matches(s.labels.Get(m.Name)) })
	rest := p.among(func(s *stream) bool { return !has(s) })
	return either(meets, both(rest, p.compared(p.attribute(m.Name), m)))
}

// long reports whether a stream has an attribute of the name that is too long for
// a label of it.
func (p *planner) long(name string) bool {
	return p.count(func(s *stream) bool { _, ok := s.long.Find(name); return ok }) > 0
}

// compared is a matcher on an expression.
func (p *planner) compared(expression string, m *logql.Matcher) string {
	switch m.Op {
	case logql.Equal:
		return expression + " = " + p.c.Text(m.Value)
	case logql.NotEqual:
		return expression + " != " + p.c.Text(m.Value)
	case logql.Match:
		return "match(" + expression + ", " + p.c.Text(m.Pattern.Text) + ")"
	case logql.NotMatch:
	}
	return "NOT match(" + expression + ", " + p.c.Text(m.Pattern.Text) + ")"
}

// attribute is the expression for the attribute of a record whose key becomes the
// name of a label.
func (p *planner) attribute(name string) string { return attributeOf(p.c, name) }

func attributeOf(c *clickhouse.Condition, name string) string {
	if strings.Contains(name, ":") {
		return "''" // no key becomes it
	}
	if !strings.Contains(name, "_") {
		return "attributes[" + c.Text(name) + "]" // no other key becomes it
	}
	var b strings.Builder
	b.WriteString("^")
	rest := name
	if len(name) > 1 && name[0] == '_' && name[1] >= '0' && name[1] <= '9' {
		b.WriteString("[^a-zA-Z0-9]?") // a name does not begin with a digit
		rest = name[1:]
	}
	for i := range len(rest) {
		if rest[i] == '_' {
			b.WriteString("[^a-zA-Z0-9]")
		} else {
			b.WriteString(regexp.QuoteMeta(rest[i : i+1]))
		}
	}
	b.WriteString("$")
	return "mapValues(attributes)[arrayFirstIndex(k -> match(k, " + c.Text(b.String()) + "), mapKeys(attributes))]"
}

// id is a matcher on a column of ids.
func (p *planner) id(column string, size int, m *logql.Matcher) string {
	if m.Op == logql.Equal && m.Value != "" {
		id, err := hex.DecodeString(m.Value)
		if err != nil || len(id) != size || m.Value != strings.ToLower(m.Value) {
			return never
		}
		// In the form that the index knows.
		return fmt.Sprintf("(%s = unhex('%x') AND %s != toFixedString('', %d))", column, id, column, size)
	}
	return p.compared(fmt.Sprintf("if(%s = toFixedString('', %d), '', lower(hex(%s)))", column, size, column), m)
}

// number is a condition that all rows meet which a comparison with a number keeps:
// those with a whole number that holds, and those with a value that is something
// else, which is looked at here.
func (p *planner) number(f *logql.NumberFilter) string {
	if f.Unit != logql.Plain || ownColumn(f.Name) || f.Name == labelLevel || f.Name == labelDetectedLevel ||
		strings.HasSuffix(f.Name, "_extracted") || p.long(f.Name) {
		return ""
	}
	has := func(s *stream) bool { _, ok := s.labels.Find(f.Name); return ok }
	v := p.attribute(f.Name)
	term := "(" + v + " != '' AND (NOT match(" + v + ", '^-?[0-9]{1,15}$') OR toInt64OrZero(" + v + ") " + f.Op + " toFloat64(" + strconv.FormatFloat(f.Value, 'e', -1, 64) + ")))"
	return either(p.among(has), both(p.among(func(s *stream) bool { return !has(s) }), term))
}
