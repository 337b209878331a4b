// Package logwriter writes ExportLogsServiceRequests for what goshawk itself has
// to say: events, of which there are few and small ones.
//
// It must not know what the events are about.
package logwriter

import (
	"encoding/binary"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// Severities of log records, as OTLP numbers them.
const (
	SeverityInfo = 9
	SeverityWarn = 13
)

// Attribute is an attribute whose value is a text.
type Attribute struct{ Key, Value string }

// Log is a log record. What is zero or empty is left out.
type Log struct {
	// Time and Observed are Unix nanoseconds.
	Time, Observed int64
	Severity       uint8
	SeverityText   string
	// EventName makes the log record an event.
	EventName  string
	Body       string
	TraceID    telemetry.TraceID
	Attributes []Attribute
}

// Resource returns an encoded Resource.
func Resource(attributes ...Attribute) []byte {
	return appendAttributes(nil, 1<<3|wire.LengthType, attributes)
}

// Request returns a request with the logs of one resource, which is encoded, and
// one scope.
func Request(resource []byte, scope string, logs ...Log) []byte {
	inScope := appendMessage(nil, 1<<3|wire.LengthType, appendText(nil, 1<<3|wire.LengthType, scope))
	for i := range logs {
		inScope = appendMessage(inScope, 2<<3|wire.LengthType, record(&logs[i]))
	}
	ofResource := appendMessage(nil, 1<<3|wire.LengthType, resource)
	ofResource = appendMessage(ofResource, 2<<3|wire.LengthType, inScope)
	return appendMessage(nil, 1<<3|wire.LengthType, ofResource)
}

// record returns an encoded LogRecord.
func record(l *Log) []byte {
	b := appendTime(nil, 1<<3|wire.Fixed64Type, l.Time)
	if l.Severity != 0 {
		b = append(b, 2<<3|wire.VarintType, l.Severity)
	}
	b = appendText(b, 3<<3|wire.LengthType, l.SeverityText)
	if l.Body != "" {
		b = appendMessage(b, 5<<3|wire.LengthType, appendText(nil, 1<<3|wire.LengthType, l.Body))
	}
	b = appendAttributes(b, 6<<3|wire.LengthType, l.Attributes)
	if l.TraceID != (telemetry.TraceID{}) {
		b = appendMessage(b, 9<<3|wire.LengthType, l.TraceID[:])
	}
	b = appendTime(b, 11<<3|wire.Fixed64Type, l.Observed)
	return appendText(b, 12<<3|wire.LengthType, l.EventName)
}

func appendAttributes(b []byte, tag byte, attributes []Attribute) []byte {
	for _, a := range attributes {
		// An empty text is a value, other than none.
		value := appendMessage(nil, 1<<3|wire.LengthType, []byte(a.Value))
		pair := appendText(nil, 1<<3|wire.LengthType, a.Key)
		b = appendMessage(b, tag, appendMessage(pair, 2<<3|wire.LengthType, value))
	}
	return b
}

func appendMessage(b []byte, tag byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(b, tag), uint64(len(content))), content...)
}

func appendText(b []byte, tag byte, s string) []byte {
	if s == "" {
		return b
	}
	return append(binary.AppendUvarint(append(b, tag), uint64(len(s))), s...)
}

func appendTime(b []byte, tag byte, nanoseconds int64) []byte {
	if nanoseconds == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(append(b, tag), uint64(nanoseconds)) //nolint:gosec // as OTLP has times
}
