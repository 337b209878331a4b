package traces

import (
	"cmp"
	"slices"
)

// path finds critical paths: the spans, and of each the part of its time, without
// which the whole would have ended earlier.
//
// It is the definition of CRISP (Zhang et al., "CRISP: Critical Path Analysis of
// Large-Scale Microservice Architectures", USENIX ATC 2022, section 4): begin at
// the end of the span at the top and go back in time. The child that finished
// last is on the path; what lies after its end is the span's own. The same is
// done within the child, and the search goes on before its start, with children
// that had finished by then: one that had not ran beside it and was not waited
// for. What is left before the first child is the span's own.
//
// Clocks differ, so a child may seem to begin before its parent or to end after
// it: it counts with the part that lies within. So the shares always add up to
// the duration of the span at the top.
type path struct {
	// share is each span's own time on the path.
	share []int64
	stack []pathFrame
	// kids are the children of the spans on the stack, each part by end.
	kids []pathKid
	// on are the spans that have a share.
	on []uint32
}

// pathFrame is a span on the way down, and the window of time that it fills.
type pathFrame struct {
	span     uint32
	from, to int64
	// at is the next of kids, which begin at base.
	at, base int
}

// pathKid is a child, clipped to the window of its parent.
type pathKid struct {
	span     uint32
	from, to int64
}

// find returns the spans on the critical path below a span, in their order. Where
// they are more than limit it is those with the greatest shares. Every span is
// looked at once, and sorted among its siblings.
func (p *path) find(members []span, t *tree, top uint32, limit int) []uint32 {
	p.share = slices.Grow(p.share[:0], len(members))[:len(members)]
	clear(p.share)
	p.stack, p.kids, p.on = p.stack[:0], p.kids[:0], p.on[:0]
	if s := &members[top]; s.end > s.start {
		p.enter(members, t, pathKid{top, s.start, s.end})
	}
	for len(p.stack) > 0 {
		f := &p.stack[len(p.stack)-1]
		kid, ok := p.next(f)
		if !ok {
			p.give(f.span, f.to-f.from)
			p.kids = p.kids[:f.base]
			p.stack = p.stack[:len(p.stack)-1]
			continue
		}
		p.give(f.span, f.to-kid.to)
		f.to = kid.from
		p.enter(members, t, kid)
	}
	if len(p.on) > limit {
		slices.SortFunc(p.on, func(a, b uint32) int {
			return cmp.Or(cmp.Compare(p.share[b], p.share[a]), cmp.Compare(a, b))
		})
		p.on = p.on[:limit]
	}
	slices.Sort(p.on)
	return p.on
}

// next returns the child that finished last in what is left of the window.
func (p *path) next(f *pathFrame) (pathKid, bool) {
	for f.at < len(p.kids) {
		kid := p.kids[f.at]
		f.at++
		if kid.to <= f.to {
			return kid, true
		}
	}
	return pathKid{}, false
}

// enter puts a span on the stack.
func (p *path) enter(members []span, t *tree, kid pathKid) {
	f := pathFrame{span: kid.span, from: kid.from, to: kid.to, at: len(p.kids), base: len(p.kids)}
	for _, k := range t.children(kid.span) {
		from, to := max(members[k].start, f.from), min(members[k].end, f.to)
		if to > from {
			p.kids = append(p.kids, pathKid{k, from, to})
		}
	}
	slices.SortFunc(p.kids[f.base:], func(a, b pathKid) int {
		return cmp.Or(cmp.Compare(b.to, a.to), cmp.Compare(a.from, b.from), cmp.Compare(a.span, b.span))
	})
	p.stack = append(p.stack, f)
}

// give adds to a span's share.
func (p *path) give(span uint32, share int64) {
	if share <= 0 {
		return
	}
	if p.share[span] == 0 {
		p.on = append(p.on, span)
	}
	p.share[span] += share
}
