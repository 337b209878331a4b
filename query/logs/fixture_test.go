package logs_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	prom "github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/goshawk"
	"github.com/goshawk-observability/goshawk/query/logs/loki"
	sink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.MainTidy(m) }

// noon is what the times of these tests are counted from.
var noon = time.Date(2024, 5, 6, 12, 5, 0, 0, time.UTC)

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
	cfg.Retention.Logs = 20_000 // days: the data of tests is from long ago
	return &fixture{
		engine: e, conn: conn, columns: columns,
		sink: sink.New(conn, dialect, cfg, slog.New(slog.DiscardHandler), sink.NewMetrics(prom.NewRegistry())),
	}
}

// record is a line to store.
type record struct {
	at       time.Duration // after noon
	severity plog.SeverityNumber
	body     string
	resource map[string]any
	attrs    map[string]any
	trace    pcommon.TraceID
	span     pcommon.SpanID
	event    string
}

// send stores lines as a record of Kafka would be.
func (f *fixture) send(t testing.TB, tenant string, records ...record) {
	t.Helper()
	ld := plog.NewLogs()
	for _, r := range records {
		rl := ld.ResourceLogs().AppendEmpty()
		if err := rl.Resource().Attributes().FromRaw(r.resource); err != nil {
			t.Fatal(err)
		}
		l := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		l.SetTimestamp(pcommon.NewTimestampFromTime(noon.Add(r.at)))
		l.SetSeverityNumber(r.severity)
		l.Body().SetStr(r.body)
		l.SetTraceID(r.trace)
		l.SetSpanID(r.span)
		l.SetEventName(r.event)
		if err := l.Attributes().FromRaw(r.attrs); err != nil {
			t.Fatal(err)
		}
	}
	value, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	if err != nil {
		t.Fatal(err)
	}
	limits := otlp.DefaultLimits()
	limits.MaxAge, limits.MaxFuture = 100*365*24*time.Hour, 100*365*24*time.Hour
	limits.MaxRecordBytes = 256 << 20
	f.offset++
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "otlp_logs", From: f.offset, To: f.offset + 1, Signal: telemetry.Logs}}
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
func (f *fixture) store(change func(*logs.Config)) *logs.Store {
	cfg := logs.DefaultConfig()
	cfg.Lookback = 20 * 365 * 24 * time.Hour
	cfg.StreamCache = 0
	if change != nil {
		change(&cfg)
	}
	return logs.NewStore(cfg, f.columns, f.engine.Database, prom.NewRegistry(), slog.New(slog.DiscardHandler))
}

// server serves both APIs; the header Tenant says who asks.
type server struct{ *httptest.Server }

func (f *fixture) serve(t testing.TB, change func(*logs.Config)) *server {
	t.Helper()
	store := f.store(change)
	mux := http.NewServeMux()
	for _, api := range []logs.API{loki.New(store, "1.2.3"), goshawk.New(store)} {
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
	return s.do(t, tenant, http.MethodGet, path, "", headers...)
}

func (s *server) do(t testing.TB, tenant, method, path, form string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequest(method, s.URL+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Tenant", tenant)
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
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
