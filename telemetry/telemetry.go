// Package telemetry holds the rows that flow through goshawk: log records,
// spans and metric points, decoded once and never converted again.
//
// A row is small and flat. Its strings are views of the Kafka record they were
// decoded from, and its lists are ranges of arenas that belong to the [Batch],
// so that decoding a record allocates nothing once a batch is warm.
//
// This package must not know where rows come from (Kafka, HTTP) or where they
// go (ClickHouse): the wire format is in telemetry/otlp, the tables are in
// telemetry/tables.
package telemetry

// Signal is one of the three kinds of telemetry. Goshawk has no fourth: a probe
// result is a span and points, an error or a change is a log record.
type Signal uint8

// The signals, in the order in which they are listed everywhere.
const (
	Logs Signal = iota
	Spans
	Metrics
)

// Signals lists every signal.
var Signals = [...]Signal{Logs, Spans, Metrics}

// String returns the word that names the signal in topics, tables, metrics and
// documentation: "logs", "spans" or "metrics".
func (s Signal) String() string {
	switch s {
	case Logs:
		return "logs"
	case Spans:
		return "spans"
	case Metrics:
		return "metrics"
	}
	return "unknown"
}

// Range is a half-open range [Start, End) of one of a batch's arenas.
type Range struct{ Start, End uint32 }

// Len returns the number of elements in the range.
func (r Range) Len() int { return int(r.End - r.Start) }

// TraceID identifies a trace; the zero value means that there is none.
type TraceID [16]byte

// IsZero reports whether the id is absent.
func (id TraceID) IsZero() bool { return id == TraceID{} }

// SpanID identifies a span in its trace; the zero value means that there is none.
type SpanID [8]byte

// IsZero reports whether the id is absent.
func (id SpanID) IsZero() bool { return id == SpanID{} }
