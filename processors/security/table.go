package security

// table keeps up to a number of entries by a hash: when it is full, the one that was
// used longest ago gives way. Which one that is follows from the order of use
// alone.
type table[V any] struct {
	most  int
	index map[uint64]int32
	slots []slot[V]
	// newest and oldest are the ends of a list in the order of use, -1 if empty.
	newest, oldest int32
	free           []int32
	// kept says of an entry that it should stay, as long as there are others.
	kept func(*V) bool
}

type slot[V any] struct {
	key          uint64
	older, newer int32
	value        V
}

func newTable[V any](most int, kept func(*V) bool) *table[V] {
	return &table[V]{most: most, index: make(map[uint64]int32), newest: -1, oldest: -1, kept: kept}
}

// get returns the entry of a key, which counts as used; nil if there is none. It is
// valid until the next one is added.
func (t *table[V]) get(key uint64) *V {
	i, ok := t.index[key]
	if !ok {
		return nil
	}
	if i != t.newest {
		t.unlink(i)
		t.link(i)
	}
	return &t.slots[i].value
}

// peek returns the entry of a key, and changes nothing.
func (t *table[V]) peek(key uint64) *V {
	i, ok := t.index[key]
	if !ok {
		return nil
	}
	return &t.slots[i].value
}

// add returns a new entry for a key that has none.
func (t *table[V]) add(key uint64) *V {
	if len(t.index) >= t.most {
		for n := len(t.index); n > 0 && t.kept != nil && t.kept(&t.slots[t.oldest].value); n-- {
			i := t.oldest
			t.unlink(i)
			t.link(i)
		}
		t.drop()
	}
	var i int32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.slots = append(t.slots, slot[V]{})
		i = int32(len(t.slots) - 1) //nolint:gosec // at most most
	}
	t.slots[i].key = key
	t.index[key] = i
	t.link(i)
	return &t.slots[i].value
}

// last returns the entry that was used longest ago, nil if there is none.
func (t *table[V]) last() *V {
	if t.oldest < 0 {
		return nil
	}
	return &t.slots[t.oldest].value
}

// drop removes the entry that was used longest ago.
func (t *table[V]) drop() {
	i := t.oldest
	t.unlink(i)
	delete(t.index, t.slots[i].key)
	t.slots[i] = slot[V]{}
	t.free = append(t.free, i)
}

// each calls f with the entries, the one that was used longest ago first.
func (t *table[V]) each(f func(key uint64, v *V)) {
	for i := t.oldest; i >= 0; i = t.slots[i].newer {
		f(t.slots[i].key, &t.slots[i].value)
	}
}

func (t *table[V]) len() int { return len(t.index) }

func (t *table[V]) unlink(i int32) {
	s := &t.slots[i]
	if s.older >= 0 {
		t.slots[s.older].newer = s.newer
	} else {
		t.oldest = s.newer
	}
	if s.newer >= 0 {
		t.slots[s.newer].older = s.older
	} else {
		t.newest = s.older
	}
}

func (t *table[V]) link(i int32) {
	t.slots[i].older, t.slots[i].newer = t.newest, -1
	if t.newest >= 0 {
		t.slots[t.newest].newer = i
	} else {
		t.oldest = i
	}
	t.newest = i
}
