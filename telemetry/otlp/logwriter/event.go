package logwriter

import "github.com/goshawk-observability/goshawk/telemetry"

// Severities of log records, as OTLP numbers them.
const (
	SeverityInfo = 9
	SeverityWarn = 13
)

// Log is a log record of texts, for those that are few. What is zero or empty is
// left out.
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

// Request returns a request with the logs of one resource, which is encoded, and
// one scope.
func Request(resource []byte, scope string, logs ...Log) []byte {
	var records []byte
	for i := range logs {
		l := &logs[i]
		r := Record{
			Time: l.Time, Observed: l.Observed, Severity: l.Severity, SeverityText: l.SeverityText,
			EventName: l.EventName, Body: view(l.Body), TraceID: l.TraceID,
		}
		for _, a := range l.Attributes {
			r.Attributes = AppendString(r.Attributes, a.Key, a.Value)
		}
		records = AppendRecord(records, &r)
	}
	return AppendLogs(nil, resource, scope, records)
}
