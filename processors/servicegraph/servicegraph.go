// Package servicegraph is a processor that counts who calls whom: for each minute,
// caller, callee and operation the calls, errors and times of both sides, and for
// each two hosts by how much their clocks differ.
//
// It reads the traces that processors/traces has assembled, in which callers and
// callees have met. Like that one it is a function of the records of its partition
// and of nothing else: its clock is the watermark, and every decision is made
// after a record.
//
// It must not know what becomes of its rows.
package servicegraph

import (
	"context"
	"slices"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "servicegraph",
		Summary:       "Counts who calls whom from assembled traces: calls, errors and times per minute, and by how much clocks differ.",
		After:         []string{"traces"},
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor counts the calls of the traces of one partition.
type Processor struct {
	cfg     Config
	clock   pipeline.Watermark
	names   names
	open    open
	metrics *metrics // nil where none are published

	// numbers are the names of the batch's words, and 1; 0 where not known yet.
	numbers []uint32
	// marks say of the spans of a trace who is below them.
	marks []mark
}

var (
	_ pipeline.Stateful = (*Processor)(nil)
	_ pipeline.Measured = (*Processor)(nil)
)

// New returns a processor that has counted nothing.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{cfg: cfg}
	if cfg.Metrics.Enabled {
		p.metrics = newMetrics(&cfg.Metrics)
	}
	p.reset()
	return p, nil
}

// reset forgets everything.
func (p *Processor) reset() {
	p.clock = pipeline.Watermark{}
	p.names = newNames()
	p.open = newOpen()
	if p.metrics != nil {
		p.metrics.reset()
	}
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	if p.names.many() {
		p.names.sweep(p.used())
	}
	p.numbers = slices.Grow(p.numbers[:0], len(b.Words))[:len(b.Words)]
	clear(p.numbers)
	next := 0
	pipeline.EachRecord(b, func(record uint32, spans []telemetry.Span) {
		to := next
		for to < len(b.Traces) && b.Traces[to].Record <= record {
			to++
		}
		p.record(b, &b.Records[record], spans, b.Traces[next:to])
		next = to
	})
	return nil
}

// record counts the traces that are over after a record, and writes what is due.
func (p *Processor) record(b *telemetry.Batch, r *telemetry.Record, spans []telemetry.Span, over []telemetry.Trace) {
	if p.clock.Advance(r, spans) {
		// The times of writing were of a clock that was wrong.
		for len(p.open.groups) > 0 {
			p.flush(b)
		}
	}
	for i := range over {
		p.trace(b, &over[i])
	}
	for len(p.open.groups) > 0 && (p.open.groups[0].due <= p.clock.Now || p.open.full(p.cfg.MaxOpen)) {
		p.flush(b)
	}
	if p.metrics != nil {
		p.metrics.advance(b, p.clock.Now, &p.names)
	}
}

// number returns the name of a word of the batch.
func (p *Processor) number(b *telemetry.Batch, word uint32) uint32 {
	if n := p.numbers[word]; n != 0 {
		return n - 1
	}
	n := p.names.intern(b.Words[word])
	p.numbers[word] = n + 1
	return n
}

// service returns the name of the service in a word of the batch.
func (p *Processor) service(b *telemetry.Batch, word uint32) uint32 {
	if n := p.number(b, word); n != noName {
		return n
	}
	return unknownService
}

// plausible returns the time for which something is counted: what ends after the
// watermark does so by a clock that is ahead, and counts as of now.
func (p *Processor) plausible(end int64) int64 { return min(end, p.clock.Now) }

// used marks the names that are in use.
func (p *Processor) used() []bool {
	used := make([]bool, len(p.names.texts))
	for i := range fixedNames {
		used[i] = true
	}
	for _, e := range p.open.edges {
		used[e.tenant], used[e.caller], used[e.callee], used[e.operation] = true, true, true, true
	}
	for _, c := range p.open.clocks {
		used[c.tenant], used[c.caller], used[c.callee] = true, true, true
	}
	if p.metrics != nil {
		for k := range p.metrics.offsets.pairs {
			used[k.tenant], used[k.caller], used[k.callee] = true, true, true
		}
	}
	return used
}

// Held implements pipeline.Measured: the open edges and pairs of hosts with the
// series of metrics, and the memory for them.
func (p *Processor) Held() (items, bytes int64) {
	const edgeBytes, clockBytes, placeBytes = 500, 150, 4
	items = int64(p.open.count())
	bytes = int64(len(p.open.edges))*edgeBytes + int64(len(p.open.clocks))*clockBytes + int64(p.open.places)*placeBytes + p.names.bytes()
	if p.metrics != nil {
		series, more := p.metrics.held()
		items += series
		bytes += more
	}
	return items, bytes
}
