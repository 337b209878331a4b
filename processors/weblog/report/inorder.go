package report

import "sync"

// inOrder hands blocks on in their order, one at a time, whatever the order in
// which they come. It has no goroutine: whoever brings the next block in order hands
// it on, and those that wait behind it.
type inOrder struct {
	mu      sync.Mutex
	waiting map[int]*block
	next    int
	busy    bool
}

// take takes a block and may call f with it and with others.
func (o *inOrder) take(b *block, f func(*block)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = make(map[int]*block)
	}
	o.waiting[b.number] = b
	if o.busy {
		return
	}
	o.busy = true
	for b = o.waiting[o.next]; b != nil; b = o.waiting[o.next] {
		delete(o.waiting, o.next)
		o.mu.Unlock()
		f(b)
		o.mu.Lock()
		o.next++
	}
	o.busy = false
}
