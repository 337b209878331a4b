package logql

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// String returns the query in one line.
func (e *LogExpr) String() string {
	var b strings.Builder
	e.selector(&b)
	e.pipeline(&b)
	return b.String()
}

func (e *LogExpr) selector(b *strings.Builder) {
	b.WriteByte('{')
	for i, m := range e.Matchers {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.String())
	}
	b.WriteByte('}')
}

func (e *LogExpr) pipeline(b *strings.Builder) {
	for _, s := range e.Stages {
		b.WriteByte(' ')
		if _, ok := s.(*LineFilter); !ok {
			b.WriteString("| ")
		}
		b.WriteString(s.String())
	}
}

// String returns the matcher.
func (m *Matcher) String() string { return m.Name + m.Op.String() + strconv.Quote(m.Value) }

// String returns the function with its range at the end of the pipeline.
func (e *RangeExpr) String() string {
	var b strings.Builder
	b.WriteString(e.Op + "(")
	if e.Op == "quantile_over_time" {
		b.WriteString(formatNumber(e.Param) + ", ")
	}
	b.WriteString(e.Log.String())
	if u := e.Unwrap; u != nil {
		b.WriteString(" | unwrap ")
		if u.Conversion != "" {
			b.WriteString(u.Conversion + "(" + u.Label + ")")
		} else {
			b.WriteString(u.Label)
		}
		for _, f := range u.Filters {
			b.WriteString(" | " + f.String())
		}
	}
	b.WriteString(" [" + formatDuration(e.Range) + "]")
	if e.Offset != 0 {
		b.WriteString(" offset " + formatDuration(e.Offset))
	}
	b.WriteByte(')')
	if e.Grouping != nil {
		b.WriteString(" " + e.Grouping.String())
	}
	return b.String()
}

func formatDuration(d time.Duration) string {
	if d < 0 {
		return "-" + formatDuration(-d)
	}
	if d%time.Millisecond != 0 {
		return d.String()
	}
	return model.Duration(d).String()
}

// String returns by or without.
func (g *Grouping) String() string {
	word := "by"
	if g.Without {
		word = "without"
	}
	return word + " (" + strings.Join(g.Labels, ", ") + ")"
}

// String returns the aggregation with its grouping in front.
func (e *VectorExpr) String() string {
	s := e.Op
	if e.Grouping != nil {
		s += " " + e.Grouping.String() + " "
	}
	s += "("
	if vectorOps[e.Op] {
		s += strconv.Itoa(e.Param) + ", "
	}
	return s + e.Expr.String() + ")"
}

// String returns the operation in parentheses where they are needed.
func (e *BinaryExpr) String() string {
	s := operand(e.Left) + " " + e.Op
	if e.Bool {
		s += " bool"
	}
	if m := e.Matching; m != nil {
		word := " ignoring"
		if m.On {
			word = " on"
		}
		s += word + " (" + strings.Join(m.Labels, ", ") + ")"
		if m.Many != "" {
			s += " group_" + m.Many + " (" + strings.Join(m.Include, ", ") + ")"
		}
	}
	return s + " " + operand(e.Right)
}

func operand(e Expr) string {
	if _, ok := e.(*BinaryExpr); ok {
		return "(" + e.String() + ")"
	}
	return e.String()
}

// String returns the number.
func (e *NumberExpr) String() string { return formatNumber(e.Value) }

// String returns vector(n).
func (e *ConstExpr) String() string { return "vector(" + formatNumber(e.Value) + ")" }

// String returns label_replace(...).
func (e *ReplaceExpr) String() string {
	s := "label_replace(" + e.Expr.String()
	for _, part := range []string{e.Target, e.Replacement, e.Source, e.Original} {
		s += ", " + strconv.Quote(part)
	}
	return s + ")"
}

// String returns the filter with all of its values.
func (f *LineFilter) String() string {
	s := f.Op.String() + " "
	for i := range f.Values {
		if i > 0 {
			s += " or "
		}
		if v := &f.Values[i]; v.IP != nil {
			s += "ip(" + strconv.Quote(v.Text) + ")"
		} else {
			s += strconv.Quote(v.Text)
		}
	}
	return s
}

// String returns the parser.
func (s *Parser) String() string {
	text := s.Kind.String()
	if s.Kind == Pattern || s.Kind == RegexpParser {
		return text + " " + strconv.Quote(s.Text)
	}
	if s.Strict {
		text += " --strict"
	}
	if s.KeepEmpty {
		text += " --keep-empty"
	}
	for i, f := range s.Fields {
		if i > 0 {
			text += ","
		}
		text += " " + f.Label + "=" + strconv.Quote(f.Expression)
	}
	return text
}

// String returns the comparison.
func (f *NumberFilter) String() string { return f.Name + " " + f.Op + " " + f.Text }

// String returns the comparison.
func (f *IPFilter) String() string {
	op := "="
	if f.Not {
		op = "!="
	}
	return f.Name + op + "ip(" + strconv.Quote(f.Range.Text) + ")"
}

// String returns both sides, in parentheses where they are needed.
func (f *LogicFilter) String() string {
	word := " and "
	if f.Or {
		word = " or "
	}
	side := func(s LabelFilter) string {
		if inner, ok := s.(*LogicFilter); ok && inner.Or != f.Or {
			return "(" + s.String() + ")"
		}
		return s.String()
	}
	return side(f.Left) + word + side(f.Right)
}

// String returns the stage.
func (s *LineFormat) String() string { return "line_format " + strconv.Quote(s.Template) }

// String returns the stage.
func (s *LabelFormat) String() string {
	text := "label_format"
	for i, f := range s.Formats {
		if i > 0 {
			text += ","
		}
		text += " " + f.Label + "="
		if f.Source != "" {
			text += f.Source
		} else {
			text += strconv.Quote(f.Template)
		}
	}
	return text
}

// String returns the stage.
func (s *Pick) String() string {
	text := "drop"
	if s.Keep {
		text = "keep"
	}
	for i, n := range s.Names {
		if i > 0 {
			text += ","
		}
		if n.Matcher != nil {
			text += " " + n.Matcher.String()
		} else {
			text += " " + n.Name
		}
	}
	return text
}

// String returns the stage.
func (Decolorize) String() string { return "decolorize" }
