package telemetry

// Trace is what spans of one trace add up to: a row of the table traces. It is
// made when the trace is taken to be over. Spans that come later make another
// row of the same trace, and readers join the rows by the trace id.
//
// Its strings belong to the processor that made it and stay valid.
type Trace struct {
	Tenant  string
	TraceID TraceID
	// Start is the earliest start and End the latest end, Unix nanoseconds.
	Start, End int64

	// RootID is the span without a parent, the earliest where there are several;
	// zero where none was seen, and then nothing else is known of a root.
	RootID                SpanID
	RootService, RootName string
	RootKind              uint8 // OTLP SpanKind, 0 to 5

	// Spans counts the spans, each span id once, Errors those that failed, and
	// Operations the different pairs of service and span name.
	Spans, Errors, Operations uint32
	// Orphans counts spans whose parent is not among the spans.
	Orphans uint32
	// Depth is the number of spans from a span at the top to the deepest below
	// it, both included.
	Depth uint32
	// Services are the names of the services, sorted.
	Services Range // of Batch.TraceServices
	// ErrorService and ErrorName are the deepest span that failed, the earliest
	// of those that are equally deep; empty where none failed.
	ErrorService, ErrorName string
	// Path is the critical path: whose time the trace's time is, in the order in
	// which the spans began.
	Path Range // of Batch.TracePath
	// Members are the spans themselves, in the order in which they began; none
	// of an oversized trace.
	Members Range // of Batch.TraceSpans

	// Record is the record after which the trace was taken to be over, an index
	// into Batch.Records. Traces are in the order of their records.
	Record uint32
	Closed TraceClosed
	// Oversized is set where there were too many spans to keep: there are only
	// counts, in which repeated span ids may count again, and neither a tree nor
	// what follows from it.
	Oversized bool
	// Cyclic is set where parents went round in a circle, which was cut.
	Cyclic bool
}

// TraceClosed is why a trace was taken to be over.
type TraceClosed uint8

// The reasons, in the order of the numbers in the table traces.
const (
	// TraceIdle is the rule: nothing came for a while.
	TraceIdle TraceClosed = iota
	// TraceLong says that the trace was open for as long as it may be.
	TraceLong
	// TraceSpilled says that there was no room for more spans, and the trace was
	// the one that had waited longest.
	TraceSpilled
)

// TraceCloseds lists the reasons by number, as the table and metrics call them.
var TraceCloseds = [...]string{TraceIdle: "idle", TraceLong: "long", TraceSpilled: "spilled"}

// String returns the reason's name.
func (c TraceClosed) String() string {
	if int(c) < len(TraceCloseds) {
		return TraceCloseds[c]
	}
	return "unknown"
}

// PathSpan is a span on a critical path.
type PathSpan struct {
	ID            SpanID
	Service, Name string
	// Share is the part of the path's time that is the span's own, nanoseconds.
	Share int64
}

// TraceSpan is what processors after the assembly of traces need of a span.
type TraceSpan struct {
	ID, ParentID SpanID
	Start, End   int64 // Unix nanoseconds, as they were sent
	// Self is the exclusive time in nanoseconds: the duration without the time
	// in which a child was under way.
	Self                int64
	Service, Name, Host uint32 // of Batch.Words
	// Peer is whom the span says that it called, or that called it, in a word of
	// Batch.Words that is empty where it says nothing.
	Peer uint32
	// Parent is the parent's place among the trace's spans, -1 where it has none.
	// A server span that shares the id of its client has the client as parent.
	Parent int32
	Kind   uint8 // OTLP SpanKind, 0 to 5
	Status uint8 // OTLP StatusCode, 0 to 2
	// PeerKind is what kind of party the peer is.
	PeerKind EdgeKind
}

// SpanFailed is the OTLP StatusCode of a span that failed.
const SpanFailed = 2

// MembersOf returns the spans of an assembled trace, a view that is valid until
// Reset.
func (b *Batch) MembersOf(t *Trace) []TraceSpan { return b.TraceSpans[t.Members.Start:t.Members.End] }

// maxIdleTraceSpans bounds the memory that waits for as many closed traces as
// once were closed together.
const maxIdleTraceSpans = 1 << 18

func (b *Batch) resetTraces() {
	clear(b.Traces)
	clear(b.TraceServices)
	clear(b.TracePath)
	clear(b.Words)
	b.Traces = b.Traces[:0]
	b.TraceServices = b.TraceServices[:0]
	b.TracePath = b.TracePath[:0]
	b.TraceSpans = b.TraceSpans[:0]
	b.Words = b.Words[:0]
	if cap(b.TraceSpans) > maxIdleTraceSpans {
		b.Traces, b.TraceServices, b.TracePath, b.TraceSpans, b.Words = nil, nil, nil, nil, nil
	}
}
