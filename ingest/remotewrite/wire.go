package remotewrite

import (
	"encoding/binary"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// Wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireLength  = 2
)

// text is a piece of a request's body, [start, end).
type text struct{ start, end uint32 }

func (t text) size() int { return int(t.end - t.start) }

func (t text) of(body []byte) []byte { return body[t.start:t.end] }

// uvarint reads a varint at pos; next is -1 where there is none.
func uvarint(buf []byte, pos int) (v uint64, next int) {
	if pos < len(buf) && buf[pos] < 0x80 {
		return uint64(buf[pos]), pos + 1
	}
	return uvarintLong(buf, pos)
}

//go:noinline
func uvarintLong(buf []byte, pos int) (v uint64, next int) {
	if pos > len(buf) {
		return 0, -1
	}
	v, n := protowire.ConsumeVarint(buf[pos:])
	if n < 0 {
		return 0, -1
	}
	return v, pos + n
}

// extentAt reads a length at pos and returns the extent of what follows; end is
// -1 where the length is wrong or runs past the end of buf.
func extentAt(buf []byte, pos int) (start, end int) {
	if pos < len(buf) {
		if n := int(buf[pos]); n < 0x80 && n < len(buf)-pos {
			return pos + 1, pos + 1 + n
		}
	}
	return extentLong(buf, pos)
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

// skipField returns the position after the field of an unknown number whose tag
// ended at pos, -1 where it is broken. The bits of known are the numbers of the
// message's own fields, whose tag then has a wrong wire type.
func skipField(buf []byte, pos int, tag uint64, known uint32) int {
	number := tag >> 3
	if pos < 0 || number == 0 || number > uint64(protowire.MaxValidNumber) || number < 32 && known>>number&1 != 0 {
		return -1
	}
	n := protowire.ConsumeFieldValue(protowire.Number(number), protowire.Type(tag&7), buf[pos:])
	if n < 0 {
		return -1
	}
	return pos + n
}

func zigzag32(v uint64) int32 {
	u := uint32(v)
	return int32(u>>1) ^ -int32(u&1)
}

func zigzag64(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// uvarintLen returns the length of v as a varint.
func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// fieldLen returns the length of a field of n bytes, with a tag of one byte.
func fieldLen(n int) int { return 1 + uvarintLen(uint64(n)) + n }

// putHead writes a tag and a length and returns the position after them.
func putHead(b []byte, pos int, tag byte, n int) int {
	b[pos] = tag
	if n < 0x80 {
		b[pos+1] = byte(n)
		return pos + 2
	}
	return pos + 1 + binary.PutUvarint(b[pos+1:], uint64(n))
}

// putFixed writes a tag and eight bytes and returns the position after them.
func putFixed(b []byte, pos int, tag byte, v uint64) int {
	b[pos] = tag
	binary.LittleEndian.PutUint64(b[pos+1:], v)
	return pos + 9
}

// putText writes a field of bytes and returns the position after it.
func putText[T string | []byte](b []byte, pos int, tag byte, s T) int {
	pos = putHead(b, pos, tag, len(s))
	return pos + copy(b[pos:], s)
}
