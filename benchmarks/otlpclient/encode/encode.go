// Package encode appends OTLP messages, field by field, to a byte slice.
//
// It knows the wire format of protobuf and the shape of OTLP attributes, and no
// message beyond that: callers name the field numbers. Nothing is allocated but
// the slice itself, which is what lets one core produce hundreds of thousands
// of events per second.
package encode

import (
	"encoding/binary"
	"math"
)

// The wire types of protobuf that OTLP uses.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeBytes   = 2
	typeFixed32 = 5
)

func appendTag(b []byte, field, wire uint32) []byte {
	return appendVarint(b, uint64(field<<3|wire))
}

func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func sizeVarint(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

// Open begins an embedded message and returns the mark that Close takes. One
// byte is kept for the length; Close moves the message where it needs more.
func Open(b []byte, field uint32) ([]byte, int) {
	b = appendTag(b, field, typeBytes)
	b = append(b, 0)
	return b, len(b)
}

// Close ends the embedded message that began at the mark.
func Close(b []byte, mark int) []byte {
	size := len(b) - mark
	if size < 0x80 {
		b[mark-1] = byte(size)
		return b
	}
	extra := sizeVarint(uint64(size)) - 1
	for range extra {
		b = append(b, 0)
	}
	copy(b[mark+extra:], b[mark:mark+size])
	at := mark - 1
	v := uint64(size)
	for v >= 0x80 {
		b[at] = byte(v) | 0x80
		v >>= 7
		at++
	}
	b[at] = byte(v)
	return b
}

// Bytes appends a string or bytes field, or a message that is encoded already.
func Bytes[T ~string | ~[]byte](b []byte, field uint32, value T) []byte {
	b = appendTag(b, field, typeBytes)
	b = appendVarint(b, uint64(len(value)))
	return append(b, value...)
}

// Uint appends a varint field.
func Uint(b []byte, field uint32, value uint64) []byte {
	b = appendTag(b, field, typeVarint)
	return appendVarint(b, value)
}

// Sint appends a zigzag varint field.
func Sint(b []byte, field uint32, value int64) []byte {
	return Uint(b, field, uint64(value<<1)^uint64(value>>63))
}

// Fixed64 appends a fixed 64-bit field, such as a time.
func Fixed64(b []byte, field uint32, value uint64) []byte {
	b = appendTag(b, field, typeFixed64)
	return binary.LittleEndian.AppendUint64(b, value)
}

// Fixed32 appends a fixed 32-bit field, such as flags.
func Fixed32(b []byte, field, value uint32) []byte {
	b = appendTag(b, field, typeFixed32)
	return binary.LittleEndian.AppendUint32(b, value)
}

// Double appends a double field.
func Double(b []byte, field uint32, value float64) []byte {
	return Fixed64(b, field, math.Float64bits(value))
}

// PackedFixed64 appends a packed repeated fixed64 field.
func PackedFixed64(b []byte, field uint32, values []uint64) []byte {
	b = appendTag(b, field, typeBytes)
	b = appendVarint(b, uint64(8*len(values)))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// PackedDouble appends a packed repeated double field.
func PackedDouble(b []byte, field uint32, values []float64) []byte {
	b = appendTag(b, field, typeBytes)
	b = appendVarint(b, uint64(8*len(values)))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// PackedUint appends a packed repeated varint field.
func PackedUint(b []byte, field uint32, values []uint64) []byte {
	b, mark := Open(b, field)
	for _, v := range values {
		b = appendVarint(b, v)
	}
	return Close(b, mark)
}
