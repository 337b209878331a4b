package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestStoppingFinishesRequestsInFlight(t *testing.T) {
	g := start(t, nil)
	release := g.recorder.Hold()
	encoded, _ := exportRequest(t, telemetry.Logs, 3)
	overHTTP := make(chan answered, 1)
	go func() {
		a, _ := g.trySend(context.Background(), request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(encoded)})
		overHTTP <- a
	}()
	overGRPC := make(chan error, 1)
	client := collogs.NewLogsServiceClient(g.dial(t))
	message := parse(t, new(collogs.ExportLogsServiceRequest), encoded)
	go func() {
		_, err := client.Export(context.Background(), message)
		overGRPC <- err
	}()
	<-g.recorder.Entered
	<-g.recorder.Entered
	g.stop()
	waitFor(t, "the ports to be closed", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	release()
	if a := <-overHTTP; a.status != 200 {
		t.Errorf("the request over HTTP ended with %d", a.status)
	}
	if err := <-overGRPC; err != nil {
		t.Errorf("the call over gRPC ended with %v", err)
	}
	if n := events(g.recorder.Take()); n != 6 {
		t.Errorf("%d events were produced, want 6", n)
	}
}

func TestStoppingDoesNotWaitForever(t *testing.T) {
	g := start(t, func(cfg *Config) { cfg.ShutdownTimeout = 50 * time.Millisecond })
	defer g.recorder.Hold()()
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	ended := make(chan error, 2)
	go func() {
		a, err := g.trySend(context.Background(), request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(encoded)})
		if err == nil && a.status == 200 {
			err = errors.New("success without an acknowledgement")
		} else {
			err = nil
		}
		ended <- err
	}()
	client := collogs.NewLogsServiceClient(g.dial(t))
	message := parse(t, new(collogs.ExportLogsServiceRequest), encoded)
	go func() {
		_, err := client.Export(context.Background(), message)
		if err == nil {
			ended <- errors.New("success without an acknowledgement")
			return
		}
		ended <- nil
	}()
	<-g.recorder.Entered
	<-g.recorder.Entered
	g.stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	err := <-g.done
	g.done <- err
	if err != nil {
		t.Errorf("run: %v", err)
	}
}

func get(t *testing.T, g *running, path string) answered {
	t.Helper()
	return g.send(t, request{method: http.MethodGet, path: path})
}

func TestPages(t *testing.T) {
	g := start(t, nil)
	if a := get(t, g, "/"); a.status != 200 || !strings.Contains(string(a.body), "/v1/traces") {
		t.Errorf("/ is %d %q", a.status, a.body)
	}
	if a := get(t, g, "/healthz"); a.status != 200 || string(a.body) != "{\"ok\":true}\n" {
		t.Errorf("/healthz is %d %q", a.status, a.body)
	}
	encoded, _ := exportRequest(t, telemetry.Metrics, 4)
	g.send(t, request{path: "/v1/metrics", contentType: contentProtobuf, body: bytes.NewReader(encoded)})
	a := get(t, g, "/metrics")
	for _, line := range []string{
		`goshawk_gateway_accepted_events_total{signal="metrics"} 4`,
		`goshawk_gateway_requests_total{protocol="http",signal="metrics",status="200"} 1`,
		`goshawk_gateway_inflight_limit_bytes 6.7108864e+07`,
		`goshawk_gateway_rejected_events_total{reason="malformed",signal="logs"} 0`,
	} {
		if !strings.Contains(string(a.body), line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

func TestReadinessFollowsKafka(t *testing.T) {
	r := topictest.NewRecorder()
	r.Fail(topic.ErrUnavailable, topic.ErrUnavailable)
	g := startWith(t, r, nil)
	type readiness struct {
		Ready  bool
		Checks map[string]check
	}
	ready := func() (int, readiness) {
		a := get(t, g, "/readyz")
		var r readiness
		if err := json.Unmarshal(a.body, &r); err != nil {
			t.Fatalf("%q: %v", a.body, err)
		}
		return a.status, r
	}
	waitFor(t, "the first question to kafka", func() bool {
		_, r := ready()
		return r.Checks["kafka"].Error == topic.ErrUnavailable.Error()
	})
	if status, r := ready(); status != 503 || r.Ready || !r.Checks["running"].OK {
		t.Errorf("/readyz is %d %+v while kafka is away", status, r)
	}
	r.Fail(nil, nil)
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	if a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(encoded)}); a.status != 200 {
		t.Fatalf("status %d", a.status)
	}
	if status, r := ready(); status != 200 || !r.Ready {
		t.Errorf("/readyz is %d %+v after an acknowledgement", status, r)
	}
	r.Fail(topic.ErrUnavailable, nil)
	g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(encoded)})
	if status, r := ready(); status != 503 || r.Ready {
		t.Errorf("/readyz is %d %+v after a request was not acknowledged", status, r)
	}
	if n := strings.Count(g.log.String(), "telemetry is refused"); n != 1 {
		t.Errorf("the log has %d lines about kafka:\n%s", n, g.log)
	}
}

// pinging is a producer that can be asked directly.
type pinging struct {
	*topictest.Recorder
	away atomic.Bool
}

func (p *pinging) Ping(context.Context) error {
	if p.away.Load() {
		return topic.ErrUnavailable
	}
	return nil
}

// TestKnownOutageIsAnsweredAtOnce has a producer that would wait for ever.
func TestKnownOutageIsAnsweredAtOnce(t *testing.T) {
	p := &pinging{Recorder: topictest.NewRecorder()}
	p.away.Store(true)
	defer p.Hold()()
	g := startProducer(t, p, p.Recorder, func(cfg *Config) { cfg.RequestTimeout = time.Hour })
	waitFor(t, "the first question to kafka", func() bool { return g.health.problem.Load() != nil })
	encoded, _ := exportRequest(t, telemetry.Logs, 1)
	a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(encoded)})
	if a.status != 503 || a.header.Get("Retry-After") != "5" {
		t.Errorf("status is %d with Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	p.away.Store(false)
	p.Hold()() // nothing waits any more
	waitFor(t, "kafka to be back", func() bool { return get(t, g, "/readyz").status == 200 })
	if a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(encoded)}); a.status != 200 {
		t.Errorf("status is %d when kafka is back", a.status)
	}
}

func TestCORS(t *testing.T) {
	_, asJSON := exportRequest(t, telemetry.Spans, 1)
	g := start(t, func(cfg *Config) { cfg.CORS.AllowedOrigins = []string{"https://shop.example"} })
	preflight := func(origin string) answered {
		return g.send(t, request{method: http.MethodOptions, path: "/v1/traces", header: map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type",
		}})
	}
	a := preflight("https://shop.example")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://shop.example" ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Content-Type") || a.header.Get("Vary") != "Origin" {
		t.Errorf("preflight of a known page: %d %v", a.status, a.header)
	}
	if a := preflight("https://evil.example"); a.status != 405 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of an unknown page: %d %v", a.status, a.header)
	}
	send := func(origin string) answered {
		return g.send(t, request{path: "/v1/traces", contentType: contentJSON, header: map[string]string{"Origin": origin}, body: bytes.NewReader(asJSON)})
	}
	if a := send("https://shop.example"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "https://shop.example" {
		t.Errorf("request of a known page: %d %v", a.status, a.header)
	}
	if a := send("https://evil.example"); a.status != 403 {
		t.Errorf("request of an unknown page: %d", a.status)
	}
}

// TestAnotherProtocolIsARoute shows what a protocol beside OTLP has to bring.
func TestAnotherProtocolIsARoute(t *testing.T) {
	encoded, _ := exportRequest(t, telemetry.Logs, 2)
	upper := Route{Path: "/upside/down", Signal: telemetry.Logs, Formats: []Format{{
		ContentType: "text/reversed",
		Convert: func(dst, body []byte) ([]byte, error) {
			if cap(dst) < len(body) {
				return nil, ErrNoRoom
			}
			for i := len(body) - 1; i >= 0; i-- {
				dst = append(dst, body[i])
			}
			return dst, nil
		},
		Body: func(_ telemetry.Signal, a Answer) []byte { return []byte(http.StatusText(a.Status)) },
	}}}
	g := start(t, func(cfg *Config) { cfg.Tokens = []TokenConfig{{Token: "x", Tenant: "acme"}} }, upper)
	reversed := make([]byte, 0, len(encoded))
	for i := len(encoded) - 1; i >= 0; i-- {
		reversed = append(reversed, encoded[i])
	}
	a := g.send(t, request{path: "/upside/down", contentType: "text/reversed", token: "x", body: bytes.NewReader(reversed)})
	if a.status != 200 || string(a.body) != "OK" || a.header.Get("Content-Type") != "text/reversed" {
		t.Errorf("the answer is %d %q", a.status, a.body)
	}
	if parts := g.recorder.Take(); events(parts) != 2 || parts[0].Tenant != "acme" {
		t.Errorf("parts are %+v", parts)
	}
	if _, err := New(testConfig(), g.recorder, prometheus.NewRegistry(), slog.New(slog.DiscardHandler), Route{Path: "/v1/logs"}); err == nil {
		t.Error("a path was routed twice")
	}
}

// TestSuccessCanBeQueued has a protocol whose success is 202, over HTTP and gRPC.
func TestSuccessCanBeQueued(t *testing.T) {
	encoded, _ := exportRequest(t, telemetry.Logs, 2)
	says := func(_ telemetry.Signal, a Answer) []byte { return []byte(a.Message) }
	g := start(t, func(cfg *Config) { cfg.MoreGRPC, cfg.MoreHTTP = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"} },
		Route{Path: "/queue", Signal: telemetry.Logs, Formats: []Format{{ContentType: contentProtobuf, Queued: true, Body: says}}},
		Route{Path: "/queue.Service/Put", Signal: telemetry.Logs, GRPC: true, Formats: []Format{{ContentType: contentProtobuf, Body: says}}})
	for _, url := range []string{g.url, "http://" + g.Addrs().MoreHTTP[0].String()} {
		g.url = url
		if a := g.send(t, request{path: "/queue", contentType: contentProtobuf, body: bytes.NewReader(encoded)}); a.status != 202 || events(g.recorder.Take()) != 2 {
			t.Errorf("%s: the answer is %d", url, a.status)
		}
		if a := g.send(t, request{path: "/queue", contentType: contentProtobuf, body: strings.NewReader("x")}); a.status != 400 {
			t.Errorf("%s: the answer to nonsense is %d", url, a.status)
		}
	}
	for _, address := range []string{g.grpc, g.Addrs().MoreGRPC[0].String()} {
		g.grpc = address
		client := g.dial(t)
		message := parse(t, new(collogs.ExportLogsServiceRequest), encoded)
		if err := client.Invoke(t.Context(), "/queue.Service/Put", message, new(collogs.ExportLogsServiceResponse)); err != nil || events(g.recorder.Take()) != 2 {
			t.Errorf("%s: %v", address, err)
		}
	}
	for name, r := range map[string]Route{
		"no method":         {Path: "/queue.Service", GRPC: true, Formats: make([]Format, 1)},
		"no format":         {Path: "/queue.Service/Put", GRPC: true},
		"a service of OTLP": {Path: "/" + grpcServices[telemetry.Logs] + "/Export", GRPC: true, Formats: make([]Format, 1)},
	} {
		if _, err := New(testConfig(), g.recorder, prometheus.NewRegistry(), slog.New(slog.DiscardHandler), r); err == nil {
			t.Errorf("%s is routed", name)
		}
	}
}

func TestProtocolsCanBeTurnedOff(t *testing.T) {
	g := start(t, func(cfg *Config) { cfg.OTLPGRPC = "" })
	if g.Addrs().GRPC != nil || g.Addrs().HTTP == nil {
		t.Errorf("addresses are %+v", g.Addrs())
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := testConfig()
	cfg.OTLPHTTP = l.Addr().String()
	g, err := New(cfg, topictest.NewRecorder(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "listening for OTLP over http on "+cfg.OTLPHTTP) {
		t.Errorf("error is %v", err)
	}
}

func TestConfigurationMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"defaults":               {func(*Config) {}, ""},
		"nothing to listen on":   {func(c *Config) { c.OTLPGRPC, c.OTLPHTTP = "", "" }, "nothing to listen on"},
		"no port":                {func(c *Config) { c.OTLPHTTP = "localhost" }, "no host:port"},
		"everybody, no tokens":   {func(c *Config) { c.OTLPHTTP = ":4318" }, "can be reached from other machines"},
		"everybody, by name":     {func(c *Config) { c.OTLPGRPC = "gateway.example:4317" }, "can be reached from other machines"},
		"everybody, IPv6":        {func(c *Config) { c.OTLPGRPC = "[::]:4317" }, "can be reached from other machines"},
		"one more, no tokens":    {func(c *Config) { c.MoreHTTP = []string{"127.0.0.1:1", ":9411"} }, "gateway.more_http: :9411 can be reached"},
		"one more, no address":   {func(c *Config) { c.MoreGRPC = []string{""} }, "gateway.more_grpc: \"\" is no host:port"},
		"more, on loopback":      {func(c *Config) { c.MoreGRPC, c.MoreHTTP = []string{"[::1]:1"}, []string{"127.0.0.1:1", "127.0.0.1:2"} }, ""},
		"loopback, IPv6":         {func(c *Config) { c.OTLPGRPC = "[::1]:4317" }, ""},
		"loopback, by name":      {func(c *Config) { c.OTLPGRPC = "localhost:4317" }, ""},
		"everybody, with tokens": {func(c *Config) { c.OTLPHTTP = ":4318"; c.Tokens = []TokenConfig{{Token: "a", Tenant: "b"}} }, ""},
		"everybody, on purpose":  {func(c *Config) { c.OTLPHTTP = ":4318"; c.AllowAnonymous = true }, ""},
		"empty token":            {func(c *Config) { c.Tokens = []TokenConfig{{Tenant: "b"}} }, "the token is empty"},
		"bad tenant":             {func(c *Config) { c.Tokens = []TokenConfig{{Token: "a", Tenant: "b/c"}} }, `"b/c"`},
		"bad signal":             {func(c *Config) { c.Tokens = []TokenConfig{{Token: "a", Tenant: "b", Signals: []string{"traces"}}} }, `"traces" is none of`},
		"token twice":            {func(c *Config) { c.Tokens = []TokenConfig{{Token: "a", Tenant: "b"}, {Token: "a", Tenant: "c"}} }, "same token"},
		"bad default tenant":     {func(c *Config) { c.DefaultTenant = "" }, "default_tenant"},
		"certificate alone":      {func(c *Config) { c.TLS.CertFile = "x" }, "belong together"},
		"authority alone":        {func(c *Config) { c.TLS.ClientCAFile = "x" }, "needs cert_file"},
		"bad origin":             {func(c *Config) { c.CORS.AllowedOrigins = []string{"shop.example"} }, "no origin"},
		"tiny body":              {func(c *Config) { c.Limits.MaxBody = 1 }, "max_body"},
		"in flight too small":    {func(c *Config) { c.Limits.MaxInflight = 20 << 20 }, "could never be taken"},
		"no depth":               {func(c *Config) { c.Limits.MaxJSONDepth = 0 }, "max_json_depth"},
		"no connections":         {func(c *Config) { c.Limits.MaxConnections = 0 }, "max_connections"},
		"no time":                {func(c *Config) { c.Limits.ReadTimeout = 0 }, "read_timeout"},
		"bad event limits":       {func(c *Config) { c.Events.MaxDepth = 0 }, "gateway.events: max_depth"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.change(&cfg)
			err := cfg.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestConfigurationFromYAML(t *testing.T) {
	cfg := DefaultConfig()
	err := config.Parse([]byte(`
otlp_grpc: ""
otlp_http: 0.0.0.0:14318
tokens:
  - {token: env:SECRET, tenant: acme, signals: [logs]}
tls: {cert_file: a, key_file: b}
limits: {max_body: 1MiB, read_timeout: 3s}
events: {max_age: 48h}
`), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.OTLPHTTP != "0.0.0.0:14318" || cfg.Tokens[0].Tenant != "acme" || cfg.Limits.MaxBody != 1<<20 ||
		cfg.Limits.ReadTimeout != 3*time.Second || cfg.Events.MaxAge != 48*time.Hour || cfg.Limits.MaxInflight != 64<<20 {
		t.Errorf("configuration is %+v", cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	t.Setenv("SECRET", "s3cret")
	cfg = testConfig()
	cfg.Tokens = []TokenConfig{{Token: "env:SECRET", Tenant: "acme"}}
	tokens, err := newTokens(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if tenant, problem := tokens.tenant("bearer  s3cret", telemetry.Logs); problem != nil || tenant != "acme" {
		t.Errorf("tenant is %q, %v", tenant, problem)
	}
	cfg.AllowAnonymous = true
	if tokens, err = newTokens(cfg); err != nil {
		t.Fatal(err)
	}
	if tenant, problem := tokens.tenant("", telemetry.Logs); problem != nil || tenant != "default" {
		t.Errorf("the tenant of anonymous senders is %q, %v", tenant, problem)
	}
	if _, problem := tokens.tenant("Bearer wrong", telemetry.Logs); problem == nil {
		t.Error("a wrong token was taken as none")
	}
}
