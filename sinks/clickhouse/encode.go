package clickhouse

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// rows are the rows of one insert: a slice of the batch and the order in which
// its elements are sent. Encoders that are made for it follow when it changes.
type rows[T any] struct {
	all   []T
	order []uint32
	// part are those of order that the encoders see.
	part []uint32
}

// use makes the encoders see rows [from, to) of the order.
func (r *rows[T]) use(from, to int) { r.part = r.order[from:to] }

// extend makes room for n more bytes and returns dst with them and just them.
func extend(dst []byte, n int) (all, added []byte) {
	dst = slices.Grow(dst, n)
	all = dst[:len(dst)+n]
	return all, all[len(dst):]
}

// int64s encodes a column of 8-byte numbers.
func int64s[T any](r *rows[T], value func(*T) int64) encoder {
	return func(dst []byte) []byte {
		dst, out := extend(dst, 8*len(r.part))
		for _, i := range r.part {
			binary.LittleEndian.PutUint64(out, uint64(value(&r.all[i])))
			out = out[8:]
		}
		return dst
	}
}

// uint64s encodes a column of 8-byte numbers without a sign.
func uint64s[T any](r *rows[T], value func(*T) uint64) encoder {
	return int64s(r, func(row *T) int64 { return int64(value(row)) })
}

// float64s encodes a column of doubles.
func float64s[T any](r *rows[T], value func(*T) float64) encoder {
	return int64s(r, func(row *T) int64 { return int64(math.Float64bits(value(row))) })
}

// times encodes a column of DateTime64(9) from Unix nanoseconds.
func times[T any](r *rows[T], value func(*T) int64) encoder {
	return int64s(r, func(row *T) int64 { return storableTime(value(row)) })
}

// eventTimes encodes the column time of events.
func eventTimes[T any](r *rows[T], value func(*T) int64) encoder {
	return int64s(r, func(row *T) int64 { return eventTime(value(row)) })
}

// buckets encodes the column bucket of events.
func buckets[T any](r *rows[T], time func(*T) int64) encoder {
	return uint32s(r, func(row *T) uint32 { return bucketOf(time(row)) })
}

// uint32s encodes a column of 4-byte numbers.
func uint32s[T any](r *rows[T], value func(*T) uint32) encoder {
	return func(dst []byte) []byte {
		dst, out := extend(dst, 4*len(r.part))
		for _, i := range r.part {
			binary.LittleEndian.PutUint32(out, value(&r.all[i]))
			out = out[4:]
		}
		return dst
	}
}

// uint16s encodes a column of 2-byte numbers.
func uint16s[T any](r *rows[T], value func(*T) uint16) encoder {
	return func(dst []byte) []byte {
		dst, out := extend(dst, 2*len(r.part))
		for _, i := range r.part {
			binary.LittleEndian.PutUint16(out, value(&r.all[i]))
			out = out[2:]
		}
		return dst
	}
}

// uint8s encodes a column of bytes, bools or small enumerations.
func uint8s[T any](r *rows[T], value func(*T) uint8) encoder {
	return func(dst []byte) []byte {
		dst, out := extend(dst, len(r.part))
		for n, i := range r.part {
			out[n] = value(&r.all[i])
		}
		return dst
	}
}

// traceIDs encodes a column of FixedString(16).
func traceIDs[T any](r *rows[T], value func(*T) *telemetry.TraceID) encoder {
	return func(dst []byte) []byte {
		dst, out := extend(dst, 16*len(r.part))
		for _, i := range r.part {
			*(*telemetry.TraceID)(out) = *value(&r.all[i])
			out = out[16:]
		}
		return dst
	}
}

// spanIDs encodes a column of FixedString(8).
func spanIDs[T any](r *rows[T], value func(*T) *telemetry.SpanID) encoder {
	return func(dst []byte) []byte {
		dst, out := extend(dst, 8*len(r.part))
		for _, i := range r.part {
			*(*telemetry.SpanID)(out) = *value(&r.all[i])
			out = out[8:]
		}
		return dst
	}
}

// texts encodes a column of texts.
func texts[T any](r *rows[T], value func(*T) string) encoder {
	return func(dst []byte) []byte {
		for _, i := range r.part {
			dst = appendText(dst, value(&r.all[i]))
		}
		return dst
	}
}

// lowTexts encodes a column of texts of low cardinality.
func lowTexts[T any](r *rows[T], words *dictionary, value func(*T) string) encoder {
	return func(dst []byte) []byte {
		words.reset(len(r.part))
		for _, i := range r.part {
			words.add(value(&r.all[i]))
		}
		return words.append(dst)
	}
}

// repeated encodes the same 8 bytes, or fewer of them, for every row.
func repeated(n *int, size int, value func() uint64) encoder {
	return func(dst []byte) []byte {
		var one [8]byte
		binary.LittleEndian.PutUint64(one[:], value())
		dst, out := extend(dst, size**n)
		for len(out) > 0 {
			out = out[copy(out, one[:size]):]
		}
		return dst
	}
}

// appendText appends a String.
func appendText(dst []byte, text string) []byte {
	if len(text) < 0x80 {
		dst = append(dst, byte(len(text)))
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
	}
	return append(dst, text...)
}

// appendValue appends a value as a String.
func appendValue(dst []byte, scratch *[]byte, v *telemetry.Value) []byte {
	return appendText(dst, textOf(scratch, v))
}

// textOf returns the text of a value, which may be in scratch.
func textOf(scratch *[]byte, v *telemetry.Value) string {
	if v.Kind == telemetry.KindString {
		return v.Str
	}
	*scratch = otlp.AppendText((*scratch)[:0], v)
	return view(*scratch)
}

// view returns the bytes as a string without a copy.
func view(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

// storableTime returns a time that DateTime64(9) can hold. OTLP's times are
// unsigned; one beyond the signed range, the year 2262, becomes that.
func storableTime(t int64) int64 {
	if t < 0 {
		return math.MaxInt64
	}
	return t
}

func appendUint32(dst []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(dst, n) }

// lastEventTime is where eventTime ends. Partitions, buckets and expiry count in
// types that end in 2106.
var lastEventTime = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() - 1

// eventTime returns the time by which an event is filed. The decoder lets no
// event through that is far from the present; should one come, it is filed under
// the last moment of the century rather than held against the whole block.
func eventTime(t int64) int64 { return min(storableTime(t), lastEventTime) }
