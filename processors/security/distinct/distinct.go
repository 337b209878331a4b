// Package distinct estimates how many different things there are, in little and
// bounded memory: a bitmap for few, HyperLogLog for many.
package distinct

import (
	"math"
	"math/bits"
)

// Few counts up to several hundred different hashes with an error of some percent
// (linear counting). Its zero value is empty.
type Few [4]uint64

// fewBits is the number of bits of Few.
const fewBits = 256

// Add adds a hash.
func (f *Few) Add(hash uint64) {
	bit := hash >> 56
	f[bit>>6] |= 1 << (bit & 63)
}

// Count returns about how many hashes were added. It never returns less than the
// number of bits that are set, and at most 1420.
func (f *Few) Count() int {
	set := 0
	for _, w := range f {
		set += bits.OnesCount64(w)
	}
	return max(set, int(math.Round(-fewBits*math.Log(float64(max(fewBits-set, 1))/fewBits))))
}

// Many counts any number of different hashes with an error of about 6 percent. Its
// zero value is empty.
type Many [registers]uint8

const registers = 256

// Add adds a hash.
func (m *Many) Add(hash uint64) {
	register := hash >> 56
	rank := uint8(min(bits.LeadingZeros64(hash<<8)+1, 57)) //nolint:gosec // at most 57
	m[register] = max(m[register], rank)
}

// Count returns about how many hashes were added.
func (m *Many) Count() uint64 {
	sum, zeros := 0.0, 0
	for _, rank := range m {
		sum += 1 / float64(uint64(1)<<rank)
		if rank == 0 {
			zeros++
		}
	}
	const alpha = 0.7213 / (1 + 1.079/registers)
	estimate := alpha * registers * registers / sum
	if estimate <= 2.5*registers && zeros > 0 {
		estimate = registers * math.Log(registers/float64(zeros))
	}
	return uint64(math.Round(estimate))
}
