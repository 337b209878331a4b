// Package traces is a processor that assembles spans to traces: it keeps the
// spans of a trace until nothing more of it comes, and then adds one row about
// all of them to the batch, with root, services, errors, critical path and the
// time that each span had to itself.
//
// Spans are partitioned by trace id, so that a trace meets in one processor. What
// it does is a function of the records of its partition and of nothing else: its
// clock is the watermark, made of the times in the records, and every decision is
// made after a record, never at the end of a batch. So the same records give the
// same rows however they are cut into blocks, and state that is restored from a
// snapshot goes on as if nothing had happened.
//
// It must not know what becomes of its rows.
package traces

import (
	"context"
	"math"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "traces",
		Summary:       "Assembles spans to traces and adds a row for each: root, duration, services, errors, critical path.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor assembles the traces of one partition.
type Processor struct {
	cfg   Config
	clock pipeline.Watermark
	names names
	open  openTraces
	spans pages[span]
	held  int // spans, with what oversized traces count for

	// overdue are traces that are to be closed after the record.
	overdue []uint32
	// resources caches the names of the batch's resources.
	resources []resourceNames
	scratch   []byte
	assembler assembler
}

var (
	_ pipeline.Stateful = (*Processor)(nil)
	_ pipeline.Measured = (*Processor)(nil)
)

// New returns a processor without open traces.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{cfg: cfg}
	p.reset()
	return p, nil
}

// reset forgets everything.
func (p *Processor) reset() {
	p.clock = pipeline.Watermark{}
	p.names = newNames()
	p.open = newOpenTraces()
	p.spans = newPages[span]()
	p.held = 0
	p.overdue = p.overdue[:0]
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	p.resources = p.resources[:0]
	for range b.Resources {
		p.resources = append(p.resources, resourceNames{})
	}
	p.assembler.begin(p, b)
	pipeline.EachRecord(b, func(record uint32, spans []telemetry.Span) { p.record(b, record, spans) })
	p.assembler.end()
	return nil
}

// record takes the spans of one record and closes what is over then.
func (p *Processor) record(b *telemetry.Batch, record uint32, spans []telemetry.Span) {
	r := &b.Records[record]
	p.assembler.record = record
	if p.clock.Advance(r, spans) {
		p.open.touchAll(p.clock.Now)
	}
	tenant := p.names.intern(r.Tenant)
	for i := range spans {
		p.add(b, tenant, &spans[i])
	}
	for _, t := range p.overdue {
		p.close(t, telemetry.TraceLong)
	}
	p.overdue = p.overdue[:0]
	p.assembler.room(p.open.idle(p.clock.Now - int64(p.cfg.Idle)))
	for {
		t := p.open.oldest()
		if t == 0 || p.clock.Now-p.open.at(t).touched <= int64(p.cfg.Idle) {
			break
		}
		p.close(t, telemetry.TraceIdle)
	}
	for p.held > p.cfg.MaxOpenSpans || p.names.live > maxNameBytes {
		t := p.open.oldest()
		if t == 0 {
			break
		}
		p.close(t, telemetry.TraceSpilled)
	}
	p.names.sweep()
}

// add puts a span into its trace.
func (p *Processor) add(b *telemetry.Batch, tenant uint32, s *telemetry.Span) {
	t, fresh := p.open.find(tenant, s.TraceID)
	trace := p.open.at(t)
	if fresh {
		p.names.hold(tenant)
		trace.opened = p.clock.Now
	}
	p.open.touch(t, p.clock.Now)
	if !trace.due && p.clock.Now-trace.opened > int64(p.cfg.MaxDuration) {
		trace.due = true
		p.overdue = append(p.overdue, t)
	}
	resource := &p.resources[s.Resource]
	if !resource.known {
		*resource = p.resourceNames(b, s.Resource)
	}
	name := p.names.intern(s.Name)
	if trace.large != nil {
		trace.large.add(&p.names, &span{
			id: s.SpanID, parent: s.ParentID, start: knownTime(s.Start), end: knownTime(s.End),
			service: resource.service, name: name, kind: s.Kind, status: s.Status,
		})
		return
	}
	p.names.hold(name)
	p.names.hold(resource.service)
	p.names.hold(resource.host)
	other := p.peerOf(b, s)
	p.names.hold(other.name)
	at := p.spans.take()
	*p.spans.at(at) = span{
		id: s.SpanID, parent: s.ParentID, start: knownTime(s.Start), end: knownTime(s.End),
		service: resource.service, name: name, host: resource.host, peer: other.name, peerKind: other.kind,
		kind: s.Kind, status: s.Status, next: trace.first,
	}
	trace.first = at
	trace.count++
	p.held++
	if int(trace.count) > p.cfg.MaxSpansPerTrace {
		p.enlarge(trace)
	}
}

// knownTime returns a time that is no less than 0. OTLP's times are unsigned; one
// beyond the signed range is as late as can be.
func knownTime(t int64) int64 {
	if t < 0 {
		return math.MaxInt64
	}
	return t
}

// resourceNames are the names that all spans of a resource have.
type resourceNames struct {
	service, host uint32
	known         bool
}

func (p *Processor) resourceNames(b *telemetry.Batch, resource uint32) resourceNames {
	r := &b.Resources[resource]
	return resourceNames{
		service: p.names.intern(r.Service), host: p.names.intern(telemetry.TextOf(b.AttrsOf(r.Attrs), "host.name")), known: true,
	}
}

// close makes the row of a trace and forgets the trace.
func (p *Processor) close(t uint32, why telemetry.TraceClosed) {
	trace := p.open.at(t)
	if trace.large != nil {
		p.assembler.large(trace, why)
		trace.large.release(&p.names)
		p.held -= p.largeWeight()
	} else {
		p.assembler.trace(trace, p.gather(trace), why)
	}
	p.names.release(trace.tenant)
	p.open.remove(t)
}

// gather takes the spans of a trace out. Their names are valid until the next
// sweep.
func (p *Processor) gather(trace *openTrace) []span {
	members := p.assembler.members[:0]
	for at := trace.first; at != 0; {
		s := p.spans.at(at)
		members = append(members, *s)
		p.names.release(s.name)
		p.names.release(s.service)
		p.names.release(s.host)
		p.names.release(s.peer)
		next := s.next
		p.spans.give(at)
		at = next
	}
	p.assembler.members = members
	p.held -= len(members)
	trace.first, trace.count = 0, 0
	return members
}

// enlarge turns a trace that has too many spans into counters.
func (p *Processor) enlarge(trace *openTrace) {
	members := p.assembler.distinct(p.gather(trace))
	trace.large = new(largeTrace)
	for i := range members {
		trace.large.add(&p.names, &members[i])
	}
	p.held += p.largeWeight()
}

// largeWeight is the number of open spans that an oversized trace counts for:
// never more than those it has become.
func (p *Processor) largeWeight() int { return min(maxLargeWeight, p.cfg.MaxSpansPerTrace) }

// Held implements pipeline.Measured: the open spans, and the memory for them.
func (p *Processor) Held() (items, bytes int64) {
	return int64(p.held), p.spans.bytes() + p.open.bytes() + p.names.bytes()
}
