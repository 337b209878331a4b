package report

// distinct counts different numbers that are hashes. It is exact up to a limit, and
// keeps a sample beyond: those whose keys end in so many zero bits, which stand for
// the rest. What it keeps depends on the numbers alone, not on their order.
type distinct struct {
	set   hashSet
	limit int
	// level is how many zero bits a key of the sample ends in.
	level uint
}

func newDistinct(limit int) distinct {
	return distinct{set: newHashSet(false), limit: limit}
}

// add reports whether the number is new. Beyond the limit it does so for those of
// the sample.
func (d *distinct) add(v uint64) bool {
	p, key := d.set.split(v)
	if !d.sampled(key) {
		return false
	}
	entry, found := d.set.find(p, key)
	if found {
		return false
	}
	for d.limit > 0 && d.set.n >= d.limit {
		d.level++
		d.set.keep(d.sampled)
		if !d.sampled(key) {
			return false
		}
		entry, _ = d.set.find(p, key)
	}
	d.set.insert(p, entry, key)
	return true
}

func (d *distinct) sampled(key uint64) bool { return key&(1<<d.level-1) == 0 }

// exact reports whether count is no estimate.
func (d *distinct) exact() bool { return d.level == 0 }

// count returns how many there are; it is an estimate beyond the limit.
func (d *distinct) count() uint64 { return uint64(d.set.n) << d.level } //nolint:gosec // a count

// mix makes a hash of two.
func mix(a, b uint64) uint64 {
	x := (a ^ b*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}
