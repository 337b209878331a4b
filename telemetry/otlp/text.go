package otlp

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// replacement takes the place of every run of bytes that are not UTF-8.
const replacement = "\uFFFD"

const highBits = 0x8080808080808080

// view returns the bytes as a string without a copy. The string is valid for as
// long as the bytes are not changed.
func view(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

// bytesOf returns the string's bytes without a copy. They must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// ascii reports whether no byte has its high bit set.
func ascii(p []byte) bool {
	n := len(p)
	if n >= 8 {
		bits := binary.LittleEndian.Uint64(p[n-8:])
		for len(p) >= 16 {
			bits |= binary.LittleEndian.Uint64(p) | binary.LittleEndian.Uint64(p[8:])
			p = p[16:]
		}
		if len(p) >= 8 {
			bits |= binary.LittleEndian.Uint64(p)
		}
		return bits&highBits == 0
	}
	if n >= 4 {
		bits := binary.LittleEndian.Uint32(p) | binary.LittleEndian.Uint32(p[n-4:])
		return bits&(highBits&0xffffffff) == 0
	}
	var bits byte
	for _, c := range p {
		bits |= c
	}
	return bits < 0x80
}

// repaired returns the bytes as a string: a view of them where they are valid
// UTF-8, a repaired copy where not.
func repaired(p []byte) string {
	if ascii(p) || utf8.Valid(p) {
		return view(p)
	}
	return strings.ToValidUTF8(view(p), replacement)
}
