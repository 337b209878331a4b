package jaeger_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	jaegerthrift "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/gateway/gatewaytest"
	"github.com/goshawk-observability/goshawk/ingest/jaeger"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a gateway until the test ends, and returns its further addresses:
// an URL and an address of gRPC.
func start(t *testing.T, r *topictest.Recorder, change func(*gateway.Config)) (url, address string) {
	t.Helper()
	cfg := gateway.DefaultConfig()
	cfg.OTLPGRPC, cfg.OTLPHTTP = "", "127.0.0.1:0"
	cfg.MoreGRPC, cfg.MoreHTTP = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
	if change != nil {
		change(&cfg)
	}
	g := gatewaytest.Start(t, cfg, r, jaeger.Routes()...)
	return "http://" + g.Addrs().MoreHTTP[0].String() + jaeger.Path, g.Addrs().MoreGRPC[0].String()
}

func dial(t *testing.T, address string) api_v2.CollectorServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return api_v2.NewCollectorServiceClient(conn)
}

// encoded is a batch of three spans of which one has no id and one began so long ago.
func encoded(t *testing.T, factory thrift.TProtocolFactory, ago time.Duration) []byte {
	t.Helper()
	memory := thrift.NewTMemoryBuffer()
	now := time.Now().UnixMicro()
	batch := &jaegerthrift.Batch{
		Process: &jaegerthrift.Process{ServiceName: "shop"},
		Spans: []*jaegerthrift.Span{
			{TraceIdLow: 1, SpanId: 2, StartTime: now},
			{TraceIdLow: 1, SpanId: 0, StartTime: now},
			{TraceIdLow: 1, SpanId: 3, StartTime: now - ago.Microseconds()},
		},
	}
	if err := batch.Write(t.Context(), factory.GetProtocol(memory)); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(memory.Bytes())
}

func message(spans ...*model.Span) *api_v2.PostSpansRequest {
	return &api_v2.PostSpansRequest{Batch: model.Batch{Process: model.NewProcess("shop", nil), Spans: spans}}
}

func span(id uint64) *model.Span {
	return &model.Span{TraceID: model.NewTraceID(0, 1), SpanID: model.NewSpanID(id), StartTime: time.Now()}
}

func events(parts []topic.Part) (n int64) {
	for _, p := range parts {
		n += p.Events
	}
	return n
}

func TestThriftOverHTTP(t *testing.T) {
	r := topictest.NewRecorder()
	url, _ := start(t, r, nil)
	binary := encoded(t, thrift.NewTBinaryProtocolFactoryConf(nil), 0)
	compact := encoded(t, thrift.NewTCompactProtocolFactoryConf(nil), 0)
	for name, c := range map[string]struct {
		contentType string
		body        []byte
		want        int
	}{
		"binary":                  {"application/x-thrift", binary, 202},
		"binary, by its name":     {"application/vnd.apache.thrift.binary", binary, 202},
		"compact":                 {"application/x-thrift", compact, 202},
		"compact, by its name":    {"application/vnd.apache.thrift.compact", compact, 202},
		"no type":                 {"", binary, 202},
		"JSON":                    {"application/json", []byte("{}"), 415},
		"empty":                   {"application/x-thrift", nil, 400},
		"cut off":                 {"application/x-thrift", binary[:len(binary)-9], 400},
		"compact, cut off":        {"application/x-thrift", compact[:len(compact)-9], 400},
		"more than a batch":       {"application/x-thrift", append(bytes.Clone(binary), 7), 400},
		"text":                    {"application/x-thrift", []byte("hello, jaeger"), 400},
		"a list of 2 billion":     {"application/x-thrift", []byte("\x0f\x00\x02\x0c\x7f\xff\xff\xff"), 400},
		"structs in structs":      {"application/x-thrift", bytes.Repeat([]byte("\x0c\x00\x09"), 1<<16), 400},
		"compact, deep":           {"application/x-thrift", bytes.Repeat([]byte("\x9c"), 1<<16), 400},
		"no spans and no process": {"application/x-thrift", []byte{0}, 202},
	} {
		t.Run(name, func(t *testing.T) {
			a := transporttest.Post(t, url+"?format=jaeger.thrift", c.body, map[string]string{"Content-Type": c.contentType})
			if a.Status != c.want {
				t.Errorf("status is %d, want %d: %s", a.Status, c.want, a.Text)
			}
			kept := int64(0)
			if c.want == 202 && len(c.body) > 1 {
				kept = 2
				if !strings.Contains(a.Text, "span 1: the id is missing") {
					t.Errorf("nobody is told what is refused: %q", a.Text)
				}
			}
			if n := events(r.Take()); n != kept {
				t.Errorf("%d spans were produced, want %d", n, kept)
			}
		})
	}
	old := encoded(t, thrift.NewTBinaryProtocolFactoryConf(nil), 10000*time.Hour)
	if a := transporttest.Post(t, url, old, nil); a.Status != 202 || !strings.Contains(a.Text, "is earlier than") || events(r.Take()) != 1 {
		t.Errorf("an old span is answered by %d %q", a.Status, a.Text)
	}
}

func TestProtobufOverGRPC(t *testing.T) {
	r := topictest.NewRecorder()
	_, address := start(t, r, func(cfg *gateway.Config) {
		cfg.Tokens = []gateway.TokenConfig{{Token: "x", Tenant: "acme"}}
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed, cfg.Limits.MaxInflight = 64<<10, 64<<10, 200<<10
	})
	client := dial(t, address)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x")
	if _, err := client.PostSpans(ctx, message(span(2), span(0), span(3))); err != nil {
		t.Errorf("spans are refused: %v", err)
	}
	if parts := r.Take(); events(parts) != 2 || parts[0].Tenant != "acme" {
		t.Errorf("parts are %+v", parts)
	}
	if _, err := client.PostSpans(ctx, message(span(2)), grpc.UseCompressor(gzip.Name)); err != nil || events(r.Take()) != 1 {
		t.Errorf("with gzip: %v", err)
	}
	if _, err := client.PostSpans(ctx, message()); err != nil || len(r.Take()) > 0 {
		t.Errorf("no spans: %v", err)
	}
	large := span(2)
	large.OperationName = strings.Repeat("x", 70<<10)
	// A process that is written again for every span that goes back to it.
	amplified := message()
	amplified.Batch.Process.Tags = []model.KeyValue{model.String("a", strings.Repeat("x", 30<<10))}
	for i := range uint64(100) {
		own := span(2*i + 1)
		own.Process = model.NewProcess("other", nil)
		amplified.Batch.Spans = append(amplified.Batch.Spans, own, span(2*i+2))
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		req  *api_v2.PostSpansRequest
		want codes.Code
	}{
		"no token":                   {t.Context(), message(span(2)), codes.Unauthenticated},
		"too large":                  {ctx, message(large), codes.ResourceExhausted},
		"too large when it is OTLP":  {ctx, amplified, codes.ResourceExhausted},
		"broken, as Jaeger sends it": {ctx, &api_v2.PostSpansRequest{XXX_unrecognized: []byte("\x0a\x05\x0a\x01")}, codes.InvalidArgument},
	} {
		if _, err := client.PostSpans(c.ctx, c.req); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if n := events(r.Take()); n != 0 {
		t.Errorf("%d spans of what was refused were produced", n)
	}
}

// TestSuccessIsAnsweredAfterKafka holds Kafka back, and lets it fail.
func TestSuccessIsAnsweredAfterKafka(t *testing.T) {
	r := topictest.NewRecorder()
	url, address := start(t, r, nil)
	client := dial(t, address)
	body := encoded(t, thrift.NewTCompactProtocolFactoryConf(nil), 0)
	release := r.Hold()
	overHTTP, overGRPC := make(chan int, 1), make(chan codes.Code, 1)
	go func() { overHTTP <- transporttest.Post(t, url, body, nil).Status }()
	go func() {
		_, err := client.PostSpans(t.Context(), message(span(2)))
		overGRPC <- status.Code(err)
	}()
	<-r.Entered
	<-r.Entered
	select {
	case <-overHTTP:
		t.Error("HTTP is answered before Kafka has acknowledged")
	case <-overGRPC:
		t.Error("gRPC is answered before Kafka has acknowledged")
	default:
	}
	release()
	if got, code := <-overHTTP, <-overGRPC; got != 202 || code != codes.OK {
		t.Errorf("the answers are %d and %v", got, code)
	}
	for _, c := range []struct {
		err    error
		status int
		code   codes.Code
	}{{topic.ErrUnavailable, 503, codes.Unavailable}, {topic.ErrFull, 429, codes.ResourceExhausted}, {topic.ErrRefused, 500, codes.Internal}} {
		r.Fail(c.err, nil)
		if a := transporttest.Post(t, url, body, nil); a.Status != c.status {
			t.Errorf("%v is answered by %+v", c.err, a)
		}
		if _, err := client.PostSpans(t.Context(), message(span(2))); status.Code(err) != c.code {
			t.Errorf("%v is answered by %v", c.err, err)
		}
	}
}
