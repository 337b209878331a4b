package telemetry

// Log is one OTLP log record.
type Log struct {
	// Time and Observed are Unix nanoseconds. The decoder replaces a zero Time
	// by Observed, and that by the record's receive time, so Time is never zero.
	Time, Observed int64
	TraceID        TraceID
	SpanID         SpanID
	// Body is the record's body; a plain string in nearly every case.
	Body         Value
	SeverityText string
	EventName    string
	Attrs        Range // of Batch.Attrs
	DroppedAttrs uint32
	Flags        uint32
	Resource     uint32 // index into Batch.Resources
	Scope        uint32 // index into Batch.Scopes
	// Pattern is the id of the body's pattern, 0 if nobody looked for one.
	Pattern uint64
	// Severity is the OTLP severity number, 0 (unspecified) to 24; what is
	// outside of that range is 0.
	Severity uint8
}

// SeverityClass returns the class of a severity number, which are groups of four: 0
// (unspecified), 1 (trace) to 6 (fatal).
func SeverityClass(severity uint8) uint8 { return (min(severity, 24) + 3) / 4 }
