// Package errors answers questions about errors of applications, and about changes
// that may have brought them, over the tables errors and changes, under /api/v1.
// docs/errors.md and docs/changes.md are the contract.
//
// It must not know how rows get into the tables.
package errors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	seconds *prometheus.HistogramVec
	log     *slog.Logger
}

// New makes the API over the tables of a database. The configuration must be valid.
func New(cfg Config, conn connection.Conn, database string, reg prometheus.Registerer, log *slog.Logger) *API {
	a := &API{
		cfg: cfg, conn: conn, dialect: tables.Dialect{Database: database}, slots: make(chan struct{}, cfg.Concurrency), log: log,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goshawk_query_errors_request_duration_seconds", Help: "How long requests for errors and changes took.",
			Buckets: []float64{.005, .02, .1, .5, 2, 10, 60},
		}, []string{"request"}),
	}
	reg.MustRegister(a.seconds)
	return a
}

// The paths.
const (
	pathErrors  = "/api/v1/errors"
	pathChanges = "/api/v1/changes"
)

// Paths are the patterns that the API answers, for [http.ServeMux].
func (a *API) Paths() []string {
	return []string{"GET " + pathErrors, "GET " + pathErrors + "/{group}", "GET " + pathChanges}
}

// Serve answers a request for the rows of a tenant.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	body, err := a.answer(r, tenant)
	if err != nil {
		status, message := a.worded(r.Context(), err)
		api.WriteError(w, status, message)
		return
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body) // the client is gone
}

// answer waits for its turn and returns the answer as JSON.
func (a *API) answer(r *http.Request, tenant string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, &traces.Fault{
			Status:  http.StatusServiceUnavailable,
			Message: "too many requests for errors at a time (query.errors.concurrency is " + strconv.Itoa(a.cfg.Concurrency) + ")",
		}
	}
	start := time.Now()
	q := &query{Parameters: traces.ParametersOf(r), api: a, tenant: tenant, now: start}
	var answer any
	var err error
	name := "errors"
	switch {
	case r.URL.Path == pathChanges:
		name = "changes"
		answer, err = q.changes(ctx)
	case r.PathValue("group") != "":
		name = "error"
		answer, err = q.group(ctx, r.PathValue("group"))
	default:
		answer, err = q.groups(ctx)
	}
	a.seconds.WithLabelValues(name).Observe(time.Since(start).Seconds())
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(answer)
	return body.Bytes(), err
}

// Codes of ClickHouse's errors that a request can bring about.
const (
	codeTooManyRows = 158
	codeTimeout     = 159
	codeMemoryLimit = 241
)

// worded returns the HTTP status and the text that a client is told of an error.
func (a *API) worded(ctx context.Context, err error) (int, string) {
	var fault *traces.Fault
	var refused *clickhouse.Exception
	switch {
	case errors.As(err, &fault):
		return fault.Status, fault.Message
	case errors.As(err, &refused) && refused.Code == codeTooManyRows:
		return http.StatusUnprocessableEntity, "the request would read more than query.errors.max_rows: ask for less time, or for a service"
	case errors.As(err, &refused) && refused.Code == codeMemoryLimit:
		return http.StatusUnprocessableEntity, "the request needs more than query.errors.max_memory: ask for less time, or for a service"
	case errors.As(err, &refused) && refused.Code == codeTimeout, errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "the request took longer than query.errors.timeout: ask for less time, or for a service"
	case ctx.Err() != nil:
		return 499, "the client went away" // nobody reads this; the status is for the metrics
	case connection.Unanswered(err):
		return http.StatusServiceUnavailable, "ClickHouse cannot be reached at the moment"
	}
	a.log.Error("a request for errors failed", "error", err)
	return http.StatusInternalServerError, err.Error()
}

// query is a request that is being answered.
type query struct {
	*traces.Parameters
	api    *API
	tenant string
	now    time.Time
}

// each runs a statement and calls take for every row.
func (q *query) each(ctx context.Context, take func(connection.Row) error, statement string, args []any) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time": uint64(q.api.cfg.Timeout.Seconds()) + 1, "max_memory_usage": uint64(q.api.cfg.MaxMemory),
		"max_rows_to_read": q.api.cfg.MaxRows, "max_query_size": maxStatement, "readonly": 2,
	}))
	return connection.Each(ctx, q.api.conn, "reading errors", take, statement, args...)
}

// maxStatement bounds a statement with the values that are put into it, in bytes.
const maxStatement = 4 << 20

// in is the time of a request: from since to until, or as long as it looks back.
func (q *query) in() traces.Range {
	since, hasSince := q.Moment("since", q.now)
	until, hasUntil := q.Moment("until", q.now)
	return q.Bounded(since, hasSince, until, hasUntil, q.api.cfg.Lookback)
}

// limit is how much of a list is asked for.
func (q *query) limit(fallback int) int {
	text := q.Get("limit")
	if text == "" {
		return min(fallback, q.api.cfg.MaxLimit)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > q.api.cfg.MaxLimit {
		q.refuse("limit: want a number of 1 to %d (query.errors.max_limit)", q.api.cfg.MaxLimit)
		return 1
	}
	return n
}

// one returns a parameter that must be one of some words, or is the first of them.
func (q *query) one(name string, words ...string) string {
	word := q.Get(name)
	if word == "" {
		return words[0]
	}
	if !slices.Contains(words, word) {
		q.refuse("%s: want one of %s", name, strings.Join(words, ", "))
	}
	return word
}

func (q *query) refuse(format string, args ...any) {
	if q.Err == nil {
		q.Err = traces.Invalid(format, args...)
	}
}

// filter is a WHERE and the values that are bound to it.
type filter struct {
	terms []string
	args  []any
}

func (f *filter) add(term string, args ...any) {
	f.terms = append(f.terms, term)
	f.args = append(f.args, args...)
}

func (f *filter) where() string { return strings.Join(f.terms, " AND ") }

// bounded bounds tenant and time, of a table that has a bucket or none.
func (q *query) bounded(in traces.Range, bucket bool) *filter {
	f := &filter{}
	f.add("tenant = ?", q.tenant)
	if bucket {
		width := int64(tables.BucketSeconds)
		f.add("bucket >= fromUnixTimestamp(?) AND bucket <= fromUnixTimestamp(?)", in.From/1e9/width*width, in.To/1e9/width*width)
	}
	f.add("time >= fromUnixTimestamp64Nano(?) AND time < fromUnixTimestamp64Nano(?)", in.From, in.To)
	return f
}

// equal adds that columns have the values of parameters with their names, each of
// which may be there several times.
func (q *query) equal(f *filter, columns ...string) {
	for _, column := range columns {
		if values := q.Raw[column]; len(values) > 0 && values[0] != "" {
			f.add(column+" IN (?)", values)
		}
	}
}

// contains adds that one of the columns contains the text of q.
func (q *query) contains(f *filter, columns ...string) {
	text := q.Get("q")
	if text == "" {
		return
	}
	var terms []string
	var args []any
	for _, column := range columns {
		terms = append(terms, "positionCaseInsensitiveUTF8("+column+", ?) > 0")
		args = append(args, text)
	}
	f.add("("+strings.Join(terms, " OR ")+")", args...)
}

// at is a time as answers have it.
func at(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
