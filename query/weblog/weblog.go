// Package weblog answers questions about web servers and those who visit them, over
// the tables web_hits, web_sessions and findings, under /api/v1.
// docs/web-statistics.md is the contract.
//
// It must not know how rows get into the tables.
package weblog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// API answers requests. It is safe for concurrent use.
type API struct {
	cfg     Config
	conn    connection.Conn
	dialect tables.Dialect
	slots   chan struct{}
	metrics *metrics
	log     *slog.Logger
}

// New makes the API over the tables of a database. The configuration must be valid.
func New(cfg Config, conn connection.Conn, database string, reg prometheus.Registerer, log *slog.Logger) *API {
	return &API{
		cfg: cfg, conn: conn, dialect: tables.Dialect{Database: database}, slots: make(chan struct{}, cfg.Concurrency), metrics: newMetrics(reg), log: log,
	}
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
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		header.Set("Retry-After", "1")
		api.WriteError(w, http.StatusServiceUnavailable, "too many requests for web statistics at a time (query.weblog.concurrency is "+strconv.Itoa(a.cfg.Concurrency)+")")
		return
	}
	start := time.Now()
	q := &query{Parameters: traces.ParametersOf(r), api: a, tenant: tenant, now: start}
	handle, name := q.statistics, "weblog"
	if r.URL.Path == pathFindings {
		handle, name = q.findings, "findings"
	}
	answer, err := handle(ctx)
	a.metrics.seconds.WithLabelValues(name).Observe(time.Since(start).Seconds())
	if err != nil {
		status, message := a.worded(ctx, err)
		if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
			header.Set("Retry-After", "1")
		}
		api.WriteError(w, status, message)
		return
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		api.WriteError(w, http.StatusInternalServerError, err.Error())
		return
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // the client is gone
}

// Codes of ClickHouse's errors that a request can bring about.
const (
	codeTooManyRows   = 158
	codeTimeout       = 159
	codeTooManyAtOnce = 202
	codeMemoryLimit   = 241
)

// worded returns the HTTP status and the text that a client is told of an error.
func (a *API) worded(ctx context.Context, err error) (int, string) {
	var fault *traces.Fault
	var refused *clickhouse.Exception
	late := "the request took longer than query.weblog.timeout (" + a.cfg.Timeout.String() + "): ask for less time, or for a site"
	switch {
	case errors.As(err, &fault):
		return fault.Status, fault.Message
	case errors.As(err, &refused):
		switch refused.Code {
		case codeTooManyRows:
			return http.StatusUnprocessableEntity, "the request would read more rows than query.weblog.max_rows allows (" + strconv.FormatUint(a.cfg.MaxRows, 10) + "): ask for less time"
		case codeMemoryLimit:
			return http.StatusUnprocessableEntity, "the request needs more memory than query.weblog.max_memory allows (" + a.cfg.MaxMemory.String() + "): ask for less time, or for a site"
		case codeTooManyAtOnce:
			return http.StatusTooManyRequests, "ClickHouse has too many queries at the moment"
		case codeTimeout:
			return http.StatusGatewayTimeout, late
		}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return http.StatusGatewayTimeout, late
	case ctx.Err() != nil:
		return 499, "the client went away" // nobody reads this; the status is for the metrics
	case connection.Unanswered(err):
		return http.StatusServiceUnavailable, "ClickHouse cannot be reached at the moment"
	}
	a.log.Error("a request for web statistics failed", "error", err)
	return http.StatusInternalServerError, err.Error()
}

// query is a request that is being answered.
type query struct {
	*traces.Parameters
	api    *API
	tenant string
	now    time.Time
}

// each runs a statement and calls take for every row. The values of "?" are bound.
func (q *query) each(ctx context.Context, take func(connection.Row) error, statement string, args []any) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time": uint64(q.api.cfg.Timeout.Seconds()) + 1, "max_memory_usage": uint64(q.api.cfg.MaxMemory),
		"max_rows_to_read": q.api.cfg.MaxRows, "readonly": 2,
	}))
	return connection.Each(ctx, q.api.conn, "reading web statistics", take, statement, args...)
}

// secondsOf is a time as answers have it.
func secondsOf(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
