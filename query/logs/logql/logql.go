// Package logql reads LogQL, the query language of Loki, into a tree and writes
// the tree as text again.
//
// It must not know where lines are stored or how a query is answered.
package logql

import (
	"fmt"
	"time"
)

// Expr is a query or a part of one: [*LogExpr], [*RangeExpr], [*VectorExpr],
// [*BinaryExpr], [*NumberExpr], [*ConstExpr] or [*ReplaceExpr].
type Expr interface {
	fmt.Stringer
	expr()
}

// LogExpr selects lines: streams, and what becomes of each of their lines.
type LogExpr struct {
	Matchers []*Matcher
	Stages   []Stage
}

// RangeExpr is an aggregation over the lines of a range of time.
type RangeExpr struct {
	// Op is the name of the function.
	Op string
	// Param is the quantile of quantile_over_time.
	Param float64
	Log   *LogExpr
	Range time.Duration
	// Offset is by how much the range is earlier.
	Offset time.Duration
	// Unwrap says which label is the value of a line, nil where lines or bytes count.
	Unwrap *Unwrap
	// Grouping is nil where every set of labels is a series.
	Grouping *Grouping
}

// Unwrap makes the value of a line of a label.
type Unwrap struct {
	Label string
	// Conversion is "", duration, duration_seconds or bytes.
	Conversion string
	// Filters are what must hold of a line afterwards.
	Filters []LabelFilter
}

// Grouping says which labels a series keeps.
type Grouping struct {
	Without bool
	Labels  []string
}

// VectorExpr is an aggregation over series.
type VectorExpr struct {
	Op string
	// Param is how many series topk and its like return.
	Param    int
	Expr     Expr
	Grouping *Grouping
}

// BinaryExpr joins two expressions.
type BinaryExpr struct {
	Op          string
	Left, Right Expr
	// Bool makes a comparison return 0 or 1.
	Bool bool
	// Matching is nil where all labels must be the same.
	Matching *Matching
}

// Matching says which series of two sides belong together.
type Matching struct {
	// On is set where Labels are the ones that count, else they are those that do not.
	On     bool
	Labels []string
	// Many is the side with several series for one of the other: "", left or right.
	Many string
	// Include are labels that are copied from the side with one.
	Include []string
}

// NumberExpr is a number.
type NumberExpr struct{ Value float64 }

// ConstExpr is vector(n): a series without labels.
type ConstExpr struct{ Value float64 }

// ReplaceExpr is label_replace.
type ReplaceExpr struct {
	Expr                                  Expr
	Target, Replacement, Source, Original string
	// Pattern is Original, anchored at both ends.
	Pattern *Regexp
}

func (*LogExpr) expr()     {}
func (*RangeExpr) expr()   {}
func (*VectorExpr) expr()  {}
func (*BinaryExpr) expr()  {}
func (*NumberExpr) expr()  {}
func (*ConstExpr) expr()   {}
func (*ReplaceExpr) expr() {}

// MatchOp is how a text is compared.
type MatchOp uint8

// The comparisons of texts.
const (
	Equal MatchOp = iota
	NotEqual
	Match
	NotMatch
)

var matchOps = [...]string{"=", "!=", "=~", "!~"}

// String returns the operator.
func (o MatchOp) String() string { return matchOps[o] }

// Negative reports whether the comparison is a negated one.
func (o MatchOp) Negative() bool { return o == NotEqual || o == NotMatch }

// Matcher is a comparison of a label with a text.
type Matcher struct {
	Name  string
	Op    MatchOp
	Value string
	// Pattern is the value of a comparison by regular expression, anchored.
	Pattern *Regexp
}

// Matches reports whether a value of the label meets the comparison. A label
// that is not there has an empty value.
func (m *Matcher) Matches(value string) bool {
	switch m.Op {
	case Equal:
		return value == m.Value
	case NotEqual:
		return value != m.Value
	case Match:
		return m.Pattern.MatchString(value)
	case NotMatch:
		return !m.Pattern.MatchString(value)
	}
	return false
}

// Error is what is wrong with a query, and where.
type Error struct {
	Line, Column int
	Message      string
}

// Error returns the place and the message.
func (e *Error) Error() string {
	return fmt.Sprintf("parse error at line %d, col %d: %s", e.Line, e.Column, e.Message)
}
