// Package errors is a processor that reads errors out of logs: every log record
// with an exception or a stack becomes a row of the table errors, in the group of
// what is the same error.
//
// It must not know how records came, nor what becomes of its rows.
package errors

import (
	"context"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "errors",
		Summary:       "Reads errors out of logs with exceptions or stacks, and groups those that are the same.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor reads the errors of one partition. It remembers nothing.
type Processor struct {
	cfg    Config
	frames []frame // of the current stack
	hash   xxh3.Hasher
	mask   []byte
}

var _ pipeline.Processor = (*Processor)(nil)

// New returns a processor.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Processor{cfg: cfg}, nil
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	for i := range b.Logs {
		l := &b.Logs[i]
		if hasException(b.AttrsOf(l.Attrs)) {
			b.Failures = append(b.Failures, p.failure(b, l))
		}
	}
	if cap(p.frames) > keptFrames {
		p.frames = nil
	}
	return nil
}

// keptFrames is how much memory for frames is kept between batches.
const keptFrames = 4096

// failure makes the row of a log record.
func (p *Processor) failure(b *telemetry.Batch, l *telemetry.Log) telemetry.Failure {
	r := &b.Resources[l.Resource]
	e := read(b.AttrsOf(l.Attrs))
	e.ofResource(b.AttrsOf(r.Attrs))
	if e.message == "" && l.Body.Kind == telemetry.KindString {
		e.message = l.Body.Str
	}
	p.frames = appendFrames(p.frames[:0], e.stack)
	p.markLibraries()
	app := p.applicationFrames()
	class := telemetry.SeverityClass(l.Severity)
	f := telemetry.Failure{
		Time: l.Time, Resource: l.Resource, TraceID: l.TraceID, SpanID: l.SpanID,
		Type: e.kind, Message: shortened(e.message, maxMessage), Stack: shortened(e.stack, p.cfg.MaxStack),
		Class: class, Handled: !e.escaped && class < fatal || e.caught,
		Release: e.release, Environment: e.environment, User: e.userName(), Transaction: e.transaction, Event: e.event,
	}
	if len(app) > 0 {
		f.Culprit = shortened(app[0].culprit(), maxName)
	}
	f.Group = p.group(b.TenantOf(l.Resource), r.Service, &e, app)
	if e.fingerprint != "" {
		f.Fingerprint, f.Group = p.chosen(b.TenantOf(l.Resource), r.Service, &e, f.Group)
	}
	return f
}

const (
	// fatal is the severity class of what ends a program.
	fatal = 6
	// maxMessage and maxName bound what is stored of texts, in bytes.
	maxMessage = 8 << 10
	maxName    = 256
)
