package zipkin

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"github.com/openzipkin/zipkin-go/reporter"
)

// generator makes spans as Zipkin's library for Go has them.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 7))} }

func (g generator) spans(n int) (spans []*model.SpanModel) {
	for range n {
		spans = append(spans, g.span())
	}
	return spans
}

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) maybe() bool { return g.IntN(2) == 0 }

func (g generator) span() *model.SpanModel {
	s := &model.SpanModel{
		SpanContext: model.SpanContext{TraceID: model.TraceID{Low: 1 + g.Uint64N(1<<40)}, ID: model.ID(1 + g.Uint64()>>1)},
		Name:        pick(g, "", "get", "get /orders", "größe"),
		Kind:        pick(g, model.Undetermined, model.Client, model.Server, model.Producer, model.Consumer),
		Shared:      g.IntN(4) == 0,
		Duration:    time.Duration(g.IntN(3)) * time.Duration(g.IntN(1e6)) * time.Microsecond,
		Tags:        map[string]string{},
	}
	if g.maybe() {
		s.TraceID.High = g.Uint64()
	}
	if g.maybe() {
		parent := pick(g, s.ID, model.ID(1+g.Uint64()>>1))
		s.ParentID = &parent
	}
	if g.IntN(8) > 0 {
		s.Timestamp = time.UnixMicro(1700000000000000 + g.Int64N(1e9))
	}
	if g.maybe() {
		s.LocalEndpoint = g.endpoint()
	}
	if g.maybe() {
		s.RemoteEndpoint = g.endpoint()
	}
	for range g.IntN(4) {
		s.Annotations = append(s.Annotations, model.Annotation{Timestamp: time.UnixMicro(1700000000000000 + g.Int64N(1e9)), Value: pick(g, "", "packed", "x \"y\" \\ \n \u2028")})
	}
	for range g.IntN(6) {
		key := pick(g, "http.method", "http.path", "http.status_code", "error", "otel.status_code", "otel.status_description", "otel.scope.name",
			"otel.library.name", "otel.scope.version", "service.version", "host.name", "process.pid", "peer.service", "span.kind", "w3c.tracestate",
			"otel.dropped_events_count", "service.name", fmt.Sprint("key", g.IntN(5)), "")
		s.Tags[key] = pick(g, "", "true", "false", "GET", "OK", "ERROR", "STATUS_CODE_ERROR", "Ok", "client", "internal", "404", "a=b", "größe \t")
	}
	return s
}

func (g generator) endpoint() *model.Endpoint {
	e := &model.Endpoint{ServiceName: pick(g, "", "shop", "bank", "kafka"), Port: pick[uint16](g, 0, 80, 65535)}
	if g.maybe() {
		e.IPv4 = net.IPv4(10, 0, 0, byte(g.IntN(4))).To4()
	}
	if g.maybe() {
		e.IPv6 = net.ParseIP(pick(g, "2001:db8::c001", "fe80::1"))
	}
	if e.Empty() {
		return nil
	}
	return e
}

// serializers are the encodings of Zipkin's library.
var serializers = map[string]reporter.SpanSerializer{typeJSON: reporter.JSONSerializer{}, typeProto: zipkin_proto3.SpanSerializer{}}

func serialize(t testing.TB, contentType string, spans []*model.SpanModel) []byte {
	t.Helper()
	body, err := serializers[contentType].Serialize(spans)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
