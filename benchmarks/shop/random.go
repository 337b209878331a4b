package shop

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
)

// random draws everything that the shop does from one seed.
type random struct{ pcg rand.PCG }

func newRandom(seed, stream uint64) *random {
	r := &random{}
	r.pcg.Seed(seed, stream)
	return r
}

func (r *random) uint64() uint64 { return r.pcg.Uint64() }

// float returns a number in [0, 1).
func (r *random) float() float64 { return float64(r.pcg.Uint64()>>11) / (1 << 53) }

// below returns an integer in [0, n).
func (r *random) below(n int) int {
	high, _ := bits.Mul64(r.pcg.Uint64(), uint64(n))
	return int(high)
}

func (r *random) chance(p float64) bool { return p > 0 && r.float() < p }

// normals is the standard normal distribution, as its quantiles: drawing one is
// a look-up, and its tails end at 3.5 standard deviations.
var normals = func() (q [4096]float64) {
	for i := range q {
		q[i] = math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/float64(len(q))-1)
	}
	return q
}()

func (r *random) normal() float64 { return normals[r.pcg.Uint64()>>52] }

// logNormal returns a positive number around the median; a sigma of 0.4 puts
// two of three draws within a factor of 1.5.
func (r *random) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*r.normal())
}

// popularity draws indices so that index i is drawn in proportion to its
// weight, in constant time (Vose's alias method).
type popularity struct {
	accept []float64
	alias  []int32
}

func newPopularity(weights []float64) *popularity {
	n := len(weights)
	p := &popularity{accept: make([]float64, n), alias: make([]int32, n)}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	var small, large []int32
	for i, w := range weights {
		p.accept[i] = w / sum * float64(n)
		if p.accept[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		p.alias[s] = l
		if p.accept[l] -= 1 - p.accept[s]; p.accept[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // what rounding left over
		p.accept[i], p.alias[i] = 1, i
	}
	return p
}

// zipf gives n indices a popularity that falls with rank to the power of s.
func zipf(n int, s float64) *popularity {
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -s)
	}
	return newPopularity(weights)
}

func (p *popularity) pick(r *random) int {
	i := r.below(len(p.accept))
	if r.float() < p.accept[i] {
		return i
	}
	return int(p.alias[i])
}

const hexDigits = "0123456789abcdef"

// appendHex appends the lowest digits of v in lower-case hexadecimal.
func appendHex(b []byte, v uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[v>>shift&15])
	}
	return b
}

// uuid renders two numbers as a random UUID (version 4).
func uuid(high, low uint64) string {
	high = high&^0xf000 | 0x4000
	low = low&^(3<<62) | 2<<62
	b := appendHex(make([]byte, 0, 36), high>>32, 8)
	b = appendHex(append(b, '-'), high>>16&0xffff, 4)
	b = appendHex(append(b, '-'), high&0xffff, 4)
	b = appendHex(append(b, '-'), low>>48, 4)
	return string(appendHex(append(b, '-'), low&0xffffffffffff, 12))
}

// traceID is a trace id in two halves.
type traceID [2]uint64

func (id traceID) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], id[0])
	binary.BigEndian.PutUint64(b[8:], id[1])
	return b
}

func spanBytes(id uint64) (b [8]byte) {
	binary.BigEndian.PutUint64(b[:], id)
	return b
}
