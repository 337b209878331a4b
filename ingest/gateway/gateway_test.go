package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func events(parts []topic.Part) (n int64) {
	for _, p := range parts {
		n += p.Events
	}
	return n
}

// running is a gateway that serves until the test ends.
type running struct {
	*Gateway
	recorder *topictest.Recorder
	registry *prometheus.Registry
	url      string
	grpc     string
	stop     context.CancelFunc
	done     chan error
	log      *observetest.Log
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.OTLPGRPC, cfg.OTLPHTTP = "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

func start(t testing.TB, change func(*Config), more ...Route) *running {
	t.Helper()
	return startWith(t, topictest.NewRecorder(), change, more...)
}

func startWith(t testing.TB, r *topictest.Recorder, change func(*Config), more ...Route) *running {
	t.Helper()
	return startProducer(t, r, r, change, more...)
}

func startProducer(t testing.TB, p Producer, r *topictest.Recorder, change func(*Config), more ...Route) *running {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	log := new(observetest.Log)
	reg := prometheus.NewRegistry()
	g, err := New(cfg, p, reg, slog.New(slog.NewTextHandler(log, nil)), more...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{Gateway: g, recorder: r, registry: reg, stop: cancel, done: make(chan error, 1), log: log}
	go func() { run.done <- g.Run(ctx) }()
	select {
	case <-g.Ready():
	case err := <-run.done:
		t.Fatal(err)
	}
	scheme := "http"
	if cfg.TLS.Enabled() {
		scheme = "https"
	}
	if a := g.Addrs().HTTP; a != nil {
		run.url = fmt.Sprintf("%s://%s", scheme, a)
	}
	if a := g.Addrs().GRPC; a != nil {
		run.grpc = a.String()
	}
	t.Cleanup(func() {
		cancel()
		if err := <-run.done; err != nil {
			t.Errorf("run: %v", err)
		}
		run.done <- nil // for tests that stopped it themselves
	})
	return run
}

// answered is what came back over HTTP.
type answered struct {
	status int
	header http.Header
	body   []byte
}

type request struct {
	method, path, contentType, encoding, token string
	header                                     map[string]string
	body                                       io.Reader
}

// client keeps no connection, so that none outlives a test.
func client(cfg *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: cfg, DisableCompression: true}}
}

func (g *running) send(t testing.TB, r request) answered {
	t.Helper()
	a, err := g.trySend(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (g *running) trySend(ctx context.Context, r request) (answered, error) {
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, r.method, g.url+r.path, r.body)
	if err != nil {
		return answered{}, err
	}
	for name, value := range map[string]string{"Content-Type": r.contentType, "Content-Encoding": r.encoding} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	c := client(nil)
	defer c.CloseIdleConnections()
	res, err := c.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answered{res.StatusCode, res.Header, body}, err
}

// paths of the signals.
var paths = [len(telemetry.Signals)]string{"/v1/logs", "/v1/traces", "/v1/metrics"}

// exportRequest is a valid request of n events, in protobuf and in JSON. Its
// resources differ, so that it is cut into several parts.
func exportRequest(t testing.TB, signal telemetry.Signal, n int) (protobuf, asJSON []byte) {
	t.Helper()
	now := pcommon.NewTimestampFromTime(time.Now())
	var e encoder
	switch signal {
	case telemetry.Logs:
		logs := plog.NewLogs()
		for i := range n {
			rl := logs.ResourceLogs().AppendEmpty()
			rl.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", i%7))
			r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
			r.SetTimestamp(now)
			r.Body().SetStr(fmt.Sprintf("line %d", i))
		}
		e = plogotlp.NewExportRequestFromLogs(logs)
	case telemetry.Spans:
		traces := ptrace.NewTraces()
		ss := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
		for i := range n {
			s := ss.Spans().AppendEmpty()
			s.SetTraceID(pcommon.TraceID{1, byte(i), byte(i >> 8)})
			s.SetSpanID(pcommon.SpanID{1, byte(i), byte(i >> 8)})
			s.SetStartTimestamp(now)
			s.SetEndTimestamp(now)
			s.SetName("GET /")
		}
		e = ptraceotlp.NewExportRequestFromTraces(traces)
	default:
		metrics := pmetric.NewMetrics()
		for i := range n {
			rm := metrics.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("host.name", fmt.Sprintf("host-%d", i%7))
			m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			m.SetName("load")
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(now)
			p.SetDoubleValue(float64(i))
		}
		e = pmetricotlp.NewExportRequestFromMetrics(metrics)
	}
	return encoded(t, e)
}

// encoder is a request of any signal.
type encoder interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func encoded(t testing.TB, e encoder) (protobuf, asJSON []byte) {
	t.Helper()
	protobuf, err := e.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	if asJSON, err = e.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	return protobuf, asJSON
}

func TestSuccessMeansThatEveryEventWasProduced(t *testing.T) {
	g := start(t, nil)
	for _, signal := range telemetry.Signals {
		protobuf, asJSON := exportRequest(t, signal, 50)
		for contentType, body := range map[string][]byte{
			contentProtobuf: protobuf, contentJSON: asJSON, "application/json; charset=utf-8": asJSON,
		} {
			t.Run(signal.String()+" "+contentType, func(t *testing.T) {
				a := g.send(t, request{path: paths[signal], contentType: contentType, body: bytes.NewReader(body)})
				if a.status != http.StatusOK {
					t.Fatalf("status %d: %s", a.status, a.body)
				}
				want := map[string]string{contentProtobuf: ""}[contentType]
				if contentType != contentProtobuf {
					want = "{}"
				}
				if string(a.body) != want {
					t.Errorf("body is %q, want %q", a.body, want)
				}
				parts := g.recorder.Take()
				if events(parts) != 50 || len(parts) < 2 {
					t.Errorf("%d parts with %d events were produced, want several with 50", len(parts), events(parts))
				}
				for _, p := range parts {
					if p.Topic != "otlp_"+signal.String() || p.Tenant != "default" || p.Received == 0 || p.BatchID.IsZero() {
						t.Errorf("part is %+v", p)
					}
				}
			})
		}
	}
}

func TestRepeatHasTheSameParts(t *testing.T) {
	g := start(t, nil)
	body, _ := exportRequest(t, telemetry.Logs, 30)
	other, _ := exportRequest(t, telemetry.Logs, 31)
	ids := func(body []byte) []topic.BatchID {
		a := g.send(t, request{path: "/v1/logs", contentType: contentProtobuf, body: bytes.NewReader(body)})
		if a.status != http.StatusOK {
			t.Fatalf("status %d", a.status)
		}
		var ids []topic.BatchID
		for _, p := range g.recorder.Take() {
			ids = append(ids, p.BatchID)
		}
		return ids
	}
	first, second, third := ids(body), ids(body), ids(other)
	if !slices.Equal(first, second) {
		t.Errorf("the same body has the ids %x and %x", first, second)
	}
	seen := map[topic.BatchID]bool{}
	for _, id := range append(first, third...) {
		if seen[id] {
			t.Errorf("id %x occurs twice", id)
		}
		seen[id] = true
	}
}

func TestEmptyRequestSucceedsAndProducesNothing(t *testing.T) {
	g := start(t, nil)
	for contentType, body := range map[string]string{contentProtobuf: "", contentJSON: "{}"} {
		a := g.send(t, request{path: "/v1/metrics", contentType: contentType, body: bytes.NewReader([]byte(body))})
		if a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", contentType, a.status, a.body)
		}
	}
	if parts := g.recorder.Take(); len(parts) != 0 {
		t.Errorf("%d parts were produced", len(parts))
	}
}
