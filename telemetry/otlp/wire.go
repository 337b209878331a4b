package otlp

import "encoding/binary"

// Wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireLength  = 2
	wireGroup   = 3
	wireEnd     = 4
	wireFixed32 = 5
)

const (
	maxFieldNumber = 1<<29 - 1
	// maxGroups bounds the nesting of groups, which are only ever skipped.
	maxGroups = 64
)

// uvarint reads a varint at pos; next is -1 where there is none.
func uvarint(buf []byte, pos int) (v uint64, next int) {
	if pos < len(buf) && buf[pos] < 0x80 {
		return uint64(buf[pos]), pos + 1
	}
	return uvarintLong(buf, pos)
}

// uvarintLong reads a varint of any length. Padding with zeros is legal up to
// ten bytes; what does not fit into 64 bits is not.
//
//go:noinline
func uvarintLong(buf []byte, pos int) (v uint64, next int) {
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

// extentAt reads a length at pos and returns the extent of what follows; end is
// -1 where the length is wrong or runs past the end of buf.
func extentAt(buf []byte, pos int) (start, end int) {
	if end = short(buf, pos); end >= 0 {
		return pos + 1, end
	}
	return extentLong(buf, pos)
}

// short returns the end of what follows a length at pos if that has one byte and
// is right, else -1. It is the part of extentAt that is inlined.
func short(buf []byte, pos int) int {
	if pos < len(buf) {
		if n := int(buf[pos]); n < 0x80 && n < len(buf)-pos {
			return pos + 1 + n
		}
	}
	return -1
}

//go:noinline
func extentLong(buf []byte, pos int) (start, end int) {
	n, start := uvarintLong(buf, pos)
	if start < 0 || n > uint64(len(buf)-start) {
		return -1, -1
	}
	return start, start + int(n)
}

// fixed64 reads eight bytes at pos; next is -1 where they are not there.
func fixed64(buf []byte, pos int) (v uint64, next int) {
	if pos+8 > len(buf) {
		return 0, -1
	}
	return binary.LittleEndian.Uint64(buf[pos:]), pos + 8
}

// fixed32 reads four bytes at pos; next is -1 where they are not there.
func fixed32(buf []byte, pos int) (v uint32, next int) {
	if pos+4 > len(buf) {
		return 0, -1
	}
	return binary.LittleEndian.Uint32(buf[pos:]), pos + 4
}

// zigzag32 undoes the encoding of a sint32.
func zigzag32(v uint64) int32 {
	u := uint32(v)
	return int32(u>>1) ^ -int32(u&1)
}

// skip returns the position after the field whose tag ended at pos, -1 where
// the field is broken.
func skip(buf []byte, pos int, tag uint64) int {
	switch tag & 7 {
	case wireVarint:
		_, next := uvarint(buf, pos)
		return next
	case wireFixed64:
		_, next := fixed64(buf, pos)
		return next
	case wireLength:
		_, end := extentAt(buf, pos)
		return end
	case wireGroup:
		return skipGroup(buf, pos, tag>>3)
	case wireFixed32:
		_, next := fixed32(buf, pos)
		return next
	}
	return -1
}

// skipGroup skips a group without recursion, so that no nesting can exhaust the
// stack. Every end must have the number of its start.
func skipGroup(buf []byte, pos int, number uint64) int {
	var open [maxGroups]uint64
	open[0] = number
	depth := 1
	for depth > 0 {
		tag, next := uvarint(buf, pos)
		if next < 0 || tag>>3 == 0 || tag>>3 > maxFieldNumber {
			return -1
		}
		switch tag & 7 {
		case wireGroup:
			if depth == maxGroups {
				return -1
			}
			open[depth] = tag >> 3
			depth++
			pos = next
		case wireEnd:
			depth--
			if open[depth] != tag>>3 {
				return -1
			}
			pos = next
		default:
			if pos = skip(buf, next, tag); pos < 0 {
				return -1
			}
		}
	}
	return pos
}

// uvarintLen returns the length of v as a varint.
func uvarintLen(v int) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}
