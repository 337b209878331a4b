package logwriter

import (
	"encoding/binary"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Attribute is an attribute whose value is a text.
type Attribute struct{ Key, Value string }

// The tags of attributes in a Resource and in a LogRecord.
const (
	ResourceTag = 1<<3 | wire.LengthType
	RecordTag   = 6<<3 | wire.LengthType
)

// Resource returns an encoded Resource.
func Resource(attributes ...Attribute) []byte {
	var b []byte
	for _, a := range attributes {
		b = AppendResource(b, a)
	}
	return b
}

// AppendResource appends an attribute to an encoded Resource.
func AppendResource(b []byte, a Attribute) []byte {
	return appendAttribute(b, ResourceTag, a.Key, view(a.Value))
}

// AppendText appends an attribute of a log record to an encoded list of them. What
// is not UTF-8 in the value is replaced. An empty text is a value, other than none.
func AppendText[K string | []byte](list []byte, key K, value []byte) []byte {
	return appendAttribute(list, RecordTag, key, value)
}

// AppendString is AppendText for a string.
func AppendString(list []byte, key, value string) []byte {
	return appendAttribute(list, RecordTag, key, view(value))
}

// AppendBool appends an attribute of a log record that is true or false.
func AppendBool(list []byte, key string, value bool) []byte {
	bit := byte(0)
	if value {
		bit = 1
	}
	return append(appendHead(list, key, 2), 2<<3|wire.VarintType, bit)
}

// AppendInt appends an attribute of a log record that is an integer.
func AppendInt(list []byte, key string, value int64) []byte {
	list = appendHead(list, key, 1+wire.UvarintLen(uint64(value)))
	return binary.AppendUvarint(append(list, 3<<3|wire.VarintType), uint64(value))
}

// AppendDouble appends an attribute of a log record that is a floating point number.
func AppendDouble(list []byte, key string, value float64) []byte {
	list = appendHead(list, key, 9)
	return binary.LittleEndian.AppendUint64(append(list, 4<<3|wire.Fixed64Type), math.Float64bits(value))
}

func appendAttribute[K string | []byte](b []byte, tag byte, key K, value []byte) []byte {
	n, good := measure(value)
	inner := textSize(n)
	b = binary.AppendUvarint(append(b, tag), uint64(textSize(len(key))+textSize(inner)))
	b = appendText(b, 1<<3|wire.LengthType, key)
	b = binary.AppendUvarint(append(b, 2<<3|wire.LengthType), uint64(inner))
	b = binary.AppendUvarint(append(b, 1<<3|wire.LengthType), uint64(n))
	return appendValid(b, value, good)
}

// appendHead appends an attribute up to its value, an AnyValue of fewer than 128
// bytes.
func appendHead(list []byte, key string, value int) []byte {
	list = binary.AppendUvarint(append(list, RecordTag), uint64(textSize(len(key))+2+value))
	list = appendText(list, 1<<3|wire.LengthType, key)
	return append(list, 2<<3|wire.LengthType, byte(value))
}
