package report

import (
	"math/rand/v2"
	"testing"
)

// TestHashSet remembers what a map does, with and without states, of hashes that
// are spread and of such that all are in one part.
func TestHashSet(t *testing.T) {
	t.Parallel()
	for _, hasStates := range []bool{false, true} {
		s := newHashSet(hasStates)
		want := make(map[uint64]uint64)
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
		for i := range uint64(60_000) {
			hash := mix(random.Uint64N(20_000), 1)
			if i%2 == 0 {
				hash = random.Uint64N(5000) << (64 - 8 - keyBits)
			}
			p, key := s.split(hash)
			entry, found := s.find(p, key)
			if _, known := want[hash]; known != found {
				t.Fatalf("%x: found %v, known %v", hash, found, known)
			}
			if !found {
				entry = s.insert(p, entry, key)
			}
			if hasStates {
				setState(entry, stateOf(entry)+i)
			}
			want[hash] += i
		}
		n := 0
		s.all(func([]byte) { n++ })
		if n != len(want) || s.n != n {
			t.Fatalf("%d of %d, and %d are counted", n, len(want), s.n)
		}
		check := func() {
			t.Helper()
			for hash, state := range want {
				p, key := s.split(hash)
				if entry, found := s.find(p, key); !found || hasStates && stateOf(entry) != state {
					t.Fatalf("%x: found %v, want %d", hash, found, state)
				}
			}
		}
		check()
		isKept := func(key uint64) bool { return key%4 == 0 }
		for hash := range want {
			if _, key := s.split(hash); !isKept(key) {
				delete(want, hash)
			}
		}
		s.keep(isKept)
		if s.n != len(want) {
			t.Errorf("%d are kept of %d", s.n, len(want))
		}
		check()
	}
}

// TestHashSetIsSmall has pages that are mostly taken, of which none is left behind
// when the set grows.
func TestHashSetIsSmall(t *testing.T) {
	t.Parallel()
	s := newHashSet(false)
	const n = 200_000
	for i := range uint64(n) {
		p, key := s.split(mix(i, 1))
		entry, _ := s.find(p, key)
		s.insert(p, entry, key)
	}
	pages := 0
	for i := range s.parts {
		pages += len(s.parts[i].pages)
	}
	if size := pages * len(hashPage{}); s.n != n || size > 8*n {
		t.Errorf("%d hashes are %d bytes", s.n, size)
	}
}
