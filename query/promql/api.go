package promql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// API is Prometheus's HTTP API over a store.
type API struct {
	cfg    Config
	store  *Store
	engine *engine
	log    *slog.Logger
	prom   http.Handler
	start  time.Time
}

// maxBody bounds the body of a request, which is a query in a form.
const maxBody = 10 << 20

// Limits of remote read: those of Prometheus.
const (
	remoteReadSamples     = 5e7
	remoteReadConcurrency = 10
	remoteReadFrame       = 1 << 20
)

// New makes the API. Version is what status/buildinfo says.
func New(cfg Config, store *Store, version string, reg prometheus.Registerer, log *slog.Logger) *API {
	reg.MustRegister(store.rolled)
	a := &API{cfg: cfg, store: store, engine: newEngine(cfg, prometheus.WrapRegistererWithPrefix("goshawk_query_", reg), log), log: log, start: time.Now()}
	api := v1.NewAPI(
		a.engine, store, nil, nil, store,
		func(context.Context) v1.ScrapePoolsRetriever { return nothing{} },
		func(context.Context) v1.TargetRetriever { return nil }, // goshawk answers itself
		func(context.Context) v1.AlertmanagerRetriever { return nothing{} },
		func() config.Config { return config.DefaultConfig },
		map[string]string{
			"query.lookback-delta": model.Duration(cfg.Lookback).String(),
			"query.max-samples":    fmt.Sprint(cfg.MaxSamples),
			"query.timeout":        model.Duration(cfg.Timeout).String(),
		},
		v1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next },
		nil, "", false, false, 0,
		log,
		func(context.Context) v1.RulesRetriever { return nothing{} },
		remoteReadSamples, remoteReadConcurrency, remoteReadFrame,
		false, noOrigin, a.runtimeInfo,
		&v1.PrometheusVersion{Version: version, GoVersion: runtime.Version()},
		nil, nil, nil, prometheus.NewRegistry(), nil,
		false, nil, false, false, false, false,
		cfg.Lookback, false, false,
		overrideCode, features.NewRegistry(), v1.OpenAPIOptions{}, parser.NewParser(cfg.parserOptions()),
	)
	r := route.New()
	api.Register(r.WithPrefix("/api/v1"))
	a.prom = r
	return a
}

// Close stops the engine.
func (a *API) Close() error { return a.engine.Close() }

// noOrigin lets no page of another site read answers.
var noOrigin = regexp.MustCompile("^$")

// Paths are the patterns that the API answers, for [http.ServeMux].
func (a *API) Paths() []string {
	return []string{
		"/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/format_query", "/api/v1/parse_query",
		"/api/v1/labels", "/api/v1/label/{name}/values", "/api/v1/series", "/api/v1/metadata",
		"/api/v1/rules", "/api/v1/alerts", "/api/v1/targets", "/api/v1/alertmanagers", "/api/v1/read",
		"/api/v1/status/buildinfo", "/api/v1/status/runtimeinfo", "/api/v1/status/flags", "/api/v1/status/tsdb",
		"/api/v1/features",
	}
}

// Serve answers a request for the rows of a tenant.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	r = r.WithContext(WithTenant(r.Context(), tenant))
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	// What cannot be read here, Prometheus' own handlers refuse in their words.
	if r.ParseForm() == nil {
		if err := tooLarge(r); err != nil {
			a.serve(w, r, func(*http.Request) (any, error) { return nil, err })
			return
		}
	}
	switch r.URL.Path {
	case "/api/v1/metadata":
		a.serve(w, r, a.metadata)
	case "/api/v1/targets":
		a.serve(w, r, a.targets)
	case "/api/v1/status/tsdb":
		a.serve(w, r, a.tsdb)
	default:
		a.prom.ServeHTTP(w, r)
	}
}

// overrideCode gives the status of errors that Prometheus does not know.
func overrideCode[E any](_ E, err error) (int, bool) {
	if unavailable(err) || errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable, true
	}
	return 0, false
}

// runtimeInfo is the answer of status/runtimeinfo.
func (a *API) runtimeInfo() (v1.RuntimeInfo, error) {
	return v1.RuntimeInfo{
		StartTime: a.start, ServerTime: time.Now(), GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		ReloadConfigSuccess: true, LastConfigTime: a.start,
	}, nil
}

// nothing answers for what a store does not have: rules, and Alertmanagers.
type nothing struct{}

func (nothing) RuleGroups() []*rules.Group           { return nil }
func (nothing) AlertingRules() []*rules.AlertingRule { return nil }
func (nothing) ScrapePools() []string                { return nil }
func (nothing) Alertmanagers() []*url.URL            { return nil }
func (nothing) DroppedAlertmanagers() []*url.URL     { return nil }

// ChunkQuerier implements storage.ChunkQueryable, for remote read.
func (s *Store) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	return &chunkQuerier{querier{store: s, mint: mint, maxt: maxt}}, nil
}

type chunkQuerier struct{ querier }

func (q *chunkQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.ChunkSeriesSet {
	return storage.NewSeriesSetToChunkSet(q.querier.Select(ctx, sorted, hints, matchers...))
}
