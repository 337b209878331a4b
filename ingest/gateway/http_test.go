package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// statusOf reads the google.rpc.Status of a refusal.
func statusOf(t *testing.T, a answered) *spb.Status {
	t.Helper()
	var s spb.Status
	var err error
	switch contentType := a.header.Get("Content-Type"); contentType {
	case contentProtobuf:
		err = proto.Unmarshal(a.body, &s)
	case contentJSON:
		err = json.Unmarshal(a.body, &s)
	default:
		t.Fatalf("Content-Type is %q", contentType)
	}
	if err != nil {
		t.Fatalf("body %q is no status: %v", a.body, err)
	}
	return &s
}

func TestHTTPRefusals(t *testing.T) {
	valid, validJSON := exportRequest(t, telemetry.Logs, 1)
	limited := func(cfg *Config) {
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed = 64<<10, 64<<10
		cfg.Tokens = []TokenConfig{
			{Token: "all", Tenant: "acme"},
			{Token: "spans-only", Tenant: "acme", Signals: []string{"spans"}},
		}
	}
	g := start(t, limited)
	for name, c := range map[string]struct {
		request
		status  int
		message string
		header  string // Name: value
	}{
		"truncated protobuf": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "all", body: bytes.NewReader(valid[:len(valid)-3])},
			400, "malformed protobuf", "Content-Type: application/x-protobuf",
		},
		"protobuf that is text": {
			request{path: "/v1/traces", contentType: contentProtobuf, token: "all", body: strings.NewReader("hello")},
			400, "malformed protobuf", "",
		},
		"truncated JSON": {
			request{path: "/v1/logs", contentType: contentJSON, token: "all", body: bytes.NewReader(validJSON[:len(validJSON)-3])},
			400, "JSON at byte", "Content-Type: application/json",
		},
		"JSON of a wrong shape": {
			request{path: "/v1/metrics", contentType: contentJSON, token: "all", body: strings.NewReader(`{"resourceMetrics":7}`)},
			400, "resourceMetrics: want '['", "",
		},
		"deep JSON": {
			request{path: "/v1/logs", contentType: contentJSON, token: "all", body: strings.NewReader(strings.Repeat(`{"a":`, 10_000))},
			400, "nested deeper than 512", "",
		},
		"protobuf sent as JSON": {
			request{path: "/v1/logs", contentType: contentJSON, token: "all", body: bytes.NewReader(valid)},
			400, "want '{'", "",
		},
		"JSON sent as protobuf": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "all", body: bytes.NewReader(validJSON)},
			400, "malformed protobuf", "",
		},
		"plain declared as gzip": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "all", encoding: "gzip", body: bytes.NewReader(valid)},
			400, "declared as gzip but is not", "",
		},
		"plain declared as zstd": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "all", encoding: "zstd", body: bytes.NewReader(valid)},
			400, "declared as zstd but is not", "",
		},
		"no token": {
			request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(valid)},
			401, "no token", "Www-Authenticate: Bearer",
		},
		"unknown token": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "guess", body: bytes.NewReader(valid)},
			401, "not known", "Www-Authenticate: Bearer",
		},
		"another scheme": {
			request{path: "/v1/logs", contentType: contentProtobuf, header: map[string]string{"Authorization": "Digest abc"}, body: bytes.NewReader(valid)},
			401, "another scheme", "",
		},
		"tenant header without a token": {
			request{path: "/v1/logs", contentType: contentProtobuf, header: map[string]string{"X-Scope-OrgID": "acme"}, body: bytes.NewReader(valid)},
			401, "no token", "",
		},
		"token for another signal": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "spans-only", body: bytes.NewReader(valid)},
			403, "does not allow to send logs", "",
		},
		"a web page": {
			request{path: "/v1/logs", contentType: contentJSON, token: "all", header: map[string]string{"Origin": "https://evil.example"}, body: bytes.NewReader(validJSON)},
			403, "cors.allowed_origins", "",
		},
		"unknown path": {
			request{path: "/v1/profiles", contentType: contentProtobuf, token: "all", body: bytes.NewReader(valid)},
			404, "no such path", "",
		},
		"GET": {
			request{method: http.MethodGet, path: "/v1/logs", token: "all", contentType: contentProtobuf},
			405, "answers POST", "Allow: POST",
		},
		"POST to a page": {
			request{path: "/healthz"},
			405, "answers GET", "Allow: GET, HEAD",
		},
		"too large, declared": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "all", body: bytes.NewReader(make([]byte, 64<<10+1))},
			413, "at most 65536 are taken", "",
		},
		"too large, not declared": {
			request{path: "/v1/logs", contentType: contentProtobuf, token: "all", body: io.LimitReader(zeros{}, 64<<10+1)},
			413, "more than 65536 bytes", "",
		},
		"no content type": {
			request{path: "/v1/logs", token: "all", body: bytes.NewReader(valid)},
			415, `Content-Type is ""; want application/x-protobuf or application/json`, "Content-Type: application/json",
		},
		"wrong content type": {
			request{path: "/v1/logs", contentType: "text/plain", token: "all", body: bytes.NewReader(valid)},
			415, `"text/plain"`, "",
		},
		"gRPC on the HTTP port": {
			request{path: "/v1/logs", contentType: "application/grpc", token: "all", body: bytes.NewReader(valid)},
			415, "4317", "",
		},
		"unknown encoding": {
			request{path: "/v1/logs", contentType: contentProtobuf, encoding: "br", token: "all", body: bytes.NewReader(valid)},
			415, `Content-Encoding is "br"`, "Accept-Encoding: " + acceptedEncodings,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := g.send(t, c.request)
			if a.status != c.status {
				t.Fatalf("status is %d, want %d; body %q", a.status, c.status, a.body)
			}
			s := statusOf(t, a)
			if !strings.Contains(s.Message, c.message) || s.Code == 0 {
				t.Errorf("status is %v, want a message with %q", s, c.message)
			}
			if c.header != "" {
				name, value, _ := strings.Cut(c.header, ": ")
				if got := a.header.Get(name); got != value {
					t.Errorf("header %s is %q, want %q", name, got, value)
				}
			}
		})
	}
	if parts := g.recorder.Take(); len(parts) != 0 {
		t.Errorf("refused requests produced %d parts", len(parts))
	}
	if a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, token: "all", body: bytes.NewReader(valid)}); a.status != 200 {
		t.Errorf("a valid request has status %d", a.status)
	}
	if parts := g.recorder.Take(); len(parts) != 1 || parts[0].Tenant != "acme" {
		t.Errorf("parts are %+v, want one of tenant acme", parts)
	}
	if n := g.memoryInUse(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}

// memoryInUse returns what requests hold, without what waits to be used again.
func (g *running) memoryInUse() int64 {
	g.decoded.trim()
	g.decoded.trim()
	return g.http.bodies.memory.used.Load()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestKafkaTroubleIsNeverSuccess(t *testing.T) {
	body, asJSON := exportRequest(t, telemetry.Spans, 5)
	for name, c := range map[string]struct {
		produce, ask error
		status       int
		retry        string
	}{
		"buffers full":        {fmt.Errorf("producing: %w", topic.ErrFull), nil, 429, "1"},
		"broker away":         {fmt.Errorf("producing: %w", topic.ErrUnavailable), nil, 503, "5"},
		"topic cannot be had": {nil, topic.ErrUnavailable, 503, "5"},
		"records refused":     {topic.ErrRefused, nil, 500, ""},
		"anything else":       {errors.New("surprise"), nil, 503, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil)
			g.recorder.Fail(c.produce, c.ask)
			for contentType, body := range map[string][]byte{contentProtobuf: body, contentJSON: asJSON} {
				a := g.send(t, request{path: "/v1/traces", contentType: contentType, body: bytes.NewReader(body)})
				if a.status != c.status || a.header.Get("Retry-After") != c.retry {
					t.Errorf("status %d, Retry-After %q; want %d, %q", a.status, a.header.Get("Retry-After"), c.status, c.retry)
				}
				if s := statusOf(t, a); s.Message == "" || strings.Contains(s.Message, "surprise") {
					t.Errorf("message is %q", s.Message)
				}
			}
			g.recorder.Fail(nil, nil)
			if a := g.send(t, request{path: "/v1/traces", contentType: contentProtobuf, body: bytes.NewReader(body)}); a.status != 200 {
				t.Errorf("status is %d when kafka is back", a.status)
			}
		})
	}
}

func TestNoAcknowledgementInTimeIsUnavailable(t *testing.T) {
	g := start(t, func(cfg *Config) { cfg.RequestTimeout = 50 * time.Millisecond })
	defer g.recorder.Hold()()
	body, _ := exportRequest(t, telemetry.Logs, 1)
	a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)})
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("status is %d with Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
}

func TestPartialSuccessSaysWhatWasRejected(t *testing.T) {
	g := start(t, nil)
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 3 {
		s := spans.AppendEmpty()
		s.SetName("GET /")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		s.SetSpanID([8]byte{1, byte(i)})
		if i > 0 {
			s.SetTraceID([16]byte{1, byte(i)})
		}
	}
	protobuf, asJSON := encoded(t, ptraceotlp.NewExportRequestFromTraces(traces))
	check := func(response ptraceotlp.ExportResponse) {
		t.Helper()
		p := response.PartialSuccess()
		if p.RejectedSpans() != 1 || !strings.Contains(p.ErrorMessage(), "trace id") {
			t.Errorf("partial success is %d, %q", p.RejectedSpans(), p.ErrorMessage())
		}
		if n := events(g.recorder.Take()); n != 2 {
			t.Errorf("%d spans were produced, want 2", n)
		}
	}
	a := g.send(t, request{path: "/v1/traces", contentType: contentProtobuf, body: bytes.NewReader(protobuf)})
	response := ptraceotlp.NewExportResponse()
	if err := response.UnmarshalProto(a.body); err != nil || a.status != 200 {
		t.Fatalf("status %d, body %q: %v", a.status, a.body, err)
	}
	check(response)
	a = g.send(t, request{path: "/v1/traces", contentType: contentJSON, body: bytes.NewReader(asJSON)})
	response = ptraceotlp.NewExportResponse()
	if err := response.UnmarshalJSON(a.body); err != nil || a.status != 200 {
		t.Fatalf("status %d, body %q: %v", a.status, a.body, err)
	}
	check(response)
	if got := g.counter(t, "goshawk_gateway_rejected_events_total", "spans", "invalid_trace_id"); got != 2 {
		t.Errorf("%v spans were counted as rejected, want 2", got)
	}
	if got := g.counter(t, "goshawk_gateway_accepted_events_total", "spans"); got != 4 {
		t.Errorf("%v spans were counted as accepted, want 4", got)
	}
}

// counter returns the value of the series that has these label values, in the
// order of the label names.
func (g *running) counter(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			values := map[string]bool{}
			for _, l := range m.GetLabel() {
				values[l.GetValue()] = true
			}
			for _, l := range labels {
				if !values[l] {
					continue series
				}
			}
			if m.GetGauge() != nil {
				return m.GetGauge().GetValue()
			}
			return m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no series %s%v", name, labels)
	return 0
}

// TestValidPartsOfABadRequestAreKept sends what is wrong in single events: the
// answer is a success, and the rest of the request is there.
func TestValidPartsOfABadRequestAreKept(t *testing.T) {
	deep := func(r plog.LogRecord) {
		v := r.Attributes().PutEmpty("deep")
		for range 1000 {
			v = v.SetEmptySlice().AppendEmpty()
		}
	}
	for name, c := range map[string]struct {
		spoil    func(plog.LogRecord)
		rejected int64
	}{
		"10,000 attributes": {func(r plog.LogRecord) {
			for i := range 10_000 {
				r.Attributes().PutInt(fmt.Sprint(i), 1)
			}
		}, 1},
		"1,000 levels":     {deep, 1},
		"far future":       {func(r plog.LogRecord) { r.SetTimestamp(1 << 62) }, 1},
		"long ago":         {func(r plog.LogRecord) { r.SetTimestamp(1) }, 1},
		"no time at all":   {func(r plog.LogRecord) { r.SetTimestamp(0) }, 0},
		"not UTF-8":        {func(r plog.LogRecord) { r.Body().SetStr("\xff\xfe\x00") }, 0},
		"NaN and infinity": {func(r plog.LogRecord) { r.Attributes().PutDouble("nan", math.NaN()) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, func(cfg *Config) { cfg.Limits.MaxJSONDepth = 5000 })
			logs := plog.NewLogs()
			records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
			for i := range 3 {
				r := records.AppendEmpty()
				r.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
				r.Body().SetStr("fine")
				if i == 1 {
					c.spoil(r)
				}
			}
			protobuf, asJSON := encoded(t, plogotlp.NewExportRequestFromLogs(logs))
			for contentType, body := range map[string][]byte{contentProtobuf: protobuf, contentJSON: asJSON} {
				a := g.send(t, request{path: "/v1/logs", contentType: contentType, body: bytes.NewReader(body)})
				if a.status != 200 {
					t.Fatalf("%s: status %d: %s", contentType, a.status, a.body)
				}
				response := plogotlp.NewExportResponse()
				decode := response.UnmarshalProto
				if contentType == contentJSON {
					decode = response.UnmarshalJSON
				}
				if err := decode(a.body); err != nil {
					t.Fatal(err)
				}
				if got := response.PartialSuccess().RejectedLogRecords(); got != c.rejected {
					t.Errorf("%s: %d were rejected (%s), want %d", contentType, got, response.PartialSuccess().ErrorMessage(), c.rejected)
				}
				if got := events(g.recorder.Take()); got != 3-c.rejected {
					t.Errorf("%s: %d were produced, want %d", contentType, got, 3-c.rejected)
				}
			}
		})
	}
}

func TestClientThatGoesAwayCancelsItsRequest(t *testing.T) {
	g := start(t, nil)
	defer g.recorder.Hold()()
	body, _ := exportRequest(t, telemetry.Logs, 1)
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		_, err := g.trySend(ctx, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)})
		sent <- err
	}()
	<-g.recorder.Entered
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Fatalf("the request ended with %v", err)
	}
	waitFor(t, "the request to be counted as cancelled", func() bool {
		return g.counter(t, "goshawk_gateway_requests_total", "http", "logs", "499") == 1
	})
	waitFor(t, "its memory to be free", func() bool { return g.memoryInUse() == 0 })
}

// waitFor polls until the condition holds; the test's own deadline ends it.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for !condition() {
		select {
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: %v", what, t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestSlowSenderIsCutOff(t *testing.T) {
	g := start(t, func(cfg *Config) {
		cfg.Limits.ReadTimeout, cfg.Limits.ReadHeaderTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	for name, text := range map[string]string{
		"in the headers": "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: appl",
		"in the body":    "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			// The server has to end the connection by itself.
			answer, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			if name == "in the body" && !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) {
				t.Errorf("the answer is %q, want status 408", answer)
			}
		})
	}
	waitFor(t, "memory to be free", func() bool { return g.memoryInUse() == 0 })
}

func TestOverloadIsRefusedWithAHint(t *testing.T) {
	g := start(t, func(cfg *Config) {
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed, cfg.Limits.MaxInflight = 8<<10, 8<<10, 24<<10
	})
	release := g.recorder.Hold()
	defer release()
	body, _ := exportRequest(t, telemetry.Logs, 60)
	if len(body) > 8<<10 {
		t.Fatalf("the request has %d bytes", len(body))
	}
	send := func() answered {
		return g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)})
	}
	const senders = 12 // more than fit
	answers := make(chan answered, senders)
	for range senders {
		go func() {
			a, _ := g.trySend(context.Background(), request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)})
			answers <- a
		}()
	}
	<-g.recorder.Entered
	// While kafka waits, only a refusal is answered.
	if a := <-answers; a.status != 429 || a.header.Get("Retry-After") != "1" {
		t.Errorf("status is %d with Retry-After %q, want 429 with 1", a.status, a.header.Get("Retry-After"))
	}
	release()
	for range senders - 1 {
		if a := <-answers; a.status != 200 && a.status != 429 {
			t.Errorf("status is %d", a.status)
		}
	}
	if a := send(); a.status != 200 {
		t.Errorf("status is %d when there is room again", a.status)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	g := start(t, func(cfg *Config) { cfg.Limits.MaxConnections = 3 })
	address := strings.TrimPrefix(g.url, "http://")
	var open []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	waitFor(t, "the connections to be open", func() bool {
		return g.counter(t, "goshawk_gateway_connections", "http") == 3
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from a connection too many", n)
	}
	c.Close()
	for _, c := range open {
		c.Close()
	}
	waitFor(t, "the connections to be closed", func() bool {
		return g.counter(t, "goshawk_gateway_connections", "http") == 0
	})
	body, _ := exportRequest(t, telemetry.Logs, 1)
	if a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)}); a.status != 200 {
		t.Errorf("status is %d when there is room again", a.status)
	}
	if got := g.counter(t, "goshawk_gateway_refused_connections_total", "http"); got != 1 {
		t.Errorf("%v connections were counted as refused, want 1", got)
	}
}
