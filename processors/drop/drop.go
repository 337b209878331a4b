// Package drop is a processor that removes events nobody wants to keep: those of
// a service, below a severity, of certain spans or metrics. What it removes is
// counted as dropped in the ledger, never lost in silence.
package drop

import (
	"context"
	"slices"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "drop",
		Summary:       "Removes events by service, severity, span name or metric name, and counts them as dropped.",
		DefaultConfig: func() any { return &Config{} },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor removes the events that match a rule.
type Processor struct {
	rules []Rule
	// services caches, for each resource of the batch, the rules whose services
	// match, as bits.
	services []uint64
}

var _ pipeline.Processor = (*Processor)(nil)

// New returns a processor with the rules of the configuration.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Processor{rules: slices.Clone(cfg.Rules)}, nil
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	if len(p.rules) == 0 {
		return nil
	}
	p.services = p.services[:0]
	for i := range b.Resources {
		p.services = append(p.services, p.matchServices(b.Resources[i].Service))
	}
	b.Logs = slices.DeleteFunc(b.Logs, func(l telemetry.Log) bool {
		return p.drops(b, l.Resource, func(r *Rule) bool {
			return r.Logs && (r.SeverityBelow == 0 || l.Severity < r.SeverityBelow && l.Severity != 0)
		})
	})
	b.Spans = slices.DeleteFunc(b.Spans, func(s telemetry.Span) bool {
		return p.drops(b, s.Resource, func(r *Rule) bool { return r.Spans && matches(r.SpanNames, s.Name) })
	})
	b.Numbers = dropPoints(p, b, b.Numbers, func(n *telemetry.NumberPoint) uint32 { return n.Metric })
	b.Histograms = dropPoints(p, b, b.Histograms, func(n *telemetry.HistogramPoint) uint32 { return n.Metric })
	b.Exponentials = dropPoints(p, b, b.Exponentials, func(n *telemetry.ExponentialPoint) uint32 { return n.Metric })
	b.Summaries = dropPoints(p, b, b.Summaries, func(n *telemetry.SummaryPoint) uint32 { return n.Metric })
	return nil
}

func dropPoints[T any](p *Processor, b *telemetry.Batch, points []T, metricOf func(*T) uint32) []T {
	return slices.DeleteFunc(points, func(point T) bool {
		m := &b.Metrics[metricOf(&point)]
		return p.drops(b, m.Resource, func(r *Rule) bool { return r.Metrics && matches(r.MetricNames, m.Name) })
	})
}

// drops reports whether a rule removes an event of the resource, and counts it.
func (p *Processor) drops(b *telemetry.Batch, resource uint32, matches func(*Rule) bool) bool {
	bits := p.services[resource]
	for i := 0; bits != 0; i, bits = i+1, bits>>1 {
		if bits&1 != 0 && matches(&p.rules[i]) {
			b.Records[b.Resources[resource].Record].Dropped++
			return true
		}
	}
	return false
}

func (p *Processor) matchServices(service string) uint64 {
	var bits uint64
	for i := range p.rules {
		if matches(p.rules[i].Services, service) {
			bits |= 1 << i
		}
	}
	return bits
}

// matches reports whether a name is one of the patterns; no patterns match
// every name.
func matches(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, pattern := range patterns {
		if n := len(pattern) - 1; pattern[n] == '*' {
			if len(name) >= n && name[:n] == pattern[:n] {
				return true
			}
		} else if pattern == name {
			return true
		}
	}
	return false
}
