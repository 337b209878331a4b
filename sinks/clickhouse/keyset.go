package clickhouse

// keySet is a set of hashes in the order in which they were added. Senders send
// series in the same order again and again, so the next hash that is looked up
// is mostly the one that was added next, and the next in memory.
type keySet struct {
	keys []uint64
	// expected is the index of the key that is expected next.
	expected int
	// slots has a power of two of places, at most half of them taken: the number
	// of a key, from 1; 0 is free. A key's place is at its low bits, or behind
	// where those are taken.
	slots []uint32
}

const minSlots = 64

func (s *keySet) size() int { return len(s.keys) }

func (s *keySet) has(key uint64) bool {
	if s.expected < len(s.keys) && s.keys[s.expected] == key {
		s.expected++
		return true
	}
	return s.find(key)
}

func (s *keySet) find(key uint64) bool {
	if len(s.keys) == 0 {
		return false
	}
	mask := uint64(len(s.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		n := s.slots[i]
		if n == 0 {
			return false
		}
		if s.keys[n-1] == key {
			s.expected = int(n)
			return true
		}
	}
}

// add adds a key that the set does not have.
func (s *keySet) add(key uint64) {
	s.keys = append(s.keys, key)
	if 2*len(s.keys) <= len(s.slots) {
		s.place(len(s.keys))
		return
	}
	s.slots = make([]uint32, max(2*len(s.slots), minSlots))
	for n := range s.keys {
		s.place(n + 1)
	}
}

// place puts the number of a key into a slot.
func (s *keySet) place(n int) {
	mask := uint64(len(s.slots) - 1)
	i := s.keys[n-1] & mask
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = uint32(n)
}

// clear empties the set and keeps its memory.
func (s *keySet) clear() {
	s.keys, s.expected = s.keys[:0], 0
	clear(s.slots)
}

// seriesCache remembers about limit keys, in two generations: when the young one
// is full it becomes the old one, and the old one is forgotten. What is asked
// for again in time stays.
type seriesCache struct {
	limit      int
	young, old keySet
}

func (c *seriesCache) has(key uint64) bool {
	if c.young.has(key) {
		return true
	}
	if c.old.has(key) {
		c.add(key)
		return true
	}
	return false
}

func (c *seriesCache) add(key uint64) {
	if c.young.find(key) {
		return
	}
	if c.young.size() >= max(c.limit/2, 1) {
		c.young, c.old = c.old, c.young
		c.young.clear()
	}
	c.young.add(key)
}

// forget empties the cache.
func (c *seriesCache) forget() {
	c.young.clear()
	c.old.clear()
}
