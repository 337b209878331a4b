// Package errors answers questions about errors of applications, and about changes
// that may have brought them, over the tables errors and changes, under /api/v1.
// docs/errors.md and docs/changes.md are the contract.
//
// It must not know how rows get into the tables.
package errors

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	const less = ": ask for less time, or for a service"
	return &API{cfg: cfg, dialect: tables.Dialect{Database: database}, store: store.NewAPI(store.Options{
		Limits: cfg.limits(), MaxStatement: 4 << 20, Requests: "errors", Setting: "query.errors",
		Texts: map[store.Kind]string{
			store.TooManyRows:   "the request would read more than query.errors.max_rows" + less,
			store.TooMuchMemory: "the request needs more than query.errors.max_memory" + less,
			store.TooLate:       "the request took longer than query.errors.timeout" + less,
		},
	}, conn, prometheus.HistogramOpts{
		Name: "goshawk_query_errors_request_duration_seconds", Help: "How long requests for errors and changes took.",
	}, reg, log)}
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
	q := &query{Parameters: traces.ParametersOf(r), api: a, tenant: tenant}
	name, handle := "errors", q.groups
	if r.URL.Path == pathChanges {
		name, handle = "changes", q.changes
	} else if id := r.PathValue("group"); id != "" {
		name, handle = "error", func(ctx context.Context) (any, error) { return q.group(ctx, id) }
	}
	a.store.Serve(w, r, name, handle)
}

// query is a request that is being answered.
type query struct {
	*traces.Parameters
	api    *API
	tenant string
}

// in is the time of a request: from start to end, or as long as it looks back.
func (q *query) in() traces.Range {
	now := time.Now()
	start, hasStart := q.Moment("start", now)
	end, hasEnd := q.Moment("end", now)
	return q.Bounded(start, hasStart, end, hasEnd, q.api.cfg.Lookback)
}

// limit is how much of a list is asked for.
func (q *query) limit(fallback int) int {
	text := q.Get("limit")
	if text == "" {
		return min(fallback, q.api.cfg.MaxLimit)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > q.api.cfg.MaxLimit {
		q.Refuse("limit: want a number of 1 to %d (query.errors.max_limit)", q.api.cfg.MaxLimit)
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
		q.Refuse("%s: want one of %s", name, strings.Join(words, ", "))
	}
	return word
}

// equal adds that columns have the values of parameters with their names, each of
// which may be there several times.
func (q *query) equal(f *store.Filter, columns ...string) {
	for _, column := range columns {
		if values := q.Raw[column]; len(values) > 0 && values[0] != "" {
			f.Add(column+" IN (?)", values)
		}
	}
}

// contains adds that one of the columns contains the text of q.
func (q *query) contains(f *store.Filter, columns ...string) {
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
	f.Add("("+strings.Join(terms, " OR ")+")", args...)
}

// at is a time as answers have it.
func at(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
