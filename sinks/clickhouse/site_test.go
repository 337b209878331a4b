package clickhouse

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// site makes blocks like those of a web shop: access logs, traces and metrics
// with random ids, values of the usual skew and the usual attributes.
type site struct {
	rnd   *rand.Rand
	paths []string
	ips   []string
	agent []string
	clock int64
}

// siteStart is where the site's time begins.
var siteStart = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func newSite(seed uint64) *site {
	s := &site{rnd: rand.New(rand.NewPCG(seed, 42)), clock: siteStart.UnixNano()}
	words := []string{"product", "cart", "search", "static", "image", "api", "user", "order", "review", "category"}
	for i := range 4000 {
		s.paths = append(s.paths, fmt.Sprintf("/%s/%s/%d", words[i%10], words[(i/10)%10], s.rnd.IntN(100000)))
	}
	for range 60000 {
		s.ips = append(s.ips, fmt.Sprintf("%d.%d.%d.%d", 1+s.rnd.IntN(220), s.rnd.IntN(256), s.rnd.IntN(256), s.rnd.IntN(256)))
	}
	for i := range 246 {
		s.agent = append(s.agent, fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) AppleWebKit/537.%d Chrome/%d.0.%d.%d", 60+i%80, i%40, 70+i%70, 1000+i*7, i))
	}
	return s
}

func (s *site) zipf(n int) int {
	f := s.rnd.Float64()
	return int(f * f * f * float64(n))
}

func (s *site) trace() (id telemetry.TraceID) {
	binary.LittleEndian.PutUint64(id[:8], s.rnd.Uint64())
	binary.LittleEndian.PutUint64(id[8:], s.rnd.Uint64())
	return id
}

func (s *site) span() (id telemetry.SpanID) {
	binary.LittleEndian.PutUint64(id[:], s.rnd.Uint64())
	return id
}

func attr(b *telemetry.Batch, key string, v telemetry.Value) {
	b.Attrs = append(b.Attrs, telemetry.Attr{Key: key, Value: v})
}

func str(b *telemetry.Batch, key, v string) { attr(b, key, telemetry.StringValue(v)) }

// ranged runs fill and returns the range of attributes it added.
func ranged(b *telemetry.Batch, fill func()) telemetry.Range {
	start := uint32(len(b.Attrs))
	fill()
	return telemetry.Range{Start: start, End: uint32(len(b.Attrs))}
}

// block begins a block of one record per host.
func (s *site) block(b *telemetry.Batch, signal telemetry.Signal, from int64, hosts int) {
	b.Reset()
	b.Block = telemetry.Block{Topic: "otlp_" + signal.String(), Partition: 3, From: from, To: from + int64(hosts), Signal: signal, Epoch: 7}
	for h := range hosts {
		b.Records = append(b.Records, telemetry.Record{Offset: from + int64(h), ReceiveTime: s.clock + 5e8, Tenant: "default", Declared: -1})
		b.Resources = append(b.Resources, telemetry.Resource{
			Record: uint32(h), Service: fmt.Sprintf("web-%02d", h%12), SchemaURL: "https://opentelemetry.io/schemas/1.26.0",
			Attrs: ranged(b, func() {
				str(b, "service.name", fmt.Sprintf("web-%02d", h%12))
				str(b, "host.name", fmt.Sprintf("host-%02d.example.net", h))
				str(b, "service.version", "1.14.2")
				str(b, "deployment.environment.name", "production")
			}),
		})
	}
	b.Scopes = append(b.Scopes, telemetry.Scope{Name: "shop/access", Version: "0.3.0"})
}

// logs fills a block with access logs.
func (s *site) logs(b *telemetry.Batch, from int64, n int) {
	const hosts = 20
	s.block(b, telemetry.Logs, from, hosts)
	methods := []string{"GET", "GET", "GET", "GET", "POST", "HEAD"}
	statuses := []int64{200, 200, 200, 200, 200, 200, 200, 304, 404, 500}
	for i := range n {
		s.clock += int64(s.rnd.ExpFloat64() * 20000)
		host := uint32(i * hosts / n)
		method, path := methods[s.rnd.IntN(len(methods))], s.paths[s.zipf(len(s.paths))]
		if s.rnd.IntN(6) == 0 {
			path += fmt.Sprintf("?q=%d&page=%d", s.rnd.IntN(100000), s.rnd.IntN(20))
		}
		status := statuses[s.rnd.IntN(len(statuses))]
		severity, text := uint8(9), "INFO"
		if status >= 500 {
			severity, text = 17, "ERROR"
		}
		b.Logs = append(b.Logs, telemetry.Log{
			Time: s.clock, Observed: s.clock, TraceID: s.trace(), SpanID: s.span(),
			Body: telemetry.StringValue(method + " " + path + " HTTP/1.1"), Severity: severity, SeverityText: text,
			Flags: 1, Resource: host,
			Attrs: ranged(b, func() {
				str(b, "http.request.method", method)
				str(b, "url.path", path)
				attr(b, "http.response.status_code", telemetry.IntValue(status))
				attr(b, "http.response.body.size", telemetry.IntValue(int64(100+s.rnd.ExpFloat64()*5000)))
				str(b, "client.address", s.ips[s.zipf(len(s.ips))])
				str(b, "user_agent.original", s.agent[s.zipf(len(s.agent))])
				str(b, "network.protocol.version", "1.1")
				str(b, "http.request.header.referer", "https://shop.example.net/")
			}),
		})
		b.Records[host].Decoded++
	}
}
