// Package logpatterns is a processor that finds the pattern of every log record and
// counts how often each came in a minute.
//
// It remembers nothing from block to block: the pattern of a line is a function of
// the line alone, and counts are rows that add up. So ids and counts are the same
// in any order, on any number of partitions, and after any restart.
//
// It must not know what becomes of its rows.
package logpatterns

import (
	"context"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "logpatterns",
		Summary:       "Finds the patterns of log lines, and counts them by minute, service and severity.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor finds and counts patterns.
type Processor struct {
	cfg    Config
	masker logpattern.Masker
	rest   uint64 // the id of what is beyond the limit
	// counts has the place in Batch.Patterns of what was counted of a block.
	counts map[count]int
	texts  arena
	// keys are those of a map.
	keys []string
	// seen has the patterns of a resource that may have too many.
	seen map[uint64]struct{}
}

// count is what lines have in common that are counted together. Names are views of
// the batch.
type count struct {
	tenant, service string
	minute          int64
	id              uint64
	class           uint8
}

var _ pipeline.Processor = (*Processor)(nil)

// New returns a processor.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Processor{cfg: cfg, rest: logpattern.ID([]byte(logpattern.Wild)), counts: map[count]int{}, seen: map[uint64]struct{}{}}, nil
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	p.texts.reset()
	for from := 0; from < len(b.Logs); {
		to := from + 1
		for to < len(b.Logs) && b.Logs[to].Resource == b.Logs[from].Resource {
			to++
		}
		p.resource(b, b.Logs[from:to])
		from = to
	}
	clear(p.counts) // its keys are views of the batch
	clear(p.keys)
	return nil
}

// resource counts the lines of a resource, which are of one record.
func (p *Processor) resource(b *telemetry.Batch, logs []telemetry.Log) {
	key := count{tenant: b.TenantOf(logs[0].Resource), service: b.Resources[logs[0].Resource].Service}
	bounded := len(logs) > p.cfg.MaxPatterns
	clear(p.seen)
	for i := range logs {
		l := &logs[i]
		if own(l.EventName) {
			continue
		}
		shape := p.shape(&l.Body)
		if len(shape) == 0 {
			continue
		}
		l.Pattern = logpattern.ID(shape)
		if bounded {
			if _, ok := p.seen[l.Pattern]; !ok && len(p.seen) >= p.cfg.MaxPatterns {
				l.Pattern, shape = p.rest, append(shape[:0], logpattern.Wild...)
			} else if !ok {
				p.seen[l.Pattern] = struct{}{}
			}
		}
		key.minute, key.id, key.class = minute(l.Time), l.Pattern, telemetry.SeverityClass(l.Severity)
		at, ok := p.counts[key]
		if !ok {
			at = len(b.Patterns)
			p.counts[key] = at
			b.Patterns = append(b.Patterns, telemetry.PatternCount{
				Tenant: key.tenant, Service: key.service, Time: key.minute, Class: key.class, ID: key.id, Text: p.texts.add(shape),
			})
		}
		b.Patterns[at].Lines++
	}
}

// own reports whether an event is one that is made of patterns, or of the topology,
// by goshawk itself.
func own(event string) bool {
	return event != "" && (strings.HasPrefix(event, "log_pattern.") || strings.HasPrefix(event, "topology."))
}

// minute returns the start of the minute of a time.
func minute(t int64) int64 {
	past := t % int64(time.Minute)
	if past < 0 {
		past += int64(time.Minute)
	}
	return t - past
}
