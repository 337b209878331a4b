package interop

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	jaegeragent "github.com/jaegertracing/jaeger-idl/thrift-gen/agent"
	jaegerthrift "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/jaeger" //nolint:staticcheck // deprecated, as are all clients that the receiver is for
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// testJaeger sends a trace in each of Jaeger's protocols: Thrift over HTTP and
// compact Thrift over UDP with the exporter of the OpenTelemetry SDK, binary
// Thrift over UDP and protobuf over gRPC with the code that Jaeger's clients are
// generated from.
func testJaeger(t *testing.T, c *cluster.Cluster, r receivers) {
	host, port, err := net.SplitHostPort(r.jaegerCompact)
	if err != nil {
		t.Fatal(err)
	}
	for name, endpoint := range map[string]jaeger.EndpointOption{
		"thrift over HTTP":        jaeger.WithCollectorEndpoint(jaeger.WithEndpoint("http://" + r.jaegerHTTP + "/api/traces")),
		"compact thrift over UDP": jaeger.WithAgentEndpoint(jaeger.WithAgentHost(host), jaeger.WithAgentPort(port)),
	} {
		t.Run(name, func(t *testing.T) {
			service := serviceName(t)
			checkSpans(t, c, service, exportJaeger(t, endpoint, service))
		})
	}
	t.Run("binary thrift over UDP", func(t *testing.T) {
		service := serviceName(t)
		checkSpans(t, c, service, sendJaegerBinary(t, r.jaegerBinary, service))
	})
	t.Run("grpc", func(t *testing.T) {
		service := serviceName(t)
		checkSpans(t, c, service, sendJaegerGRPC(t, r.jaegerGRPC, service))
	})
}

// exportJaeger sends a request and a call that it made, which failed.
func exportJaeger(t *testing.T, endpoint jaeger.EndpointOption, service string) []span {
	t.Helper()
	exporter, err := jaeger.New(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	tracer := provider.Tracer("shop")
	at := began()
	ctx, request := tracer.Start(context.Background(), "GET /orders", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at),
		trace.WithAttributes(attribute.String("http.route", "/orders"), attribute.Int("order.items", 3)))
	request.AddEvent("packed", trace.WithTimestamp(at.Add(time.Millisecond)))
	_, call := tracer.Start(ctx, "charge", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(at.Add(2*time.Millisecond)))
	call.SetStatus(codes.Error, "card declined")
	call.End(trace.WithTimestamp(at.Add(7 * time.Millisecond)))
	request.End(trace.WithTimestamp(at.Add(20 * time.Millisecond)))
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	of := request.SpanContext()
	return []span{{
		Name: "GET /orders", Kind: "server", Status: "unset", Trace: of.TraceID().String(), ID: of.SpanID().String(), Parent: "0000000000000000",
		Time: nanoseconds(at), Duration: "20000000", Attributes: map[string]string{"http.route": "/orders", "otel.library.name": "shop"}, Numbers: map[string]float64{"order.items": 3}, Events: []string{"packed"},
	}, {
		Name: "charge", Kind: "client", Status: "error", Message: "card declined", Trace: of.TraceID().String(), ID: call.SpanContext().SpanID().String(), Parent: of.SpanID().String(),
		Time: nanoseconds(at.Add(2 * time.Millisecond)), Duration: "5000000", Attributes: map[string]string{"otel.library.name": "shop"}, Numbers: map[string]float64{}, Events: []string{},
	}}
}

// sendJaegerBinary sends what the clients for Node.js send.
func sendJaegerBinary(t *testing.T, address, service string) []span {
	t.Helper()
	at := began()
	consumer, packed := "consumer", "packed"
	items := 2.5
	packet := thrift.NewTMemoryBuffer()
	client := jaegeragent.NewAgentClientFactory(packet, thrift.NewTBinaryProtocolFactoryConf(nil))
	err := client.EmitBatch(t.Context(), &jaegerthrift.Batch{
		Process: &jaegerthrift.Process{ServiceName: service},
		Spans: []*jaegerthrift.Span{{
			TraceIdHigh: 0x0102030405060708, TraceIdLow: 0x1112131415161718, SpanId: 0x2122232425262728, ParentSpanId: 0x3132333435363738,
			OperationName: "ship", StartTime: at.UnixMicro(), Duration: 1500,
			Tags: []*jaegerthrift.Tag{
				{Key: "span.kind", VType: jaegerthrift.TagType_STRING, VStr: &consumer},
				{Key: "weight", VType: jaegerthrift.TagType_DOUBLE, VDouble: &items},
			},
			Logs: []*jaegerthrift.Log{{Timestamp: at.UnixMicro(), Fields: []*jaegerthrift.Tag{{Key: "event", VType: jaegerthrift.TagType_STRING, VStr: &packed}}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sendPacket(t, address, packet.Bytes())
	return []span{{
		Name: "ship", Kind: "consumer", Status: "unset", Trace: "01020304050607081112131415161718", ID: "2122232425262728", Parent: "3132333435363738",
		Time: nanoseconds(at), Duration: "1500000", Attributes: map[string]string{}, Numbers: map[string]float64{"weight": 2.5}, Events: []string{"packed"},
	}}
}

// sendJaegerGRPC sends what Jaeger's own agent sends.
func sendJaegerGRPC(t *testing.T, address, service string) []span {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	at := began()
	id := model.NewTraceID(0x4142434445464748, 0x5152535455565758)
	_, err = api_v2.NewCollectorServiceClient(conn).PostSpans(t.Context(), &api_v2.PostSpansRequest{Batch: model.Batch{
		Process: model.NewProcess(service, nil),
		Spans: []*model.Span{{
			TraceID: id, SpanID: model.NewSpanID(0x6162636465666768), OperationName: "pack", StartTime: at, Duration: 3 * time.Millisecond,
			References: []model.SpanRef{model.NewChildOfRef(id, model.NewSpanID(0x7172737475767778))},
			Tags: []model.KeyValue{
				model.String("span.kind", "producer"), model.Bool("error", true), model.Int64("order.items", 4), model.String("shop", "north"),
			},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return []span{{
		Name: "pack", Kind: "producer", Status: "error", Trace: "41424344454647485152535455565758", ID: "6162636465666768", Parent: "7172737475767778",
		Time: nanoseconds(at), Duration: "3000000", Attributes: map[string]string{"shop": "north"}, Numbers: map[string]float64{"order.items": 4}, Events: []string{},
	}}
}
