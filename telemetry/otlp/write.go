package otlp

import (
	"encoding/binary"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// write sets the value of every piece: a view of the body where it is one
// extent of it, else a request written to the cutter's buffer.
func (c *cutter) write(body []byte) {
	total := 0
	for i := range c.pieces {
		p := &c.pieces[i]
		if e, whole := c.extentOf(p); whole {
			p.value = body[e.start:e.end:e.end]
			continue
		}
		total += p.bound
	}
	if cap(c.buffer) < total {
		c.buffer = make([]byte, total)
	}
	free := c.buffer[:total]
	for i := range c.pieces {
		if p := &c.pieces[i]; p.value == nil {
			p.value = c.writePiece(body, free[:p.bound:p.bound], c.order[p.from:p.to])
			free = free[p.bound:]
		}
	}
}

// extentOf returns the extent of the body that a piece is, if it is one: if its
// items are fields of the request and lie side by side.
func (c *cutter) extentOf(p *piece) (e extent, whole bool) {
	e = c.items[c.order[p.from]].extent
	for i := p.from; i < p.to; i++ {
		it := &c.items[c.order[i]]
		if it.node >= 0 || i > p.from && it.start != e.end {
			return e, false
		}
		e.end = it.end
	}
	return e, true
}

// openNode is a node of which the end was written.
type openNode struct {
	node int32
	end  int
}

// writePiece writes a request that holds the given items to the end of dst and
// returns it. It writes backwards: so every length is known when it is due.
func (c *cutter) writePiece(body, dst []byte, items []int32) []byte {
	var open [depth]openNode
	opened := 0
	pos := len(dst)
	for i := len(items) - 1; i >= 0; i-- {
		it := &c.items[items[i]]
		if opened == 0 || open[opened-1].node != it.node {
			var chain [depth]int32 // the nodes that it is in, innermost first
			n := 0
			for x := it.node; x >= 0; x = c.nodes[x].parent {
				chain[n] = x
				n++
			}
			shared := 0
			for shared < min(opened, n) && open[shared].node == chain[n-1-shared] {
				shared++
			}
			for ; opened > shared; opened-- {
				pos = c.writeHead(body, dst, pos, open[opened-1])
			}
			for ; opened < n; opened++ {
				open[opened] = openNode{node: chain[n-1-opened], end: pos}
			}
		}
		pos -= it.size()
		copy(dst[pos:], body[it.start:it.end])
	}
	for ; opened > 0; opened-- {
		pos = c.writeHead(body, dst, pos, open[opened-1])
	}
	return dst[pos:]
}

// writeHead writes the start of a node: its tag, its length, its other fields.
func (c *cutter) writeHead(body, dst []byte, pos int, o openNode) int {
	n := &c.nodes[o.node]
	for i := n.to - 1; i >= n.from; i-- {
		pos -= c.heads[i].size()
		copy(dst[pos:], body[c.heads[i].start:c.heads[i].end])
	}
	size := o.end - pos
	pos -= wire.UvarintLen(uint64(size))
	binary.PutUvarint(dst[pos:], uint64(size))
	pos--
	dst[pos] = n.tag
	return pos
}
