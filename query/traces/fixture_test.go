package traces_test

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	prom "github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/goshawk"
	"github.com/goshawk-observability/goshawk/query/traces/jaeger"
	"github.com/goshawk-observability/goshawk/query/traces/tempo"
	"github.com/goshawk-observability/goshawk/query/traces/zipkin"
	sink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.MainTidy(m) }

// noon is what the times of these tests are counted from.
var noon = time.Date(2024, 5, 6, 12, 5, 0, 0, time.UTC)

func at(d time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(noon.Add(d)) }

// fixture is an engine with goshawk's tables and the sink that fills them.
type fixture struct {
	engine  *enginetest.Engine
	conn    driver.Conn
	columns *clickhouse.Columns
	sink    *sink.Sink
	offset  int64
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	e := enginetest.Start(t)
	conn, columns := clickhousetest.Open(t, e), clickhousetest.OpenColumns(t, e)
	dialect := tables.Dialect{Database: e.Database}
	m, err := migrations.New(conn, dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	cfg := sink.DefaultConfig()
	cfg.Retention.Spans = 20_000 // days: the data of tests is from long ago
	return &fixture{
		engine: e, conn: conn, columns: columns,
		sink: sink.New(conn, dialect, cfg, slog.New(slog.DiscardHandler), sink.NewMetrics(prom.NewRegistry())),
	}
}

// send stores traces as a record of Kafka would be.
func (f *fixture) send(t testing.TB, tenant string, td ptrace.Traces) {
	t.Helper()
	value, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	limits := otlp.DefaultLimits()
	limits.MaxAge, limits.MaxFuture = 100*365*24*time.Hour, 100*365*24*time.Hour
	limits.MaxRecordBytes = 256 << 20
	f.offset++
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "otlp_spans", From: f.offset, To: f.offset + 1, Signal: telemetry.Spans}}
	b.Records = append(b.Records, telemetry.Record{Offset: f.offset, Tenant: tenant, Value: value, Declared: -1})
	otlp.Decode(b, &limits)
	if len(b.Rejects) > 0 {
		t.Fatalf("rejected: %s", b.Rejects[0].Reason)
	}
	if err := f.sink.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// store makes a store with limits of its own.
func (f *fixture) store(change func(*traces.Config)) *traces.Store {
	cfg := traces.DefaultConfig()
	cfg.Lookback = 20 * 365 * 24 * time.Hour
	if change != nil {
		change(&cfg)
	}
	return traces.NewStore(cfg, f.columns, f.engine.Database, prom.NewRegistry(), slog.New(slog.DiscardHandler))
}

// server serves all APIs; the header Tenant says who asks.
type server struct{ *httptest.Server }

func (f *fixture) serve(t testing.TB, change func(*traces.Config)) *server {
	t.Helper()
	return f.serveLines(t, goshawk.Config{BusinessAttribute: goshawk.DefaultBusinessAttribute}, change)
}

// serveLines is serve with business lines.
func (f *fixture) serveLines(t testing.TB, cfg goshawk.Config, change func(*traces.Config)) *server {
	t.Helper()
	store := f.store(change)
	mux := http.NewServeMux()
	for _, api := range []traces.API{jaeger.New(store), zipkin.New(store), tempo.New(store, "1.2.3"), goshawk.New(cfg, store)} {
		for _, path := range api.Paths() {
			mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { api.Serve(w, r, r.Header.Get("Tenant")) })
		}
	}
	s := &server{httptest.NewServer(mux)}
	t.Cleanup(s.Close)
	return s
}

// answer is what a server answered.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *server) get(t testing.TB, tenant, path string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Tenant", tenant)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// traceID is an id of its own for every number.
func traceID(n int) pcommon.TraceID {
	return pcommon.TraceID{0x5a, 0x61, 0xa0, 0x4b, 15: byte(n), 14: byte(n >> 8)}
}

func hexOf(id pcommon.TraceID) string { return hex.EncodeToString(id[:]) }

func spanID(n int) pcommon.SpanID {
	return pcommon.SpanID{0xb7, 5: byte(n >> 16), 6: byte(n >> 8), 7: byte(n)}
}

// addService adds a resource of a service, and a scope.
func addService(td ptrace.Traces, service string, more map[string]any) ptrace.SpanSlice {
	rs := td.ResourceSpans().AppendEmpty()
	if err := rs.Resource().Attributes().FromRaw(more); err != nil {
		panic(err)
	}
	if service != "" {
		rs.Resource().Attributes().PutStr("service.name", service)
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("shop.instrumentation")
	ss.Scope().SetVersion("1.4")
	return ss.Spans()
}

// addSpan adds a span that starts after noon and lasts, with a parent unless 0.
func addSpan(to ptrace.SpanSlice, trace, id, parent int, name string, kind ptrace.SpanKind, start, length time.Duration) ptrace.Span {
	s := to.AppendEmpty()
	s.SetTraceID(traceID(trace))
	s.SetSpanID(spanID(id))
	if parent != 0 {
		s.SetParentSpanID(spanID(parent))
	}
	s.SetName(name)
	s.SetKind(kind)
	s.SetStartTimestamp(at(start))
	s.SetEndTimestamp(at(start + length))
	return s
}

// order is a trace of a shop: the frontend calls the cart, which asks a database
// and fails there, and sends a message that mail receives.
func order(trace int, start time.Duration) ptrace.Traces {
	td := ptrace.NewTraces()
	const ms = time.Millisecond
	frontend := addService(td, "frontend", map[string]any{"host.name": "web-1", "process.pid": 4711, "cloud.spot": true, "process.command_args": []any{"a", "b"}})
	root := addSpan(frontend, trace, 1, 0, "GET /cart", ptrace.SpanKindServer, start, 100*ms)
	root.TraceState().FromRaw("vendor=x")
	root.SetFlags(1)
	_ = root.Attributes().FromRaw(map[string]any{
		"http.request.method": "GET", "http.response.status_code": 500, "http.route": "/cart", "ratio": 0.25, "big": int64(1) << 60,
		"cached": true, "error": true, "empty": "", "quoted \"key\"": "it's \\ \"so\"", "list": []any{"x", int64(1)},
	})
	call := addSpan(frontend, trace, 2, 1, "cart.get", ptrace.SpanKindClient, start+10*ms, 80*ms)
	call.Attributes().PutStr("server.address", "10.0.0.7")
	call.Attributes().PutInt("server.port", 8080)
	link := call.Links().AppendEmpty()
	link.SetTraceID(traceID(999))
	link.SetSpanID(spanID(77))
	link.TraceState().FromRaw("l=1")
	link.Attributes().PutStr("why", "retry")

	cart := addService(td, "cart", map[string]any{"host.name": "app-1"})
	server := addSpan(cart, trace, 3, 2, "cart.get", ptrace.SpanKindServer, start+15*ms, 70*ms)
	server.Attributes().PutStr("client.address", "2001:db8::1")
	query := addSpan(cart, trace, 4, 3, "SELECT carts", ptrace.SpanKindClient, start+20*ms, 50*ms)
	query.Attributes().PutStr("db.system.name", "postgresql")
	query.Status().SetCode(ptrace.StatusCodeError)
	query.Status().SetMessage("deadlock")
	event := query.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(at(start + 60*ms))
	event.Attributes().PutStr("exception.type", "Deadlock")
	event.Attributes().PutInt("attempt", 3)
	event.Attributes().PutBool("exception.escaped", false)
	query.Events().AppendEmpty().SetTimestamp(at(start + 65*ms))
	publish := addSpan(cart, trace, 5, 3, "carts publish", ptrace.SpanKindProducer, start+75*ms, 2*ms)
	publish.Attributes().PutStr("messaging.system", "kafka")
	publish.Status().SetCode(ptrace.StatusCodeOk)

	mail := addService(td, "mail", nil)
	addSpan(mail, trace, 6, 5, "carts process", ptrace.SpanKindConsumer, start+200*ms, 30*ms)
	addSpan(mail, trace, 7, 6, "render", ptrace.SpanKindInternal, start+205*ms, 10*ms)
	return td
}
