package jaeger

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/gogo/protobuf/jsonpb"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	jaegerthrift "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// splitterOf returns the splitter of a path.
func splitterOf(t testing.TB, path string) gateway.Splitter {
	t.Helper()
	for _, r := range Routes() {
		if r.Path == path {
			return r.Formats[0].NewSplitter(otlp.DefaultLimits(), spanwritertest.Unlimited)
		}
	}
	t.Fatalf("no route for %s", path)
	return nil
}

var factories = map[string]thrift.TProtocolFactory{
	"binary": thrift.NewTBinaryProtocolFactoryConf(nil), "compact": thrift.NewTCompactProtocolFactoryConf(nil),
}

// encode encodes a batch as Jaeger's clients do.
func encode(t testing.TB, batch *jaegerthrift.Batch, protocol string) []byte {
	t.Helper()
	memory := thrift.NewTMemoryBuffer()
	if err := batch.Write(context.Background(), factories[protocol].GetProtocol(memory)); err != nil {
		t.Fatal(err)
	}
	return memory.Bytes()
}

// TestGolden converts the requests in testdata, which are written in JSON.
func TestGolden(t *testing.T) {
	t.Run("thrift", func(t *testing.T) {
		s := splitterOf(t, Path)
		spanwritertest.Golden(t, "testdata/thrift.txt", func(t *testing.T, request string) string {
			batch := new(jaegerthrift.Batch)
			if err := json.Unmarshal([]byte(request), batch); err != nil {
				t.Fatalf("%v in %s", err, request)
			}
			said := spanwritertest.Describe(t, s, encode(t, batch, "binary"))
			if compact := spanwritertest.Describe(t, s, encode(t, batch, "compact")); compact != said {
				t.Errorf("in the compact protocol it is\n%s\ninstead of\n%s", compact, said)
			}
			return said
		})
	})
	t.Run("protobuf", func(t *testing.T) {
		s := splitterOf(t, Method)
		spanwritertest.Golden(t, "testdata/proto.txt", func(t *testing.T, request string) string {
			req := new(api_v2.PostSpansRequest)
			if err := jsonpb.Unmarshal(strings.NewReader(request), req); err != nil {
				t.Fatalf("%v in %s", err, request)
			}
			body, err := req.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			return spanwritertest.Describe(t, s, body)
		})
	})
}

// TestProcessMayComeLast has the fields of a batch in the other order.
func TestProcessMayComeLast(t *testing.T) {
	s := splitterOf(t, Path)
	ctx := context.Background()
	for name, factory := range factories {
		memory := thrift.NewTMemoryBuffer()
		w := factory.GetProtocol(memory)
		span := &jaegerthrift.Span{TraceIdLow: 1, SpanId: 2}
		process := &jaegerthrift.Process{ServiceName: "last"}
		for _, err := range []error{
			w.WriteStructBegin(ctx, ""),
			w.WriteFieldBegin(ctx, "", thrift.LIST, 2), w.WriteListBegin(ctx, thrift.STRUCT, 1), span.Write(ctx, w), w.WriteListEnd(ctx), w.WriteFieldEnd(ctx),
			w.WriteFieldBegin(ctx, "", thrift.STRUCT, 1), process.Write(ctx, w), w.WriteFieldEnd(ctx),
			w.WriteFieldStop(ctx), w.WriteStructEnd(ctx),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if said := spanwritertest.Describe(t, s, memory.Bytes()); !strings.Contains(said, `{"stringValue":"last"}`) || !strings.Contains(said, `"spanId":"0000000000000002"`) {
			t.Errorf("%s: %s", name, said)
		}
	}
}
