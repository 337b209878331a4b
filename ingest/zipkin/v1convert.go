package zipkin

import (
	"bytes"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// write writes a span for every side.
func (v *v1) write(s *spanwriter.Splitter, c *common) {
	v.sides = append(v.sides[:0], side{})
	for i := range v.annotations {
		a := &v.annotations[i]
		a.side = v.sideOf(a.at)
		kind, ok := coreNamed(a.value)
		if ok && a.at != 0 && a.side != tooManySides {
			a.core = true
			v.core[kind] = a
			if k := coreKinds[kind]; k != spanwriter.KindUnspecified {
				v.sides[a.side].kind = k
			}
		}
	}
	var others addresses
	for i := range v.binaries {
		if b := &v.binaries[i]; !others.take(b) {
			b.side = v.sideOf(b.at)
		}
	}
	v.rpc(c)
	v.messaging(c)
	v.remotes(others)
	if len(v.sides) == maxSides {
		c.refuse(otlp.ReasonAttributes, "more than 31 services take part in one span")
	}
	if !c.valid(s) {
		return
	}
	c.earliest = c.timestamp
	for i := range v.annotations {
		c.seen(v.annotations[i].micros)
	}
	for i := range v.sides {
		v.writeSide(s, c, int32(i))
	}
}

// rpc finds out from annotations what the sides of an RPC are and when they were.
func (v *v1) rpc(c *common) {
	cs, cr, sr, ss := v.core[clientSend], v.core[clientReceive], v.core[serverReceive], v.core[serverSend]
	// A tracer that knows when a span began may leave the first annotation out.
	if cs == nil && endsSpan(cr, c) {
		cs = &annotation{micros: c.timestamp, at: cr.at, side: cr.side}
		v.core[clientSend] = cs
	}
	if sr == nil && endsSpan(ss, c) {
		sr = &annotation{micros: c.timestamp, at: ss.at, side: ss.side}
		v.core[serverReceive] = sr
	}
	switch {
	case cs != nil && sr != nil:
		v.both(c, cs, cr, sr, ss)
	case cs != nil && cr != nil:
		v.between(c, cs, cr)
	case sr != nil && ss != nil:
		v.between(c, sr, ss)
	default:
		v.incomplete(c)
	}
	// There was no flag for a span that both sides report. By convention the server
	// left out the times that are the client's to say.
	if cs == nil && sr != nil && (c.timestamp == 0 || ss != nil && c.duration == 0) {
		v.sides[sr.side].shared = true
	}
}

// endsSpan reports whether an annotation is at the very end of the span.
func endsSpan(a *annotation, c *common) bool {
	return a != nil && c.timestamp != 0 && c.duration != 0 && c.timestamp+c.duration == a.micros
}

// both is an RPC of which both sides are known: the times of the span are the
// client's, and what the server did is shorter.
func (v *v1) both(c *common, cs, cr, sr, ss *annotation) {
	v.between(c, cs, cr)
	server := sr.side
	if cs.side == sr.side { // a service that calls itself
		v.sides[cs.side].kind = spanwriter.KindClient
		if server = v.addSide(sr.at); server == tooManySides {
			return
		}
		v.sides[server].kind = spanwriter.KindServer
		sr.side = server
		if ss != nil {
			ss.side = server
		}
	}
	side := &v.sides[server]
	side.shared, side.timestamp = true, sr.micros
	if ss != nil {
		side.duration = since(sr, ss)
	}
	if cr == nil && c.duration == 0 {
		v.sides[cs.side].duration = 0
	}
}

// between sets the times of the side of an annotation: those of the span, where
// it has them, else those of the annotations.
func (v *v1) between(c *common, begin, end *annotation) {
	s := &v.sides[begin.side]
	if c.timestamp != 0 && c.duration != 0 {
		s.timestamp, s.duration = c.timestamp, c.duration
		return
	}
	s.timestamp = begin.micros
	if end != nil {
		s.duration = since(begin, end)
	}
}

func since(begin, end *annotation) uint64 {
	if end.micros < begin.micros {
		return 0
	}
	return end.micros - begin.micros
}

// incomplete is an RPC of which the end is not known, or none at all: what would
// be the end is an annotation like others.
func (v *v1) incomplete(c *common) {
	for i := range v.sides {
		begin, end := clientSend, clientReceive
		switch s := &v.sides[i]; s.kind {
		case spanwriter.KindServer:
			begin, end = serverReceive, serverSend
			fallthrough
		case spanwriter.KindClient:
			if a := v.core[begin]; a != nil {
				s.timestamp = a.micros
			}
			if a := v.core[end]; a != nil {
				a.core, a.side = false, int32(i)
			}
		}
	}
	if c.timestamp != 0 {
		v.sides[0].timestamp, v.sides[0].duration = c.timestamp, c.duration
	}
}

// messaging does for messages what rpc does for calls.
func (v *v1) messaging(c *common) {
	ms, mr, ws, wr := v.core[messageSend], v.core[messageReceive], v.core[wireSend], v.core[wireReceive]
	switch {
	case ms != nil && mr != nil:
		consumer := mr.side
		if ms.side == mr.side {
			v.sides[ms.side].kind = spanwriter.KindProducer
			if consumer = v.addSide(mr.at); consumer == tooManySides {
				return
			}
			v.sides[consumer].kind = spanwriter.KindConsumer
			mr.side = consumer
		}
		to, from := &v.sides[consumer], &v.sides[ms.side]
		to.shared, to.timestamp = true, mr.micros
		if wr != nil {
			to.timestamp, to.duration = wr.micros, since(wr, mr)
		}
		from.timestamp, from.duration = ms.micros, 0
		if ws != nil {
			from.duration = since(ms, ws)
		}
	case ms != nil:
		v.between(c, ms, ws)
	case mr != nil && wr != nil:
		wr.side = mr.side
		v.between(c, wr, mr)
	case mr != nil:
		v.between(c, mr, nil)
	default:
		for _, a := range []*annotation{ws, wr} {
			if a != nil {
				a.core = false
			}
		}
	}
}

// addresses are references to the endpoints of the client (ca), the server (sa)
// and the broker of messages (ma), as the other side sees them.
type addresses struct{ ca, sa, ma int32 }

// take takes a tag that is an address, and reports whether it is one.
func (a *addresses) take(b *binaryAnnotation) bool {
	if b.kind != isBool || b.at == 0 || b.number == 0 {
		return false
	}
	switch string(b.key) {
	case "ca":
		a.ca = b.at
	case "sa":
		a.sa = b.at
	case "ma":
		a.ma = b.at
	default:
		return false
	}
	b.kind = isNothing
	return true
}

// remotes says whom the sides talked to.
func (v *v1) remotes(others addresses) {
	ca, sa, ma := others.ca, others.sa, others.ma
	client, server := v.core[clientSend], v.core[serverReceive]
	if client == nil {
		client = v.core[clientReceive]
	}
	if server == nil {
		server = v.core[serverSend]
	}
	switch {
	case client != nil || server != nil || ca == 0 && sa == 0:
		if ca != 0 && server != nil {
			e, own := v.endpointAt(ca), v.endpointAt(server.at)
			if !same(&e, &own) {
				// Finagle names the server itself here, and only the port is the client's.
				if bytes.Equal(e.service, own.service) {
					e.service = nil
				}
				v.sides[server.side].remote = e
			}
		}
		if sa != 0 && client != nil {
			v.sides[client.side].remote = v.endpointAt(sa)
		}
		for _, a := range []*annotation{v.core[messageSend], v.core[messageReceive]} {
			if ma != 0 && a != nil {
				v.sides[a.side].remote = v.endpointAt(ma)
			}
		}
	case ca != 0 && sa != 0:
		if i := v.sideOf(ca); i != tooManySides {
			v.sides[i].remote = v.endpointAt(sa)
		}
	case sa != 0:
		v.sides[0].remote = v.endpointAt(sa)
	default:
		v.sides[0].kind = spanwriter.KindServer
		v.sides[0].remote = v.endpointAt(ca)
	}
}

// writeSide writes the span of one side.
func (v *v1) writeSide(s *spanwriter.Splitter, of *common, index int32) {
	from := &v.sides[index]
	c := common{
		index: of.index, traceID: of.traceID, id: of.id, parent: of.parent, name: of.name, debug: of.debug,
		kind: from.kind, timestamp: from.timestamp, duration: from.duration,
		local: v.endpointAt(from.at), remote: from.remote, shared: from.shared,
	}
	s.StartSpan()
	for i := range v.annotations {
		if a := &v.annotations[i]; a.side == index && !a.core {
			c.annotation(s, a.micros, a.value)
		}
	}
	for i := range v.binaries {
		if b := &v.binaries[i]; b.kind != isNothing && b.side == index {
			v.tag(s, &c, b)
		}
	}
	if c.earliest == 0 { // a side of which no time is known is filed with the others
		c.earliest = of.earliest
	}
	c.write(s)
}
