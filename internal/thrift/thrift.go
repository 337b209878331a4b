// Package thrift reads Apache Thrift's binary and compact protocols token by
// token, in place: bytes are views of the text, and nothing is built in memory.
// Every length is held against what is left of the text, and every nesting has a
// bound, so that reading takes time in proportion to the text and no memory.
//
// It is written after the protocols' specifications, thrift-binary-protocol.md
// and thrift-compact-protocol.md of Apache Thrift. Messages, the envelopes of
// calls, are not read.
//
// It must not know any struct.
package thrift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Protocol is an encoding of Thrift.
type Protocol uint8

// The protocols.
const (
	Binary Protocol = iota
	Compact
)

// Type is the type of a field or an element.
type Type uint8

// The types, with the numbers that the binary protocol has for them.
const (
	Stop   Type = 0
	Bool   Type = 2
	Byte   Type = 3
	Double Type = 4
	I16    Type = 6
	I32    Type = 8
	I64    Type = 10
	Bytes  Type = 11 // strings, too
	Struct Type = 12
	Map    Type = 13
	Set    Type = 14
	List   Type = 15
)

// compactTypes are the types by the numbers that the compact protocol has for
// them. A boolean field has its value in its type.
var compactTypes = [16]Type{
	1: Bool, 2: Bool, 3: Byte, 4: I16, 5: I32, 6: I64, 7: Double, 8: Bytes, 9: List, 10: Set, 11: Map, 12: Struct,
}

// maxDepth is how deep what is skipped may nest.
const maxDepth = 64

// ErrMalformed is what every error of a reader wraps.
var ErrMalformed = errors.New("malformed thrift")

// Reader reads one value from left to right. After an error it returns zeros and
// the end of everything, so that callers look for the error once, in Err.
type Reader struct {
	buf      []byte
	pos      int
	protocol Protocol
	// value is that of the boolean field whose header was read last.
	value bool
	err   error
}

// Reset makes the reader read buf. It keeps buf until the next Reset.
func (r *Reader) Reset(buf []byte, p Protocol) { *r = Reader{buf: buf, protocol: p} }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Pos is how many bytes were read, and Seek goes to such a place.
func (r *Reader) Pos() int { return r.pos }

// Seek goes to a place that Pos returned.
func (r *Reader) Seek(pos int) { r.pos = pos }

// Left is how many bytes are left.
func (r *Reader) Left() int { return len(r.buf) - r.pos }

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: byte %d: %s", ErrMalformed, r.pos, what)
	}
	r.pos = len(r.buf)
}

// take returns the next n bytes, or nil and fails where there are fewer.
func (r *Reader) take(n int) []byte {
	if n > len(r.buf)-r.pos {
		r.fail("the text ends early")
		return nil
	}
	r.pos += n
	return r.buf[r.pos-n : r.pos]
}

func (r *Reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *Reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		r.fail("a number is cut off or too long")
		return 0
	}
	r.pos += n
	return v
}

// zigzag reads a number of at most the given bits.
func (r *Reader) zigzag(bits int) int64 {
	u := r.uvarint()
	v := int64(u>>1) ^ -int64(u&1)
	if v < -1<<(bits-1) || v > 1<<(bits-1)-1 {
		r.fail("a number is too large for its type")
		return 0
	}
	return v
}

// Field reads the header of the next field of a struct, in which last was the id
// of the field before, 0 at first. It returns the type Stop at the end.
func (r *Reader) Field(last int16) (id int16, t Type) {
	head := r.byte()
	if r.protocol == Binary {
		t = Type(head)
		if t == Stop || !r.known(t) {
			return 0, Stop
		}
		return r.I16(), t
	}
	if head == 0 {
		return 0, Stop
	}
	t = compactTypes[head&0x0f]
	if !r.known(t) {
		return 0, Stop
	}
	r.value = head&0x0f == 1
	if delta := int16(head >> 4); delta != 0 {
		return last + delta, t
	}
	return r.I16(), t
}

func (r *Reader) known(t Type) bool {
	switch t {
	case Bool, Byte, Double, I16, I32, I64, Bytes, Struct, Map, Set, List:
		return true
	case Stop:
	}
	r.fail("a type is not known")
	return false
}

// Bool reads the value of a boolean field.
func (r *Reader) Bool() bool {
	if r.protocol == Compact {
		return r.value
	}
	return r.byte() != 0
}

// I16 reads an integer of 16 bits.
func (r *Reader) I16() int16 {
	if r.protocol == Compact {
		return int16(r.zigzag(16))
	}
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// I32 reads an integer of 32 bits, as which enums are written, too.
func (r *Reader) I32() int32 {
	if r.protocol == Compact {
		return int32(r.zigzag(32))
	}
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// I64 reads an integer of 64 bits.
func (r *Reader) I64() int64 {
	if r.protocol == Compact {
		return r.zigzag(64)
	}
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Double reads a floating point number.
func (r *Reader) Double() float64 {
	b := r.take(8)
	switch {
	case b == nil:
		return 0
	case r.protocol == Compact:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

// Bytes reads bytes or a string. The result is a view of the text.
func (r *Reader) Bytes() []byte {
	n := r.size()
	if n == 0 {
		return nil
	}
	return r.take(n)
}

// size reads a length or a number of elements, all of which take a byte or more.
func (r *Reader) size() int {
	var n int64
	if r.protocol == Compact {
		n = int64(min(r.uvarint(), math.MaxInt64))
	} else {
		n = int64(r.I32())
	}
	if n < 0 || n > int64(r.Left()) {
		r.fail("a length runs past the end of the text")
		return 0
	}
	return int(n)
}

// List reads the header of a list or a set: the type of its elements and their
// number, which is at most the number of bytes left.
func (r *Reader) List() (t Type, n int) {
	head := r.byte()
	if r.protocol == Binary {
		t, n = Type(head), r.size()
	} else {
		t, n = compactTypes[head&0x0f], int(head>>4)
		if n == 15 {
			n = r.size()
		}
	}
	if n == 0 {
		return t, 0
	}
	if n > r.Left() {
		r.fail("a list runs past the end of the text")
		return Stop, 0
	}
	if !r.known(t) {
		return Stop, 0
	}
	return t, n
}

// SkipElement passes over an element of a list, of the given type.
func (r *Reader) SkipElement(t Type) { r.skip(t, maxDepth) }

// Skip passes over the value of a field of the given type.
func (r *Reader) Skip(t Type) {
	if t == Bool && r.protocol == Compact {
		return // the value is in the header
	}
	r.skip(t, maxDepth)
}

func (r *Reader) skip(t Type, depth int) {
	if depth == 0 {
		r.fail("structs and lists are nested too deeply")
		return
	}
	switch t {
	case Bool, Byte:
		r.take(1)
	case Double:
		r.take(8)
	case I16:
		r.I16()
	case I32:
		r.I32()
	case I64:
		r.I64()
	case Bytes:
		r.Bytes()
	case Struct:
		var id int16
		for {
			if id, t = r.Field(id); t == Stop {
				return
			}
			if t != Bool || r.protocol == Binary {
				r.skip(t, depth-1)
			}
		}
	case List, Set:
		element, n := r.List()
		for ; n > 0 && r.err == nil; n-- {
			r.skip(element, depth-1)
		}
	case Map:
		r.skipMap(depth - 1)
	case Stop:
	}
}

func (r *Reader) skipMap(depth int) {
	var key, value Type
	var n int
	if r.protocol == Binary {
		key, value = Type(r.byte()), Type(r.byte())
		n = r.size()
	} else if n = r.size(); n > 0 {
		types := r.byte()
		key, value = compactTypes[types>>4], compactTypes[types&0x0f]
	}
	if n == 0 || !r.known(key) || !r.known(value) {
		return
	}
	for ; n > 0 && r.err == nil; n-- {
		r.skip(key, depth)
		r.skip(value, depth)
	}
}
