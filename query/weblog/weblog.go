// Package weblog answers questions about web servers and those who visit them, over
// the tables web_hits, web_sessions and findings, under /api/v1.
// docs/web-statistics.md is the contract.
//
// It must not know how rows get into the tables.
package weblog

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// API answers requests. It is safe for concurrent use.
type API struct {
	cfg     Config
	store   *store.API
	dialect tables.Dialect
}

// New makes the API over the tables of a database. The configuration must be valid.
func New(cfg Config, conn connection.Conn, database string, reg prometheus.Registerer, log *slog.Logger) *API {
	return &API{cfg: cfg, dialect: tables.Dialect{Database: database}, store: store.NewAPI(store.Options{
		Limits: cfg.limits(), Requests: "web statistics", Setting: "query.weblog",
		Texts: map[store.Kind]string{
			store.TooManyRows:   "the request would read more rows than query.weblog.max_rows allows (" + strconv.FormatUint(cfg.MaxRows, 10) + "): ask for less time",
			store.TooMuchMemory: "the request needs more memory than query.weblog.max_memory allows (" + cfg.MaxMemory.String() + "): ask for less time, or for a site",
			store.TooLate:       "the request took longer than query.weblog.timeout (" + cfg.Timeout.String() + "): ask for less time, or for a site",
			store.Busy:          store.BusyText,
		},
	}, conn, prometheus.HistogramOpts{
		Name: "goshawk_query_weblog_request_duration_seconds", Help: "How long requests for web statistics and findings took.",
	}, reg, log)}
}

// The paths.
const (
	pathStatistics = "/api/v1/weblog"
	pathFindings   = "/api/v1/findings"
)

// Paths are the patterns that the API answers, for [http.ServeMux].
func (a *API) Paths() []string { return []string{"GET " + pathStatistics, "GET " + pathFindings} }

// Serve answers a request for the rows of a tenant.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	q := &query{Parameters: traces.ParametersOf(r), api: a, tenant: tenant}
	name, handle := "weblog", q.statistics
	if r.URL.Path == pathFindings {
		name, handle = "findings", q.findings
	}
	a.store.Serve(w, r, name, handle)
}

// query is a request that is being answered.
type query struct {
	*traces.Parameters
	api    *API
	tenant string
}

// in is the time of a request.
func (q *query) in() traces.Range { return q.Between(time.Now(), q.api.cfg.Lookback) }

// secondsOf is a time as answers have it.
func secondsOf(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
