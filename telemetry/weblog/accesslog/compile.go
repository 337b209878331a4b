package accesslog

import (
	"errors"
	"fmt"
	"strings"
)

// value is what a variable of a server's configuration string stands for.
type value struct {
	field field
	// rank decides between several that say the same: the highest is taken.
	rank int
	unit int64
	list bool
}

const (
	second      = int64(1e9)
	millisecond = int64(1e6)
	microsecond = int64(1e3)

	// maxSteps and maxTemplate bound what a configuration string may be.
	maxSteps    = 256
	maxTemplate = 16 << 10
)

// compiler makes the steps of a text format.
type compiler struct {
	f     *Format
	ranks []int
	err   error
}

func newCompiler(name string, e escape) *compiler {
	return &compiler{f: &Format{name: name, escape: e}}
}

// literal adds text that stands between values.
func (c *compiler) literal(text string) {
	if n := len(c.f.steps); n > 0 {
		c.f.steps[n-1].after += text
	} else {
		c.f.prefix += text
	}
}

// value adds a value; name is for the error.
func (c *compiler) value(name string, v value) {
	n := len(c.f.steps)
	switch {
	case c.err != nil:
	case n == maxSteps:
		c.err = fmt.Errorf("more than %d values", maxSteps)
	case n > 0 && c.f.steps[n-1].after == "" && c.join(&c.f.steps[n-1], v.field):
	case n > 0 && c.f.steps[n-1].after == "":
		c.err = fmt.Errorf("no text is between %s and the value before it: where one ends is not known", name)
	default:
		c.f.steps = append(c.f.steps, step{field: v.field, unit: v.unit, list: v.list})
		c.ranks = append(c.ranks, v.rank)
	}
}

// join makes one step of two that are told apart without text between them: the
// first byte of a query is a question mark, and that of a target a slash.
func (c *compiler) join(st *step, next field) bool {
	switch {
	case (st.field == pathField || st.field == targetField) && next == queryField:
		st.field = targetField
	case st.field == vhostField && (next == targetField || next == pathField):
		st.field = hostTargetField
	case st.field == hostTargetField && next == queryField:
	default:
		return false
	}
	return true
}

// finish returns the format, or what is wrong with it.
func (c *compiler) finish() (*Format, error) {
	if c.err != nil {
		return nil, c.err
	}
	f := c.f
	before := f.prefix
	for i := range f.steps {
		st := &f.steps[i]
		st.quoted = strings.HasSuffix(before, `"`) && strings.HasPrefix(st.after, `"`)
		before = st.after
	}
	c.choose(clientField)
	c.choose(vhostField)
	c.choose(statusField)
	c.choose(sentField, bodyField)
	c.choose(durationField, fractionField)
	c.choose(clfTimeField, isoTimeField, unixTimeField)
	c.choose(requestIDField)
	c.choose(traceparentField, traceIDField)
	c.choose(forwardedField)
	switch {
	case c.choose(requestField):
		c.skip(methodField, targetField, pathField, queryField, protocolField)
	case c.choose(targetField, hostTargetField):
		c.skip(pathField, queryField)
	case c.choose(pathField):
	default:
		return nil, errors.New("it logs neither the request line nor its target")
	}
	return f, nil
}

// choose leaves one of the steps with the given fields, the first of the highest
// rank, and reports whether there is one.
func (c *compiler) choose(fields ...field) bool {
	best := -1
	for i := range c.f.steps {
		if has(fields, c.f.steps[i].field) && (best < 0 || c.ranks[i] > c.ranks[best]) {
			best = i
		}
	}
	for i := range c.f.steps {
		if i != best && has(fields, c.f.steps[i].field) {
			c.f.steps[i].field = skipped
		}
	}
	return best >= 0
}

// skip leaves none of the steps with the given fields.
func (c *compiler) skip(fields ...field) {
	for i := range c.f.steps {
		if has(fields, c.f.steps[i].field) {
			c.f.steps[i].field = skipped
		}
	}
}

func has(fields []field, f field) bool {
	for _, one := range fields {
		if one == f {
			return true
		}
	}
	return false
}

// unquoted returns the content of a configuration string that may be in quotes,
// and what follows it.
func unquoted(s string) (text, rest string, err error) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == quote || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", fmt.Errorf("a string that begins with %c has no end", quote)
}
