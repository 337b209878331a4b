package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func (g *running) dial(t testing.TB, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, options...)
	c, err := grpc.NewClient(g.grpc, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// parse fills the message with an encoded request.
func parse[M proto.Message](t testing.TB, m M, encoded []byte) M {
	t.Helper()
	if err := proto.Unmarshal(encoded, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGRPCTakesEverySignal(t *testing.T) {
	g := start(t, nil)
	c := g.dial(t)
	for _, compression := range []string{"", "gzip", "zstd", "snappy"} {
		for _, signal := range telemetry.Signals {
			t.Run(signal.String()+" "+compression, func(t *testing.T) {
				encoded, _ := exportRequest(t, signal, 500)
				var options []grpc.CallOption
				if compression != "" {
					options = append(options, grpc.UseCompressor(compression))
				}
				var response proto.Message
				var err error
				switch signal {
				case telemetry.Logs:
					response, err = collogs.NewLogsServiceClient(c).Export(t.Context(), parse(t, new(collogs.ExportLogsServiceRequest), encoded), options...)
				case telemetry.Spans:
					response, err = coltrace.NewTraceServiceClient(c).Export(t.Context(), parse(t, new(coltrace.ExportTraceServiceRequest), encoded), options...)
				default:
					response, err = colmetrics.NewMetricsServiceClient(c).Export(t.Context(), parse(t, new(colmetrics.ExportMetricsServiceRequest), encoded), options...)
				}
				if err != nil {
					t.Fatal(err)
				}
				if proto.Size(response) != 0 {
					t.Errorf("the response of a full success is %v", response)
				}
				if n := events(g.recorder.Take()); n != 500 {
					t.Errorf("%d events were produced, want 500", n)
				}
			})
		}
	}
}

func TestGRPCRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		produce error
		change  func(*Config)
		token   string
		code    codes.Code
		delay   time.Duration
	}{
		"buffers full":    {produce: topic.ErrFull, code: codes.ResourceExhausted, delay: time.Second},
		"broker away":     {produce: topic.ErrUnavailable, code: codes.Unavailable, delay: 5 * time.Second},
		"records refused": {produce: topic.ErrRefused, code: codes.Internal},
		"no token": {change: func(cfg *Config) {
			cfg.Tokens = []TokenConfig{{Token: "secret", Tenant: "acme"}}
		}, code: codes.Unauthenticated},
		"unknown token": {change: func(cfg *Config) {
			cfg.Tokens = []TokenConfig{{Token: "secret", Tenant: "acme"}}
		}, token: "guess", code: codes.Unauthenticated},
		"token for another signal": {change: func(cfg *Config) {
			cfg.Tokens = []TokenConfig{{Token: "secret", Tenant: "acme", Signals: []string{"metrics"}}}
		}, token: "secret", code: codes.PermissionDenied},
		"too large": {change: func(cfg *Config) { cfg.Limits.MaxBody = 4 << 10 }, code: codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, c.change)
			g.recorder.Fail(c.produce, nil)
			encoded, _ := exportRequest(t, telemetry.Logs, 500)
			ctx := t.Context()
			if c.token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
			}
			_, err := collogs.NewLogsServiceClient(g.dial(t)).Export(ctx, parse(t, new(collogs.ExportLogsServiceRequest), encoded))
			st := status.Convert(err)
			if st.Code() != c.code || st.Message() == "" {
				t.Fatalf("status is %v, want %v", st, c.code)
			}
			var delay time.Duration
			for _, d := range st.Details() {
				if info, ok := d.(*errdetails.RetryInfo); ok {
					delay = info.GetRetryDelay().AsDuration()
				}
			}
			if delay != c.delay {
				t.Errorf("retry delay is %s, want %s", delay, c.delay)
			}
			if n := len(g.recorder.Take()); n != 0 {
				t.Errorf("%d parts were produced", n)
			}
		})
	}
}

func TestGRPCTokenNamesTheTenant(t *testing.T) {
	g := start(t, func(cfg *Config) { cfg.Tokens = []TokenConfig{{Token: "secret", Tenant: "acme"}} })
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer secret", "x-scope-orgid", "other")
	if _, err := collogs.NewLogsServiceClient(g.dial(t)).Export(ctx, parse(t, new(collogs.ExportLogsServiceRequest), encoded)); err != nil {
		t.Fatal(err)
	}
	if parts := g.recorder.Take(); len(parts) != 1 || parts[0].Tenant != "acme" {
		t.Errorf("parts are %+v", parts)
	}
}

func TestGRPCPartialSuccess(t *testing.T) {
	g := start(t, nil)
	request := &collogs.ExportLogsServiceRequest{}
	encoded, _ := exportRequest(t, telemetry.Logs, 3)
	parse(t, request, encoded)
	request.ResourceLogs[1].ScopeLogs[0].LogRecords[0].TimeUnixNano = 1
	response, err := collogs.NewLogsServiceClient(g.dial(t)).Export(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if p := response.GetPartialSuccess(); p.GetRejectedLogRecords() != 1 || !strings.Contains(p.GetErrorMessage(), "earlier") {
		t.Errorf("partial success is %v", p)
	}
	if n := events(g.recorder.Take()); n != 2 {
		t.Errorf("%d events were produced, want 2", n)
	}
}

// rawCall sends bytes as the body of a gRPC call over HTTP/2 and returns the
// code and message of the answer.
func (g *running) rawCall(t testing.TB, method string, header http.Header, body io.Reader) (code, message string) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.grpc+method, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if code = res.Trailer.Get("Grpc-Status"); code != "" {
		return code, res.Trailer.Get("Grpc-Message")
	}
	return res.Header.Get("Grpc-Status"), res.Header.Get("Grpc-Message")
}

const exportLogsMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// framed puts gRPC's framing before a message.
func framed(compressed byte, message []byte) []byte {
	b := append([]byte{compressed}, binary.BigEndian.AppendUint32(nil, uint32(len(message)))...)
	return append(b, message...)
}

func TestGRPCMalformedMessages(t *testing.T) {
	g := start(t, nil)
	valid, _ := exportRequest(t, telemetry.Logs, 2)
	huge := framed(0, nil)
	binary.BigEndian.PutUint32(huge[1:], 100<<20)
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		code     string
		message  string
	}{
		"no message":               {"", nil, "3", "holds no message"},
		"half a header":            {"", []byte{0, 0}, "3", "ends early"},
		"half a message":           {"", framed(0, valid)[:20], "3", "ends early"},
		"truncated protobuf":       {"", framed(0, valid[:len(valid)-2]), "3", "malformed protobuf"},
		"unknown framing":          {"", framed(9, valid), "3", "framing"},
		"compressed, but not said": {"", framed(1, valid), "3", "grpc-encoding"},
		"not what is declared":     {"gzip", framed(1, valid), "3", "declared as gzip but is not"},
		"unknown encoding":         {"br", framed(1, valid), "12", "br"},
		"declares 100 MiB":         {"", huge, "8", "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if c.encoding != "" {
				header.Set("Grpc-Encoding", c.encoding)
			}
			code, message := g.rawCall(t, exportLogsMethod, header, bytes.NewReader(c.body))
			if code != c.code || !strings.Contains(message, c.message) {
				t.Errorf("status is %s %q, want %s with %q", code, message, c.code, c.message)
			}
		})
	}
	if code, _ := g.rawCall(t, "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", nil, bytes.NewReader(framed(0, valid))); code != "12" {
		t.Errorf("an unknown service has status %s, want 12", code)
	}
	if n := len(g.recorder.Take()); n != 0 {
		t.Errorf("%d parts were produced", n)
	}
	if code, message := g.rawCall(t, exportLogsMethod, nil, bytes.NewReader(framed(0, valid))); code != "0" {
		t.Errorf("a valid call has status %s %s", code, message)
	}
	if n := g.memoryInUse(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

func TestGRPCSlowSenderIsCutOff(t *testing.T) {
	g := start(t, func(cfg *Config) {
		cfg.Limits.ReadTimeout, cfg.RequestTimeout = 100*time.Millisecond, 100*time.Millisecond
	})
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = w.Write(framed(0, make([]byte, 100))[:50]) }()
	code, _ := g.rawCall(t, exportLogsMethod, nil, r)
	if code != "4" {
		t.Errorf("status is %s, want 4, deadline exceeded", code)
	}
	waitFor(t, "memory to be free", func() bool { return g.memoryInUse() == 0 })
}

func TestGRPCClientThatGoesAwayCancelsItsRequest(t *testing.T) {
	g := start(t, nil)
	defer g.recorder.Hold()()
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	ctx, cancel := context.WithCancel(t.Context())
	c := collogs.NewLogsServiceClient(g.dial(t))
	request := parse(t, new(collogs.ExportLogsServiceRequest), encoded)
	go func() {
		<-g.recorder.Entered
		cancel()
	}()
	if _, err := c.Export(ctx, request); status.Code(err) != codes.Canceled {
		t.Fatalf("the call ended with %v", err)
	}
	waitFor(t, "the request to be counted as cancelled", func() bool {
		return g.counter(t, "goshawk_gateway_requests_total", "grpc", "logs", "Canceled") == 1
	})
}

// TestGRPCAnswersAreReadable decodes an answer with another implementation.
func TestGRPCAnswersAreReadable(t *testing.T) {
	b := protobufAnswer(telemetry.Logs, Answer{Status: 200, Rejected: 1 << 40, Message: "why"})
	r := plogotlp.NewExportResponse()
	if err := r.UnmarshalProto(b); err != nil {
		t.Fatal(err)
	}
	if p := r.PartialSuccess(); p.RejectedLogRecords() != 1<<40 || p.ErrorMessage() != "why" {
		t.Errorf("partial success is %d, %q", p.RejectedLogRecords(), p.ErrorMessage())
	}
}
