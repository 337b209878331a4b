// Package logwriter writes ExportLogsServiceRequests: record by record without an
// allocation, for what reads logs that are not OTLP, and whole ones of the few
// events that goshawk itself has to say.
//
// It must not know what the records are about.
package logwriter

import (
	"encoding/binary"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Record is a log record. What is zero or empty is left out.
type Record struct {
	// Time and Observed are Unix nanoseconds.
	Time, Observed int64
	Severity       uint8
	SeverityText   string
	// EventName makes the log record an event.
	EventName string
	// Body is a text; what is not UTF-8 in it is replaced.
	Body []byte
	// Attributes is an encoded list, as the functions of this package make it.
	Attributes []byte
	TraceID    telemetry.TraceID
	SpanID     telemetry.SpanID
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
	few := r.fewSize()
	size += few
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
	if few > 0 {
		b = appendIDs(b, r)
	}
	b = appendTime(b, 11<<3|wire.Fixed64Type, r.Observed)
	if r.EventName != "" {
		b = appendText(b, 12<<3|wire.LengthType, r.EventName)
	}
	return b
}

func appendIDs(b []byte, r *Record) []byte {
	if !r.TraceID.IsZero() {
		b = append(append(b, 9<<3|wire.LengthType, byte(len(r.TraceID))), r.TraceID[:]...)
	}
	if !r.SpanID.IsZero() {
		b = append(append(b, 10<<3|wire.LengthType, byte(len(r.SpanID))), r.SpanID[:]...)
	}
	return b
}

// fewSize is the size of the fields that few records have.
func (r *Record) fewSize() (size int) {
	if !r.TraceID.IsZero() {
		size += 2 + len(r.TraceID)
	}
	if !r.SpanID.IsZero() {
		size += 2 + len(r.SpanID)
	}
	if r.EventName != "" {
		size += textSize(len(r.EventName))
	}
	return size
}

// RecordBound is at least what AppendRecord appends for the record.
func RecordBound(r *Record) int {
	const fixed = 64
	return 2*len(r.Body) + len(r.SeverityText) + len(r.Attributes) + r.fewSize() + fixed
}

// AppendLogs appends the records of one resource, which is encoded, and of one
// scope to a request. A scope without a name is left out.
func AppendLogs(request, resource []byte, scope string, records []byte) []byte {
	scopeSize := len(records)
	if scope != "" {
		scopeSize += textSize(textSize(len(scope)))
	}
	size := textSize(len(resource)) + textSize(scopeSize)
	request = binary.AppendUvarint(append(request, 1<<3|wire.LengthType), uint64(size))
	request = appendText(request, 1<<3|wire.LengthType, resource)
	request = binary.AppendUvarint(append(request, 2<<3|wire.LengthType), uint64(scopeSize))
	if scope != "" {
		request = binary.AppendUvarint(append(request, 1<<3|wire.LengthType), uint64(textSize(len(scope))))
		request = appendText(request, 1<<3|wire.LengthType, scope)
	}
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

// view returns the string's bytes without a copy. They must not be changed.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
