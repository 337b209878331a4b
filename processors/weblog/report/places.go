package report

import "math/bits"

// Tables are arrays with more places than are taken. What is in one is at the place
// that its hash says, or at the first after it that was free. So an array is in the
// order of hashes, and moves to a larger one nearly from its beginning to its end.

// placeOf is the place of a hash among so many.
func placeOf(hash uint64, places int) int {
	place, _ := bits.Mul64(hash, uint64(places)) //nolint:gosec // a length
	return int(place)                            //nolint:gosec // less than the length
}

// next is the place after one, which is the first after the last.
func next(place, places int) int {
	if place++; place == places {
		return 0
	}
	return place
}

// isFull reports whether so many of the places are taken that searches would be
// long with one more.
func isFull(taken, places int) bool { return 5*(taken+1) > 4*places }

// grown is how many places follow so many. They are few more, because most would
// stay empty.
func grown(places int) int { return max(16, places+places/4) }
