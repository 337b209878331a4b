package jaeger

import (
	"fmt"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	jaegerthrift "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// server is what an instrumented server sends at a time: spans of traces of five,
// with seven tags.
func server(n int) *jaegerthrift.Batch {
	now := time.Now().UnixMicro()
	of := func(s string) *string { return &s }
	text := func(key, value string) *jaegerthrift.Tag {
		return &jaegerthrift.Tag{Key: key, VType: jaegerthrift.TagType_STRING, VStr: &value}
	}
	code := int64(200)
	b := &jaegerthrift.Batch{Process: &jaegerthrift.Process{ServiceName: "shop", Tags: []*jaegerthrift.Tag{
		text("hostname", "shop-7d4b9c"), text("ip", "10.0.0.7"), text("jaeger.version", "Go-2.30.0"), text("client-uuid", "5a1c3e7f9b2d"),
	}}}
	for i := range n {
		s := &jaegerthrift.Span{
			TraceIdHigh: 0x463ac35c9f6413ad, TraceIdLow: int64(1 + i/5), SpanId: int64(1 + i), ParentSpanId: int64(i % 5),
			OperationName: "GET /api/v1/orders/{id}", Flags: 1, StartTime: now, Duration: 1500,
			Tags: []*jaegerthrift.Tag{
				text("span.kind", "server"), text("http.method", "GET"), text("http.url", fmt.Sprintf("http://shop/api/v1/orders/%d", i)),
				{Key: "http.status_code", VType: jaegerthrift.TagType_LONG, VLong: &code},
				text("component", "net/http"), text("cluster", "eu-west-1"), text("internal.span.format", "jaeger"),
			},
		}
		if i%10 == 0 {
			s.Logs = []*jaegerthrift.Log{{Timestamp: now, Fields: []*jaegerthrift.Tag{{Key: "event", VType: jaegerthrift.TagType_STRING, VStr: of("cache miss")}}}}
		}
		b.Spans = append(b.Spans, s)
	}
	return b
}

// BenchmarkSplit makes parts of requests of 500 spans.
func BenchmarkSplit(b *testing.B) {
	const spans = 500
	message, err := (&api_v2.PostSpansRequest{Batch: *messageOf(server(spans))}).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		body       []byte
	}{
		{"thrift-binary", Path, encode(b, server(spans), "binary")},
		{"thrift-compact", Path, encode(b, server(spans), "compact")},
		{"proto", Method, message},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := splitterOf(b, c.path)
			spanwritertest.BenchmarkSplit(b, s, c.body, spans)
		})
	}
}
