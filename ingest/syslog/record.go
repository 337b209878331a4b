package syslog

import (
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// severities are those of OpenTelemetry for the ones of syslog, with the names
// that syslog has for them.
var severities = [8]struct {
	number uint8
	text   string
}{{21, "emerg"}, {19, "alert"}, {18, "crit"}, {17, "err"}, {13, "warning"}, {10, "notice"}, {9, "info"}, {5, "debug"}}

// The names of attributes, as OpenTelemetry's logs data model maps RFC 5424.
const (
	facilityAttribute  = "syslog.facility"
	versionAttribute   = "syslog.version"
	procidAttribute    = "syslog.procid"
	msgidAttribute     = "syslog.msgid"
	timeAttribute      = "syslog.timestamp"
	truncatedAttribute = "log.record.truncated"
)

// facilities are the encoded attributes of the facilities, and ietfVersion that
// of RFC 5424.
var (
	facilities = func() (all [24][]byte) {
		for i := range all {
			all[i] = logwriter.AppendInt(nil, facilityAttribute, int64(i))
		}
		return all
	}()
	ietfVersion = logwriter.AppendInt(nil, versionAttribute, 1)
)

// maxFuture and maxAge bound the time of a record. One that is out of them is
// kept as an attribute: the record would be refused for it.
var maxFuture, maxAge = func() (future, age int64) {
	limits := otlp.DefaultLimits()
	return int64(limits.MaxFuture), int64(limits.MaxAge)
}()

// record makes the log record of a message. The list is memory for its
// attributes.
func (m *message) record(r *logwriter.Record, list []byte, observed int64, cut bool) []byte {
	list = append(list[:0], facilities[m.priority>>3]...)
	if m.ietf {
		list = append(list, ietfVersion...)
	}
	if len(m.procid) > 0 {
		list = logwriter.AppendText(list, procidAttribute, m.procid)
	}
	if len(m.msgid) > 0 {
		list = logwriter.AppendText(list, msgidAttribute, m.msgid)
	}
	list = append(list, m.structured...)
	if cut {
		list = logwriter.AppendBool(list, truncatedAttribute, true)
	}
	s := &severities[m.priority&7]
	*r = logwriter.Record{Observed: observed, Severity: s.number, SeverityText: s.text, Body: m.body}
	if m.time > observed+maxFuture || m.time != 0 && m.time < observed-maxAge {
		list = logwriter.AppendInt(list, timeAttribute, m.time)
	} else {
		r.Time = m.time
	}
	r.Attributes = list
	return list
}
