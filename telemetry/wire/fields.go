package wire

import "google.golang.org/protobuf/encoding/protowire"

// Fields goes over the fields of one message:
//
//	for f := wire.FieldsOf(message); f.Next(); {
//		switch f.Tag {
//		case 1<<3 | wire.LengthType:
//			name = f.Bytes()
//		default:
//			f.Skip(1 << 1)
//		}
//	}
//
// What is broken ends it, and is told by Broken. Every field that Next finds has
// to be read or skipped, once.
type Fields struct {
	// Tag is the number of the current field, shifted by three, with its type.
	Tag uint64

	buf []byte
	pos int // -1 where the message is broken
}

// FieldsOf returns the fields of a message, before the first.
func FieldsOf(message []byte) Fields { return Fields{buf: message} }

// Next goes to the next field and reports whether there is one.
func (f *Fields) Next() bool {
	if f.pos < 0 || f.pos >= len(f.buf) {
		return false
	}
	f.Tag, f.pos = Uvarint(f.buf, f.pos)
	if number := f.Tag >> 3; number == 0 || number > MaxFieldNumber {
		f.pos = -1
	}
	return f.pos >= 0
}

// Broken reports whether the message ends early, or is none.
func (f *Fields) Broken() bool { return f.pos < 0 }

// Break says that the message is broken.
func (f *Fields) Break() { f.pos = -1 }

// Bytes reads a field of [LengthType]; the result is a view of the message.
func (f *Fields) Bytes() []byte {
	start, end := Extent(f.buf, f.pos)
	f.pos = end
	if end < 0 {
		return nil
	}
	return f.buf[start:end]
}

// Varint reads a field of [VarintType].
func (f *Fields) Varint() uint64 {
	v, next := Uvarint(f.buf, f.pos)
	f.pos = next
	return v
}

// Fixed64 reads a field of [Fixed64Type].
func (f *Fields) Fixed64() uint64 {
	v, next := Fixed64(f.buf, f.pos)
	f.pos = next
	return v
}

// Skip passes over a field that the message does not have. The bits of known are
// the numbers of its own fields, of which one with another type is broken.
func (f *Fields) Skip(known uint64) {
	number := f.Tag >> 3
	if number < 64 && known>>number&1 != 0 {
		f.pos = -1
		return
	}
	n := protowire.ConsumeFieldValue(protowire.Number(number), protowire.Type(f.Tag&7), f.buf[f.pos:])
	if n < 0 {
		f.pos = -1
		return
	}
	f.pos += n
}
