package traces

import (
	"encoding/binary"
	"slices"
)

// tree is who called whom in a trace. Spans are named by their place among those
// that it was built of, which are in the order in which they began. Whatever the
// parent ids say, it is a forest and building it takes time in proportion to the
// spans.
type tree struct {
	parent []int32 // -1 at the top
	level  []uint32
	self   []int64
	// children of span i are kids[first[i]:first[i+1]], in the order of spans.
	first, kids []uint32

	orphans, depth uint32
	cyclic         bool

	queue []uint32
	seen  []uint32
}

// OTLP's kinds of spans.
const (
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
	kindConsumer = 5
)

// build makes the tree.
func (t *tree) build(members []span, ids *lookup) {
	n := len(members)
	t.orphans, t.depth, t.cyclic = 0, 0, false
	t.parent = slices.Grow(t.parent[:0], n)[:n]
	t.level = slices.Grow(t.level[:0], n)[:n]
	t.self = slices.Grow(t.self[:0], n)[:n]
	ids.reset(n)
	for i := range members {
		ids.add(members[i].key(), uint32(i))
	}
	for i := range members {
		t.parent[i] = parentOf(members, uint32(i), ids)
		if t.parent[i] < 0 && !members[i].parent.IsZero() {
			t.orphans++
		}
	}
	t.cut()
	t.link(n)
	t.descend(n)
	for i := range members {
		t.self[i] = t.exclusive(members, uint32(i))
	}
}

// parentOf finds the parent of a span, -1 where there is none. Where a client and
// a server share a span id, as they may in Zipkin, the server's parent is the
// client, and of a child's two possible parents it is the one in the child's
// service, or else the server.
func parentOf(members []span, i uint32, ids *lookup) int32 {
	s := &members[i]
	parent := int32(-1)
	if s.kind == kindServer || s.kind == kindConsumer {
		ids.values(s.key(), func(j uint32) bool {
			if k := members[j].kind; k == kindClient || k == kindProducer {
				parent = int32(j)
			}
			return parent < 0
		})
	}
	if parent >= 0 || s.parent.IsZero() {
		return parent
	}
	best := 0
	ids.values(binary.LittleEndian.Uint64(s.parent[:]), func(j uint32) bool {
		if j == i {
			return true // its own parent, which it cannot be
		}
		c, fit := &members[j], 1
		if c.kind == kindServer || c.kind == kindConsumer {
			fit = 2
		}
		if c.service == s.service {
			fit += 2
		}
		if fit > best {
			best, parent = fit, int32(j)
		}
		return true
	})
	return parent
}

// cut cuts circles of parents at the span of each that began first. It becomes an
// orphan: the parent that it names is below it.
func (t *tree) cut() {
	t.seen = slices.Grow(t.seen[:0], len(t.parent))[:len(t.parent)]
	clear(t.seen)
	for i := range t.parent {
		walk := uint32(i + 1)
		at := int32(i)
		for at >= 0 && t.seen[at] == 0 {
			t.seen[at] = walk
			at = t.parent[at]
		}
		if at < 0 || t.seen[at] != walk {
			continue
		}
		least := at
		for next := t.parent[at]; next != at; next = t.parent[next] {
			least = min(least, next)
		}
		t.parent[least] = -1
		t.orphans++
		t.cyclic = true
	}
}

// link lists the children of each span.
func (t *tree) link(n int) {
	t.first = slices.Grow(t.first[:0], n+1)[:n+1]
	t.kids = slices.Grow(t.kids[:0], n)[:n]
	clear(t.first)
	for _, p := range t.parent {
		if p >= 0 {
			t.first[p+1]++
		}
	}
	for i := range n {
		t.first[i+1] += t.first[i]
	}
	// first is moved on while kids are put down, and back again afterwards.
	for i, p := range t.parent {
		if p >= 0 {
			t.kids[t.first[p]] = uint32(i)
			t.first[p]++
		}
	}
	for i := n; i > 0; i-- {
		t.first[i] = t.first[i-1]
	}
	t.first[0] = 0
}

func (t *tree) children(i uint32) []uint32 { return t.kids[t.first[i]:t.first[i+1]] }

// descend finds how deep each span is, 1 at the top.
func (t *tree) descend(n int) {
	t.queue = slices.Grow(t.queue[:0], n)
	for i, p := range t.parent {
		if p < 0 {
			t.level[i] = 1
			t.queue = append(t.queue, uint32(i))
		}
	}
	for at := 0; at < len(t.queue); at++ {
		i := t.queue[at]
		t.depth = max(t.depth, t.level[i])
		for _, k := range t.children(i) {
			t.level[k] = t.level[i] + 1
			t.queue = append(t.queue, k)
		}
	}
}

// exclusive is the part of a span's duration in which none of its children was
// under way.
func (t *tree) exclusive(members []span, i uint32) int64 {
	s := &members[i]
	left := max(s.end-s.start, 0)
	covered := s.start
	for _, k := range t.children(i) {
		from, to := max(members[k].start, covered), min(members[k].end, s.end)
		if to > from {
			left -= to - from
			covered = to
		}
	}
	return left
}
