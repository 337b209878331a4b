package report

// distinct counts different numbers that are hashes. It is exact up to a limit, and
// keeps a sample beyond: those that end in so many zero bits, which stand for the
// rest. What it keeps depends on the numbers alone, not on their order.
type distinct struct {
	slots []uint64
	n     int
	limit int
	// level is how many zero bits a number of the sample ends in.
	level uint
	zero  bool
}

// add reports whether the number is new. Beyond the limit it does so for those of
// the sample.
func (d *distinct) add(v uint64) bool {
	if v&(1<<d.level-1) != 0 {
		return false
	}
	if v == 0 {
		isNew := !d.zero
		d.zero = true
		return isNew
	}
	mask := uint64(len(d.slots) - 1)
	if len(d.slots) > 0 {
		for i := spread(v) & mask; d.slots[i] != 0; i = (i + 1) & mask {
			if d.slots[i] == v {
				return false
			}
		}
	}
	if 4*(d.n+1) > 3*len(d.slots) {
		d.grow()
		return d.add(v)
	}
	d.insert(v)
	return true
}

// insert adds a number that is new, where there is room.
func (d *distinct) insert(v uint64) {
	mask := uint64(len(d.slots) - 1)
	i := spread(v) & mask
	for d.slots[i] != 0 {
		i = (i + 1) & mask
	}
	d.slots[i] = v
	d.n++
}

// spread spreads numbers that end in the same bits.
func spread(v uint64) uint64 { return v ^ v>>32 }

// grow makes room, or beyond the limit a smaller sample.
func (d *distinct) grow() {
	old := d.slots
	size := max(64, 2*len(old))
	if d.limit > 0 && d.n >= d.limit {
		size = len(old)
		d.level++
	}
	d.slots, d.n = make([]uint64, size), 0
	for _, v := range old {
		if v != 0 && v&(1<<d.level-1) == 0 {
			d.insert(v)
		}
	}
}

// exact reports whether count is no estimate.
func (d *distinct) exact() bool { return d.level == 0 }

// count returns how many there are; it is an estimate beyond the limit.
func (d *distinct) count() uint64 {
	n := uint64(d.n) //nolint:gosec // a length
	if d.zero {
		n++
	}
	return n << d.level
}

// mix makes a hash of two.
func mix(a, b uint64) uint64 {
	x := (a ^ b*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}
