package red

import (
	"bytes"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// kinds is the number of kinds of spans.
const kinds = 6

// kindNames are the kinds by their number in OTLP, as settings and tables call
// them.
var kindNames = [kinds]string{"unspecified", "internal", "server", "client", "producer", "consumer"}

// The codes of a span's status.
const statusError = 2

// operation is what is counted of the spans of a name and a kind in a minute.
type operation struct {
	name string
	kind uint8

	calls, errors         uint64
	satisfied, tolerating uint64
	durations             sketch.Sketch
	// slow is the trace of the slowest span, which took slowest, and failed that
	// of the last that failed, which ended at failedAt.
	slow, failed      telemetry.TraceID
	slowest, failedAt int64

	series told
}

// operationBytes is about what an operation takes beside its name, with a sketch
// of durations that differ by a factor of ten.
const operationBytes = 1300

// tolerated is how many thresholds long a span may be that Apdex counts half.
const tolerated = 4

// add counts a span that ended at the given time. Of several spans that are
// equally slow or late, the trace with the least id is kept, so that the order in
// which they come does not matter.
func (o *operation) add(duration, at, threshold int64, s *telemetry.Span) {
	if o.calls == 0 || duration > o.slowest || duration == o.slowest && bytes.Compare(s.TraceID[:], o.slow[:]) < 0 {
		o.slow, o.slowest = s.TraceID, duration
	}
	o.calls++
	o.durations.Add(duration)
	switch {
	case s.Status == statusError:
		if o.errors == 0 || at > o.failedAt || at == o.failedAt && bytes.Compare(s.TraceID[:], o.failed[:]) < 0 {
			o.failed, o.failedAt = s.TraceID, at
		}
		o.errors++
	case duration <= threshold:
		o.satisfied++
	case duration <= tolerated*threshold:
		o.tolerating++
	}
}
