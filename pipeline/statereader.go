package pipeline

import "encoding/binary"

// StateReader reads what [Stateful.Snapshot] appended with the functions of
// encoding/binary. What is wrong with it is in Bad; what is read then are zeros.
type StateReader struct {
	Src []byte
	Bad bool
}

// Take returns the next n bytes, a view of Src.
func (r *StateReader) Take(n uint64) []byte {
	if r.Bad || n > uint64(len(r.Src)) {
		r.Bad = true
		return nil
	}
	out := r.Src[:n]
	r.Src = r.Src[n:]
	return out
}

// Number reads an unsigned varint of at most most.
func (r *StateReader) Number(most uint64) uint64 {
	v, n := binary.Uvarint(r.Src)
	if r.Bad || n <= 0 || v > most {
		r.Bad = true
		return 0
	}
	r.Src = r.Src[n:]
	return v
}

// Count reads the number of elements that follow, each of least bytes or more: it
// can be trusted to make room for them.
func (r *StateReader) Count(least int) int {
	return int(r.Number(uint64(len(r.Src) / max(least, 1)))) //nolint:gosec // no more than bytes
}

// Time reads an unsigned varint that is a time or a duration.
func (r *StateReader) Time() int64 { return int64(r.Number(1<<63 - 1)) } //nolint:gosec // bounded

// Signed reads a signed varint.
func (r *StateReader) Signed() int64 {
	v, n := binary.Varint(r.Src)
	if r.Bad || n <= 0 {
		r.Bad = true
		return 0
	}
	r.Src = r.Src[n:]
	return v
}

// Text reads a length of at most most and as many bytes, as a new string.
func (r *StateReader) Text(most uint64) string { return string(r.Take(r.Number(most))) }

// Watermark reads a watermark.
func (r *StateReader) Watermark() Watermark {
	var w Watermark
	rest, ok := w.Read(r.Src)
	if r.Bad || !ok {
		r.Bad = true
		return Watermark{}
	}
	r.Src = rest
	return w
}
