package servicegraph

import (
	"github.com/goshawk-observability/goshawk/telemetry"
)

// OTLP's kinds of spans.
const (
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
	kindConsumer = 5
)

// calls reports whether spans of the kind are of the calling side, serves whether
// they are of the called one.
func calls(kind uint8) bool  { return kind == kindClient || kind == kindProducer }
func serves(kind uint8) bool { return kind == kindServer || kind == kindConsumer }

// mark says who is below a span of the calling side.
type mark uint8

const (
	// answered: a span of the called side.
	answered mark = 1 << iota
	// entered: a span of another service that does not say that it is of the
	// called side.
	entered
	// counted: and that has been counted.
	counted
)

// call is one call.
type call struct {
	caller, callee, operation uint32 // names
	kind                      telemetry.EdgeKind
	// client and server are the spans of both sides, nil where there is none.
	client, server *telemetry.TraceSpan
	failed         bool
	// ended is when it did, by the clock of the span that says so.
	ended int64
}

// trace counts the calls of a trace.
func (p *Processor) trace(b *telemetry.Batch, t *telemetry.Trace) {
	members := b.MembersOf(t)
	if len(members) == 0 {
		return
	}
	tenant := p.names.intern(t.Tenant)
	p.mark(members)
	for i := range members {
		m := &members[i]
		switch {
		case m.Parent >= 0:
			p.below(b, t, tenant, &members[m.Parent], m)
		case serves(m.Kind):
			p.top(b, t, tenant, m)
		}
		if calls(m.Kind) && p.marks[i] == 0 && b.Words[m.Peer] != "" {
			p.count(t, tenant, &call{
				caller: p.service(b, m.Service), callee: p.number(b, m.Peer), operation: p.number(b, m.Name), kind: m.PeerKind,
				client: m, failed: m.Status == telemetry.SpanFailed, ended: m.End,
			})
		}
	}
}

// mark finds out what is below the spans of the calling side.
func (p *Processor) mark(members []telemetry.TraceSpan) {
	if cap(p.marks) < len(members) {
		p.marks = make([]mark, len(members))
	}
	p.marks = p.marks[:len(members)]
	clear(p.marks)
	for i := range members {
		m := &members[i]
		if m.Parent < 0 {
			continue
		}
		switch parent := &members[m.Parent]; {
		case !calls(parent.Kind):
		case serves(m.Kind):
			p.marks[m.Parent] |= answered
		case m.Service != parent.Service:
			p.marks[m.Parent] |= entered
		}
	}
}

// below counts the call from a span to one below it, if it is one: between spans
// that say so, or else between services.
func (p *Processor) below(b *telemetry.Batch, t *telemetry.Trace, tenant uint32, parent, m *telemetry.TraceSpan) {
	c := call{failed: parent.Status == telemetry.SpanFailed || m.Status == telemetry.SpanFailed, ended: m.End}
	if calls(parent.Kind) {
		c.client, c.ended = parent, parent.End
	} else {
		// Whether the call failed is for the span below to say: the one above
		// did more than call.
		c.failed = m.Status == telemetry.SpanFailed
	}
	switch {
	case c.client != nil && serves(m.Kind):
		c.server = m
		if parent.Host != m.Host && b.Words[parent.Host] != "" && b.Words[m.Host] != "" {
			p.offset(tenant, p.number(b, parent.Host), p.number(b, m.Host), parent, m)
		}
	case m.Service == parent.Service:
		return
	case c.client != nil:
		// The span of the called side is missing. Several spans below the caller's
		// may be of the one call, and none of them is all of it.
		if p.marks[m.Parent] != entered {
			return
		}
		p.marks[m.Parent] |= counted
	case !calls(m.Kind):
		c.server = m
	}
	if parent.Kind == kindProducer || m.Kind == kindConsumer {
		c.kind = telemetry.EdgeMessaging
	}
	c.caller, c.callee, c.operation = p.service(b, parent.Service), p.service(b, m.Service), p.number(b, m.Name)
	p.count(t, tenant, &c)
}

// top counts the call of a span of the called side that has no parent among the
// spans. Where it names a parent or nobody, only that says whether it is an entry.
func (p *Processor) top(b *telemetry.Batch, t *telemetry.Trace, tenant uint32, m *telemetry.TraceSpan) {
	c := call{
		callee: p.service(b, m.Service), operation: p.number(b, m.Name), kind: telemetry.EdgeEntry,
		server: m, failed: m.Status == telemetry.SpanFailed, ended: m.End,
	}
	switch {
	case b.Words[m.Peer] != "":
		c.caller, c.kind = p.number(b, m.Peer), m.PeerKind
	case !m.ParentID.IsZero():
		return
	}
	p.count(t, tenant, &c)
}

// count adds a call to its edge.
func (p *Processor) count(t *telemetry.Trace, tenant uint32, c *call) {
	ended := p.plausible(c.ended)
	e := p.open.edge(edgeKey{int32(ended / minute), tenant, c.caller, c.callee, c.operation, uint32(c.kind)}, p.clock.Now, &p.cfg) //nolint:gosec // 292 years
	e.calls++
	if c.failed {
		e.fail(ended, &t.TraceID)
	}
	client, server := lasted(c.client), lasted(c.server)
	if c.server != nil {
		p.open.places += e.server.add(server)
	}
	if c.client != nil {
		p.open.places += e.client.add(client)
		e.slow.take(client, &t.TraceID)
	} else if c.server != nil {
		e.slow.take(server, &t.TraceID)
	}
	network := c.network()
	if network {
		p.open.places += e.network.add(client - server)
	}
	if p.metrics != nil {
		p.metrics.count(e, t, c, &p.names)
	}
}

// network reports whether the difference of both times is that of the network: a
// producer does not wait for the consumer.
func (c *call) network() bool {
	return c.client != nil && c.server != nil && c.kind == telemetry.EdgeService &&
		c.client.End >= c.client.Start && c.server.End >= c.server.Start
}

// lasted returns the duration of a span; one that ends before it starts lasts no
// time.
func lasted(s *telemetry.TraceSpan) int64 {
	if s == nil {
		return 0
	}
	return max(s.End-s.Start, 0)
}
