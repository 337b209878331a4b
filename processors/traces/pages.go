package traces

import "unsafe"

// pages is an arena of values that are named by numbers from 1. It grows by a
// page at a time, so that nothing is moved and nothing is allocated twice. Places
// that were given back are taken again first; their memory is kept.
type pages[T any] struct {
	all  [][]T
	free []uint32
	next uint32
}

const (
	pageBits = 10
	pageSize = 1 << pageBits
)

func newPages[T any]() pages[T] { return pages[T]{next: 1} }

func (p *pages[T]) at(i uint32) *T { return &p.all[i>>pageBits][i&(pageSize-1)] }

// take returns a place; what is there is of no meaning.
func (p *pages[T]) take() uint32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i
	}
	i := p.next
	p.next++
	if int(i>>pageBits) == len(p.all) {
		p.all = append(p.all, make([]T, pageSize))
	}
	return i
}

// give takes a place back.
func (p *pages[T]) give(i uint32) { p.free = append(p.free, i) }

// bytes is the memory of the arena.
func (p *pages[T]) bytes() int64 {
	var one T
	return int64(len(p.all))*pageSize*int64(unsafe.Sizeof(one)) + 4*int64(cap(p.free))
}
