// Package traceql parses and evaluates TraceQL, the query language of Tempo.
//
// A query becomes two things: a condition on spans by which the store finds
// traces that may match, and a function that decides on a trace which was read.
// The condition lets through at least what matches. docs/traces.md says what of
// the language there is; the rest is refused by name.
package traceql

import (
	"regexp"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// Bounds on queries.
const (
	maxLength    = 64 << 10 // bytes
	maxTokens    = 5000
	maxDepth     = 128
	maxOperators = 512
	maxPattern   = 1024 // bytes of a regular expression
	maxProgram   = 5000 // instructions that it compiles to
)

// Query is a parsed query. It is safe for concurrent use.
type Query struct {
	text     string
	pipeline *pipeline
	// shown are the attributes that the query names, which its answer shows.
	shown []*reference
}

// pipeline is stages, the first of which takes the spans of a trace.
type pipeline struct{ stages []stage }

// A stage makes sets of spans of sets of spans.
type stage interface {
	// apply returns the sets that a set becomes.
	apply(t *tree, in set) []set
}

// filter keeps the spans for which an expression holds.
type filter struct{ expression field } // nil holds always

// combination joins what two stages make of the same set.
type combination struct {
	op          string
	left, right stage
}

// comparison keeps sets for which it holds.
type comparison struct {
	op          string
	left, right scalar
}

// grouping splits sets by the value of an expression.
type grouping struct {
	by   field
	name string
}

// coalescing joins sets.
type coalescing struct{}

// selection shows attributes.
type selection struct{}

// A scalar is a number for a set of spans.
type scalar interface {
	of(t *tree, in *set) value
}

// aggregate is a function of a set.
type aggregate struct {
	function string
	argument field // nil for count
	name     string
}

// scalarOperation is arithmetic.
type scalarOperation struct {
	op          string
	left, right scalar
}

// A field is an expression on one span.
type field interface {
	// eval returns the value for a span of the tree.
	eval(t *tree, span int) value
	// kind is what the value can be.
	kind() valueKind
}

// literal is a constant.
type literal struct{ value }

// reference is an attribute or an intrinsic.
type reference struct {
	scope     string // of an attribute
	key       string
	intrinsic intrinsicField // none for attributes
	written   string
}

// operation is a binary operation on fields.
type operation struct {
	op          string
	left, right field
	pattern     *regexp.Regexp // of =~ and !~
	source      string         // of the pattern, as both engines take it
}

// unary is ! or -.
type unary struct {
	op string
	of field
}

// Set is spans of a trace that a query matched together.
type Set struct {
	// Spans are indices of the trace's spans.
	Spans []int
	// Attrs are the groups that the set is of, and the aggregates of its spans.
	Attrs []traces.Attr
}

// Match is what a query matched of a trace.
type Match struct {
	Sets []Set
	q    *Query
	tree *tree
}

// Match evaluates the query on a trace. Where it matches nothing there are no sets.
func (q *Query) Match(t *traces.Trace) *Match {
	m := &Match{q: q, tree: newTree(t)}
	all := set{spans: make([]int, len(t.Spans))}
	for i := range all.spans {
		all.spans[i] = i
	}
	for _, s := range q.pipeline.apply(m.tree, all) {
		m.Sets = append(m.Sets, Set{s.spans, s.attrs})
	}
	return m
}

// Shown returns the attributes that an answer shows of a span: those that the
// query names.
func (m *Match) Shown(span int) []traces.Attr {
	var all []traces.Attr
	for _, r := range m.q.shown {
		if v := r.eval(m.tree, span); v.kind != nothing && r.intrinsic != byName {
			all = append(all, traces.Attr{Key: r.label(), Value: v.shown()})
		}
	}
	return all
}
