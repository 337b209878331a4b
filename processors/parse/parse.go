// Package parse is a processor that takes the bodies of log records apart: the
// fields of a JSON object or of a logfmt line become attributes, and those that
// everybody writes become the record's severity, trace and time. The body stays
// as it is.
//
// Whether a body is taken apart depends on the body alone.
package parse

import (
	"context"
	"slices"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog/flatjson"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "parse",
		Summary:       "Makes attributes, severity, trace and time of the fields of JSON and logfmt log bodies.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor takes bodies apart. It remembers nothing from batch to batch.
type Processor struct {
	cfg          Config
	json, logfmt bool
	scanner      flatjson.Scanner
	// text holds what is no view of a body: unescaped strings and joined keys of
	// the batch.
	text []byte
	row  row
}

var _ pipeline.Processor = (*Processor)(nil)

// New returns a processor with the given settings.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Processor{cfg: cfg, json: slices.Contains(cfg.Formats, "json"), logfmt: slices.Contains(cfg.Formats, "logfmt")}, nil
}

const textChunk, textKept = 64 << 10, 4 << 20

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	// The batch before this one is done, and with it the strings in here.
	if p.text = p.text[:0]; cap(p.text) > textKept {
		p.text = nil
	}
	for i := range b.Logs {
		p.log(b, &b.Logs[i])
	}
	return nil
}

func (p *Processor) log(b *telemetry.Batch, l *telemetry.Log) {
	var body string
	if l.Body.Kind == telemetry.KindString {
		body = l.Body.Str
	}
	parsed := false
	switch first := firstByte(body); {
	case first == '{':
		parsed = p.json && p.object(b, l, body)
	case first != 0:
		parsed = p.logfmt && beginsWithPairs(body) && p.pairs(b, l, body)
	}
	if l.Severity != 0 || !p.cfg.Severity {
		return
	}
	if l.Severity = levelOf(l.SeverityText); l.Severity == 0 && !parsed {
		var word string
		if l.Severity, word = textLevel(body); l.SeverityText == "" {
			l.SeverityText = word
		}
	}
}

// firstByte is the first that is no space, 0 if there is none.
func firstByte(s string) byte {
	for i := range len(s) {
		if c := s[i]; c > ' ' {
			return c
		}
	}
	return 0
}

// object takes a body apart that is a JSON object, and reports whether it is one.
func (p *Processor) object(b *telemetry.Batch, l *telemetry.Log, body string) bool {
	p.begin(b, l)
	text := p.text
	var m flatjson.Member
	p.scanner.Reset(body, p.cfg.MaxDepth)
	for p.scanner.Next(&m) {
		if m.Kind != flatjson.Null && (m.Kind != flatjson.Object || len(m.Raw) > 2) {
			p.member(b, p.scanner.Path(), &m)
		}
	}
	if !p.scanner.Valid() {
		b.Attrs, p.text = b.Attrs[:p.row.start], text
		return false
	}
	p.commit(b, l)
	return true
}

// pairs takes a body apart that is a logfmt line, and reports whether it is one.
func (p *Processor) pairs(b *telemetry.Batch, l *telemetry.Log, body string) bool {
	p.begin(b, l)
	text := p.text
	usual := false
	s := pairScanner{rest: body}
	var m flatjson.Member
	for s.next(&m) {
		if m.Key != "" {
			usual = usual || isUsual(m.Key)
			p.member(b, nil, &m)
		}
	}
	if s.broken || !usual {
		b.Attrs, p.text = b.Attrs[:p.row.start], text
		return false
	}
	p.commit(b, l)
	return true
}
