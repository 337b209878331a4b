package traceql

import (
	"slices"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// tree is a trace that a query is evaluated on. What it knows of parents is made
// when it is first asked for.
type tree struct {
	*traces.Trace
	parents []int // of each span; none where it has none, lost where it was not read
	// nested are the numbers of a walk through the tree: a span's descendants have
	// numbers between its left and its right.
	left, right []int
	children    []int // how many
	start, end  int64
	root        int // none where there is none
}

const (
	none = -1
	lost = -2
)

func newTree(t *traces.Trace) *tree {
	all := &tree{Trace: t, root: slices.IndexFunc(t.Spans, func(s traces.Span) bool { return s.Root() })}
	for i := range t.Spans {
		s := &t.Spans[i]
		if i == 0 {
			all.start, all.end = s.Start, s.End()
		}
		all.start, all.end = min(all.start, s.Start), max(all.end, s.End())
	}
	return all
}

// parent returns the index of a span's parent, none or lost.
func (t *tree) parent(span int) int {
	t.link()
	return t.parents[span]
}

// link finds the parents. Of spans with the same id, as the client and the
// server have in Zipkin, the server is the child of the client and the parent of
// others.
func (t *tree) link() {
	if t.parents != nil {
		return
	}
	t.parents, t.children = make([]int, len(t.Spans)), make([]int, len(t.Spans))
	byID := make(map[telemetry.SpanID]int, len(t.Spans))
	for i := range t.Spans {
		s := &t.Spans[i]
		if known, ok := byID[s.ID]; ok && answers(t.Spans[known].Kind) {
			continue
		}
		byID[s.ID] = i
	}
	for i := range t.Spans {
		s := &t.Spans[i]
		at, ok := byID[s.Parent]
		switch {
		case s.Root():
			at = none
		case !ok || at == i:
			at = lost
		}
		t.parents[i] = at
	}
	for i := range t.Spans {
		s := &t.Spans[i]
		if other := byID[s.ID]; other != i && (s.Kind == traces.KindClient || s.Kind == traces.KindProducer) && answers(t.Spans[other].Kind) {
			t.parents[other] = i
		}
	}
	t.cut()
	for _, at := range t.parents {
		if at >= 0 {
			t.children[at]++
		}
	}
}

func answers(k traces.Kind) bool { return k == traces.KindServer || k == traces.KindConsumer }

// cut makes an end to spans that are their own ancestors: what senders claim of
// parents need not be a tree.
func (t *tree) cut() {
	const fresh, under, done = 0, 1, 2
	state := make([]uint8, len(t.parents))
	for i := range t.parents {
		at := i
		for at >= 0 && state[at] == fresh {
			state[at] = under
			next := t.parents[at]
			if next >= 0 && state[next] == under {
				t.parents[at] = lost
				next = lost
			}
			at = next
		}
		for at = i; at >= 0 && state[at] == under; at = t.parents[at] {
			state[at] = done
		}
	}
}

// number walks the tree.
func (t *tree) number() {
	if t.left != nil {
		return
	}
	t.link()
	n := len(t.Spans)
	t.left, t.right = make([]int, n), make([]int, n)
	below := make([][]int, n)
	var open []int // spans to enter; ^span to leave
	for i := n - 1; i >= 0; i-- {
		if at := t.parents[i]; at >= 0 {
			below[at] = append(below[at], i)
		} else if at == none {
			open = append(open, i)
		}
	}
	next := 1
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		if i < 0 {
			t.right[^i] = next
		} else {
			t.left[i] = next
			open = append(open, ^i)
			open = append(open, below[i]...)
		}
		next++
	}
}
