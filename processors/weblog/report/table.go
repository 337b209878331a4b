package report

import (
	"hash/maphash"
	"strings"
)

// seed is that of the hashes of all tables: a log cannot be written so that its
// texts meet in one slot.
var seed = maphash.MakeSeed()

// Texts are kept up to maxText bytes; two that are longer and begin with the same
// are still told apart by their hashes. A table whose texts fill maxTexts takes no
// more.
const (
	maxText  = 2 << 10
	maxTexts = 256 << 20
)

// table finds what is known about texts. It keeps the first limit of them.
type table[T any] struct {
	slots []slot[T]
	nodes int
	limit int
	rests int
	slab  []node[T]
	texts texts
}

// slot has the hash beside the node, so that a node is read only if it is nearly
// surely the right one.
type slot[T any] struct {
	hash uint64
	node *node[T]
}

// node is one text. It stays where it is.
type node[T any] struct {
	name  string
	hash  uint64
	value T
}

// get returns the node of a text, and whether it is new; nil if the table is full.
func (t *table[T]) get(text string) (n *node[T], isNew bool) {
	return t.find(maphash.String(seed, text), text)
}

// find is get for a text whose hash is known. Other hashes can be used as well if
// the table has no others.
func (t *table[T]) find(hash uint64, text string) (n *node[T], isNew bool) {
	if len(text) > maxText {
		text = text[:maxText]
	}
	mask := uint64(len(t.slots) - 1)
	if len(t.slots) > 0 {
		for i := hash & mask; ; i = (i + 1) & mask {
			s := &t.slots[i]
			if s.node == nil {
				break
			}
			if s.hash == hash && s.node.name == text {
				return s.node, false
			}
		}
	}
	if t.nodes >= t.limit || t.texts.size >= maxTexts {
		return nil, false
	}
	return t.insert(hash, text), true
}

// rest returns the node of those that had no room and share something, whose hash
// is given, and whether it is new. There are not many of them.
func (t *table[T]) rest(hash uint64) (n *node[T], isNew bool) {
	limit, size := t.limit, t.texts.size
	t.texts.size = 0
	if t.limit = t.nodes + 1; t.rests >= maxNames {
		hash, t.limit = 0, t.nodes
	}
	n, isNew = t.find(hash, other)
	if isNew {
		t.rests++
	}
	if n == nil {
		n, isNew = t.insert(hash, other), true
	}
	t.limit, t.texts.size = limit, size
	return n, isNew
}

func (t *table[T]) insert(hash uint64, text string) *node[T] {
	if 4*(t.nodes+1) > 3*len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].node != nil {
		i = (i + 1) & mask
	}
	n := t.newNode()
	n.name, n.hash = t.texts.keep(text), hash
	t.slots[i] = slot[T]{hash: hash, node: n}
	t.nodes++
	return n
}

func (t *table[T]) grow() {
	old := t.slots
	t.slots = make([]slot[T], max(64, 2*len(old)))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.node == nil {
			continue
		}
		i := s.hash & mask
		for t.slots[i].node != nil {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// newNode takes a node of a slab, of which most tables need one.
func (t *table[T]) newNode() *node[T] {
	if len(t.slab) == 0 {
		t.slab = make([]node[T], min(max(16, t.nodes/4), 1024))
	}
	n := &t.slab[0]
	t.slab = t.slab[1:]
	return n
}

// all calls f for every node, in no order.
func (t *table[T]) all(f func(*node[T])) {
	for i := range t.slots {
		if n := t.slots[i].node; n != nil {
			f(n)
		}
	}
}

// texts keeps copies of texts in few allocations.
type texts struct {
	chunk strings.Builder
	size  int
}

func (t *texts) keep(s string) string {
	const chunk = 16 << 10
	if s == "" {
		return ""
	}
	t.size += len(s)
	if len(s) > chunk/4 {
		return strings.Clone(s)
	}
	if t.chunk.Cap()-t.chunk.Len() < len(s) {
		t.chunk = strings.Builder{}
		t.chunk.Grow(chunk)
	}
	from := t.chunk.Len()
	t.chunk.WriteString(s)
	return t.chunk.String()[from:]
}
