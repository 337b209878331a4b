package zipkin

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/thrift-gen/zipkincore"
	"github.com/openzipkin/zipkin-go/model"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// batch is what an instrumented server sends at a time: spans of traces of five,
// with six tags and both endpoints.
func batch(n int) (spans []*model.SpanModel) {
	now := time.Now()
	local := &model.Endpoint{ServiceName: "shop", IPv4: net.IPv4(10, 0, 0, 7).To4(), Port: 8080}
	for i := range n {
		parent := model.ID(1 + i/5*5)
		s := &model.SpanModel{
			SpanContext: model.SpanContext{TraceID: model.TraceID{High: 0x463ac35c9f6413ad, Low: uint64(1 + i/5)}, ID: model.ID(1 + i), ParentID: &parent},
			Name:        "get /api/v1/orders/{id}", Kind: model.Server, Timestamp: now, Duration: 1500 * time.Microsecond,
			LocalEndpoint: local, RemoteEndpoint: &model.Endpoint{IPv4: net.IPv4(10, 0, 1, byte(i)).To4(), Port: 33000},
			Tags: map[string]string{
				"http.method": "GET", "http.path": fmt.Sprintf("/api/v1/orders/%d", i), "http.status_code": "200",
				"mvc.controller.class": "OrderController", "instance_id": "shop-7d4b9c", "cluster": "eu-west-1",
			},
		}
		if i%5 == 0 {
			s.ParentID = nil
		}
		if i%10 == 0 {
			s.Annotations = []model.Annotation{{Timestamp: now, Value: "cache miss"}}
		}
		spans = append(spans, s)
	}
	return spans
}

// batch1 is the same in the first version.
func batch1(n int) (spans []*zipkincore.Span) {
	for _, s := range batch(n) {
		host := &zipkincore.Endpoint{ServiceName: "shop", Ipv4: 10<<24 | 7, Port: 8080}
		high, at, took := int64(s.TraceID.High), s.Timestamp.UnixMicro(), s.Duration.Microseconds()
		span := &zipkincore.Span{
			TraceIDHigh: &high, TraceID: int64(s.TraceID.Low), ID: int64(s.ID), Name: s.Name, Timestamp: &at, Duration: &took,
			Annotations: []*zipkincore.Annotation{{Timestamp: at, Value: "sr", Host: host}, {Timestamp: at + took, Value: "ss", Host: host}},
		}
		for key, value := range s.Tags {
			span.BinaryAnnotations = append(span.BinaryAnnotations, &zipkincore.BinaryAnnotation{
				Key: key, Value: []byte(value), AnnotationType: zipkincore.AnnotationType_STRING, Host: host,
			})
		}
		spans = append(spans, span)
	}
	return spans
}

// BenchmarkSplit makes parts of requests of 500 spans.
func BenchmarkSplit(b *testing.B) {
	const spans = 500
	for _, c := range []struct {
		name, path, contentType string
		body                    []byte
	}{
		{"v2-json", PathV2, typeJSON, serialize(b, typeJSON, batch(spans))},
		{"v2-proto", PathV2, typeProto, serialize(b, typeProto, batch(spans))},
		{"v1-thrift", PathV1, typeThrift, thriftOf(b, batch1(spans)...)},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := splitterOf(b, c.path, c.contentType)
			spanwritertest.BenchmarkSplit(b, s, c.body, spans)
		})
	}
}
