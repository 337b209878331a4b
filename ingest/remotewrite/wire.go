package remotewrite

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// text is a piece of a request's body, [start, end).
type text struct{ start, end uint32 }

func (t text) size() int { return int(t.end - t.start) }

func (t text) of(body []byte) []byte { return body[t.start:t.end] }

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

// fieldLen returns the length of a field of n bytes, with a tag of one byte.
func fieldLen(n int) int { return 1 + wire.UvarintLen(uint64(n)) + n }

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
