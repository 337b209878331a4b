package classify

import "unsafe"

// arena is the memory of strings that are not parts of the line.
type arena struct{ buf []byte }

const arenaChunk, arenaKept = 16 << 10, 1 << 20

// reset takes back the memory of all strings.
func (a *arena) reset() {
	if a.buf = a.buf[:0]; cap(a.buf) > arenaKept {
		a.buf = nil
	}
}

// room returns an empty slice with room for n bytes. Strings that were kept stay
// where they are.
func (a *arena) room(n int) []byte {
	if cap(a.buf)-len(a.buf) < n {
		a.buf = make([]byte, 0, max(n, min(2*cap(a.buf), arenaKept), arenaChunk))
	}
	return a.buf[len(a.buf):]
}

// keep returns what was appended to what room returned.
func (a *arena) keep(b []byte) string {
	a.buf = a.buf[:len(a.buf)+len(b)]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// lower returns s with ASCII letters in lower case.
func (a *arena) lower(s string) string {
	for i := range len(s) {
		if s[i]-'A' <= 'Z'-'A' {
			return a.mapped(s, 'A')
		}
	}
	return s
}

// upper returns s with ASCII letters in upper case.
func (a *arena) upper(s string) string {
	for i := range len(s) {
		if s[i]-'a' <= 'z'-'a' {
			return a.mapped(s, 'a')
		}
	}
	return s
}

// mapped changes the case of the letters of the alphabet that begins with first.
func (a *arena) mapped(s string, first byte) string {
	b := append(a.room(len(s)), s...)
	for i, c := range b {
		if c-first <= 'z'-'a' {
			b[i] = c ^ 0x20
		}
	}
	return a.keep(b)
}
