package patterns

import (
	"strconv"

	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

func eventName(m *member) string { return "log_pattern." + m.Change() }

// classes are the names of severity classes.
var classes = [...]string{"UNSPECIFIED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// classWarn is the number of the class of warnings.
const classWarn = 4

// event returns the event of the last change of a merged pattern.
func event(t *tenant, n name) watch.Event {
	s, m := t.services[n.service], t.member(n)
	last, class := m.Last, m.class
	for _, other := range s.members {
		if other.merged == n.id {
			last, class = max(last, other.Last), max(class, other.class)
		}
	}
	text := s.texts[n.id]
	l := logwriter.Log{
		Time: m.Changed.Time().UnixNano(), Severity: logwriter.SeverityInfo, SeverityText: "INFO",
		EventName: eventName(m), Body: body(m, text, last),
	}
	if m.Gone || class >= classWarn {
		l.Severity, l.SeverityText = logwriter.SeverityWarn, "WARN"
	}
	for _, a := range [][2]string{
		{"log_pattern.id", strconv.FormatUint(n.id, 10)},
		{"log_pattern.text", text},
		{"log_pattern.severity", classes[min(int(class), len(classes)-1)]},
		{"log_pattern.first_seen", m.First.String()},
		{"log_pattern.last_seen", last.String()},
	} {
		l.Attributes = append(l.Attributes, logwriter.Attribute{Key: a[0], Value: a[1]})
	}
	return watch.Event{Service: n.service, Log: l, BatchID: batchID(t.name, n, m)}
}

// body says in words what has changed.
func body(m *member, text string, last watch.Minute) string {
	switch text = watch.Short(text); m.Change() {
	case "vanished":
		return "log pattern has vanished, it last came at " + last.String() + ": " + text
	case "returned":
		return "log pattern is back: " + text
	}
	return "log pattern is new: " + text
}

// batchID names the event of the last change of a merged pattern.
func batchID(tenant string, n name, m *member) [16]byte {
	return watch.BatchID("log_pattern", []string{tenant, n.service, m.Change()}, n.id, uint64(m.Changed)) //nolint:gosec // not negative
}
