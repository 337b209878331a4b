package shop

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// BenchConfig says how large a standard load is. The loads are what the bench
// promises are measured with; unlike the shop's they are uniform, so that a
// figure per event means the same at every size.
type BenchConfig struct {
	Seed uint64
	// Events is the number of events, PerRequest how many a request holds.
	Events, PerRequest int
	// Start is the first event's time; events are Apart, a microsecond where that is
	// zero, samples 15 seconds a round.
	Start time.Time
	Apart time.Duration
}

// apart is the time between two events in nanoseconds.
func (c *BenchConfig) apart() int64 { return int64(cmp.Or(c.Apart, time.Microsecond)) }

// bench is what the three loads share.
type bench struct {
	random   *random
	requests []Request
}

// add ends the request that is built in b, with a copy of its own.
func (l *bench) add(signal telemetry.Signal, b []byte, events int, at int64) {
	l.requests = append(l.requests, Request{Signal: signal, Body: append(make([]byte, 0, len(b)), b...), Events: events, Time: at})
}

// BenchLogs encodes access log lines as log records: the body is the line, with
// 8 attributes, a random trace id and span id, 485 bytes on average, from 20
// hosts with 4 resource attributes each, one host per request.
func BenchLogs(c BenchConfig) []Request {
	l := &bench{random: newRandom(c.Seed, 0xbe01)}
	web := newWeb(l.random)
	scope := encodeScope("nginx.access", "")
	var resources [20][]byte
	for i := range resources {
		b, mark := encode.Open(nil, 1)
		b = encode.StringAttr(b, 1, "service.name", "nginx")
		b = encode.StringAttr(b, 1, "service.instance.id", uuid(l.random.uint64(), l.random.uint64()))
		b = encode.StringAttr(b, 1, "host.name", fmt.Sprintf("web-%02d", i+1))
		b = encode.StringAttr(b, 1, "deployment.environment.name", "production")
		resources[i] = encode.Close(b, mark)
	}
	var clf clfClock
	var b, text []byte
	at := c.Start.UnixNano()
	for done := 0; done < c.Events; {
		n := min(c.PerRequest, c.Events-done)
		var resource, scopes int
		b, resource = encode.Open(b[:0], 1)
		b = append(b, resources[len(l.requests)%len(resources)]...)
		b, scopes = encode.Open(b, 2)
		b = append(b, scope...)
		for range n {
			b, text = web.record(b, text, &clf, at)
			at += c.apart()
		}
		b = encode.Close(encode.Close(b, scopes), resource)
		l.add(telemetry.Logs, b, n, at)
		done += n
	}
	return l.requests
}

// web draws access log lines: 60,000 addresses (5 % IPv6), 4,000 paths, one
// line in six with a query, 246 browsers, 8 referrers.
type web struct {
	random                          *random
	addresses, paths, agents        []string
	sizes                           []float64
	address, path, agent, from, hit *popularity
}

var statuses = []int32{200, 304, 404, 301, 500, 502, 503, 403}

func newWeb(r *random) *web {
	w := &web{
		random: r, agents: userAgents(246),
		address: zipf(60000, .9), path: zipf(4000, 1), agent: zipf(246, .8),
		from: newPopularity([]float64{44, 22, 16, 6, 5, 3, 2, 2}),
		hit:  newPopularity([]float64{88, 3.5, 3.5, 2.5, .7, .3, .2, 1.3}),
	}
	for range 60000 {
		w.addresses = append(w.addresses, r.address())
	}
	for i := range 4000 {
		path := "/" + categories[r.below(len(categories))]
		for range 1 + i%3 {
			path += "/" + words[r.below(len(words))]
		}
		w.paths = append(w.paths, path+"-"+strconv.Itoa(i))
		w.sizes = append(w.sizes, r.logNormal(6000, 1.3))
	}
	return w
}

// record appends one log record as field 2 of ScopeLogs.
func (w *web) record(b, text []byte, clf *clfClock, at int64) (out, scratch []byte) {
	r := w.random
	page := w.path.pick(r)
	address, agent, referrer := w.addresses[w.address.pick(r)], w.agents[w.agent.pick(r)], referrers[w.from.pick(r)]
	status := statuses[w.hit.pick(r)]
	size := int64(r.logNormal(w.sizes[page], .25))
	method := "GET"
	if r.chance(.06) {
		method = "POST"
	}
	text = append(append(text[:0], address...), " - - ["...)
	text = append(clf.append(text, at), `] "`...)
	text = append(append(append(text, method...), ' '), w.paths[page]...)
	if r.chance(1. / 6) {
		text = append(append(text, "?q="...), words[r.below(len(words))]...)
		text = strconv.AppendInt(append(text, "&page="...), int64(r.below(20)), 10)
	}
	text = strconv.AppendInt(append(text, ` HTTP/1.1" `...), int64(status), 10)
	text = strconv.AppendInt(append(text, ' '), size, 10)
	text = append(append(append(text, ` "`...), referrer...), `" "`...)
	text = append(append(text, agent...), '"')

	b, mark := encode.Open(b, 2)
	b = openLog(b, at, severityInfo)
	b = encode.Body(b, 5, text)
	b = encode.StringAttr(b, 6, "http.request.method", method)
	b = encode.StringAttr(b, 6, "url.path", w.paths[page])
	b = encode.IntAttr(b, 6, "http.response.status_code", int64(status))
	b = encode.IntAttr(b, 6, "bytes", size)
	b = encode.StringAttr(b, 6, "client.address", address)
	b = encode.BoolAttr(b, 6, "tls", !r.chance(.03))
	b = encode.IntAttr(b, 6, "pid", int64(70+r.below(8)))
	b = encode.DoubleAttr(b, 6, "rt", float64(int64(r.logNormal(12000, 1)))/1e6)
	trace, id := traceID{r.uint64(), r.uint64()}.bytes(), spanBytes(r.uint64()|1)
	b = encode.Bytes(b, 9, trace[:])
	b = encode.Bytes(b, 10, id[:])
	return encode.Close(b, mark), text
}
