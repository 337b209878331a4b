package shop

import (
	"fmt"
	"strconv"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// benchService gathers the spans of one service until they make a request.
type benchService struct {
	resource, spans []byte
	events          int
}

// BenchSpans encodes traces of 3 to 14 spans over 12 services, with 7 to 9
// attributes a span and an exception event on one in a hundred, 325 bytes on
// average, one service per request.
func BenchSpans(c BenchConfig) []Request {
	l := &bench{random: newRandom(c.Seed, 0xbe02)}
	r := l.random
	scope := encodeScope("go.opentelemetry.io/contrib/otelhttp", "0.63.0")
	services := make([]benchService, 12)
	for i := range services {
		b, mark := encode.Open(nil, 1)
		b = encode.StringAttr(b, 1, "service.name", serviceSpecs[i].name)
		b = encode.StringAttr(b, 1, "service.version", serviceSpecs[i].version)
		b = encode.StringAttr(b, 1, "host.name", hostSpecs[i%len(hostSpecs)].name)
		b = encode.StringAttr(b, 1, "deployment.environment.name", "production")
		services[i].resource = encode.Close(b, mark)
	}
	var request []byte
	at := c.Start.UnixNano()
	flush := func(v *benchService) {
		var resource, scopes int
		request, resource = encode.Open(request[:0], 1)
		request = append(request, v.resource...)
		request, scopes = encode.Open(request, 2)
		request = append(append(request, scope...), v.spans...)
		request = encode.Close(encode.Close(request, scopes), resource)
		l.add(telemetry.Spans, request, v.events, at)
		v.spans, v.events = v.spans[:0], 0
	}
	var ids [14]uint64
	for done := 0; done < c.Events; {
		size := min(3+r.below(12), c.Events-done)
		trace := traceID{r.uint64(), r.uint64()}
		for i := range size {
			ids[i] = r.uint64() | 1
			parent := uint64(0)
			if i > 0 {
				parent = ids[r.below(i)]
			}
			v := &services[r.below(len(services))]
			v.spans = l.span(v.spans, trace, ids[i], parent, at)
			if v.events++; v.events == c.PerRequest {
				flush(v)
			}
			at += c.apart()
		}
		done += size
	}
	for i := range services {
		if services[i].events > 0 {
			flush(&services[i])
		}
	}
	return l.requests
}

var benchOperations = []string{"GET /product/{id}", "GET /cart", "POST /cart/checkout", "GET /search", "GET /category/{name}", "GET /api/currencies", "PUT /cart/{id}", "GET /"}

func (l *bench) span(b []byte, trace traceID, id, parent uint64, at int64) []byte {
	r := l.random
	b, mark := encode.Open(b, 2)
	traceBytes, idBytes := trace.bytes(), spanBytes(id)
	b = encode.Bytes(b, 1, traceBytes[:])
	b = encode.Bytes(b, 2, idBytes[:])
	kind := uint64(kindServer)
	if parent != 0 {
		parentBytes := spanBytes(parent)
		b = encode.Bytes(b, 4, parentBytes[:])
		kind = uint64(1 + r.below(3))
	}
	operation := benchOperations[r.below(len(benchOperations))]
	end := at + int64(r.logNormal(8e6, 1))
	b = encode.Bytes(b, 5, operation)
	b = encode.Uint(b, 6, kind)
	b = encode.Fixed64(b, 7, uint64(at))
	b = encode.Fixed64(b, 8, uint64(end))
	b = encode.StringAttr(b, 9, "http.request.method", operation[:3])
	b = encode.StringAttr(b, 9, "url.path", operation[4:])
	status := int64(200)
	failed := r.chance(.01)
	if failed {
		status = 500
	}
	b = encode.IntAttr(b, 9, "http.response.status_code", status)
	b = encode.StringAttr(b, 9, "server.address", hostSpecs[r.below(len(hostSpecs))].ip)
	b = encode.IntAttr(b, 9, "server.port", int64(8000+r.below(12)))
	b = encode.StringAttr(b, 9, "user.id", "u"+strconv.Itoa(1000000+r.below(500000)))
	b = encode.StringAttr(b, 9, "thread.name", strconv.AppendInt([]byte("http-nio-8080-exec-"), int64(1+r.below(64)), 10))
	if extra := r.below(3); extra > 0 {
		b = encode.StringAttr(b, 9, "network.protocol.version", "1.1")
		if extra > 1 {
			b = encode.StringAttr(b, 9, "session.id", appendHex(nil, r.uint64(), 16))
		}
	}
	if failed {
		var event, state int
		b, event = encode.Open(b, 11)
		b = encode.Fixed64(b, 1, uint64(end))
		b = encode.Bytes(b, 2, "exception")
		b = encode.StringAttr(b, 3, "exception.type", checkoutBroken.exception)
		b = encode.StringAttr(b, 3, "exception.message", "context deadline exceeded")
		b = encode.StringAttr(b, 3, "exception.stacktrace", checkoutBroken.stack)
		b = encode.Close(b, event)
		b, state = encode.Open(b, 15)
		b = encode.Uint(b, 3, statusError)
		b = encode.Close(b, state)
	}
	b = encode.Fixed32(b, 16, flagsSampled)
	return encode.Close(b, mark)
}

// benchMetrics are the names of the sample load, counters and gauges in turn.
const benchMetrics = 20

// BenchSamples encodes 20,000 series with 8 labels each (4 of them on the
// resource), half counters and half gauges, one point per series and round, the
// rounds 15 seconds apart.
func BenchSamples(c BenchConfig) []Request {
	const series, resources = 20000, 100
	l := &bench{random: newRandom(c.Seed, 0xbe03)}
	r := l.random
	encoded := make([][]byte, resources)
	for i := range encoded {
		b, mark := encode.Open(nil, 1)
		b = encode.StringAttr(b, 1, "service.name", serviceSpecs[i%12].name)
		b = encode.StringAttr(b, 1, "service.instance.id", uuid(r.uint64(), r.uint64()))
		b = encode.StringAttr(b, 1, "host.name", fmt.Sprintf("node-%02d", i%50))
		b = encode.StringAttr(b, 1, "k8s.namespace.name", []string{"shop", "search", "backoffice", "data"}[i%4])
		encoded[i] = encode.Close(b, mark)
	}
	values := make([]float64, series)
	for i := range values {
		values[i] = float64(r.below(100000))
	}
	scope := encodeScope("prometheus", "3.4.0")
	start := c.Start.UnixNano()
	const perMetric = series / resources / benchMetrics // points of one metric on one resource
	var b []byte
	done := 0
	for round := int64(0); done < c.Events; round++ {
		at := start + round*15e9
		for resource := 0; resource < resources && done < c.Events; resource++ {
			for metric := 0; metric < benchMetrics && done < c.Events; {
				// A request takes as many metrics of the resource as fit.
				n := 0
				var res, scopes int
				b, res = encode.Open(b[:0], 1)
				b = append(b, encoded[resource]...)
				b, scopes = encode.Open(b, 2)
				b = append(b, scope...)
				for metric < benchMetrics && (n == 0 || n+perMetric <= c.PerRequest) && done+n < c.Events {
					first := (resource*benchMetrics + metric) * perMetric
					points := min(perMetric, c.Events-done-n)
					b = l.samples(b, metric, values[first:first+points], start, at+int64(r.below(20e6)))
					n += points
					metric++
				}
				b = encode.Close(encode.Close(b, scopes), res)
				l.add(telemetry.Metrics, b, n, at)
				done += n
			}
		}
	}
	return l.requests
}

// samples appends one metric as field 2 of ScopeMetrics and moves its values on.
func (l *bench) samples(b []byte, metric int, values []float64, start, at int64) []byte {
	r := l.random
	counter := metric%2 == 0
	b, mark := encode.Open(b, 2)
	name := fmt.Sprintf("shop_worker_queue_depth_%02d", metric)
	field := uint32(fieldGauge)
	if counter {
		name, field = fmt.Sprintf("shop_http_requests_%02d_total", metric), fieldSum
	}
	b = encode.Bytes(b, 1, name)
	b = encode.Bytes(b, 3, "1")
	b, inner := encode.Open(b, field)
	for i := range values {
		var point int
		b, point = encode.Open(b, 1)
		if counter {
			values[i] += float64(r.below(600))
			b = encode.Fixed64(b, 2, uint64(start))
		} else {
			values[i] = float64(int64(max(0, values[i]+10*r.normal())*100)) / 100
		}
		b = encode.Fixed64(b, 3, uint64(at))
		b = encode.Double(b, 4, values[i])
		b = encode.StringAttr(b, 7, "route", benchOperations[i%len(benchOperations)])
		b = encode.StringAttr(b, 7, "code", []string{"200", "404", "500"}[i%3])
		b = encode.StringAttr(b, 7, "shard", strconv.Itoa(i))
		b = encode.StringAttr(b, 7, "zone", []string{"a", "b"}[metric%2])
		b = encode.Close(b, point)
	}
	if counter {
		b = encode.Uint(b, 2, cumulative)
		b = encode.Uint(b, 3, 1)
	}
	b = encode.Close(b, inner)
	return encode.Close(b, mark)
}
