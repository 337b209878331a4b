package changes

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// change is what was done. All texts may be empty, and Time may be zero.
type change struct {
	Time                                time.Time
	ID, Kind, Status                    string
	Service, Version, Host, Environment string
	Author, Source, Link, Title         string
	// more are attributes of the event that a change has no field for, and
	// resource those of what was changed.
	more, resource []logwriter.Attribute
}

// Words for the status of a change.
const (
	started   = "started"
	succeeded = "succeeded"
	failed    = "failed"
)

// eventName is that of the events.
const eventName = "change"

// append appends the change to a request, as an event of what was changed.
func (c *change) append(request []byte) []byte {
	title := c.Title
	if title == "" {
		title = strings.Join(strings.Fields(c.Kind+" "+c.Service+" "+c.Version), " ")
	}
	l := logwriter.Log{EventName: eventName, Severity: logwriter.SeverityInfo, Body: shortened(title, maxTitle)}
	if !c.Time.IsZero() {
		l.Time = c.Time.UnixNano()
	}
	if c.Status == failed {
		l.Severity = logwriter.SeverityWarn
	}
	l.Attributes = known(append([]logwriter.Attribute{
		{Key: "change.kind", Value: c.Kind},
		{Key: "change.id", Value: c.ID},
		{Key: "change.status", Value: c.Status},
		{Key: "change.source", Value: c.Source},
		{Key: "user.name", Value: c.Author},
		{Key: "url.full", Value: c.Link},
	}, c.more...))
	if c.Kind == "deployment" {
		l.Attributes = append(l.Attributes, known([]logwriter.Attribute{{Key: "deployment.id", Value: c.ID}})...)
		if c.Status == succeeded || c.Status == failed {
			l.Attributes = append(l.Attributes, logwriter.Attribute{Key: "deployment.status", Value: c.Status})
		}
	}
	resource := logwriter.Resource(known(append([]logwriter.Attribute{
		{Key: "service.name", Value: c.Service},
		{Key: "service.version", Value: c.Version},
		{Key: "deployment.environment.name", Value: c.Environment},
		{Key: "host.name", Value: c.Host},
	}, c.resource...))...)
	// Requests behind each other are one request.
	return append(request, logwriter.Request(resource, "github.com/goshawk-observability/goshawk/ingest/changes", l)...)
}

// Bounds of texts, in bytes.
const (
	maxTitle = 1 << 10
	maxText  = 1 << 10
)

// known returns the attributes that have a value.
func known(all []logwriter.Attribute) (some []logwriter.Attribute) {
	for _, a := range all {
		if a.Value != "" {
			some = append(some, logwriter.Attribute{Key: a.Key, Value: shortened(a.Value, maxText)})
		}
	}
	return some
}

// shortened returns the beginning of a text, of whole characters.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// firstLine is what a commit is called.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return strings.TrimSpace(line)
}
