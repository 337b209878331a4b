package telemetry

// PatternCount is how often lines of a pattern came in a minute: a row of the table
// log_patterns_1m. There may be several rows of the same pattern and minute, which
// add up.
//
// Its strings are valid until the batch is reset.
type PatternCount struct {
	Tenant, Service string
	// Time is the start of the minute, Unix nanoseconds.
	Time int64
	// Class is the severity class, 0 (unspecified) to 6 (fatal).
	Class uint8
	// ID is Log.Pattern of the lines, and Text the pattern.
	ID   uint64
	Text string
	// Lines counts the lines.
	Lines uint64
}
