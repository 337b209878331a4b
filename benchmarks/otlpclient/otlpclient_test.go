package otlpclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logs returns a request of n log records whose bodies name them.
func logs(t testing.TB, name string, n int) otlpclient.Request {
	t.Helper()
	l := plog.NewLogs()
	records := l.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		records.AppendEmpty().Body().SetStr(fmt.Sprintf("%s-%d", name, i))
	}
	body, err := plogotlp.NewExportRequestFromLogs(l).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return otlpclient.Request{Signal: telemetry.Logs, Body: body, Events: n}
}

func config(endpoint string) otlpclient.Config {
	c := otlpclient.DefaultConfig()
	c.Endpoint = endpoint
	c.MinBackoff, c.MaxBackoff = time.Millisecond, 5*time.Millisecond
	c.Timeout = 5 * time.Second
	return c
}

func newClient(t testing.TB, c otlpclient.Config) *otlpclient.Client {
	t.Helper()
	client, err := otlpclient.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// gateway is an HTTP server that keeps what it accepted, by its bytes, and
// misbehaves as its script says: entry i is what it does with request i, in
// the order of arrival.
type gateway struct {
	t      *testing.T
	script []string

	mu      sync.Mutex
	arrived int
	// stored counts how often each body was processed, acknowledged or not.
	stored map[string]int
	// said counts how often a body's success was answered.
	said map[string]int
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := decoded(r)
	if err != nil {
		g.t.Errorf("reading a request: %v", err)
		return
	}
	if err := plogotlp.NewExportRequest().UnmarshalProto(body); err != nil {
		g.t.Errorf("decoding a request: %v", err)
	}
	g.mu.Lock()
	action := "ok"
	if g.arrived < len(g.script) {
		action = g.script[g.arrived]
	}
	g.arrived++
	switch action {
	case "ok", "partial":
		g.said[string(body)]++
		g.stored[string(body)]++
	case "lose the answer", "cut the answer":
		g.stored[string(body)]++
	}
	g.mu.Unlock()

	w.Header().Set("Content-Type", "application/x-protobuf")
	response := plogotlp.NewExportResponse()
	switch action {
	case "ok":
	case "partial":
		response.PartialSuccess().SetRejectedLogRecords(1)
		response.PartialSuccess().SetErrorMessage("one is too old")
	case "503", "429":
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(map[string]int{"503": 503, "429": 429}[action])
		return
	case "502":
		w.WriteHeader(http.StatusBadGateway)
		return
	case "400":
		w.Header().Set("Content-Type", "text/plain")
		http.Error(w, "no such thing", http.StatusBadRequest)
		return
	case "cut the answer":
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("\x0a"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "disconnect", "lose the answer":
		panic(http.ErrAbortHandler)
	default:
		g.t.Errorf("no such action: %s", action)
	}
	answer, err := response.MarshalProto()
	if err != nil {
		g.t.Error(err)
	}
	_, _ = w.Write(answer)
}

func decoded(r *http.Request) ([]byte, error) {
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "zstd":
		z, err := zstd.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	}
	return io.ReadAll(r.Body)
}

func serve(t *testing.T, g *gateway) string {
	t.Helper()
	g.t, g.stored, g.said = t, map[string]int{}, map[string]int{}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return server.URL
}

// TestRetries has every temporary failure happen, many times, with requests in
// flight at once: each request must end up acknowledged exactly once, and what
// was sent again must be the same bytes.
func TestRetries(t *testing.T) {
	for _, compression := range []string{"", "gzip", "zstd"} {
		t.Run("compression="+compression, func(t *testing.T) {
			g := &gateway{}
			for range 4 {
				g.script = append(g.script, "503", "ok", "429", "disconnect", "lose the answer", "ok", "502", "cut the answer", "partial")
			}
			c := config(serve(t, g))
			c.Compression = compression
			client := newClient(t, c)

			var requests []otlpclient.Request
			for i := range 50 {
				requests = append(requests, logs(t, fmt.Sprint("r", i), 10))
			}
			var mu sync.Mutex
			settled := map[string]otlpclient.Outcome{}
			err := client.Pump(t.Context(), otlpclient.NewSlice(requests), otlpclient.PumpOptions{
				Drain: time.Minute,
				Settled: func(r otlpclient.Request, o otlpclient.Outcome, err error) {
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Errorf("a request was not acknowledged: %v", err)
					}
					settled[string(r.Body)] = o
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(settled) != 50 || len(g.stored) != 50 || len(g.said) != 50 {
				t.Fatalf("settled %d, stored %d, acknowledged %d distinct bodies; want 50 each", len(settled), len(g.stored), len(g.said))
			}
			for body, n := range g.said {
				if n != 1 {
					t.Errorf("a body was acknowledged %d times and sent again: %q", n, body[:20])
				}
			}
			total := client.Report().Logs
			if total.Events != 500 || total.Acknowledged != 496 || total.Rejected != 4 || total.Refused != 0 || total.Unanswered != 0 {
				t.Errorf("counted %+v; want 496 acknowledged and 4 rejected", total)
			}
			if total.Retried != 24 { // six of nine actions, four times
				t.Errorf("retried %d times, want 24", total.Retried)
			}
			if latency := client.Report().Latency; latency.P50 <= 0 || latency.Max < latency.P50 {
				t.Errorf("latency %+v", latency)
			}
		})
	}
}

// TestAway starts the gateway only after the client: what could not be sent is
// sent when there is somebody to take it.
func TestAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()

	client := newClient(t, config(address))
	done := make(chan error, 1)
	go func() {
		_, err := client.Send(t.Context(), logs(t, "patient", 1))
		done <- err
	}()
	for client.Report().Logs.Retried == 0 {
		time.Sleep(time.Millisecond)
	}
	g := &gateway{t: t, stored: map[string]int{}, said: map[string]int{}}
	listener, err = net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: g}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(g.said) != 1 {
		t.Errorf("%d bodies were acknowledged, want 1", len(g.said))
	}
}

func TestRefused(t *testing.T) {
	g := &gateway{script: []string{"400"}}
	client := newClient(t, config(serve(t, g)))
	_, err := client.Send(t.Context(), logs(t, "bad", 7))
	if !errors.Is(err, otlpclient.ErrRefused) || otlpclient.IsGivenUp(err) {
		t.Fatalf("error %v, want a refusal", err)
	}
	if want := "request refused: gateway answered 400 Bad Request: no such thing"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if total := client.Report().Logs; total.Refused != 7 || total.Retried != 0 {
		t.Errorf("counted %+v", total)
	}
}

func TestGivenUp(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	}))
	defer server.Close()
	defer close(release)
	client := newClient(t, config(server.URL))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := client.Send(ctx, logs(t, "lost", 3))
		done <- err
	}()
	for client.Report().Logs.Requests == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || !otlpclient.IsGivenUp(err) {
		t.Fatalf("error %v, want the context's", err)
	}
	if total := client.Report().Logs; total.Unanswered != 3 {
		t.Errorf("counted %+v, want 3 unanswered", total)
	}
}

func TestTokenAndTLS(t *testing.T) {
	var header http.Header
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		header = r.Header.Clone()
	}))
	defer server.Close()
	c := config(server.URL)
	c.Token = "sesame"
	c.TLS = server.Client().Transport.(*http.Transport).TLSClientConfig
	client := newClient(t, c)
	if _, err := client.Send(t.Context(), logs(t, "secret", 1)); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("Authorization"); got != "Bearer sesame" {
		t.Errorf("authorization %q", got)
	}
	if got := header.Get("Content-Type"); got != "application/x-protobuf" {
		t.Errorf("content type %q", got)
	}

	c.TLS = nil // the system's roots do not know the test's certificate
	stranger := newClient(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := stranger.Send(ctx, logs(t, "secret", 1))
		done <- err
	}()
	for stranger.Report().LastError == "" {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
}

func TestConfig(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*otlpclient.Config)
		want   string
	}{
		{"default", func(*otlpclient.Config) {}, ""},
		{"bare address", func(c *otlpclient.Config) { c.Endpoint = "localhost:4318" }, ""},
		{"IPv6", func(c *otlpclient.Config) { c.Endpoint = "http://[::1]:4318" }, ""},
		{"no port", func(c *otlpclient.Config) { c.Endpoint = "https://[::1]" }, ""},
		{"protocol", func(c *otlpclient.Config) { c.Protocol = "udp" }, `protocol "udp": want http or grpc`},
		{"scheme", func(c *otlpclient.Config) { c.Endpoint = "ftp://x" }, `endpoint "ftp://x": want scheme http or https, not ftp`},
		{"no host", func(c *otlpclient.Config) { c.Endpoint = "" }, `endpoint "": want host:port or a URL`},
		{"credentials", func(c *otlpclient.Config) { c.Endpoint = "http://a:b@c" }, `endpoint: credentials in the URL are not supported; use a token`},
		{"zstd over grpc", func(c *otlpclient.Config) { c.Protocol, c.Compression = "grpc", "zstd" }, "compression zstd: only over http; use gzip"},
		{"connections", func(c *otlpclient.Config) { c.Connections = 0 }, "connections 0: want 1 to 1024"},
		{"line break in token", func(c *otlpclient.Config) { c.Token = "a\r\nX: y" }, "token: it holds a line break"},
		{"secret of nowhere", func(c *otlpclient.Config) { c.Token = "env:GOSHAWK_NO_SUCH_VARIABLE" }, "reading the token: reading secret: environment variable GOSHAWK_NO_SUCH_VARIABLE is not set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := otlpclient.DefaultConfig()
			test.change(&c)
			client, err := otlpclient.New(c)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				client.Close()
			}
			if got != test.want {
				t.Errorf("error %q, want %q", got, test.want)
			}
		})
	}
}

// grpcGateway answers as its script says.
type grpcGateway struct {
	plogotlp.UnimplementedGRPCServer
	mu            sync.Mutex
	script        []error
	arrived       [][]byte
	authorization []string
}

func (g *grpcGateway) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	body, err := r.MarshalProto()
	if err != nil {
		return plogotlp.NewExportResponse(), err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	g.authorization = md.Get("authorization")
	g.arrived = append(g.arrived, body)
	response := plogotlp.NewExportResponse()
	if n := len(g.arrived); n <= len(g.script) && g.script[n-1] != nil {
		return response, g.script[n-1]
	}
	response.PartialSuccess().SetRejectedLogRecords(2)
	response.PartialSuccess().SetErrorMessage("two are odd")
	return response, nil
}

func TestGRPC(t *testing.T) {
	hinted, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Microsecond)})
	if err != nil {
		t.Fatal(err)
	}
	for _, compression := range []string{"", "gzip"} {
		g := &grpcGateway{script: []error{
			status.Error(codes.Unavailable, "starting"),
			hinted.Err(),
			status.Error(codes.Aborted, "again"),
			nil,
			status.Error(codes.ResourceExhausted, "too large, and no hint"),
			status.Error(codes.InvalidArgument, "malformed"),
		}}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		plogotlp.RegisterGRPCServer(server, g)
		go func() { _ = server.Serve(listener) }()

		c := config(listener.Addr().String())
		c.Protocol, c.Compression, c.Token = otlpclient.GRPC, compression, "sesame"
		client := newClient(t, c)
		request := logs(t, "grpc", 5)
		o, err := client.Send(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if o.Tries != 4 || o.Acknowledged != 3 || o.Rejected != 2 || o.Message != "two are odd" {
			t.Errorf("outcome %+v", o)
		}
		for i, body := range g.arrived {
			if !bytes.Equal(body, request.Body) {
				t.Errorf("try %d had other bytes", i)
			}
		}
		if len(g.authorization) != 1 || g.authorization[0] != "Bearer sesame" {
			t.Errorf("authorization %q", g.authorization)
		}
		for _, want := range []string{"too large, and no hint", "malformed"} {
			if _, err := client.Send(t.Context(), request); !errors.Is(err, otlpclient.ErrRefused) {
				t.Errorf("%s: error %v, want a refusal", want, err)
			}
		}
		if total := client.Report().Logs; total.Refused != 10 || total.Retried != 3 {
			t.Errorf("counted %+v", total)
		}
		server.Stop()
	}
}
