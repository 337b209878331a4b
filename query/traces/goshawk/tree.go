package goshawk

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// tree is a trace and who called whom in it, as docs/trace-assembly.md says. Spans
// are named by their places.
type tree struct {
	// spans are in the order in which they began, of each id and kind the first.
	spans    []traces.Span
	parent   []int // -1 at the top
	children [][]int
	level    []int // 1 at the top
	// root is the earliest span without a parent, -1 where there is none; top is
	// it, or else the earliest orphan.
	root, top int
	// failed is the deepest span with an error, -1 where there is none.
	failed int
	// orphans counts spans whose parent is not there, or was cut off.
	orphans int
	cyclic  bool
	// exclusive is the time of each span in which no child was under way, share its
	// own time on the critical path, in nanoseconds.
	exclusive, share []int64
}

func newTree(t *traces.Trace) *tree {
	all := &tree{spans: distinct(t.Spans), root: -1, top: -1, failed: -1}
	n := len(all.spans)
	all.children, all.exclusive, all.share = make([][]int, n), make([]int64, n), make([]int64, n)
	all.link()
	for i, p := range all.parent {
		if p < 0 && !all.spans[i].Root() {
			all.orphans++
		}
	}
	all.cut()
	for i, p := range all.parent {
		switch {
		case p >= 0:
			all.children[p] = append(all.children[p], i)
		case all.root < 0 && all.spans[i].Root():
			all.root = i
		case all.top < 0:
			all.top = i
		}
	}
	if all.root >= 0 {
		all.top = all.root
	}
	all.descend()
	for i := range all.spans {
		all.exclusive[i] = all.own(i)
		if all.spans[i].Status == traces.StatusError && (all.failed < 0 || all.level[i] > all.level[all.failed]) {
			all.failed = i
		}
	}
	if top := &all.spans[all.top]; top.Duration > 0 {
		all.walk(all.top, top.Start, top.End())
	}
	return all
}

// distinct sorts spans and leaves out those that are there again.
func distinct(spans []traces.Span) []traces.Span {
	slices.SortFunc(spans, func(a, b traces.Span) int {
		return cmp.Or(
			cmp.Compare(a.Start, b.Start), cmp.Compare(b.Duration, a.Duration), bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(a.Kind, b.Kind),
			bytes.Compare(a.Parent[:], b.Parent[:]), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Name, b.Name),
		)
	})
	type key struct {
		id   telemetry.SpanID
		kind traces.Kind
	}
	seen := make(map[key]bool, len(spans))
	return slices.DeleteFunc(spans, func(s traces.Span) bool {
		k := key{s.ID, s.Kind}
		again := seen[k]
		seen[k] = true
		return again
	})
}

// asks and answers are the two sides of a call.
func asks(k traces.Kind) bool    { return k == traces.KindClient || k == traces.KindProducer }
func answers(k traces.Kind) bool { return k == traces.KindServer || k == traces.KindConsumer }

// link finds the parent of each span. A server that shares its id with a client is
// below it; of several spans with the id of a parent, that of the child's service
// is taken first, then the one that answers.
func (t *tree) link() {
	byID := make(map[telemetry.SpanID][]int, len(t.spans))
	for i := range t.spans {
		byID[t.spans[i].ID] = append(byID[t.spans[i].ID], i)
	}
	t.parent = make([]int, len(t.spans))
	for i := range t.spans {
		s := &t.spans[i]
		t.parent[i] = -1
		if answers(s.Kind) {
			if at := slices.IndexFunc(byID[s.ID], func(j int) bool { return asks(t.spans[j].Kind) }); at >= 0 {
				t.parent[i] = byID[s.ID][at]
				continue
			}
		}
		if s.Root() {
			continue
		}
		best := -1
		for _, j := range byID[s.Parent] {
			if j == i {
				continue
			}
			fit := 0
			if t.spans[j].Service == s.Service {
				fit = 2
			}
			if answers(t.spans[j].Kind) {
				fit++
			}
			if fit > best {
				best, t.parent[i] = fit, j
			}
		}
	}
}

// cut cuts circles of parents above the span of each that began first.
func (t *tree) cut() {
	walks := make([]int, len(t.parent)) // in which walk a span was seen
	for i := range t.parent {
		at := i
		for at >= 0 && walks[at] == 0 {
			walks[at] = i + 1
			at = t.parent[at]
		}
		if at < 0 || walks[at] != i+1 {
			continue
		}
		first := at
		for next := t.parent[at]; next != at; next = t.parent[next] {
			first = min(first, next)
		}
		t.parent[first], t.cyclic = -1, true
		t.orphans++
	}
}

// descend finds how deep each span is.
func (t *tree) descend() {
	t.level = make([]int, len(t.spans))
	var next []int
	for i, p := range t.parent {
		if p < 0 {
			t.level[i] = 1
			next = append(next, i)
		}
	}
	for len(next) > 0 {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		for _, k := range t.children[i] {
			t.level[k] = t.level[i] + 1
		}
		next = append(next, t.children[i]...)
	}
}

// own is the exclusive time of a span.
func (t *tree) own(i int) int64 {
	s := &t.spans[i]
	left, covered := max(s.Duration, 0), s.Start
	for _, k := range t.children[i] {
		from, to := max(t.spans[k].Start, covered), min(t.spans[k].End(), s.End())
		if from < to {
			left -= to - from
			covered = to
		}
	}
	return left
}

// walk shares out a window of a span's time among it and what is below it: back
// from the end, the child that finished last has its part of the window, what is
// after it is the span's own, and the search goes on before it with children that
// had finished by then.
func (t *tree) walk(i int, from, to int64) {
	type part struct {
		span     int
		from, to int64
	}
	var parts []part
	for _, k := range t.children[i] {
		if p := (part{k, max(t.spans[k].Start, from), min(t.spans[k].End(), to)}); p.from < p.to {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.to, a.to), cmp.Compare(a.from, b.from), cmp.Compare(a.span, b.span))
	})
	for _, p := range parts {
		if p.to <= to {
			t.share[i] += to - p.to
			t.walk(p.span, p.from, p.to)
			to = p.from
		}
	}
	t.share[i] += to - from
}

// calls returns the calls of which both sides are known: a client span and the only
// server span below it, by the place of the server's.
func (t *tree) calls() map[int]int {
	all := map[int]int{}
	for i := range t.spans {
		if t.spans[i].Kind != traces.KindClient {
			continue
		}
		server := -1
		for _, k := range t.children[i] {
			if t.spans[k].Kind == traces.KindServer {
				if server >= 0 {
					server = -1
					break
				}
				server = k
			}
		}
		if server >= 0 && t.spans[i].Duration >= 0 && t.spans[server].Duration >= 0 {
			all[server] = i
		}
	}
	return all
}
