package logpush

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// AppendTraceID appends a trace id in hexadecimal to the encoded attributes of a
// record, as the field that it is. It reports false where it is no trace id.
func AppendTraceID(list, text []byte) ([]byte, bool) { return appendID(list, 9, text, 16) }

// AppendSpanID does that for a span id.
func AppendSpanID(list, text []byte) ([]byte, bool) { return appendID(list, 10, text, 8) }

func appendID(list []byte, field byte, text []byte, size int) ([]byte, bool) {
	var id [16]byte
	if len(text) != 2*size {
		return list, false
	}
	if _, err := hex.Decode(id[:size], text); err != nil || id == [16]byte{} {
		return list, false
	}
	list = append(list, field<<3|wire.LengthType, byte(size))
	return append(list, id[:size]...), true
}

// AppendDouble appends an attribute that is a number to an encoded list of those of a
// record.
func AppendDouble(list []byte, key string, value float64) []byte {
	const inner = 9 // a tag and eight bytes
	list = appendKey(list, key, inner)
	return binary.LittleEndian.AppendUint64(append(list, 4<<3|wire.Fixed64Type), math.Float64bits(value))
}

// AppendBool appends an attribute that is true or false.
func AppendBool(list []byte, key string, value bool) []byte {
	var b byte
	if value {
		b = 1
	}
	return append(appendKey(list, key, 2), 2<<3|wire.VarintType, b)
}

// appendKey appends an attribute up to its value, which takes fewer than 128 bytes.
func appendKey(list []byte, key string, inner int) []byte {
	size := 1 + wire.UvarintLen(uint64(len(key))) + len(key) + 2 + inner
	list = binary.AppendUvarint(append(list, 6<<3|wire.LengthType), uint64(size))
	list = binary.AppendUvarint(append(list, 1<<3|wire.LengthType), uint64(len(key)))
	return append(append(list, key...), 2<<3|wire.LengthType, byte(inner))
}
