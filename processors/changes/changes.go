// Package changes is a processor that reads changes out of logs: every event
// called change becomes a row of the table changes. docs/formats/changes.md has
// the attributes.
//
// It must not know who reports changes, nor what becomes of its rows.
package changes

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "changes",
		Summary:       "Reads deployments and other changes out of events called change.",
		DefaultConfig: func() any { return &Config{} },
		New:           func(any) (pipeline.Processor, error) { return &Processor{}, nil },
	}
}

// Config has no settings.
type Config struct{}

// Processor reads changes. It remembers nothing.
type Processor struct{ hash xxh3.Hasher }

var _ pipeline.Processor = (*Processor)(nil)

// eventName is that of the events that are changes.
const eventName = "change"

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	for i := range b.Logs {
		if l := &b.Logs[i]; l.EventName == eventName {
			b.Changes = append(b.Changes, p.change(b, l))
		}
	}
	return nil
}

// change makes the row of an event. What the event says itself counts more than
// what its resource says, which may be the tool that reports.
func (p *Processor) change(b *telemetry.Batch, l *telemetry.Log) telemetry.Change {
	c := telemetry.Change{Tenant: b.TenantOf(l.Resource), Time: l.Time}
	var deployment bool
	for _, attrs := range [][]telemetry.Attr{b.AttrsOf(l.Attrs), b.AttrsOf(b.Resources[l.Resource].Attrs)} {
		for i := range attrs {
			switch v := &attrs[i].Value; {
			case v.Kind == telemetry.KindString && v.Str != "":
				deployment = take(&c, attrs[i].Key, v.Str) || deployment
			case v.Kind == telemetry.KindInt: // an id, or a version
				deployment = take(&c, attrs[i].Key, strconv.FormatInt(v.Int(), 10)) || deployment
			}
		}
	}
	if c.Service == "" {
		c.Service = b.Resources[l.Resource].Service
	}
	switch {
	case c.Kind != "":
	case deployment:
		c.Kind = "deployment"
	default:
		c.Kind = "other"
	}
	if l.Body.Kind == telemetry.KindString && l.Body.Str != "" {
		c.Title = shortened(l.Body.Str)
	}
	if c.Status == "" {
		c.Status = "succeeded"
	}
	if c.ID == "" {
		c.ID = p.identity(&c)
	}
	return c
}

// take sets the field of an attribute, unless it is set. It reports whether the
// attribute is one of a deployment.
func take(c *telemetry.Change, key, value string) bool {
	var field *string
	switch key {
	case "change.id":
		c.ID = shortened(value) // the best there is
		return false
	case "change.kind":
		field = &c.Kind
	case "change.status":
		c.Status = statusOf(value)
		return false
	case "change.source":
		field = &c.Source
	case "change.title":
		field = &c.Title
	case "deployment.id":
		field = &c.ID
	case "deployment.name":
		field = &c.Title
	case "deployment.status":
		if c.Status == "" {
			c.Status = statusOf(value)
		}
		return true
	case "service.name":
		field = &c.Service
	case "service.version":
		field = &c.Version
	case "host.name":
		field = &c.Host
	case "deployment.environment.name", "deployment.environment":
		field = &c.Environment
	case "user.name":
		field = &c.Author
	case "url.full":
		field = &c.Link
	default:
		return false
	}
	if *field == "" {
		*field = shortened(value)
	}
	return key == "deployment.id" || key == "deployment.name"
}

// statusOf returns one of the three words that a change can be in, or what was
// said where it is none of them.
func statusOf(word string) string {
	switch strings.ToLower(word) {
	case "started", "running", "pending", "queued", "in_progress", "progressing", "created", "waiting":
		return "started"
	case "succeeded", "success", "successful", "completed", "ok", "healthy", "synced":
		return "succeeded"
	case "failed", "failure", "error", "cancelled", "canceled", "timed_out", "degraded":
		return "failed"
	}
	return shortened(word)
}

// identity makes an id of a change that has none: of all that says what was done
// and when.
func (p *Processor) identity(c *telemetry.Change) string {
	p.hash.Reset()
	for _, text := range [...]string{c.Tenant, c.Kind, c.Service, c.Version, c.Host, c.Environment, c.Title} {
		_, _ = p.hash.WriteString(text) // never fails
		_, _ = p.hash.WriteString("\x00")
	}
	var time [8]byte
	for i := range time {
		time[i] = byte(c.Time >> (8 * i))
	}
	_, _ = p.hash.Write(time[:])
	sum := p.hash.Sum128().Bytes()
	return hex.EncodeToString(sum[:8])
}

// maxText bounds every text of a change, in bytes.
const maxText = 1 << 10

// shortened returns the beginning of a text, of whole characters.
func shortened(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
