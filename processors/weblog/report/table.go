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
	slots []slot
	// chunks have the nodes in the order in which they came, chunkNodes each.
	chunks [][]node[T]
	nodes  int
	limit  int
	rests  int
	texts  texts
}

// chunkNodes makes chunks that the allocator takes as they are: smaller ones are
// rounded up.
const chunkNodes = 512

// slot has a part of the hash beside the number of the node, which counts from 1,
// so that a node is read only if it is nearly surely the right one. A slot is near
// the place that the part of the hash says, so slots are in its order.
type slot struct{ part, node uint32 }

// node is one text. It stays where it is.
type node[T any] struct {
	name  string
	hash  uint64
	value T
}

func hashText(text string) uint64 { return maphash.String(seed, text) }

// get returns the node of a text, and whether it is new; nil if the table is full.
func (t *table[T]) get(text string) (n *node[T], isNew bool) { return t.find(hashText(text), text) }

// find is get for a text whose hash is known. Other hashes can be used as well if
// the table has no others.
func (t *table[T]) find(hash uint64, text string) (n *node[T], isNew bool) {
	if len(text) > maxText {
		text = text[:maxText]
	}
	if len(t.slots) > 0 {
		part := uint32(hash >> 32)
		for i := t.place(part); t.slots[i].node != 0; i = next(i, len(t.slots)) {
			if t.slots[i].part != part {
				continue
			}
			if n := t.at(t.slots[i].node); n.hash == hash && n.name == text {
				return n, false
			}
		}
	}
	if t.nodes >= t.limit || t.texts.size >= maxTexts {
		return nil, false
	}
	return t.insert(hash, text), true
}

// at returns the node of a number.
func (t *table[T]) at(number uint32) *node[T] {
	i := number - 1
	return &t.chunks[i/chunkNodes][i%chunkNodes]
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
	if isFull(t.nodes, len(t.slots)) {
		old := t.slots
		t.slots = make([]slot, grown(len(old)))
		for _, s := range old {
			if s.node != 0 {
				t.put(s)
			}
		}
	}
	if t.nodes%chunkNodes == 0 {
		t.chunks = append(t.chunks, make([]node[T], chunkNodes))
	}
	t.nodes++
	number := uint32(t.nodes) //nolint:gosec // limits are far below
	t.put(slot{part: uint32(hash >> 32), node: number})
	n := t.at(number)
	n.name, n.hash = t.texts.keep(text), hash
	return n
}

// touch reads where a hash is looked for first, as that of a hashSet does.
func (t *table[T]) touch(hash uint64) uint64 {
	if len(t.slots) == 0 {
		return 0
	}
	s := t.slots[t.place(uint32(hash>>32))]
	if s.node == 0 {
		return 0
	}
	return t.at(s.node).hash
}

// place is where a slot with a part of a hash belongs.
func (t *table[T]) place(part uint32) int { return placeOf(uint64(part)<<32, len(t.slots)) }

// put puts a slot where there is room.
func (t *table[T]) put(s slot) {
	i := t.place(s.part)
	for t.slots[i].node != 0 {
		i = next(i, len(t.slots))
	}
	t.slots[i] = s
}

// all calls f for every node, in the order in which they came.
func (t *table[T]) all(f func(*node[T])) {
	for i, chunk := range t.chunks {
		for j := range chunk[:min(chunkNodes, t.nodes-i*chunkNodes)] {
			f(&chunk[j])
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
