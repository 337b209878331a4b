// Package logs answers LogQL over the table logs. The HTTP APIs, that of Loki and
// goshawk's own, are in its sub-packages.
//
// A query is read by package logql. What ClickHouse can do of it becomes one
// statement (plan.go); what is left is done here, by packages pipeline and metric.
// docs/loki.md is the contract.
//
// It must not know how rows get into the table.
package logs

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Store is the table logs. It is safe for concurrent use.
type Store struct {
	*store.Store
	cfg     Config
	columns *clickhouse.Columns
	dialect tables.Dialect
	tails   chan struct{}
	known   *streamCache
	metrics *metrics
}

// NewStore makes a store of the tables of a database.
func NewStore(cfg Config, columns *clickhouse.Columns, database string, reg prometheus.Registerer, log *slog.Logger) *Store {
	return &Store{
		cfg: cfg, columns: columns, dialect: tables.Dialect{Database: database},
		tails: make(chan struct{}, cfg.MaxTails), known: newStreamCache(cfg.StreamCache), metrics: newMetrics(reg),
		Store: store.New(store.Options{
			Limits: cfg.limits(), MaxStatement: 4 << 20, Requests: "logs", Setting: "query.logs",
			Texts: map[store.Kind]string{
				store.TooManyRows:       "the query would read more rows than query.logs.max_rows allows (" + strconv.FormatUint(cfg.MaxRows, 10) + "): ask for less time, or for a service",
				store.TooMuchMemory:     "the query needs more memory than query.logs.max_memory allows (" + cfg.MaxMemory.String() + "): ask for less time, or for fewer series",
				store.TooLate:           "the query took longer than query.logs.timeout (" + cfg.Timeout.String() + "): ask for less time, or for a service",
				store.BadRegexp:         "ClickHouse cannot use a regular expression of the query: ",
				store.TooManyConditions: "the query has too many conditions",
				store.Busy:              store.BusyText,
			},
		}, log),
	}
}

// Config returns the limits of the store.
func (s *Store) Config() *Config { return &s.cfg }

// Reader reads the lines of one tenant for one request. It is for one goroutine.
type Reader struct {
	store  *Store
	tenant string
	// Usage is what ClickHouse read so far.
	store.Usage
	// Lines and LineBytes are what of it was looked at here.
	Lines, LineBytes uint64
	// Statements counts what ClickHouse was asked.
	Statements int
	// Streamed keeps ClickHouse from counting and filtering: everything but the
	// streams and the time is done here. Tests compare both ways.
	Streamed bool
}

// For returns a reader of a tenant's lines.
func (s *Store) For(tenant string) *Reader { return &Reader{store: s, tenant: tenant} }

// Config returns the limits of the store.
func (r *Reader) Config() *Config { return &r.store.cfg }

// table is the name of a table in a statement.
func (r *Reader) table(name string) string { return r.store.dialect.Table(name) }

// Fault is an error that says how a request is answered.
type Fault = store.Fault

// Invalid is the error of a request that makes no sense.
func Invalid(format string, args ...any) error { return store.Invalid(format, args...) }

// exceeded is the error of a request that would take more than it may.
func exceeded(format string, args ...any) error { return store.Exceeded(format, args...) }

// shortened bounds a text of a request that an error repeats.
func shortened(text string) string { return store.Shortened(text) }

// read runs a statement and calls block for every block of its result, until
// block returns an error, which it returns.
func (r *Reader) read(ctx context.Context, text string, parameters []clickhouse.Parameter, out *clickhouse.Output, block func() error) error {
	r.Statements++
	return r.store.Read(ctx, r.store.columns, text, parameters, out, &r.Usage, block)
}
