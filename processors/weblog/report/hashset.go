package report

import (
	"encoding/binary"
	"math/bits"
)

// hashSet remembers hashes, and a state with each if it has states. Its memory is
// pages, which are never given back: a set grows without a second copy of itself.
//
// Of a hash it keeps 48 bits, of which the part is 8. Two of a million hashes are
// the same in these with a probability of 0.2 %.
type hashSet struct {
	parts [hashParts]hashPart
	n     int
	// entry is the size of a key with its state, perPage how many a page has.
	entry, perPage int
	// moved are the entries of a part while it grows.
	moved []byte
}

const (
	hashParts = 256
	keyBits   = 40
	keySize   = keyBits / 8
	keyMask   = 1<<keyBits - 1
	stateSize = 8
)

// hashPart has the hashes that begin alike. Its pages are one array of places, with
// a key in those that are taken and 0 in the others.
type hashPart struct {
	pages []*hashPage
	n     int
}

type hashPage [256]byte

// newHashSet makes a set with or without states.
func newHashSet(hasStates bool) hashSet {
	s := hashSet{entry: keySize}
	if hasStates {
		s.entry += stateSize
	}
	// Keys are read as numbers of 8 bytes, the last one too.
	s.perPage = (len(hashPage{})-max(8, s.entry))/s.entry + 1
	return s
}

// split is the part of a hash, and its key there, which is not 0.
func (s *hashSet) split(hash uint64) (*hashPart, uint64) {
	key := hash >> (64 - 8 - keyBits) & keyMask
	if key == 0 {
		key = 1 << (keyBits - 1)
	}
	return &s.parts[hash>>(64-8)], key
}

// find returns the entry of a key and true, or the one where it would be, nil if
// there is none.
func (s *hashSet) find(p *hashPart, key uint64) (entry []byte, found bool) {
	if len(p.pages) == 0 {
		return nil, false
	}
	for i, at := s.home(p, key); ; {
		entry = p.pages[i][at:]
		switch keyOf(entry) {
		case key:
			return entry, true
		case 0:
			return entry, false
		}
		if at += s.entry; at == s.perPage*s.entry {
			at, i = 0, next(i, len(p.pages))
		}
	}
}

// touch reads where a hash is looked for first. Of many that are read one after
// another the processor waits for the memory of several at a time; those that are
// found afterwards are near it.
func (s *hashSet) touch(hash uint64) uint64 {
	p, key := s.split(hash)
	if len(p.pages) == 0 {
		return 0
	}
	i, at := s.home(p, key)
	return uint64(p.pages[i][at])
}

// home is where a key is looked for first: in which page, and where in that.
func (s *hashSet) home(p *hashPart, key uint64) (page, at int) {
	i, rest := bits.Mul64(key<<(64-keyBits), uint64(len(p.pages)))
	return int(i), placeOf(rest, s.perPage) * s.entry //nolint:gosec // less than the length
}

// insert adds a key that is not there and returns its entry, which is valid until
// the next insert. Entry is what find returned.
func (s *hashSet) insert(p *hashPart, entry []byte, key uint64) []byte {
	if isFull(p.n, len(p.pages)*s.perPage) {
		s.rebuild(p, max(1, len(p.pages)/4), nil)
		entry, _ = s.find(p, key)
	}
	setKey(entry, key)
	p.n++
	s.n++
	return entry
}

func setKey(entry []byte, key uint64) {
	binary.LittleEndian.PutUint32(entry, uint32(key)) //nolint:gosec // its low bits
	entry[4] = byte(key >> 32)
}

func keyOf(entry []byte) uint64 { return binary.LittleEndian.Uint64(entry) & keyMask }

func stateOf(entry []byte) uint64 { return binary.LittleEndian.Uint64(entry[keySize:]) }

func setState(entry []byte, state uint64) { binary.LittleEndian.PutUint64(entry[keySize:], state) }

// all calls f for every entry.
func (s *hashSet) all(f func(entry []byte)) {
	for i := range s.parts {
		for _, page := range s.parts[i].pages {
			for at := 0; at < s.perPage*s.entry; at += s.entry {
				if entry := page[at:]; keyOf(entry) != 0 {
					f(entry)
				}
			}
		}
	}
}

// keep removes the keys for which f reports false.
func (s *hashSet) keep(f func(key uint64) bool) {
	s.n = 0
	for i := range s.parts {
		s.rebuild(&s.parts[i], 0, f)
		s.n += s.parts[i].n
	}
}

// rebuild adds so many pages to a part, and removes the keys for which keep reports
// false; nil keeps all.
func (s *hashSet) rebuild(p *hashPart, more int, keep func(key uint64) bool) {
	s.moved = s.moved[:0]
	for _, page := range p.pages {
		s.moved = append(s.moved, page[:s.perPage*s.entry]...)
		clear(page[:])
	}
	end := len(s.moved)
	s.moved = append(s.moved, make([]byte, 8)...) // with which the last key is read
	for range more {
		p.pages = append(p.pages, new(hashPage))
	}
	p.n = 0
	for from := 0; from < end; from += s.entry {
		entry := s.moved[from:]
		key := keyOf(entry)
		if key == 0 || keep != nil && !keep(key) {
			continue
		}
		to, _ := s.find(p, key)
		setKey(to, key)
		if s.entry > keySize {
			setState(to, stateOf(entry))
		}
		p.n++
	}
}
