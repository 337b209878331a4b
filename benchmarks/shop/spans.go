package shop

import (
	"encoding/binary"
	"strconv"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// Status codes of OTLP spans.
const statusError = 2

// flagsSampled says that the trace is sampled and that its context was not
// received from elsewhere (a known, local parent).
const flagsSampled = 0x101

// emitSpan encodes a span into its host's outbox.
func (s *Shop) emitSpan(v *visit, sp *span) {
	skew := s.effects.skew[sp.instance.host.index]
	start, end := v.base+sp.start+skew, v.base+sp.end+skew
	out, parcel := s.open(sp.instance.source, spansSignal, spansSignal, 1)
	b, mark := encode.Open(parcel.body, 2)

	trace, id := v.trace.bytes(), spanBytes(sp.id)
	b = encode.Bytes(b, 1, trace[:])
	b = encode.Bytes(b, 2, id[:])
	if sp.parent >= 0 {
		parent := spanBytes(v.spans[sp.parent].id)
		b = encode.Bytes(b, 4, parent[:])
	}
	o := sp.operation
	name := o.name
	if sp.kind == kindClient && o.client != "" {
		name = o.client
	}
	b = encode.Bytes(b, 5, name)
	b = encode.Uint(b, 6, uint64(sp.kind))
	b = encode.Fixed64(b, 7, uint64(start))
	b = encode.Fixed64(b, 8, uint64(end))
	b = s.appendSpanAttributes(b, v, sp)
	if sp.own && sp.failure.exception != "" {
		b = s.appendException(b, v, sp, end)
	}
	if v.linkSpan != 0 && sp.kind == kindConsumer {
		b = appendLink(b, v)
	}
	if sp.isError() {
		var status int
		b, status = encode.Open(b, 15)
		if sp.own && len(sp.failure.message) > 0 {
			s.text = sp.failure.message.append(s.text[:0], v, sp)
			b = encode.Bytes(b, 2, s.text)
		}
		b = encode.Uint(b, 3, statusError)
		b = encode.Close(b, status)
	}
	b = encode.Fixed32(b, 16, flagsSampled)
	s.shut(out, parcel, encode.Close(b, mark), 1)
}

// isError says whether the semantic conventions call the span an error: a
// server's span is none where the client was wrong.
func (sp *span) isError() bool {
	if sp.failure == nil {
		return false
	}
	if sp.kind != kindServer {
		return true
	}
	if sp.operation.protocol == protocolHTTP {
		return sp.code >= 500
	}
	switch sp.code {
	case 2, 4, 12, 13, 14, 15:
		return true
	}
	return false
}

func (s *Shop) appendSpanAttributes(b []byte, v *visit, sp *span) []byte {
	o := sp.operation
	switch sp.kind {
	case kindServer, kindConsumer:
		b = append(b, o.serverAttrs...)
		for _, f := range o.fields {
			if f == fieldQuery && len(v.query) == 0 {
				continue
			}
			b = s.appendAttr(b, 9, f, v, sp)
		}
	case kindClient:
		b = append(b, o.clientAttrs...)
		if o.protocol != protocolHTTP && o.protocol != protocolGRPC {
			for _, f := range o.fields {
				b = s.appendAttr(b, 9, f, v, sp)
			}
		} else if o.protocol == protocolHTTP {
			s.text = append(s.text[:0], "http://"...)
			s.text = append(s.text, sp.peer.ip...)
			s.text = strconv.AppendInt(append(s.text, ':'), int64(o.service.port), 10)
			s.text = append(s.text, v.path...)
			b = encode.StringAttr(b, 9, "url.full", s.text)
		}
	default:
		b = append(b, o.clientAttrs...)
		for _, f := range o.fields {
			b = s.appendAttr(b, 9, f, v, sp)
		}
	}
	switch o.protocol {
	case protocolHTTP:
		b = encode.IntAttr(b, 9, "http.response.status_code", int64(sp.code))
		if sp.kind == kindServer && sp.code < 400 {
			b = encode.IntAttr(b, 9, "http.response.body.size", int64(900+sp.id%9000))
		}
	case protocolGRPC:
		b = encode.IntAttr(b, 9, "rpc.grpc.status_code", int64(sp.code))
	}
	if sp.isError() {
		kind := sp.failure.exception
		if kind == "" || !sp.own {
			s.text = strconv.AppendInt(s.text[:0], int64(sp.code), 10)
			return encode.StringAttr(b, 9, "error.type", s.text)
		}
		b = encode.StringAttr(b, 9, "error.type", kind)
	}
	return b
}

func (s *Shop) appendException(b []byte, v *visit, sp *span, at int64) []byte {
	b, mark := encode.Open(b, 11)
	b = encode.Fixed64(b, 1, uint64(at))
	b = encode.Bytes(b, 2, "exception")
	b = s.appendExceptionAttributes(b, 3, v, sp)
	return encode.Close(b, mark)
}

func (s *Shop) appendExceptionAttributes(b []byte, number uint32, v *visit, sp *span) []byte {
	f := sp.failure
	b = encode.StringAttr(b, number, "exception.type", f.exception)
	s.text = f.message.append(s.text[:0], v, sp)
	b = encode.StringAttr(b, number, "exception.message", s.text)
	if f.stack != "" {
		b = encode.StringAttr(b, number, "exception.stacktrace", f.stack)
	}
	return b
}

// appendLink links a consumer's span to the producer's.
func appendLink(b []byte, v *visit) []byte {
	b, mark := encode.Open(b, 13)
	trace := v.link.bytes()
	b = encode.Bytes(b, 1, trace[:])
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], v.linkSpan)
	b = encode.Bytes(b, 2, id[:])
	b = encode.Fixed32(b, 6, flagsSampled|0x200) // the producer is remote
	return encode.Close(b, mark)
}
