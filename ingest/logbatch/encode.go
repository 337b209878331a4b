package logbatch

import (
	"encoding/binary"
	"iter"
	"unicode/utf8"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Attribute is an attribute whose value is a text.
type Attribute struct{ Key, Value string }

// The tags of lists of attributes.
const (
	resourceTag = 1<<3 | wire.LengthType
	recordTag   = 6<<3 | wire.LengthType
)

// Resource returns an encoded Resource. Attributes without a value are left out;
// of others with the same key the last one counts.
func Resource(attributes ...Attribute) []byte {
	var b []byte
	for i, a := range attributes {
		if a.Value != "" && !again(attributes[i+1:], a.Key) {
			b = appendAttribute(b, resourceTag, a.Key, view(a.Value))
		}
	}
	return b
}

func again(attributes []Attribute, key string) bool {
	for _, a := range attributes {
		if a.Key == key && a.Value != "" {
			return true
		}
	}
	return false
}

// AppendText appends an attribute of a log record to an encoded list of them.
func AppendText[K string | []byte](list []byte, key K, value []byte) []byte {
	return appendAttribute(list, recordTag, key, value)
}

// AppendString is AppendText for a string.
func AppendString(list []byte, key, value string) []byte {
	return appendAttribute(list, recordTag, key, view(value))
}

// AppendTrue appends an attribute of a log record that is true.
func AppendTrue(list []byte, key string) []byte {
	list = binary.AppendUvarint(append(list, recordTag), uint64(textSize(len(key))+4))
	list = appendText(list, 1<<3|wire.LengthType, key)
	return append(list, 2<<3|wire.LengthType, 2, 2<<3|wire.VarintType, 1)
}

// AppendInt appends an attribute of a log record that is a number.
func AppendInt(list []byte, key string, value int64) []byte {
	size := 1 + wire.UvarintLen(uint64(value))
	list = binary.AppendUvarint(append(list, recordTag), uint64(textSize(len(key))+2+size))
	list = appendText(list, 1<<3|wire.LengthType, key)
	list = append(list, 2<<3|wire.LengthType, byte(size), 3<<3|wire.VarintType)
	return binary.AppendUvarint(list, uint64(value))
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

// Record is a log record. What is zero or empty is left out.
type Record struct {
	// Time and Observed are Unix nanoseconds.
	Time, Observed int64
	Severity       uint8
	SeverityText   string
	// Body is a text; what is not UTF-8 in it is replaced.
	Body []byte
	// Attributes is an encoded list, as the functions of this package make it.
	Attributes []byte
}

// AppendRecord appends the record to the encoded records of a scope.
func AppendRecord(b []byte, r *Record) []byte {
	body, good := measure(r.Body)
	size := len(r.Attributes)
	if r.Time != 0 {
		size += 9
	}
	if r.Observed != 0 {
		size += 9
	}
	if r.Severity != 0 {
		size += 2
	}
	if r.SeverityText != "" {
		size += textSize(len(r.SeverityText))
	}
	if body > 0 {
		size += textSize(textSize(body))
	}
	b = binary.AppendUvarint(append(b, 2<<3|wire.LengthType), uint64(size))
	b = appendTime(b, 1<<3|wire.Fixed64Type, r.Time)
	if r.Severity != 0 {
		b = append(b, 2<<3|wire.VarintType, r.Severity)
	}
	if r.SeverityText != "" {
		b = appendText(b, 3<<3|wire.LengthType, r.SeverityText)
	}
	if body > 0 {
		b = binary.AppendUvarint(append(b, 5<<3|wire.LengthType), uint64(textSize(body)))
		b = binary.AppendUvarint(append(b, 1<<3|wire.LengthType), uint64(body))
		b = appendValid(b, r.Body, good)
	}
	b = append(b, r.Attributes...)
	return appendTime(b, 11<<3|wire.Fixed64Type, r.Observed)
}

// RecordBound is at least what AppendRecord appends for the record.
func RecordBound(r *Record) int {
	const fixed = 64
	return 2*len(r.Body) + len(r.SeverityText) + len(r.Attributes) + fixed
}

// AppendLogs appends the records of one resource and one scope to a request.
func AppendLogs(request, resource []byte, scope string, records []byte) []byte {
	scopeSize := textSize(textSize(len(scope))) + len(records)
	size := textSize(len(resource)) + textSize(scopeSize)
	request = binary.AppendUvarint(append(request, 1<<3|wire.LengthType), uint64(size))
	request = appendText(request, 1<<3|wire.LengthType, resource)
	request = binary.AppendUvarint(append(request, 2<<3|wire.LengthType), uint64(scopeSize))
	request = binary.AppendUvarint(append(request, 1<<3|wire.LengthType), uint64(textSize(len(scope))))
	request = appendText(request, 1<<3|wire.LengthType, scope)
	return append(request, records...)
}

// LogsBound is at least what AppendLogs adds to the records.
func LogsBound(resource []byte, scope string) int {
	const heads = 32
	return len(resource) + len(scope) + heads
}

// textSize is the size of a field with a tag of one byte and n bytes.
func textSize(n int) int { return 1 + wire.UvarintLen(uint64(n)) + n }

func appendText[T string | []byte](b []byte, tag byte, s T) []byte {
	return append(binary.AppendUvarint(append(b, tag), uint64(len(s))), s...)
}

func appendTime(b []byte, tag byte, nanoseconds int64) []byte {
	if nanoseconds == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(append(b, tag), uint64(nanoseconds)) //nolint:gosec // as OTLP has times
}

// replacement takes the place of every run of bytes that are not UTF-8.
const replacement = "\uFFFD"

// measure returns how long s is once it is repaired, and whether it has to be.
func measure(s []byte) (n int, good bool) {
	if utf8.Valid(s) {
		return len(s), true
	}
	for run, ok := range runs(s) {
		if ok {
			n += len(run)
		} else {
			n += len(replacement)
		}
	}
	return n, false
}

// appendValid appends s, repaired where it is not good.
func appendValid(b, s []byte, good bool) []byte {
	if good {
		return append(b, s...)
	}
	for run, ok := range runs(s) {
		if ok {
			b = append(b, run...)
		} else {
			b = append(b, replacement...)
		}
	}
	return b
}

// runs cuts s into runs that are UTF-8 and runs that are not.
func runs(s []byte) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		begin, good := 0, true
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRune(s[i:])
			if ok := r != utf8.RuneError || size > 1; ok != good {
				if i > begin && !yield(s[begin:i], good) {
					return
				}
				begin, good = i, ok
			}
			i += size
		}
		if begin < len(s) {
			yield(s[begin:], good)
		}
	}
}

// view returns the string's bytes without a copy. They must not be changed.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
