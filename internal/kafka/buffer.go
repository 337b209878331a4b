package kafka

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffer is memory from a pool that has several users. Each of them calls
// Release once; the last call gives the memory back.
type Buffer struct {
	B     []byte
	users atomic.Int32
	class int
}

// Buffers come in powers of two from 4 KiB to 64 MiB; what is larger is not
// pooled.
const (
	smallestClass = 12
	largestClass  = 26
)

var pools [largestClass + 1]sync.Pool

// NewBuffer returns a buffer of n bytes with one user. Its content is undefined.
func NewBuffer(n int) *Buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), smallestClass)
	if class > largestClass {
		b := &Buffer{B: make([]byte, n), class: -1}
		b.users.Store(1)
		return b
	}
	b, _ := pools[class].Get().(*Buffer)
	if b == nil {
		b = &Buffer{B: make([]byte, 1<<class), class: class}
	}
	b.B = b.B[:n]
	b.users.Store(1)
	return b
}

// Retain adds a user.
func (b *Buffer) Retain() { b.users.Add(1) }

// Release ends one use. The bytes must not be touched by that user afterwards.
func (b *Buffer) Release() {
	n := b.users.Add(-1)
	if n < 0 {
		panic("kafka: buffer released more often than retained")
	}
	if n > 0 || b.class < 0 {
		return
	}
	if cap(b.B) < 1<<b.class {
		return // somebody replaced the memory
	}
	poison(b.B[:cap(b.B)])
	pools[b.class].Put(b)
}
