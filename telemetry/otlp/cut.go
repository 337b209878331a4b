package otlp

import (
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// extent is a piece of a request, [start, end).
type extent struct{ start, end uint32 }

func (e extent) size() int { return int(e.end - e.start) }

// cutter collects the pieces of one request that are kept, each with a key, and
// writes one or more requests for every key. A piece is a row, a run of adjacent
// rows, or a wrapper with all that is in it.
type cutter struct {
	// limit is the largest request that is written, 0 for no limit.
	limit int

	nodes []node
	heads []extent
	items []item
	// left is the number of rows that were left out.
	left int64

	order  []int32 // items by key, as indices
	counts []int32 // items per key
	pieces []piece
	buffer []byte
}

// node is a wrapper whose rows are kept in part: a resource, a scope, a metric,
// or the shape of a metric.
type node struct {
	extent         // its field, empty where it has no single one
	parent   int32 // index of the node it is in, -1 for none
	from, to int32 // the range of heads that are its other fields
	head     int   // the size of those
	tag      byte  // of its field
}

// item is a piece that is kept.
type item struct {
	extent
	node   int32 // the node it is in, -1 for the request itself
	key    int32
	events int64
}

// piece is one request to be written: the range of order that is in it.
type piece struct {
	from, to int
	bound    int // at least its size
	key      int32
	events   int64
	value    []byte
}

// depth is the number of nodes that can be in each other.
const depth = 4

// fieldHead is at least the size of the tag and length of a wrapper's field.
const fieldHead = 1 + 5

func (c *cutter) reset() {
	c.nodes, c.heads, c.items, c.left = c.nodes[:0], c.heads[:0], c.items[:0], 0
	clear(c.pieces) // let go of the values
	c.order, c.pieces = c.order[:0], c.pieces[:0]
}

// open adds a node and returns its index.
func (c *cutter) open(e extent, parent int32, tag byte) int32 {
	at := int32(len(c.heads))
	c.nodes = append(c.nodes, node{extent: e, parent: parent, from: at, to: at, tag: tag})
	return int32(len(c.nodes) - 1)
}

// head adds a field to a node, before anything that is in the node.
func (c *cutter) head(index int32, start, end int) {
	n := &c.nodes[index]
	n.head += end - start
	if n.to > n.from && int(c.heads[n.to-1].end) == start {
		c.heads[n.to-1].end = uint32(end)
		return
	}
	c.heads = append(c.heads, extent{uint32(start), uint32(end)})
	n.to = int32(len(c.heads))
}

// add keeps a piece. It makes a run of adjacent ones.
func (c *cutter) add(e extent, in, key int32, events int64) {
	if n := len(c.items); n > 0 {
		last := &c.items[n-1]
		if last.end == e.start && last.node == in && last.key == key &&
			(c.limit == 0 || int(e.end-last.start) <= c.limit/8) {
			last.end = e.end
			last.events += events
			return
		}
	}
	c.items = append(c.items, item{extent: e, node: in, key: key, events: events})
}

// assign sets the key of the items from the given index on.
func (c *cutter) assign(from int, key int32) {
	for i := from; i < len(c.items); i++ {
		c.items[i].key = key
	}
}

// drop takes back the items from the given index on.
func (c *cutter) drop(from int) { c.items = c.items[:from] }

// close ends a node whose items start at the given index. Where nothing was left
// out of it and all has one key, it becomes one item.
func (c *cutter) close(index int32, from int, left int64) {
	n := c.nodes[index]
	items := c.items[from:]
	if len(items) > 0 {
		if c.left != left || n.end == 0 || !uniform(items) {
			return
		}
		if size, _ := c.alone(n.size(), n.parent); c.limit > 0 && size > c.limit {
			return
		}
	}
	c.nodes, c.heads = c.nodes[:index], c.heads[:n.from]
	if len(items) == 0 {
		return
	}
	events, key := int64(0), items[0].key
	for i := range items {
		events += items[i].events
	}
	c.drop(from)
	c.add(n.extent, n.parent, key, events)
}

// uniform reports whether all items have the same key.
func uniform(items []item) bool {
	for i := range items {
		if items[i].key != items[0].key {
			return false
		}
	}
	return true
}

// alone returns the size of a request that holds just a piece of the given size
// in the given node, and how much of it are the other fields of its wrappers.
func (c *cutter) alone(size int, in int32) (total, heads int) {
	for in >= 0 {
		n := &c.nodes[in]
		heads += n.head
		size += n.head
		size += 1 + wire.UvarintLen(uint64(size))
		in = n.parent
	}
	return size, heads
}

// pack puts the items into requests of at most the limit, by key and in order,
// and writes them: pieces then has them. Keys are less than the given number.
// Items that cannot be put anywhere are passed to refuse.
func (c *cutter) pack(body []byte, keys int, refuse func(it item, r reason, n int)) {
	// A wrapper's fields are copied into every part that needs them. Both bounds
	// keep a small request with a large resource from becoming a huge output.
	budget := 8*len(body) + 4<<20
	maxHeads := c.limit / 2

	last := item{node: -1, key: -1}
	sorted := c.sorted(keys)
	c.order = c.order[:0] // the same memory: no faster filled than sorted is read
	for _, i := range sorted {
		it := c.items[i]
		if size, heads := c.alone(it.size(), it.node); c.limit > 0 {
			switch {
			case size > c.limit:
				refuse(it, recordTooLarge, size)
				continue
			case heads > maxHeads:
				refuse(it, headersTooLarge, heads)
				continue
			}
		}
		p := len(c.pieces) - 1
		heads, size := c.cost(it, last.node)
		if it.key != last.key || c.limit > 0 && c.pieces[p].bound+size > c.limit {
			heads, size = c.cost(it, -1)
			p++
		}
		if c.limit > 0 && heads > budget {
			refuse(it, headersTooLarge, heads)
			continue
		}
		budget -= heads
		if p == len(c.pieces) {
			c.pieces = append(c.pieces, piece{from: len(c.order), key: it.key})
		}
		c.order = append(c.order, i)
		c.pieces[p].to = len(c.order)
		c.pieces[p].bound += size
		c.pieces[p].events += it.events
		last = it
	}
	c.write(body)
}

// sorted returns the indices of the items by key, and by position for each key.
func (c *cutter) sorted(keys int) []int32 {
	c.counts = slices.Grow(c.counts[:0], keys+1)[:keys+1]
	clear(c.counts)
	for i := range c.items {
		c.counts[c.items[i].key+1]++
	}
	for k := range keys {
		c.counts[k+1] += c.counts[k]
	}
	n := len(c.items)
	c.order = slices.Grow(c.order[:0], n)[:n]
	for i := range c.items {
		at := &c.counts[c.items[i].key]
		c.order[*at] = int32(i)
		*at++
	}
	return c.order
}

// cost returns how many bytes an item adds to a request whose last item is in
// the given node, at most; heads is how many of them are copied fields.
func (c *cutter) cost(it item, last int32) (heads, size int) {
	size = it.size()
	for n := it.node; n >= 0 && !c.within(last, n); n = c.nodes[n].parent {
		heads += c.nodes[n].head
		size += c.nodes[n].head + fieldHead
	}
	return heads, size
}

// within reports whether a node is, or is in, the given one. A node comes after
// those that it is in.
func (c *cutter) within(n, outer int32) bool {
	for n > outer {
		n = c.nodes[n].parent
	}
	return n == outer
}
