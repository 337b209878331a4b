package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/teststorage"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// goshawkConfig lets in data of any age, and the functions that Prometheus calls
// experimental.
const goshawkConfig = `
sinks: {clickhouse: {retention_days: {metrics: 3650}}}
`

// options are what the parser of the reference lets in; the settings of goshawk
// below say the same.
var options = parser.Options{
	EnableExperimentalFunctions: true, ExperimentalDurationExpr: true,
	EnableExtendedRangeSelectors: true, EnableBinopFillModifiers: true,
}

// mostSamples is how many samples a query may hold, here and there.
const mostSamples = 5_000_000

// startGoshawk starts everything by one `goshawk up` with settings for old data.
func startGoshawk(t *testing.T, settings string) *cluster.Cluster {
	t.Helper()
	t.Setenv("GOSHAWK_GATEWAY_EVENTS_MAX_AGE", "876000h")
	t.Setenv("GOSHAWK_QUERY_PROMQL_EXPERIMENTAL_FUNCTIONS", "true")
	t.Setenv("GOSHAWK_QUERY_PROMQL_MAX_SAMPLES", fmt.Sprint(mostSamples))
	return cluster.Start(t, cluster.Options{Up: true, Config: goshawkConfig + settings})
}

// startReference starts the engine, the storage and the API of the Prometheus
// that goshawk is built with, and returns its URL.
func startReference(t *testing.T) string {
	t.Helper()
	store := teststorage.New(t)
	log := slog.New(slog.DiscardHandler)
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: log, MaxSamples: mostSamples, Timeout: 2 * time.Minute, LookbackDelta: 5 * time.Minute,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		EnableAtModifier:         true, EnableNegativeOffset: true, Parser: parser.NewParser(options),
	})
	api := v1.NewAPI(
		engine, ordered{store}, store, store, store,
		func(context.Context) v1.ScrapePoolsRetriever { return empty{} },
		func(context.Context) v1.TargetRetriever { return nil },
		func(context.Context) v1.AlertmanagerRetriever { return empty{} },
		func() config.Config { return config.DefaultConfig }, map[string]string{}, v1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next },
		nil, "", false, false, 0, log,
		func(context.Context) v1.RulesRetriever { return empty{} },
		5e7, 10, 1<<20, false, nil,
		func() (v1.RuntimeInfo, error) { return v1.RuntimeInfo{}, nil },
		&v1.PrometheusVersion{}, nil, nil, nil, prom.NewRegistry(), nil,
		true, remoteapi.MessageTypes{remoteapi.WriteV1MessageType}, false, false, false, false, 5*time.Minute, false, false,
		nil, features.NewRegistry(), v1.OpenAPIOptions{}, parser.NewParser(options),
	)
	routes := route.New()
	api.Register(routes.WithPrefix("/api/v1"))
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	t.Cleanup(func() { _ = engine.Close() })
	return server.URL
}

// ordered answers series in the order of their labels, which Prometheus does
// not promise: sums of floating-point numbers depend on it, and so does which
// of several equals topk keeps.
type ordered struct{ *teststorage.TestStorage }

func (o ordered) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := o.TestStorage.Querier(mint, maxt)
	return orderedQuerier{q}, err
}

type orderedQuerier struct{ storage.Querier }

func (q orderedQuerier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	return q.Querier.Select(ctx, true, hints, matchers...)
}

// empty is a server without rules, Alertmanagers and targets.
type empty struct{}

func (empty) RuleGroups() []*rules.Group           { return nil }
func (empty) AlertingRules() []*rules.AlertingRule { return nil }
func (empty) ScrapePools() []string                { return nil }
func (empty) Alertmanagers() []*url.URL            { return nil }
func (empty) DroppedAlertmanagers() []*url.URL     { return nil }

var client = &http.Client{Timeout: 3 * time.Minute}

// write sends a body of remote-write 1.0 and fails the test unless it is taken.
func write(t *testing.T, address string, body []byte) {
	t.Helper()
	for {
		status, text := post(t, address, body)
		if status == http.StatusNoContent {
			return
		}
		if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
			t.Fatalf("%s answers %d: %s", address, status, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// send sends a request of remote-write 1.0.
func send(t *testing.T, address string, request *prompb.WriteRequest) {
	t.Helper()
	body, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, address, snappy.Encode(nil, body))
}

func post(t *testing.T, address string, body []byte) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Content-Encoding", "snappy")
	r.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	a, err := transporttest.Ask(client, r)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status, a.Text
}

// answer is what Prometheus's API says.
type answer struct {
	code      int
	text      string
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data"`
	ErrorType string          `json:"errorType"`
	Error     string          `json:"error"`
	Warnings  []string        `json:"warnings"`
	Infos     []string        `json:"infos"`
}

// ask asks a server. A method with a plus sends the parameters in the URL and an
// empty form.
func ask(ctx context.Context, server, method, path string, form url.Values) (*answer, error) {
	address, body := server+path, ""
	method, inURL := strings.CutSuffix(method, "+")
	if method == http.MethodGet || inURL {
		if len(form) > 0 {
			address += "?" + form.Encode()
		}
	} else {
		body = form.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := transporttest.Ask(client, r)
	if err != nil {
		return nil, err
	}
	a := &answer{code: response.Status, text: response.Text}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(response.Text), a); err != nil {
			return nil, fmt.Errorf("%s: %w in %.300s", address, err, response.Text)
		}
	}
	return a, nil
}
