package traceql

import (
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// Plan is how the traces are found that a query may match.
type Plan struct {
	Filter traces.Filter
	// Columns are what must be read of their spans to evaluate the query.
	Columns traces.Columns
}

// Plan makes a plan. It may let through more than what matches, never less.
func (q *Query) Plan() Plan {
	var p planner
	all := p.stage(q.pipeline).simple()
	plan := Plan{Columns: p.columns(q)}
	switch {
	case len(all.any) == 0 && len(all.all) == 0 && all.leaf == "":
	case all.leaf != "":
		p.c.Add("(" + all.leaf + ")")
	default:
		var leaves []string
		having := all.having(&leaves)
		p.c.Add("(" + strings.Join(leaves, " OR ") + ")")
		plan.Filter.Having = having
	}
	plan.Filter.Span = p.c
	return plan
}

// needed is what a trace must have: a span that meets the leaf, all of all, or one
// of any. The zero value is what every trace has.
type needed struct {
	leaf     string
	all, any []needed
}

func (n needed) everything() bool { return n.leaf == "" && len(n.all) == 0 && len(n.any) == 0 }

// simple leaves out what every trace has, and makes one list of lists in lists of
// their kind. N has all or any, not both.
func (n needed) simple() needed {
	if n.leaf != "" {
		return n
	}
	var out needed
	for _, part := range n.all {
		part = part.simple()
		if len(part.all) > 0 {
			out.all = append(out.all, part.all...)
		} else if !part.everything() {
			out.all = append(out.all, part)
		}
	}
	for _, part := range n.any {
		part = part.simple()
		if part.everything() {
			return needed{}
		}
		if len(part.any) > 0 {
			out.any = append(out.any, part.any...)
		} else {
			out.any = append(out.any, part)
		}
	}
	if len(out.all)+len(out.any) == 1 {
		return append(out.all, out.any...)[0]
	}
	return out
}

// having is the expression for it on the spans of a trace, and appends the leaves.
func (n needed) having(leaves *[]string) string {
	if n.leaf != "" {
		*leaves = append(*leaves, "("+n.leaf+")")
		return "countIf(" + n.leaf + ") > 0"
	}
	word, parts := " AND ", n.all
	if len(n.any) > 0 {
		word, parts = " OR ", n.any
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.having(leaves)
	}
	return "(" + strings.Join(texts, word) + ")"
}

type planner struct {
	c traces.Condition
}

func (p *planner) stage(s stage) needed {
	switch s := s.(type) {
	case *pipeline:
		var n needed
		for _, one := range s.stages {
			n.all = append(n.all, p.stage(one))
		}
		return n
	case *filter:
		if s.expression == nil {
			return needed{}
		}
		return p.filter(s.expression)
	case *combination:
		left, right := p.stage(s.left), p.stage(s.right)
		switch {
		case s.op == "||":
			return needed{any: []needed{left, right}}
		case s.op[0] == '!':
			return right // nothing need be on the left
		}
		return needed{all: []needed{left, right}}
	}
	return needed{} // stages that look at all spans of a set
}

// filter is what a trace needs for a span to meet an expression: a span with the
// leaf, and where the expression says something of the root that as well.
func (p *planner) filter(f field) needed {
	n := needed{}
	if leaf := p.leaf(f); leaf != "" {
		n.all = append(n.all, needed{leaf: leaf})
	}
	for _, o := range conjuncts(f) {
		r, l, op := sides(o)
		if r == nil {
			continue
		}
		column := map[intrinsicField]string{byRootName: "name", byRootService: "service"}[r.intrinsic]
		if column == "" {
			continue
		}
		if term := p.text(op, column, "", o, l); term != "" {
			n.all = append(n.all, needed{leaf: traces.IsRoot + " AND " + term})
		}
	}
	return n
}

// conjuncts are the comparisons that must all hold for an expression to.
func conjuncts(f field) []*operation {
	o, ok := f.(*operation)
	switch {
	case !ok:
		return nil
	case o.op == "&&":
		return append(conjuncts(o.left), conjuncts(o.right)...)
	}
	return []*operation{o}
}

// disjuncts are the expressions of which one must hold. They are one list, as the
// engine's parser counts how deep parentheses go.
func disjuncts(f field) []field {
	if o, ok := f.(*operation); ok && o.op == "||" {
		return append(disjuncts(o.left), disjuncts(o.right)...)
	}
	return []field{f}
}

// leaf is a condition that holds of every span for which the expression does;
// empty where none is known.
func (p *planner) leaf(f field) string {
	switch f := f.(type) {
	case *reference:
		return p.compare(f, "=", &literal{truth(true)}, nil)
	case *literal:
		if !f.value.holds() {
			return "0"
		}
	case *operation:
		switch f.op {
		case "&&":
			left, right := p.leaf(f.left), p.leaf(f.right)
			if left == "" || right == "" {
				return left + right
			}
			return left + " AND " + right
		case "||":
			var all []string
			for _, one := range disjuncts(f) {
				leaf := p.leaf(one)
				if leaf == "" {
					return ""
				}
				all = append(all, leaf)
			}
			return "(" + strings.Join(all, " OR ") + ")"
		}
		if r, l, op := sides(f); r != nil {
			return p.compare(r, op, l, f)
		}
	}
	return ""
}

// sides returns the reference and the literal of a comparison with the reference
// on the left; nil where it is another one.
func sides(o *operation) (*reference, *literal, string) {
	if r, ok := o.left.(*reference); ok {
		if l, ok := o.right.(*literal); ok {
			return r, l, o.op
		}
		return nil, nil, ""
	}
	l, isLiteral := o.left.(*literal)
	r, isReference := o.right.(*reference)
	if !isLiteral || !isReference || o.pattern != nil {
		return nil, nil, ""
	}
	op := o.op
	if turned := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]; turned != "" {
		op = turned
	}
	return r, l, op
}

// columns are what the query looks at.
func (p *planner) columns(q *Query) traces.Columns {
	var all traces.Columns
	for _, r := range q.shown {
		switch r.intrinsic {
		case byEventName, byEventTime:
			all |= traces.WithEvents
			continue
		case byLinkSpan, byLinkTrace:
			all |= traces.WithLinks
			continue
		case byScopeName, byScopeVersion:
			all |= traces.WithScope
			continue
		case noIntrinsic:
		default:
			continue
		}
		switch strings.TrimPrefix(strings.TrimPrefix(r.scope, "parent"), ".") {
		case "span":
			all |= traces.WithAttributes
		case "resource":
			if r.key != serviceName {
				all |= traces.WithResource
			}
		case "instrumentation":
			all |= traces.WithScope
		case "event":
			all |= traces.WithEvents
		case "link":
			all |= traces.WithLinks
		default:
			all |= traces.WithAttributes
			if r.key != serviceName {
				all |= traces.WithResource
			}
		}
	}
	return all
}
