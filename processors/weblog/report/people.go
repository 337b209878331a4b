package report

// people are the visitors of all days, each with a state.
type people struct {
	set   hashSet
	limit int
	full  bool
}

func newPeople(limit int) people { return people{set: newHashSet(true), limit: limit} }

// get returns the entry of a visitor of a day, by a hash of both, and whether it is
// new; nil if there is no room. It is valid until the next get.
func (p *people) get(hash uint64) (entry []byte, isNew bool) {
	part, key := p.set.split(hash)
	entry, found := p.set.find(part, key)
	if found {
		return entry, false
	}
	if p.set.n >= p.limit {
		p.full = true
		return nil, false
	}
	return p.set.insert(part, entry, key), true
}

// withoutClientErrors counts those who got something else than a 4xx.
func (p *people) withoutClientErrors() uint64 {
	n := uint64(0)
	p.set.all(func(entry []byte) {
		if stateOf(entry)&notClientError != 0 {
			n++
		}
	})
	return n
}

func (p *people) count() uint64 { return uint64(p.set.n) } //nolint:gosec // a count
