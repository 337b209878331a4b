package gateway

import (
	"errors"
	"io"
	"math/bits"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// memory hands out the buffers that hold request bodies. What is handed out is
// bounded: a request that does not fit is refused at once instead of waiting,
// because its sender knows better when to come back.
//
// Buffers are used again, and those that wait for that count towards the same
// bound. They are not left to the garbage collector, which under a flood of
// large requests would hold several times the bound in garbage.
type memory struct {
	max  int64
	used atomic.Int64

	mu sync.Mutex
	// idle are buffers to use again, by class, the last one used last.
	idle      [classes][]*buffer
	idleBytes int64
	// garbage is what was dropped and may not be collected yet.
	garbage int64
	// least is the least that was idle since the last trim.
	least int64
}

const (
	// Buffers up to a MiB have the sizes of powers of two, beginning with
	// 4 KiB; beyond there are four sizes to each power, because waste matters.
	smallestClass = 12
	fineClass     = 20
	classes       = fineClass - smallestClass + 1 + 4*(31-fineClass)
)

// classOf returns the smallest class whose buffers hold n bytes, and their size.
func classOf(n int) (class int, size int64) {
	power := bits.Len(uint(max(n, 1) - 1)) // n <= 1<<power
	if power <= fineClass {
		power = max(power, smallestClass)
		return power - smallestClass, 1 << power
	}
	step := int64(1) << (power - 3) // four steps from half of the power
	steps := (int64(n) + step - 1) / step
	return fineClass - smallestClass + 4*(power-fineClass-1) + int(steps-4), steps * step
}

// buffer holds one request body. Its owner gives it back with release.
type buffer struct {
	// bytes is the content; its capacity is what the buffer costs.
	bytes []byte
	from  *memory
	class int
	cost  int64
}

func newMemory(limit int64) *memory { return &memory{max: limit} }

var errOverloaded = &refusal{overloaded, "too many requests in flight; send again later"}

// reserve claims n bytes, or reports that there is no room for them.
func (m *memory) reserve(n int64) bool {
	if m.used.Add(n) <= m.max {
		return true
	}
	m.used.Add(-n)
	return false
}

func (m *memory) free(n int64) { m.used.Add(-n) }

// get returns an empty buffer with a capacity of at least n bytes.
func (m *memory) get(n int) (*buffer, error) {
	class, cost := classOf(n)
	if !m.reserve(cost) {
		return nil, errOverloaded
	}
	m.mu.Lock()
	if list := m.idle[class]; len(list) > 0 {
		b := list[len(list)-1]
		list[len(list)-1] = nil
		m.idle[class] = list[:len(list)-1]
		m.idleBytes -= cost
		m.least = min(m.least, m.idleBytes)
		m.mu.Unlock()
		return b, nil
	}
	// What is idle has to make room for what is new.
	m.drop(m.max - m.used.Load())
	m.mu.Unlock()
	return &buffer{bytes: make([]byte, 0, cost), from: m, class: class, cost: cost}, nil
}

// drop lets go of idle buffers, large ones first, until at most the given
// number of bytes is idle. The caller holds the lock.
func (m *memory) drop(most int64) {
	before := m.idleBytes
	for class := classes - 1; class >= 0 && m.idleBytes > most; class-- {
		list := m.idle[class]
		for len(list) > 0 && m.idleBytes > most {
			m.idleBytes -= list[len(list)-1].cost
			list[len(list)-1] = nil
			list = list[:len(list)-1]
		}
		m.idle[class] = list
	}
	m.least = min(m.least, m.idleBytes)
	m.discard(before - m.idleBytes)
}

// discard counts memory that nobody refers to any more. The collector would let
// it grow with the live heap, to twice the bound, so it is told to run when much
// has gathered; meanwhile nobody gets memory. That happens under a flood of
// large requests of different sizes, and as buffers hold no pointers it takes
// little time. The caller holds the lock.
func (m *memory) discard(n int64) {
	if m.garbage += n; m.garbage > m.max/4 {
		runtime.GC()
		m.garbage = 0
	}
}

// trim lets go of what was idle all the time since it was last called.
func (m *memory) trim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.idleBytes - m.least)
	m.least = m.idleBytes
}

// release gives the buffer back. Releasing nil does nothing.
func (b *buffer) release() {
	if b == nil {
		return
	}
	m := b.from
	b.bytes = b.bytes[:0]
	m.mu.Lock()
	m.idle[b.class] = append(m.idle[b.class], b)
	m.idleBytes += b.cost
	m.used.Add(-b.cost)
	m.mu.Unlock()
}

// grow returns a buffer with the same content and room for n bytes in all. It
// releases b, or on an error leaves it as it is.
func (b *buffer) grow(n int) (*buffer, error) {
	larger, err := b.from.get(n)
	if err != nil {
		return nil, err
	}
	larger.bytes = append(larger.bytes, b.bytes...)
	b.release()
	return larger, nil
}

const (
	// firstRead is how much is reserved before a byte arrived. A sender must
	// deliver this much before it can claim what it declared.
	firstRead = 8 << 10
	// growth is the factor by which a buffer grows with what arrived.
	growth = 8
)

// readAll reads r to its end into a new buffer, which takes memory only as
// bytes arrive. Declared is the length that the sender announced, -1 without
// one. What names the input in messages.
func (m *memory) readAll(r io.Reader, declared, limit int64, what string) (*buffer, error) {
	if declared > limit {
		return nil, refuse(tooLarge, "%s has %d bytes; at most %d are taken", what, declared, limit)
	}
	end := limit
	if declared >= 0 {
		end = declared
	}
	b, err := m.get(int(min(end, firstRead)))
	if err != nil {
		return nil, err
	}
	for {
		if int64(len(b.bytes)) == end {
			err = atEnd(r, declared, limit, what)
			break
		}
		if len(b.bytes) == cap(b.bytes) {
			var larger *buffer
			if larger, err = b.grow(int(min(int64(len(b.bytes))*growth, end))); err != nil {
				break
			}
			b = larger
		}
		n, ended := r.Read(b.bytes[len(b.bytes):min(int64(cap(b.bytes)), end)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if ended == io.EOF {
			if declared > int64(len(b.bytes)) {
				err = io.ErrUnexpectedEOF
			}
			break
		}
		if err = ended; err != nil {
			break
		}
	}
	if err == nil {
		return b, nil
	}
	b.release()
	return nil, readRefusal(err, what)
}

// atEnd reads on where as much has arrived as may: what declared its length
// ends there by definition, the rest must have ended by itself.
func atEnd(r io.Reader, declared, limit int64, what string) error {
	if declared >= 0 {
		return nil
	}
	var one [1]byte
	for {
		n, err := r.Read(one[:])
		if n > 0 {
			return refuse(tooLarge, "%s has more than %d bytes, which is the most that is taken", what, limit)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readRefusal turns the error of a read into what the sender is told.
func readRefusal(err error, what string) error {
	var known *refusal
	var network net.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &network) && network.Timeout():
		return refuse(tooSlow, "%s did not arrive in time", what)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(malformed, "%s ends early", what)
	}
	return refuse(malformed, "reading %s: %v", what, err)
}
