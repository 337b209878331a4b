package logql

import (
	"fmt"
	"regexp"
)

// Stage is a step of a pipeline: [*LineFilter], [*Parser], [LabelFilter],
// [*LineFormat], [*LabelFormat], [*Pick] or [Decolorize].
type Stage interface {
	fmt.Stringer
	stage()
}

// LineOp is how a line is compared.
type LineOp uint8

// The comparisons of lines.
const (
	Contains LineOp = iota
	NotContains
	LineMatch
	NotLineMatch
	PatternMatch
	NotPatternMatch
)

var lineOps = [...]string{"|=", "!=", "|~", "!~", "|>", "!>"}

// String returns the operator.
func (o LineOp) String() string { return lineOps[o] }

// Negative reports whether the comparison is a negated one.
func (o LineOp) Negative() bool { return o%2 == 1 }

// LineFilter keeps the lines that one of the values matches, or of a negative
// comparison those that none does.
type LineFilter struct {
	Op     LineOp
	Values []LineValue
}

// LineValue is what a line is compared with.
type LineValue struct {
	Text string
	// IP is set for ip("..."): the line has an address of the range.
	IP *IPRange
	// Pattern is set for |~ and |>.
	Pattern *Regexp
}

// ParserKind says how labels are read out of a line.
type ParserKind uint8

// The parsers.
const (
	JSON ParserKind = iota
	Logfmt
	Pattern
	RegexpParser
	Unpack
)

var parserNames = [...]string{"json", "logfmt", "pattern", "regexp", "unpack"}

// String returns the name of the parser.
func (k ParserKind) String() string { return parserNames[k] }

// Parser reads labels out of a line.
type Parser struct {
	Kind ParserKind
	// Fields are the labels that are wanted of JSON and logfmt; none are all.
	Fields []Field
	// Strict and KeepEmpty are flags of logfmt.
	Strict, KeepEmpty bool
	// Text is the pattern or the regular expression.
	Text string
	// Regexp is that of regexp.
	Regexp *Regexp
	// Parts are those of pattern.
	Parts []PatternPart
}

// Field is a label and the expression for its value.
type Field struct {
	Label, Expression string
	// Path is the expression, read.
	Path []PathPart
}

// PathPart is a key of an object, or with an empty key an index of a list.
type PathPart struct {
	Key   string
	Index int
}

// PatternPart is a piece of text or a capture.
type PatternPart struct {
	Literal string
	// Name is that of a capture, _ where it is not wanted.
	Name string
}

// LabelFilter is a condition on labels: [*Matcher] by way of [*TextFilter],
// [*NumberFilter], [*IPFilter] or [*LogicFilter].
type LabelFilter interface {
	Stage
	filter()
}

// TextFilter compares a label with a text.
type TextFilter struct{ *Matcher }

// Unit is the unit of a number that a label is compared with.
type Unit uint8

// The units.
const (
	Plain    Unit = iota
	Duration      // seconds
	Bytes
)

// NumberFilter compares a label with a number.
type NumberFilter struct {
	Name string
	// Op is ==, !=, >, >=, < or <=.
	Op    string
	Unit  Unit
	Value float64
	// Text is the number as it was written.
	Text string
}

// IPFilter compares a label with a range of addresses.
type IPFilter struct {
	Name  string
	Not   bool
	Range *IPRange
}

// LogicFilter joins two conditions.
type LogicFilter struct {
	Or          bool
	Left, Right LabelFilter
}

// LineFormat replaces the line by a template.
type LineFormat struct{ Template string }

// LabelFormat sets labels.
type LabelFormat struct{ Formats []Format }

// Format is a label and what it becomes: the value of another label, whose name
// it takes over, or a template.
type Format struct {
	Label, Source, Template string
}

// Pick is drop and keep.
type Pick struct {
	Keep bool
	// Names are labels; those with a matcher are dropped or kept where it holds.
	Names []PickName
}

// PickName is a label of drop and keep.
type PickName struct {
	Name    string
	Matcher *Matcher
}

// Decolorize removes the codes of colours from the line.
type Decolorize struct{}

func (*LineFilter) stage()   {}
func (*Parser) stage()       {}
func (*TextFilter) stage()   {}
func (*NumberFilter) stage() {}
func (*IPFilter) stage()     {}
func (*LogicFilter) stage()  {}
func (*LineFormat) stage()   {}
func (*LabelFormat) stage()  {}
func (*Pick) stage()         {}
func (Decolorize) stage()    {}

func (*TextFilter) filter()   {}
func (*NumberFilter) filter() {}
func (*IPFilter) filter()     {}
func (*LogicFilter) filter()  {}

// Regexp is a regular expression of RE2's syntax.
type Regexp struct {
	*regexp.Regexp
	// Text is the expression as it was compiled.
	Text string
}

func compile(text string) (*Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &Regexp{re, text}, nil
}

// anchored compiles an expression that must match all of a label's value.
func anchored(text string) (*Regexp, error) { return compile("^(?s:" + text + ")$") }
