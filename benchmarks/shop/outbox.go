package shop

import (
	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// outbox gathers the events of one signal on one host until they make a
// request, as a collector on each host would.
type outbox struct {
	signal  telemetry.Signal
	parcels []parcel // by source and scope
	touched []int    // parcels that hold something, in the order of their first event
	events  int
	bytes   int
	oldest  int64 // when the first event came
}

// parcel holds encoded events of one source and scope, each as field 2 of its
// Scope* message.
type parcel struct {
	source *source
	scope  []byte
	body   []byte
}

// maxRequestBytes bounds a request so that large records do not make it larger
// than receivers take.
const maxRequestBytes = 1 << 20

func (s *Shop) buildOutboxes() {
	for range s.hosts {
		for _, signal := range telemetry.Signals {
			s.outboxes = append(s.outboxes, &outbox{signal: signal, parcels: make([]parcel, 2*len(s.sources))})
		}
	}
}

// open returns the buffer to which an event, or a metric with n points, is
// appended as field 2; shut takes it back.
func (s *Shop) open(src *source, signal, scope, n int) (*outbox, *parcel) {
	o := s.outboxes[src.host.index*len(telemetry.Signals)+signal]
	if o.events > 0 && o.events+n > s.config.EventsPerRequest {
		s.flush(o)
	}
	index := 2 * src.index
	if scope == accessScope {
		index++
	}
	p := &o.parcels[index]
	if len(p.body) == 0 {
		p.source, p.scope = src, src.scopes[scope]
		o.touched = append(o.touched, index)
	}
	return o, p
}

func (s *Shop) shut(o *outbox, p *parcel, body []byte, n int) {
	if o.events == 0 {
		o.oldest = s.now
	}
	o.bytes += len(body) - len(p.body)
	p.body = body
	o.events += n
	s.events[o.signal] += int64(n)
	if o.events >= s.config.EventsPerRequest || o.bytes >= maxRequestBytes {
		s.flush(o)
	}
}

var schemaURL = encode.Bytes(nil, 3, "https://opentelemetry.io/schemas/1.37.0")

// flush makes a request of what the outbox holds.
func (s *Shop) flush(o *outbox) {
	if o.events == 0 {
		return
	}
	var b []byte
	if n := len(s.free); n > 0 {
		b, s.free = s.free[n-1][:0], s.free[:n-1]
	}
	var current *source
	resource := 0
	for _, index := range o.touched {
		p := &o.parcels[index]
		if p.source != current {
			if current != nil {
				b = encode.Close(append(b, schemaURL...), resource)
			}
			b, resource = encode.Open(b, 1)
			b = append(b, p.source.resource...)
			current = p.source
		}
		var scope int
		b, scope = encode.Open(b, 2)
		b = append(b, p.scope...)
		b = append(b, p.body...)
		b = encode.Close(b, scope)
		p.body = p.body[:0]
	}
	b = encode.Close(append(b, schemaURL...), resource)
	s.ready = append(s.ready, Request{Signal: o.signal, Body: b, Events: o.events, Time: s.horizon})
	o.touched, o.events, o.bytes = o.touched[:0], 0, 0
}

// flushHost makes requests of what waits on a host, before the identity of one
// of its processes changes.
func (s *Shop) flushHost(h *host) {
	for signal := range telemetry.Signals {
		s.flush(s.outboxes[h.index*len(telemetry.Signals)+signal])
	}
}
