package telemetry

import (
	"math"

	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// Edge is what calls from one party to another add up to in a minute: a row of
// the table edges_1m. There may be several rows of the same edge and minute, which
// add up.
//
// Its strings belong to the processor that made it and stay valid.
type Edge struct {
	Tenant string
	// Time is the start of the minute in which the calls ended, Unix nanoseconds.
	Time int64
	// Caller and Callee are names of services, or of what a span says that it
	// called: a database, a queue, a host. An entry has no caller.
	Caller, Callee string
	// Operation is the name of the callee's span, or of the caller's where the
	// callee sent none.
	Operation string
	Kind      EdgeKind
	// Calls counts the calls, Errors those of which the span of either side failed.
	Calls, Errors uint64
	// Client is the time that the caller waited, Server the time that the callee
	// worked, and Network the difference of both where both are known. Durations
	// are taken from one clock each, so that it does not matter how clocks differ.
	Client, Server, Network Latency
	// SlowTrace has the slowest call, of SlowNanoseconds, and ErrorTrace the last
	// call that failed; zeros where there is none.
	SlowTrace, ErrorTrace TraceID
	SlowNanoseconds       int64
}

// EdgeKind is what kind of party is called.
type EdgeKind uint8

// The kinds, in the order of the numbers in the table edges_1m.
const (
	// EdgeService is a call of a service that sent spans of its own.
	EdgeService EdgeKind = iota
	// EdgeMessaging is a message: to a queue, or through one to a service.
	EdgeMessaging
	// EdgeDatabase is a call of a database.
	EdgeDatabase
	// EdgeExternal is a call of a host that sends no spans.
	EdgeExternal
	// EdgeEntry is a request from outside: nobody sent a span of the call.
	EdgeEntry
)

// EdgeKinds lists the kinds by number, as the table and metrics call them.
var EdgeKinds = [...]string{
	EdgeService: "service", EdgeMessaging: "messaging", EdgeDatabase: "database", EdgeExternal: "external", EdgeEntry: "entry",
}

// String returns the kind's name.
func (k EdgeKind) String() string {
	if int(k) < len(EdgeKinds) {
		return EdgeKinds[k]
	}
	return "unknown"
}

// Latency is how long things took.
type Latency struct {
	// Sum is what the durations add up to in nanoseconds; those that are negative
	// count.
	Sum int64
	// Buckets count the durations, see package sketch.
	Buckets Range // of Batch.Buckets
}

// Operation is what spans of one name of a service add up to in a minute: a row
// of the table operations_1m. There may be several rows of the same operation and
// minute, which add up.
//
// Its strings belong to the processor that made it and stay valid.
type Operation struct {
	Tenant string
	// Time is the start of the minute in which the spans ended, Unix nanoseconds.
	Time int64
	// Service and Version are the resource attributes service.name and
	// service.version, Name is the name of the spans.
	Service, Version, Name string
	Kind                   uint8 // OTLP SpanKind, 0 to 5
	// Calls counts the spans, Errors those that failed.
	Calls, Errors uint64
	// Satisfied and Tolerating count spans that did not fail and took no longer
	// than the threshold of Apdex, or than four times that.
	Satisfied, Tolerating uint64
	Duration              Latency
	// SlowTrace has the longest span, of SlowNanoseconds, and ErrorTrace the last
	// that failed; zeros where there is none.
	SlowTrace, ErrorTrace TraceID
	SlowNanoseconds       int64
}

// ClockOffset bounds by how much the clock of one host is ahead of another's in
// ten seconds: a row of the table clock_offsets. There may be several rows of the
// same hosts and time; the greatest Lower and the least Upper hold.
//
// Its strings belong to the processor that made it and stay valid.
type ClockOffset struct {
	Tenant string
	// Time is the start of the ten seconds, Unix nanoseconds, by the caller's clock.
	Time int64
	// Caller and Callee are names of hosts.
	Caller, Callee string
	// Calls counts the calls that the bounds are from.
	Calls uint64
	// Lower and Upper bound the callee's time minus the caller's in nanoseconds:
	// nothing arrives before it was sent. NoLower and NoUpper where no call says
	// anything, as where messages go one way only.
	Lower, Upper int64
}

// The bounds of a ClockOffset that say nothing.
const (
	NoLower = math.MinInt64
	NoUpper = math.MaxInt64
)

// BucketsOf returns the buckets of a latency, a view that is valid until Reset.
func (b *Batch) BucketsOf(l *Latency) []sketch.Bucket {
	return b.Buckets[l.Buckets.Start:l.Buckets.End]
}

// AddLatency puts a sketch into the batch.
func (b *Batch) AddLatency(s *sketch.Sketch) Latency {
	l := Latency{Sum: s.Sum(), Buckets: Range{Start: uint32(len(b.Buckets))}}
	b.Buckets = s.Append(b.Buckets)
	l.Buckets.End = uint32(len(b.Buckets))
	return l
}

func (b *Batch) resetEdges() {
	clear(b.Edges)
	clear(b.Operations)
	clear(b.ClockOffsets)
	clear(b.Derived)
	b.Edges = b.Edges[:0]
	b.Operations = b.Operations[:0]
	b.ClockOffsets = b.ClockOffsets[:0]
	b.Buckets = b.Buckets[:0]
	b.Derived = b.Derived[:0]
}
