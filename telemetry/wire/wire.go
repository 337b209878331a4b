// Package wire reads and measures the primitives of protobuf's wire format:
// varints, lengths and fixed numbers, at a position of a buffer. What goes wrong
// is told by a position of -1, so that nothing is allocated and callers say in
// their own words what they were reading.
//
// A position that is passed in must not be negative. It may be past the end of
// the buffer, where there is nothing to read.
//
// It must not know any message.
package wire

import (
	"encoding/binary"
	"math/bits"
)

// The types that the lower three bits of a tag name.
const (
	VarintType  = 0
	Fixed64Type = 1
	LengthType  = 2
	GroupType   = 3
	EndType     = 4
	Fixed32Type = 5
)

// MaxFieldNumber is the highest number that a field can have.
const MaxFieldNumber = 1<<29 - 1

// Uvarint reads a varint at pos; next is -1 where there is none.
func Uvarint(buf []byte, pos int) (v uint64, next int) {
	if pos < len(buf) && buf[pos] < 0x80 {
		return uint64(buf[pos]), pos + 1
	}
	return UvarintLong(buf, pos)
}

// UvarintLong is Uvarint for callers that have dealt with varints of one byte.
// Padding with zeros is legal up to ten bytes; what does not fit into 64 bits is
// not.
//
//go:noinline
func UvarintLong(buf []byte, pos int) (v uint64, next int) {
	for shift := 0; shift < 64; shift += 7 {
		if pos >= len(buf) {
			return 0, -1
		}
		c := buf[pos]
		pos++
		if shift == 63 && c > 1 {
			return 0, -1
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, pos
		}
	}
	return 0, -1
}

// UvarintLen returns the length of v as a varint.
func UvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// Extent reads a length at pos and returns the extent of what follows; end is -1
// where the length is wrong or runs past the end of buf.
func Extent(buf []byte, pos int) (start, end int) {
	if end = ShortEnd(buf, pos); end >= 0 {
		return pos + 1, end
	}
	return extentLong(buf, pos)
}

// ShortEnd returns the end of what follows a length at pos if that has one byte
// and is right, else -1. It is the part of Extent that is inlined.
func ShortEnd(buf []byte, pos int) int {
	if pos < len(buf) {
		if n := int(buf[pos]); n < 0x80 && n < len(buf)-pos {
			return pos + 1 + n
		}
	}
	return -1
}

//go:noinline
func extentLong(buf []byte, pos int) (start, end int) {
	n, start := UvarintLong(buf, pos)
	if start < 0 || n > uint64(len(buf)-start) {
		return -1, -1
	}
	return start, start + int(n)
}

// Fixed64 reads eight bytes at pos; next is -1 where they are not there.
func Fixed64(buf []byte, pos int) (v uint64, next int) {
	if pos+8 > len(buf) {
		return 0, -1
	}
	return binary.LittleEndian.Uint64(buf[pos:]), pos + 8
}

// Fixed32 reads four bytes at pos; next is -1 where they are not there.
func Fixed32(buf []byte, pos int) (v uint32, next int) {
	if pos+4 > len(buf) {
		return 0, -1
	}
	return binary.LittleEndian.Uint32(buf[pos:]), pos + 4
}

// Zigzag32 undoes the encoding of a sint32.
func Zigzag32(v uint64) int32 {
	u := uint32(v)
	return int32(u>>1) ^ -int32(u&1)
}

// Zigzag64 undoes the encoding of a sint64.
func Zigzag64(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
