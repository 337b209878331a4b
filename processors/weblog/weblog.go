// Package weblog is a processor that reads requests to web servers out of logs:
// out of the lines of access logs, and of records whose attributes say the same.
// Each becomes a row, and an event on the topic where those of a client meet.
//
// The log stays where it is. A row is a function of its record alone, but for
// lines in columns that a #Fields directive of the same source has named.
//
// It must not know what becomes of its rows.
package weblog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "weblog",
		Summary:       "Reads requests to web servers out of access logs: as rows, and as events that meet by client.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor reads the access logs of one partition.
type Processor struct {
	cfg        Config
	formats    map[string]*accesslog.Format // by service; nil for those not to be read
	format     *accesslog.Format            // of all others, nil to detect it
	classifier *classify.Classifier
	out        weblog.Writer

	sources sources
	scratch accesslog.Scratch
	line    accesslog.Line
	fields  fields

	// known is the source that was found last: the lines of one follow each other.
	known struct {
		resource uint32
		path     string
		reader   reader
		ok       bool
	}
}

var (
	_ pipeline.Stateful = (*Processor)(nil)
	_ pipeline.Measured = (*Processor)(nil)
)

// reader is how the lines of a source are read.
type reader struct {
	source uint64
	// One of these is set, none where lines are not read.
	format   *accesslog.Format
	detector *accesslog.Detector
}

// New returns a processor that has read nothing.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{cfg: cfg, formats: make(map[string]*accesslog.Format, len(cfg.Formats))}
	var err error
	if p.classifier, err = classify.New(cfg.Config); err != nil {
		return nil, err
	}
	if cfg.Format != "" {
		if p.format, err = accesslog.New(cfg.Format); err != nil {
			return nil, fmt.Errorf("format: %w", err)
		}
	}
	for service, spec := range cfg.Formats {
		if spec == noFormat {
			p.formats[service] = nil
			continue
		}
		if p.formats[service], err = accesslog.New(spec); err != nil {
			return nil, fmt.Errorf("formats: %s: %w", service, err)
		}
	}
	return p, nil
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	// The rows of the batch before are gone.
	p.classifier.Reset()
	p.scratch.Reset()
	p.known.ok = false
	for i := range b.Logs {
		if n := len(b.WebHits); n == cap(b.WebHits) && n > 0 {
			// As many more as there were among the logs until here: doubling copies
			// large rows, and leaves what it copied from to the collector.
			b.WebHits = slices.Grow(b.WebHits, n*(len(b.Logs)-i)/i+16)
		}
		p.log(b, &b.Logs[i])
	}
	if p.cfg.Group && len(b.WebHits) > 0 {
		received := int64(0)
		for i := range b.Records {
			received = max(received, b.Records[i].ReceiveTime)
		}
		p.out.Write(b, received)
	}
	return nil
}

// log makes a hit of a log record that is one of a request.
func (p *Processor) log(b *telemetry.Batch, l *telemetry.Log) {
	f := &p.fields
	f.read(b.AttrsOf(l.Attrs))
	if !p.parse(b, l) && !f.line(&p.line) {
		return
	}
	f.fill(&p.line)
	resource := &b.Resources[l.Resource]
	at, ok := p.time(l.Time, b.Records[resource.Record].ReceiveTime)
	if !ok {
		return
	}
	b.WebHits = append(b.WebHits, telemetry.WebHit{})
	h := &b.WebHits[len(b.WebHits)-1]
	p.classifier.Hit(b.TenantOf(l.Resource), resource.Service, &p.line, h)
	h.Resource, h.Time = l.Resource, at
	if f.route != "" {
		h.Route = f.route
	}
	if h.Query == "" {
		h.Query = f.query
	}
	if none := (telemetry.TraceID{}); l.TraceID == none {
		l.TraceID = h.TraceID
	} else if h.TraceID == none {
		h.TraceID = l.TraceID
	}
	if l.Severity == 0 {
		l.Severity = severity(h.Status)
	}
}

// maxFuture is how far ahead the clock of a server may be that is believed.
const maxFuture = int64(12 * time.Hour)

// time is when the request was, by the line where that says so and is believed, else
// by its log record. It reports false for one that is too old to be stored.
func (p *Processor) time(logged, received int64) (at int64, ok bool) {
	at = p.line.Time
	switch {
	case at <= 0, at-received > maxFuture:
		return logged, true
	case received-at > int64(p.cfg.MaxAge):
		return 0, false
	}
	return at, true
}

// parse reads the line of a log record. It reports whether it was that of a
// request.
func (p *Processor) parse(b *telemetry.Batch, l *telemetry.Log) bool {
	const shortest = 16
	body := l.Body.Str
	if l.Body.Kind != telemetry.KindString || len(body) < shortest {
		return false
	}
	k := &p.known
	if !k.ok || k.resource != l.Resource || k.path != p.fields.file {
		k.resource, k.path, k.ok = l.Resource, p.fields.file, true
		k.reader = p.reader(b, l.Resource, p.fields.file)
	}
	switch {
	case k.reader.format != nil:
		return k.reader.format.Parse(body, &p.line, &p.scratch) == nil
	case k.reader.detector == nil:
		return false
	}
	err := k.reader.detector.Parse(body, &p.line, &p.scratch)
	if errors.Is(err, accesslog.ErrDirective) {
		p.sources.note(k.reader.source, k.reader.detector)
	}
	return err == nil
}

// reader returns how the lines of a source are read: a resource, and a file of it.
func (p *Processor) reader(b *telemetry.Batch, resource uint32, file string) reader {
	service := b.Resources[resource].Service
	if format, ok := p.formats[service]; ok {
		return reader{format: format}
	}
	if p.format != nil {
		return reader{format: p.format}
	}
	source := p.sources.id(b, resource, file)
	return reader{source: source, detector: p.sources.detector(source)}
}

// severity is how bad the answer to a request is.
func severity(status uint16) uint8 {
	const info, warn, fail = 9, 13, 17
	switch {
	case status >= 500:
		return fail
	case status >= 400:
		return warn
	}
	return info
}

// Held implements pipeline.Measured: directives wait for nothing.
func (p *Processor) Held() (items, bytes int64) { return 0, p.sources.bytes() }

// Snapshot implements pipeline.Stateful.
func (p *Processor) Snapshot(dst []byte) []byte { return p.sources.append(dst) }

// Restore implements pipeline.Stateful.
func (p *Processor) Restore(src []byte) error {
	p.known.ok = false
	if !p.sources.restore(src) {
		return errors.New("the state of the directives is damaged")
	}
	return nil
}
