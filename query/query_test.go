package query_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/query"
	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/query/ledger"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/query/sql"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) {
	enginetest.Child()
	os.Exit(m.Run())
}

// service is a server that runs before a real engine.
type service struct {
	url   string
	store *querytest.Store
}

func start(t *testing.T, change func(*query.Config, *query.Deps)) *service {
	t.Helper()
	s := querytest.Start(t, func(c *engine.Config) { c.RowFilters = sql.RowFilters() })
	cfg := query.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.SQL.HTTPAddresses = []string{s.HTTP}
	reg := prometheus.NewRegistry()
	deps := query.Deps{Deps: api.Deps{Conn: s.Conn, Database: s.Database}, Columns: s.Columns, Gatherer: reg}
	if change != nil {
		change(&cfg, &deps)
	}
	server, err := query.New(cfg, deps, reg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, before,
			// An engine that the test started again.
			goleak.IgnoreAnyFunction("github.com/goshawk-observability/goshawk/internal/supervise.(*Process).run"),
			goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"))
	})
	scheme := "http://"
	if cfg.TLS.CertFile != "" {
		scheme = "https://"
	}
	return &service{scheme + server.Addr().String(), s}
}

// get returns status, headers and body. Headers are pairs of name and value.
func (s *service) get(t *testing.T, path string, headers ...string) (int, http.Header, string) {
	t.Helper()
	return s.do(t, http.MethodGet, path, "", headers...)
}

func (s *service) do(t *testing.T, method, path, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	a, err := transporttest.Ask(http.DefaultClient, request)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status, a.Header, a.Text
}

func TestRoutes(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		method, path, body string
		headers            []string
		status             int
		want               string
	}{
		{path: "/", headers: []string{"Accept", "text/html,*/*"}, status: 200, want: "<title>Goshawk</title>"},
		{path: "/", status: 200, want: "Ok."},
		{path: "/?query=SELECT%201", headers: []string{"Accept", "text/html"}, status: 200, want: "1"},
		{method: "POST", path: "/", body: "SELECT 40 + 2", status: 200, want: "42\n"},
		{method: "POST", path: "/", body: "SELECT currentUser()", headers: []string{"X-ClickHouse-User", "goshawk", "X-ClickHouse-Key", "x", "Authorization", "Basic Zm9vOmJhcg=="}, status: 200, want: "reader"},
		{path: "/sql?query=SELECT%201%20AS%20a", status: 200, want: "a\n1\n"},
		{path: "/sql?query=SELECT%201%20AS%20a", headers: []string{"Accept", "application/json"}, status: 200, want: `"data"`},
		{path: "/sql?query=SELECT%201%20AS%20a", headers: []string{"Accept", "text/csv"}, status: 200, want: "\"a\"\n1\n"},
		{path: "/sql?query=SELECT%201%20AS%20a", headers: []string{"Accept", "application/x-ndjson"}, status: 200, want: "{\"a\":1}\n"},
		{path: "/sql", status: 400, want: "there is no query"},
		{method: "PUT", path: "/sql", body: "SELECT 1", status: 405, want: "GET or POST"},
		{path: "/ping", status: 200, want: "Ok."},
		{path: "/healthz", status: 200, want: "Ok."},
		{path: "/readyz", status: 200, want: "Ok."},
		{path: "/metrics", status: 200, want: "goshawk_query_requests_total"},
		{path: "/assets/page.css", status: 200, want: "prefers-color-scheme"},
		{path: "/assets/nothing", status: 404},
		{path: "/nothing", status: 404},
		{path: "/api/v1/ledger?verify=maybe", status: 400, want: "neither true nor false"},
		{path: "/api/v1/ledger?since=soon", status: 400, want: "neither a duration"},
		{path: "/api/v1/ledger?tenant=x", status: 400, want: "not known"},
		{method: "POST", path: "/api/v1/flow", status: 405},
	} {
		method := c.method
		if method == "" {
			method = http.MethodGet
		}
		status, _, body := s.do(t, method, c.path, c.body, c.headers...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %v: %d %.200s\nwant %d %s", method, c.path, c.headers, status, body, c.status, c.want)
		}
	}
	_, headers, page := s.get(t, "/", "Accept", "text/html")
	if p := headers.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
		t.Errorf("policy of the page: %s", p)
	}
	// Whatever the page names is served, and nothing is fetched from elsewhere.
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "#") {
			continue
		}
		if status, _, _ := s.get(t, m[1]); status != http.StatusOK || !strings.HasPrefix(m[1], "/") {
			t.Errorf("the page names %s: %d", m[1], status)
		}
	}
	if regexp.MustCompile(`(?i)<script>|\son[a-z]+=|style=`).MatchString(page) {
		t.Error("the page has inline script or style, which its policy forbids")
	}
}

// TestOtherSites must get no answer: being on this machine is all it takes to
// ask, and a browser is.
func TestOtherSites(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) { c.AllowedHosts = []string{"goshawk.example"} })
	for _, c := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/?query=SELECT%201", nil, 200},
		{"/?query=SELECT%201", []string{"Host", "localhost:8428"}, 200},
		{"/?query=SELECT%201", []string{"Host", "[::1]:8428"}, 200},
		{"/?query=SELECT%201", []string{"Host", "Goshawk.example"}, 200},
		{"/?query=SELECT%201", []string{"Host", "attacker.example"}, 403},
		{"/healthz", []string{"Host", "attacker.example"}, 403},
		{"/?query=SELECT%201", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"/?query=SELECT%201", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"/?query=SELECT%201", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"/?query=SELECT%201", []string{"Origin", "https://attacker.example"}, 403},
		{"/?query=SELECT%201", []string{"Origin", "null"}, 403},
		{"/api/v1/flow", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"/", []string{"Sec-Fetch-Site", "cross-site", "Accept", "text/html"}, 200},
	} {
		status, headers, body := s.get(t, c.path, c.headers...)
		if status != c.status {
			t.Errorf("%s %v: %d %s, want %d", c.path, c.headers, status, body, c.status)
		}
		if headers.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %v: other sites may read the answer", c.path, c.headers)
		}
	}
}

func TestTokens(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) {
		c.Tokens = []query.TokenConfig{{Token: "of-acme", Tenant: "acme"}, {Token: "of-all", Operator: true}}
	})
	now := time.Now()
	for i, tenant := range []string{"acme", "zeta"} {
		s.store.Write(t, querytest.Block{
			Topic: "otlp_logs", Tenant: tenant, From: uint64(i), To: uint64(i) + 1, Time: now, Rows: map[string]uint64{tables.Logs: 10},
		})
	}
	count := "/?query=SELECT%20count()%20FROM%20logs"
	for _, c := range []struct {
		path    string
		headers []string
		status  int
		want    string
	}{
		{count, nil, 401, "no token"},
		{count, []string{"Authorization", "Bearer wrong"}, 401, "not known"},
		{count, []string{"Authorization", "Bearer "}, 401, "no token"},
		{count, []string{"Authorization", "Bearer of-acme"}, 200, "10\n"},
		{count, []string{"Authorization", "bearer of-all"}, 200, "20\n"},
		{count, []string{"X-ClickHouse-User", "x", "X-ClickHouse-Key", "of-acme"}, 200, "10\n"},
		{count + "&user=x&password=of-acme", nil, 200, "10\n"},
		{"/api/v1/flow", nil, 401, ""},
		{"/api/v1/flow", []string{"Authorization", "Bearer of-acme"}, 200, `"tables":[]`},
		{"/api/v1/flow", []string{"Authorization", "Bearer of-all"}, 200, `"name":"logs"`},
		{"/api/v1/ledger", []string{"Authorization", "Bearer of-acme"}, 200, `"accepted":10`},
		{"/api/v1/ledger?verify=true", []string{"Authorization", "Bearer of-acme"}, 200, `"found":10`},
		{"/api/v1/ledger", []string{"Authorization", "Bearer of-all"}, 200, `"accepted":20`},
		{"/metrics", []string{"Authorization", "Bearer of-acme"}, 403, "operator"},
		{"/metrics", []string{"Authorization", "Bearer of-all"}, 200, "goshawk_query"},
		{"/metrics", nil, 401, ""},
		{"/healthz", nil, 200, ""},
		{"/", []string{"Accept", "text/html"}, 200, "Goshawk"},
	} {
		status, _, body := s.get(t, c.path, c.headers...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %v: %d %.300s\nwant %d %s", c.path, c.headers, status, body, c.status, c.want)
		}
		if strings.Contains(fmt.Sprint(c.headers), "of-acme") && strings.Contains(body, "zeta") {
			t.Errorf("%s shows the other tenant: %s", c.path, body)
		}
	}
}

func TestAnonymousBesideTokens(t *testing.T) {
	s := start(t, func(c *query.Config, _ *query.Deps) {
		c.Tokens = []query.TokenConfig{{Token: "of-acme", Tenant: "acme"}}
		c.AllowAnonymous = true
	})
	s.store.Write(t, querytest.Block{Topic: "otlp_logs", Tenant: "acme", From: 0, To: 1, Time: time.Now(), Rows: map[string]uint64{tables.Logs: 10}})
	if status, _, body := s.get(t, "/?query=SELECT%20count()%20FROM%20logs"); status != http.StatusOK || body != "0\n" {
		t.Errorf("without a token: %d %s", status, body)
	}
}

func TestFlow(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second).Add(500 * time.Millisecond)
	s := start(t, func(_ *query.Config, d *query.Deps) {
		d.Now = func() time.Time { return now }
		d.Kafka = func(context.Context) ([]ledger.KafkaPartition, error) {
			return []ledger.KafkaPartition{{Topic: "otlp_logs", Committed: 20, End: 25}, {Topic: "otlp_logs", Partition: 1, Committed: -1, End: 4}}, nil
		}
		d.Components = func() []api.Component { return []api.Component{{Name: "broker", State: "up", PID: 7}} }
		d.Listeners = []api.Listener{{Name: "OTLP/HTTP", Address: "127.0.0.1:4318"}}
	})
	for i := range uint64(20) {
		s.store.Write(t, querytest.Block{
			Topic: "otlp_logs", Tenant: "acme", From: i, To: i + 1, Time: now.Add(-time.Duration(i) * time.Second),
			Rows: map[string]uint64{tables.Logs: 50}, Rejected: i % 2 * 10,
		})
	}
	status, _, body := s.get(t, "/api/v1/flow")
	var f api.Flow
	if err := json.Unmarshal([]byte(body), &f); err != nil || status != http.StatusOK || len(f.Errors) != 0 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	logs := f.Signals[0]
	if len(f.Signals) != 4 || logs.Signal != "logs" || logs.EventsPerSecond != 55 || logs.RejectedPerSecond != 5 || logs.BlocksPerSecond != 1 || logs.EventsPerBlock != 55 {
		t.Errorf("logs: %+v", logs)
	}
	if n := len(logs.History); n != api.HistorySeconds || logs.History[n-1] != 50 || logs.History[n-2] != 60 || logs.History[n-21] != 0 {
		t.Errorf("history: %v", logs.History)
	}
	if f.Lag == nil || f.Lag.Records != 9 || len(f.Lag.Partitions) != 2 || f.Lag.Partitions[0].Lag != 5 {
		t.Errorf("lag: %+v", f.Lag)
	}
	if t0 := f.Tables[0]; t0.Name != "logs" || t0.Rows != 1000 || t0.Bytes == 0 || t0.BytesPerRow != float64(t0.Bytes)/1000 || t0.Parts == 0 {
		t.Errorf("table: %+v", t0)
	}
	if f.Disk == nil || f.Disk.TotalBytes == 0 || f.Disk.FreeBytes == 0 || f.Components[0].PID != 7 || f.Listeners[0].Name != "OTLP/HTTP" {
		t.Errorf("%+v", f)
	}
	// The same answer serves for a second.
	if _, _, again := s.get(t, "/api/v1/flow"); again != body {
		t.Error("the answer was made again at once")
	}
}

func TestBackendAway(t *testing.T) {
	s := start(t, func(_ *query.Config, d *query.Deps) {
		d.Kafka = func(context.Context) ([]ledger.KafkaPartition, error) { return nil, fmt.Errorf("no broker") }
	})
	s.store.Stop()
	status, _, body := s.get(t, "/api/v1/flow")
	var f api.Flow
	if err := json.Unmarshal([]byte(body), &f); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	for _, part := range []string{"signals", "tables", "disk", "lag"} {
		if f.Errors[part] == "" {
			t.Errorf("nothing is said about %s: %v", part, f.Errors)
		}
	}
	if status, _, body = s.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "ClickHouse") {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, _, _ = s.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
	if status, _, body = s.get(t, "/api/v1/ledger"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"error"`) {
		t.Errorf("ledger: %d %s", status, body)
	}
	s.store.Restart(t)
	if status, _, body = s.get(t, "/api/v1/ledger"); status != http.StatusOK {
		t.Errorf("ledger after a restart: %d %s", status, body)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*query.Config){
		"":                          func(*query.Config) {},
		"no host:port":              func(c *query.Config) { c.Listen = "8428" },
		"query.tokens, or":          func(c *query.Config) { c.Listen = "0.0.0.0:8428" },
		"tokens[0]: the token":      func(c *query.Config) { c.Tokens = []query.TokenConfig{{Tenant: "a"}} },
		"tokens[0].tenant":          func(c *query.Config) { c.Tokens = []query.TokenConfig{{Token: "x", Tenant: "a/b"}} },
		"can only be one":           func(c *query.Config) { c.Tokens = []query.TokenConfig{{Token: "x", Tenant: "a", Operator: true}} },
		"default_tenant":            func(c *query.Config) { c.DefaultTenant = "" },
		"cert_file and key_file":    func(c *query.Config) { c.TLS.CertFile = "x" },
		"client_ca_file needs":      func(c *query.Config) { c.TLS.ClientCAFile = "x" },
		"query.limits.max_header":   func(c *query.Config) { c.Limits.MaxHeader = 1 },
		"max_connections":           func(c *query.Config) { c.Limits.MaxConnections = 0 },
		"query.limits.idle_timeout": func(c *query.Config) { c.Limits.IdleTimeout = 0 },
		"query.sql.limits":          func(c *query.Config) { c.SQL.Limits.MaxMemory = 0 },
		"query.traces.timeout":      func(c *query.Config) { c.Traces.Timeout = 0 },
		"query.traces.max_spans":    func(c *query.Config) { c.Traces.MaxSpans = 0 },
		"allowed_hosts":             func(c *query.Config) { c.AllowedHosts = []string{"http://x"} },
	} {
		cfg := query.DefaultConfig()
		change(&cfg)
		err := cfg.Validate()
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	open := query.DefaultConfig()
	open.Listen = "0.0.0.0:8428"
	open.AllowAnonymous = true
	if err := open.Validate(); err != nil {
		t.Error(err)
	}
	text, err := config.Format(query.Config{Tokens: []query.TokenConfig{{Token: "s3cret", Tenant: "a"}}})
	if err != nil || strings.Contains(string(text), "s3cret") {
		t.Errorf("%s %v", text, err)
	}
}
