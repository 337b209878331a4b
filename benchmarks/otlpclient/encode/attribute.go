package encode

import (
	"encoding/binary"
	"math"
)

// The fields of AnyValue that attributes use here, as tags.
const (
	tagString = 1<<3 | typeBytes
	tagBool   = 2<<3 | typeVarint
	tagInt    = 3<<3 | typeVarint
	tagDouble = 4<<3 | typeFixed64
)

// StringAttr appends a KeyValue with a string value.
func StringAttr[T ~string | ~[]byte](b []byte, field uint32, key string, value T) []byte {
	inner := 1 + sizeVarint(uint64(len(value))) + len(value)
	b = openAttr(b, field, key, inner)
	b = append(b, tagString)
	b = appendVarint(b, uint64(len(value)))
	return append(b, value...)
}

// IntAttr appends a KeyValue with an integer value.
func IntAttr(b []byte, field uint32, key string, value int64) []byte {
	b = openAttr(b, field, key, 1+sizeVarint(uint64(value)))
	b = append(b, tagInt)
	return appendVarint(b, uint64(value))
}

// DoubleAttr appends a KeyValue with a double value.
func DoubleAttr(b []byte, field uint32, key string, value float64) []byte {
	b = openAttr(b, field, key, 9)
	b = append(b, tagDouble)
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(value))
}

// BoolAttr appends a KeyValue with a bool value.
func BoolAttr(b []byte, field uint32, key string, value bool) []byte {
	b = openAttr(b, field, key, 2)
	if value {
		return append(b, tagBool, 1)
	}
	return append(b, tagBool, 0)
}

// openAttr appends everything of a KeyValue up to the content of its AnyValue,
// which is inner bytes long.
func openAttr(b []byte, field uint32, key string, inner int) []byte {
	size := 1 + sizeVarint(uint64(len(key))) + len(key) + 1 + sizeVarint(uint64(inner)) + inner
	b = appendTag(b, field, typeBytes)
	b = appendVarint(b, uint64(size))
	b = append(b, 1<<3|typeBytes)
	b = appendVarint(b, uint64(len(key)))
	b = append(b, key...)
	b = append(b, 2<<3|typeBytes)
	return appendVarint(b, uint64(inner))
}

// Body appends an AnyValue field that holds a string, such as a log's body.
func Body[T ~string | ~[]byte](b []byte, field uint32, text T) []byte {
	b = appendTag(b, field, typeBytes)
	b = appendVarint(b, uint64(1+sizeVarint(uint64(len(text)))+len(text)))
	b = append(b, tagString)
	b = appendVarint(b, uint64(len(text)))
	return append(b, text...)
}
