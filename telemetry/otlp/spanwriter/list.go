package spanwriter

import (
	"encoding/binary"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// List is a list of attributes, encoded. It is one of a [Writer], or made by
// [Writer.NewList].
type List struct {
	w   *Writer
	tag byte // of every attribute
	b   []byte
}

// NewList returns a list of another message than those of spans, whose field with
// attributes has the given tag. It claims its memory as the writer does.
func (w *Writer) NewList(tag byte) List { return List{w: w, tag: tag} }

// Encoded returns the list, valid until it is changed.
func (l *List) Encoded() []byte { return l.b }

// Len returns the length of the encoded list.
func (l *List) Len() int { return len(l.b) }

// Clear empties the list.
func (l *List) Clear() { l.b = l.b[:0] }

// Release empties the list and lets go of its memory where nobody may keep that
// much.
func (l *List) Release() {
	if cap(l.b) > keptScratch {
		l.b = nil
	}
	l.Clear()
}

// room makes sure that n bytes can be written.
func (l *List) room(n int) bool {
	if cap(l.b)-len(l.b) >= n {
		return !l.w.Full()
	}
	grown := max(2*cap(l.b), len(l.b)+n, 1<<10)
	if grown > keptScratch && !l.w.Claim(grown) {
		return false
	}
	larger := make([]byte, len(l.b), grown)
	copy(larger, l.b)
	l.b = larger
	return true
}

// message writes the head of a message of the given size and makes room for the
// rest of it.
func (l *List) message(tag byte, size int) bool {
	if !l.room(1 + binary.MaxVarintLen64 + size) {
		return false
	}
	l.b = binary.AppendUvarint(append(l.b, tag), uint64(size))
	return true
}

// begin writes an attribute up to its value, an AnyValue of the given size.
func (l *List) begin(key []byte, value int) bool {
	size := textLen(key) + 1 + wire.UvarintLen(uint64(value)) + value
	if !l.message(l.tag, size) {
		return false
	}
	l.b = appendText(l.b, 1<<3|wire.LengthType, key)
	l.b = binary.AppendUvarint(append(l.b, 2<<3|wire.LengthType), uint64(value))
	return true
}

// String adds a text, which may be empty.
func (l *List) String(key, value []byte) { l.bytes(key, value, 1<<3|wire.LengthType) }

// Bytes adds bytes.
func (l *List) Bytes(key, value []byte) { l.bytes(key, value, 7<<3|wire.LengthType) }

func (l *List) bytes(key, value []byte, tag byte) {
	if l.begin(key, 1+wire.UvarintLen(uint64(len(value)))+len(value)) {
		l.b = binary.AppendUvarint(append(l.b, tag), uint64(len(value)))
		l.b = append(l.b, value...)
	}
}

// Bool adds a boolean.
func (l *List) Bool(key []byte, value bool) {
	if l.begin(key, 2) {
		bit := byte(0)
		if value {
			bit = 1
		}
		l.b = append(l.b, 2<<3|wire.VarintType, bit)
	}
}

// Int adds an integer.
func (l *List) Int(key []byte, value int64) {
	if l.begin(key, 1+wire.UvarintLen(uint64(value))) {
		l.b = binary.AppendUvarint(append(l.b, 3<<3|wire.VarintType), uint64(value))
	}
}

// Double adds a floating point number.
func (l *List) Double(key []byte, value float64) {
	if l.begin(key, 9) {
		l.b = appendFixed64(l.b, 4<<3|wire.Fixed64Type, math.Float64bits(value))
	}
}

// Strings adds a list of texts.
func (l *List) Strings(key []byte, values [][]byte) {
	size := 0
	for _, v := range values {
		n := 1 + wire.UvarintLen(uint64(len(v))) + len(v)
		size += 1 + wire.UvarintLen(uint64(n)) + n
	}
	if l.begin(key, 1+wire.UvarintLen(uint64(size))+size) {
		l.b = binary.AppendUvarint(append(l.b, 5<<3|wire.LengthType), uint64(size))
		for _, v := range values {
			l.b = binary.AppendUvarint(append(l.b, 1<<3|wire.LengthType), uint64(1+wire.UvarintLen(uint64(len(v)))+len(v)))
			l.b = binary.AppendUvarint(append(l.b, 1<<3|wire.LengthType), uint64(len(v)))
			l.b = append(l.b, v...)
		}
	}
}

// textLen returns the length of a field with a text, which is left out where it
// is empty.
func textLen(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	return 1 + wire.UvarintLen(uint64(len(s))) + len(s)
}

func appendText(b []byte, tag byte, s []byte) []byte {
	if len(s) == 0 {
		return b
	}
	return append(binary.AppendUvarint(append(b, tag), uint64(len(s))), s...)
}

// varintLen returns the length of a field with a number, which is left out where
// it is 0.
func varintLen(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + wire.UvarintLen(v)
}

func appendVarint(b []byte, tag byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, tag), v)
}

func appendFixed64(b []byte, tag byte, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, tag), v)
}

func appendIDs(b []byte, traceID [16]byte, spanID [8]byte) []byte {
	b = append(append(b, 1<<3|wire.LengthType, 16), traceID[:]...)
	return append(append(b, 2<<3|wire.LengthType, 8), spanID[:]...)
}
