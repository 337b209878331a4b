package traces

import (
	"math/bits"
	"math/rand/v2"
)

// lookup is an open-addressing table from keys to numbers that is used for one
// thing after the other. A key may be there several times.
type lookup struct {
	slots []lookupSlot
	mask  uint32
	seed  uint64
}

type lookupSlot struct {
	key   uint64
	value uint32 // and 1, 0 where the slot is empty
}

// reset empties the table and makes room for n keys.
func (l *lookup) reset(n int) {
	size := 8
	if n > 4 {
		size = 1 << bits.Len(uint(2*n-1))
	}
	if len(l.slots) < size {
		l.slots = make([]lookupSlot, size)
		l.seed = rand.Uint64() //nolint:gosec // not a secret for long, and no result depends on it
	} else {
		clear(l.slots[:size])
	}
	l.mask = uint32(size - 1)
}

// home is where a key is looked for first. Senders choose their span ids; the
// seed, which no result depends on, keeps them from choosing where they go.
func (l *lookup) home(key uint64) uint32 {
	high, low := bits.Mul64(key^l.seed, 0x9E3779B97F4A7C15)
	return uint32(high^low) & l.mask
}

// add adds a key, which may be there already, with a number.
func (l *lookup) add(key uint64, value uint32) {
	slot := l.home(key)
	for l.slots[slot].value != 0 {
		slot = (slot + 1) & l.mask
	}
	l.slots[slot] = lookupSlot{key, value + 1}
}

// addOnce adds a key and reports whether it is new.
func (l *lookup) addOnce(key uint64) bool {
	slot := l.home(key)
	for ; l.slots[slot].value != 0; slot = (slot + 1) & l.mask {
		if l.slots[slot].key == key {
			return false
		}
	}
	l.slots[slot] = lookupSlot{key, 1}
	return true
}

// values calls yield with the numbers of a key, in the order in which they were
// added, until it returns false.
func (l *lookup) values(key uint64, yield func(value uint32) bool) {
	for slot := l.home(key); l.slots[slot].value != 0; slot = (slot + 1) & l.mask {
		if l.slots[slot].key == key && !yield(l.slots[slot].value-1) {
			return
		}
	}
}
