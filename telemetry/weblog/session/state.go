package session

import (
	"encoding/binary"
	"errors"
	"math"
)

// Append appends the state: the sessions in the order of the list.
func (t *Tracker) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(t.slab.used)) //nolint:gosec // not negative
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	for at := t.oldest; at != none; {
		s := t.slab.at(at)
		where, who := t.sites.at(s.site), t.agents.at(s.agent)
		dst = binary.LittleEndian.AppendUint64(dst, s.visitor)
		dst = binary.AppendUvarint(dst, t.depth(at))
		for _, s := range [...]string{where[0], where[1], who[0], who[1], who[2], who[3]} {
			text(s)
		}
		for _, n := range [...]int64{s.start, s.last - s.start, s.firstPage, s.lastPage, s.sent, s.touched} {
			dst = binary.AppendVarint(dst, n)
		}
		for _, n := range [...]uint32{s.hits, s.pages, s.failures, s.errors} {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		x := s.texts()
		for _, s := range [...]string{x.client, x.user, x.entry, x.referrer, x.exit} {
			text(s)
		}
		at = s.next
	}
	return dst
}

// depth is the place of a session among those of its visitor.
func (t *Tracker) depth(at uint32) uint64 {
	depth := uint64(0)
	for i := t.heads[t.slab.at(at).visitor]; i != at; i = t.slab.at(i).chain {
		depth++
	}
	return depth
}

// errDamaged says that a state is none that Append wrote.
var errDamaged = errors.New("the state of the sessions is damaged")

// Restore replaces the state by one that Append wrote; none at all is that without
// sessions, which it is also after an error. It keeps nothing of src.
func (t *Tracker) Restore(src []byte) error {
	t.Reset()
	if len(src) == 0 {
		return nil
	}
	r := reader{src: src}
	const least = 8 + 1 + 6 + 6 + 4 + 5 // bytes of a session
	n := r.number(uint64(len(src) / least))
	depths := make([]uint64, 0, n)
	for range n {
		depth, ok := t.restore(&r)
		if !ok {
			break
		}
		depths = append(depths, depth)
		t.rank(uint32(len(depths)-1), depths) //nolint:gosec // no more than bytes
	}
	if r.bad || len(r.src) > 0 {
		t.Reset()
		return errDamaged
	}
	return nil
}

// restore reads a session, and its depth.
func (t *Tracker) restore(r *reader) (depth uint64, ok bool) {
	s := session{chain: none}
	s.visitor = r.fixed()
	depth = r.number(math.MaxUint32)
	where := words{r.text(maxText), r.text(maxText)}
	who := words{r.text(maxText), r.text(maxText), r.text(maxText), r.text(maxText)}
	s.start, s.last = r.signed(), 0
	s.last = s.start + r.signed()
	s.firstPage, s.lastPage, s.sent = r.signed(), r.signed(), r.signed()
	touched := r.signed()
	s.hits, s.pages, s.failures, s.errors = r.count(), r.count(), r.count(), r.count()
	x := texts{r.text(longestName), r.text(longestName), r.text(longestPath), r.text(longestName), r.text(longestPath)}
	if r.bad || s.start < 0 || s.last < s.start || s.last > latest {
		r.bad = true
		return 0, false
	}
	at := t.slab.take()
	s.site, s.agent = t.sites.take(where), t.agents.take(who)
	p := t.slab.at(at)
	*p = s
	t.set(p, x)
	t.append(at, touched)
	return depth, true
}

// rank puts a session where its depth says among those of its visitor.
func (t *Tracker) rank(at uint32, depths []uint64) {
	s := t.slab.at(at)
	head, ok := t.heads[s.visitor]
	if !ok || depths[head] > depths[at] {
		if ok {
			s.chain = head
		}
		t.heads[s.visitor] = at
		return
	}
	before := t.slab.at(head)
	for before.chain != none && depths[before.chain] < depths[at] {
		before = t.slab.at(before.chain)
	}
	s.chain, before.chain = before.chain, at
}

// maxText is more than any text of a hit has.
const maxText = 64 << 10

// reader reads what Append wrote. What is wrong with it is in bad; what is read
// then are zeros.
type reader struct {
	src []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.src)) {
		r.bad = true
		return nil
	}
	out := r.src[:n]
	r.src = r.src[n:]
	return out
}

func (r *reader) fixed() uint64 {
	b := r.take(8)
	if r.bad {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.src)
	if r.bad || n <= 0 || v > most {
		r.bad = true
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) count() uint32 { return uint32(r.number(math.MaxUint32)) } //nolint:gosec // bounded

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.src)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) text(most uint64) string { return string(r.take(r.number(most))) }
