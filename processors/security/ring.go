package security

// ringSlices is the number of slices that a ring is made of.
const ringSlices = 5

// ring counts what happened in the last five slices of time. Its sum is never
// more than what happened in that time. Its zero value is empty.
type ring struct {
	// newest is the number of the latest slice since 1970.
	newest int64
	counts [ringSlices]uint32
}

// add counts n things at a time, with slices of a length, both in nanoseconds. What
// is older than the ring is left out.
func (r *ring) add(at, length int64, n uint32) {
	slice := at / length
	r.move(slice)
	if slice > r.newest-ringSlices {
		r.counts[slice%ringSlices] += n
	}
}

// move makes a slice the latest.
func (r *ring) move(slice int64) {
	if slice-r.newest >= ringSlices {
		*r = ring{newest: slice}
		return
	}
	for r.newest < slice {
		r.newest++
		r.counts[r.newest%ringSlices] = 0
	}
}

// sum returns the number of things in the ring.
func (r *ring) sum() (n uint32) {
	for _, c := range r.counts {
		n += c
	}
	return n
}

// since returns the start of the first slice that has something.
func (r *ring) since(length int64) int64 {
	for slice := r.newest - ringSlices + 1; slice <= r.newest; slice++ {
		if slice >= 0 && r.counts[slice%ringSlices] > 0 {
			return slice * length
		}
	}
	return r.newest * length
}
