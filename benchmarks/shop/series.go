package shop

import (
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

// bounds are those that the semantic conventions advise for durations in seconds.
var bounds = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// The exponential histograms have scale 3, eight buckets for each power of two,
// from lowest on; what is outside goes to the nearest bucket.
const (
	scale   = 3
	lowest  = -136
	buckets = 192
)

// series is the histogram of one operation with one outcome on one instance.
type series struct {
	operation     *operation
	code          int32
	explicit      []uint64
	exponential   []uint64
	count         uint64
	sum           float64
	minimum, most float64
	start         int64 // of a delta
	exemplars     []exemplar
	seen          int
}

type exemplar struct {
	at    int64
	value float64
	trace traceID
	span  uint64
}

// observe counts the duration of a server's or consumer's span.
func (s *Shop) observe(v *visit, sp *span) {
	in := sp.instance
	h := in.find(sp)
	seconds := float64(sp.end-sp.start) / 1e9
	if h.count == 0 || seconds < h.minimum {
		h.minimum = seconds
	}
	h.most = max(h.most, seconds)
	h.count++
	h.sum += seconds
	if h.explicit != nil {
		i := 0
		for i < len(bounds) && seconds > bounds[i] {
			i++
		}
		h.explicit[i]++
	} else {
		i := int(math.Ceil(math.Log2(seconds)*(1<<scale))) - 1 - lowest
		h.exponential[min(max(i, 0), buckets-1)]++
	}
	// Two exemplars for each collection: the first and one of the later ones.
	h.seen++
	e := exemplar{v.base + sp.end + s.effects.skew[in.host.index], seconds, v.trace, sp.id}
	switch {
	case len(h.exemplars) < 2:
		h.exemplars = append(h.exemplars, e)
	case s.random.below(h.seen) == 0:
		h.exemplars[1] = e
	}
}

// find returns the series of a span, and makes it when it is the first.
func (in *instance) find(sp *span) *series {
	for _, h := range in.series {
		if h.operation == sp.operation && h.code == sp.code {
			return h
		}
	}
	h := &series{operation: sp.operation, code: sp.code, start: in.state.started}
	if in.explicit() {
		h.explicit = make([]uint64, len(bounds)+1)
	} else {
		h.exponential = make([]uint64, buckets)
	}
	in.series = append(in.series, h)
	return h
}

// explicit says whether the instance's SDK uses explicit bounds.
func (in *instance) explicit() bool {
	switch in.service.language {
	case "nginx", "ruby", "java":
		return true
	}
	return false
}

// isDelta says whether the instance's SDK sends differences.
func (in *instance) isDelta() bool { return in.service.language == "python" }

var (
	httpDuration    = description{"http.server.request.duration", "s", "Duration of HTTP server requests."}
	rpcDuration     = description{"rpc.server.call.duration", "s", "Measures the duration of inbound RPC."}
	messageDuration = description{"messaging.process.duration", "s", "Duration of processing operation."}
)

// durations encodes the histograms of an instance, one metric for each name.
func (m *meter) durations(in *instance) {
	for _, d := range []description{httpDuration, rpcDuration, messageDuration} {
		var chosen []*series
		for _, h := range in.series {
			if h.count > 0 && h.description() == d {
				chosen = append(chosen, h)
			}
		}
		if len(chosen) == 0 {
			continue
		}
		field, temporality := uint32(fieldExponential), uint64(cumulative)
		if in.explicit() {
			field = fieldHistogram
		}
		if in.isDelta() {
			temporality = delta
		}
		m.metric(d, field, len(chosen), func(b []byte) []byte {
			for _, h := range chosen {
				b = m.histogram(b, h, temporality == delta)
			}
			return encode.Uint(b, 2, temporality)
		})
	}
}

func (h *series) description() description {
	switch h.operation.protocol {
	case protocolHTTP:
		return httpDuration
	case protocolConsume:
		return messageDuration
	}
	return rpcDuration
}

// histogram encodes one point. The fields of the two kinds differ only in part.
func (m *meter) histogram(b []byte, h *series, isDelta bool) []byte {
	b, mark := encode.Open(b, 1)
	start := m.start
	if isDelta {
		start = h.start
	}
	b = m.times(b, start)
	b = encode.Fixed64(b, 4, h.count)
	b = encode.Double(b, 5, h.sum)
	if h.explicit != nil {
		b = encode.PackedFixed64(b, 6, h.explicit)
		b = encode.PackedDouble(b, 7, bounds)
		b = h.labels(b, 9)
		b = h.appendExemplars(b, 8)
		b = encode.Double(b, 11, h.minimum)
		b = encode.Double(b, 12, h.most)
	} else {
		first := slices.IndexFunc(h.exponential, func(n uint64) bool { return n > 0 })
		last := len(h.exponential)
		for last > first+1 && h.exponential[last-1] == 0 {
			last--
		}
		b = encode.Sint(b, 6, scale)
		b = encode.Fixed64(b, 7, 0)
		var positive int
		b, positive = encode.Open(b, 8)
		b = encode.Sint(b, 1, int64(first+lowest))
		b = encode.PackedUint(b, 2, h.exponential[first:last])
		b = encode.Close(b, positive)
		b = h.labels(b, 1)
		b = h.appendExemplars(b, 11)
		b = encode.Double(b, 12, h.minimum)
		b = encode.Double(b, 13, h.most)
	}
	h.exemplars, h.seen = h.exemplars[:0], 0
	if isDelta {
		clear(h.explicit)
		clear(h.exponential)
		h.count, h.sum, h.minimum, h.most = 0, 0, 0, 0
		h.start = m.at
	}
	return encode.Close(b, mark)
}

func (h *series) labels(b []byte, field uint32) []byte {
	o := h.operation
	switch o.protocol {
	case protocolHTTP:
		b = encode.StringAttr(b, field, "http.request.method", o.method)
		b = encode.StringAttr(b, field, "http.route", o.route)
		b = encode.IntAttr(b, field, "http.response.status_code", int64(h.code))
		return encode.StringAttr(b, field, "url.scheme", "http")
	case protocolConsume:
		b = encode.StringAttr(b, field, "messaging.system", "kafka")
		return encode.StringAttr(b, field, "messaging.destination.name", "orders")
	}
	b = encode.StringAttr(b, field, "rpc.system", "grpc")
	b = encode.StringAttr(b, field, "rpc.service", o.name[:len(o.name)-len(o.method)-1])
	b = encode.StringAttr(b, field, "rpc.method", o.method)
	return encode.IntAttr(b, field, "rpc.grpc.status_code", int64(h.code))
}

func (h *series) appendExemplars(b []byte, field uint32) []byte {
	for i := range h.exemplars {
		e := &h.exemplars[i]
		var mark int
		b, mark = encode.Open(b, field)
		b = encode.Fixed64(b, 2, uint64(e.at))
		b = encode.Double(b, 3, e.value)
		trace, id := e.trace.bytes(), spanBytes(e.span)
		b = encode.Bytes(b, 4, id[:])
		b = encode.Bytes(b, 5, trace[:])
		b = encode.Close(b, mark)
	}
	return b
}
