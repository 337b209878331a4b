package clickhouse

import (
	"encoding/binary"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// offsets encodes where the elements of each row end, and returns how many
// there are altogether.
func offsets[T any](dst []byte, r *rows[T], length func(*T) int) ([]byte, int) {
	dst, out := extend(dst, 8*len(r.part))
	total := 0
	for _, i := range r.part {
		total += length(&r.all[i])
		binary.LittleEndian.PutUint64(out, uint64(total))
		out = out[8:]
	}
	return dst, total
}

// lists are the elements of all rows of an insert: ranges of an arena of the
// batch, one after the other as the rows go. They are rows themselves, so that
// every encoder of a column makes the inside of an array of it.
type lists[T, E any] struct {
	rows     *rows[T]
	of       func(*T) telemetry.Range
	elements rows[E]
}

// gather collects the elements of the rows that the encoders see.
func (l *lists[T, E]) gather() {
	l.elements.part = l.elements.part[:0]
	for _, i := range l.rows.part {
		for n, end := l.of(&l.rows.all[i]).Start, l.of(&l.rows.all[i]).End; n < end; n++ {
			l.elements.part = append(l.elements.part, n)
		}
	}
}

// array encodes an array column: inside is the column of its elements.
func (l *lists[T, E]) array(inside encoder) encoder {
	return func(dst []byte) []byte {
		dst, total := offsets(dst, l.rows, func(row *T) int { return l.of(row).Len() })
		if total == 0 {
			return dst
		}
		return inside(dst)
	}
}

// numberArrays encodes an array of 8-byte numbers from every stride-th element
// of a range of an arena, starting at the first-th.
func numberArrays[T any](r *rows[T], of func(*T) telemetry.Range, first, stride uint32, at func(uint32) uint64) encoder {
	count := func(row *T) int { return (of(row).Len() - int(first) + int(stride) - 1) / int(stride) }
	return func(dst []byte) []byte {
		dst, _ = offsets(dst, r, count)
		for _, i := range r.part {
			for n, end := of(&r.all[i]).Start+first, of(&r.all[i]).End; n < end; n += stride {
				dst = binary.LittleEndian.AppendUint64(dst, at(n))
			}
		}
		return dst
	}
}
