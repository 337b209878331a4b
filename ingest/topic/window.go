package topic

import (
	"hash/maphash"
	"math"
	"time"
)

// window remembers the batch ids of the latest records of a partition, to
// recognise a record that was written again. Ids leave it in the order in which
// they came: when they are older than the window, or when there are too many.
//
// It is a ring of ids with an open-addressing index of ring positions: 40 bytes
// for an id and 8 or less for the index.
type window struct {
	age time.Duration
	max int

	ring  []windowEntry // a power of two
	head  uint64        // sequence number of the oldest entry
	next  uint64        // sequence number after the newest
	index []uint32      // ring position + 1, 0 where empty; a power of two
	seed  maphash.Seed
	// latest is the greatest time seen, in nanoseconds.
	latest int64
}

type windowEntry struct {
	id     BatchID
	offset int64
	at     int64
	// repeat is set where the window had the id already.
	repeat bool
}

func newWindow(age time.Duration, limit int) *window {
	return &window{age: age, max: limit, seed: maphash.MakeSeed(), latest: math.MinInt64}
}

// len returns the number of ids, repeated ones counted again.
func (w *window) len() int { return int(w.next - w.head) }

// add takes note of the id of the record at an offset, and reports whether the
// window has it already. Offsets ascend.
func (w *window) add(id BatchID, offset, at int64) bool {
	if w.max == 0 {
		return false
	}
	if w.len() == len(w.ring) {
		w.resize()
	}
	w.latest = max(w.latest, at)
	position := uint32(w.next & uint64(len(w.ring)-1))
	slot, found := w.find(id)
	w.ring[position] = windowEntry{id, offset, at, found}
	w.next++
	w.index[slot] = position + 1
	return found
}

// truncate forgets the records from an offset on, as if they had never been
// added.
func (w *window) truncate(offset int64) {
	mask := uint64(len(w.ring) - 1)
	for w.len() > 0 {
		position := (w.next - 1) & mask
		e := w.ring[position]
		if e.offset < offset {
			return
		}
		w.next--
		slot, _ := w.find(e.id)
		w.remove(slot)
		if !e.repeat {
			continue
		}
		for seq := w.next; seq > w.head; seq-- {
			older := (seq - 1) & mask
			if w.ring[older].id == e.id {
				slot, _ := w.find(e.id)
				w.index[slot] = uint32(older) + 1
				break
			}
		}
	}
}

// evict lets go of what is too old or too much. It is called between blocks:
// within a block the window only grows.
func (w *window) evict() {
	for w.len() > 0 {
		position := uint32(w.head & uint64(len(w.ring)-1))
		e := &w.ring[position]
		if w.len() <= w.max && w.latest-e.at <= int64(w.age) {
			return
		}
		if slot, found := w.find(e.id); found && w.index[slot] == position+1 {
			w.remove(slot)
		}
		w.head++
	}
}

// find returns the slot of an id, or the slot where it would be.
func (w *window) find(id BatchID) (slot uint32, found bool) {
	mask := uint32(len(w.index) - 1)
	for slot = w.home(&id); ; slot = (slot + 1) & mask {
		position := w.index[slot]
		if position == 0 {
			return slot, false
		}
		if w.ring[position-1].id == id {
			return slot, true
		}
	}
}

func (w *window) home(id *BatchID) uint32 {
	return uint32(maphash.Bytes(w.seed, id[:])) & uint32(len(w.index)-1)
}

// remove empties a slot and moves up what was pushed behind it.
func (w *window) remove(slot uint32) {
	mask := uint32(len(w.index) - 1)
	for next := (slot + 1) & mask; w.index[next] != 0; next = (next + 1) & mask {
		home := w.home(&w.ring[w.index[next]-1].id)
		// The entry may move to the hole unless its home lies behind the hole.
		if (next-home)&mask >= (next-slot)&mask {
			w.index[slot] = w.index[next]
			slot = next
		}
	}
	w.index[slot] = 0
}

// resize doubles the ring.
func (w *window) resize() {
	ring := make([]windowEntry, max(2*len(w.ring), 64))
	old := w.ring
	for seq := w.head; seq < w.next; seq++ {
		ring[seq&uint64(len(ring)-1)] = old[seq&uint64(len(old)-1)]
	}
	w.ring = ring
	w.index = make([]uint32, 2*len(ring))
	for seq := w.head; seq < w.next; seq++ {
		position := uint32(seq & uint64(len(ring)-1))
		slot, _ := w.find(ring[position].id)
		w.index[slot] = position + 1
	}
}
