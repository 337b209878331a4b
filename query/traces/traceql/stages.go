package traceql

import (
	"slices"
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
)

// set is spans of a trace, by their indices in ascending order.
type set struct {
	spans []int
	attrs []traces.Attr
}

func (p *pipeline) apply(t *tree, in set) []set {
	sets := []set{in}
	for _, s := range p.stages {
		var next []set
		if _, joins := s.(coalescing); joins {
			next = joined(sets)
		} else {
			for _, one := range sets {
				next = append(next, s.apply(t, one)...)
			}
		}
		if sets = next; len(sets) == 0 {
			return nil
		}
	}
	return sets
}

// joined makes one set of all.
func joined(sets []set) []set {
	var all []int
	for _, one := range sets {
		all = append(all, one.spans...)
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return []set{{spans: slices.Compact(all)}}
}

func (f *filter) apply(t *tree, in set) []set {
	if f.expression == nil {
		if len(in.spans) == 0 {
			return nil
		}
		return []set{in}
	}
	var kept []int
	for _, span := range in.spans {
		if f.expression.eval(t, span).holds() {
			kept = append(kept, span)
		}
	}
	if kept == nil {
		return nil
	}
	return []set{{kept, in.attrs}}
}

func (coalescing) apply(_ *tree, in set) []set { return []set{in} }
func (*selection) apply(_ *tree, in set) []set { return []set{in} }

// apply splits a set, in the order in which the groups come.
func (g *grouping) apply(t *tree, in set) []set {
	type key struct {
		kind valueKind
		text string
		n    float64
	}
	at := map[key]int{}
	var all []set
	for _, span := range in.spans {
		v := g.by.eval(t, span)
		k := key{v.kind, v.text, v.n}
		i, ok := at[k]
		if !ok {
			i = len(all)
			at[k] = i
			all = append(all, set{attrs: append(slices.Clip(in.attrs), traces.Attr{Key: g.name, Value: v.shown()})})
		}
		all[i].spans = append(all[i].spans, span)
	}
	return all
}

func (c *comparison) apply(t *tree, in set) []set {
	if !compare(c.op, c.left.of(t, &in), c.right.of(t, &in)) {
		return nil
	}
	for _, side := range []scalar{c.left, c.right} {
		if a, ok := side.(*aggregate); ok {
			in.attrs = append(slices.Clip(in.attrs), traces.Attr{Key: a.name, Value: a.of(t, &in).shown()})
		}
	}
	return []set{in}
}

func (o *scalarOperation) of(t *tree, in *set) value {
	return calculate(o.op, o.left.of(t, in), o.right.of(t, in))
}

// of evaluates the aggregate over the spans for which its argument is a number;
// nothing where there is none.
func (a *aggregate) of(t *tree, in *set) value {
	if a.function == "count" {
		return value{kind: numbers, n: float64(len(in.spans))}
	}
	var out value
	n := 0
	for _, span := range in.spans {
		v := a.argument.eval(t, span)
		if !v.numeric() {
			continue
		}
		n++
		switch {
		case n == 1:
			out = value{kind: v.kind, n: v.n}
		case a.function == "min":
			out.n = min(out.n, v.n)
		case a.function == "max":
			out.n = max(out.n, v.n)
		default:
			out.n += v.n
		}
	}
	if a.function == "avg" && n > 0 {
		out.n /= float64(n)
	}
	return out
}

func (c *combination) apply(t *tree, in set) []set {
	left, right := union(c.left.apply(t, in)), union(c.right.apply(t, in))
	var kept []int
	switch c.op {
	case "&&":
		if len(left) > 0 && len(right) > 0 {
			kept = merged(left, right)
		}
	case "||":
		kept = merged(left, right)
	default:
		kept = c.related(t, left, right)
	}
	if len(kept) == 0 {
		return nil
	}
	return []set{{kept, in.attrs}}
}

func union(sets []set) []int {
	all := joined(sets)
	if len(all) == 0 {
		return nil
	}
	return all[0].spans
}

func merged(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// related returns the spans on the right that are in the relation to one on the
// left, or with ! to none; with & those on the left too that have one.
func (c *combination) related(t *tree, left, right []int) []int {
	t.link()
	relation := strings.TrimLeft(c.op, "!&")
	kept := t.related(relation, left, right)
	switch c.op[0] {
	case '!':
		return slices.DeleteFunc(slices.Clone(right), func(span int) bool {
			_, ok := slices.BinarySearch(kept, span)
			return ok
		})
	case '&':
		return merged(kept, t.related(inverse[relation], right, left))
	}
	return kept
}

var inverse = map[string]string{">": "<", ">>": "<<", "<": ">", "<<": ">>", "~": "~"}

// related returns the spans of right of which one of left is the parent (>), an
// ancestor (>>), a child (<), a descendant (<<) or a sibling (~).
func (t *tree) related(relation string, left, right []int) []int {
	is := make([]bool, len(t.Spans)) // in left, or on the way from there
	for _, span := range left {
		is[span] = true
	}
	var holds func(int) bool
	switch relation {
	case ">":
		holds = func(span int) bool { at := t.parents[span]; return at >= 0 && is[at] }
	case ">>":
		below := make([]uint8, len(t.Spans)) // 0 is unknown, 1 is not below one of left, 2 is
		holds = func(span int) bool { return t.below(span, is, below) }
	case "<", "<<":
		above := make([]bool, len(t.Spans))
		for _, span := range left {
			for at := t.parents[span]; at >= 0 && !above[at]; at = t.parents[at] {
				above[at] = true
				if relation == "<" {
					break
				}
			}
		}
		holds = func(span int) bool { return above[span] }
	case "~":
		count := map[int]int{}
		for _, span := range left {
			if at := t.parents[span]; at >= 0 {
				count[at]++
			}
		}
		holds = func(span int) bool {
			at := t.parents[span]
			if at < 0 {
				return false
			}
			others := count[at]
			if is[span] {
				others--
			}
			return others > 0
		}
	}
	var kept []int
	for _, span := range right {
		if holds(span) {
			kept = append(kept, span)
		}
	}
	return kept
}

// below reports whether an ancestor of a span is one of those that are marked,
// and remembers it for all on the way.
func (t *tree) below(span int, is []bool, known []uint8) bool {
	found := false
	top := span
	for known[top] == 0 {
		at := t.parents[top]
		if at < 0 {
			break
		}
		if is[at] {
			found = true
			break
		}
		top = at
	}
	if known[top] == 2 {
		found = true
	}
	mark := uint8(1)
	if found {
		mark = 2
	}
	for at := span; known[at] == 0; at = t.parents[at] {
		known[at] = mark
		if at == top || t.parents[at] < 0 {
			break
		}
	}
	return found
}
