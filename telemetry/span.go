package telemetry

// Span is one OTLP span.
type Span struct {
	// Start and End are Unix nanoseconds. A zero Start is replaced by End, a
	// zero End by Start, and where both are zero by the receive time.
	Start, End    int64
	TraceID       TraceID
	SpanID        SpanID
	ParentID      SpanID
	Name          string
	TraceState    string
	StatusMessage string
	Attrs         Range // of Batch.Attrs
	Events        Range // of Batch.Events
	Links         Range // of Batch.Links
	DroppedAttrs  uint32
	DroppedEvents uint32
	DroppedLinks  uint32
	Flags         uint32
	Resource      uint32 // index into Batch.Resources
	Scope         uint32 // index into Batch.Scopes
	Kind          uint8  // OTLP SpanKind, 0 to 5
	Status        uint8  // OTLP StatusCode, 0 to 2
}

// Event is one event of a span.
type Event struct {
	Time         int64 // Unix nanoseconds
	Name         string
	Attrs        Range // of Batch.Attrs
	DroppedAttrs uint32
}

// Link is one link of a span to another.
type Link struct {
	TraceID      TraceID
	SpanID       SpanID
	TraceState   string
	Attrs        Range // of Batch.Attrs
	DroppedAttrs uint32
	Flags        uint32
}
