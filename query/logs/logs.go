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
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Store is the table logs. It is safe for concurrent use.
type Store struct {
	cfg      Config
	columns  *clickhouse.Columns
	dialect  tables.Dialect
	settings []clickhouse.Setting
	slots    chan struct{}
	tails    chan struct{}
	known    *streamCache
	metrics  *metrics
	log      *slog.Logger
}

// NewStore makes a store of the tables of a database.
func NewStore(cfg Config, columns *clickhouse.Columns, database string, reg prometheus.Registerer, log *slog.Logger) *Store {
	setting := func(key string, value uint64) clickhouse.Setting {
		return clickhouse.Setting{Key: key, Value: strconv.FormatUint(value, 10), Important: true}
	}
	return &Store{
		cfg: cfg, columns: columns, dialect: tables.Dialect{Database: database},
		slots: make(chan struct{}, cfg.Concurrency), tails: make(chan struct{}, cfg.MaxTails),
		known: newStreamCache(cfg.StreamCache), metrics: newMetrics(reg), log: log,
		settings: []clickhouse.Setting{
			setting("readonly", 2),
			setting("max_execution_time", uint64(cfg.Timeout.Seconds())+1),
			setting("max_memory_usage", uint64(cfg.MaxMemory)),
			setting("max_rows_to_read", cfg.MaxRows),
			setting("max_query_size", 4<<20),
		},
	}
}

// Config returns the limits of the store.
func (s *Store) Config() *Config { return &s.cfg }

// Reader reads the lines of one tenant for one request. It is for one goroutine.
type Reader struct {
	store  *Store
	tenant string
	// Rows and Bytes are what ClickHouse read so far.
	Rows, Bytes uint64
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
type Fault struct {
	// Status is the HTTP status.
	Status  int
	Message string
}

// Error returns the message.
func (f *Fault) Error() string { return f.Message }

// Invalid is the error of a request that makes no sense.
func Invalid(format string, args ...any) error {
	return &Fault{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// exceeded is the error of a request that would take more than it may.
func exceeded(format string, args ...any) error {
	return &Fault{http.StatusUnprocessableEntity, fmt.Sprintf(format, args...)}
}

// errEnough ends a statement whose caller has what it needs.
var errEnough = errors.New("enough was read")

// read runs a statement and calls block for every block of its result. It
// returns errEnough where block did.
func (r *Reader) read(ctx context.Context, text string, parameters []clickhouse.Parameter, out *clickhouse.Output, block func() error) error {
	s := r.store
	r.Statements++
	err := s.columns.Do(ctx, clickhouse.Query{
		Body: text, Settings: s.settings, Parameters: parameters, Result: out.Result,
		OnResult: func(context.Context, proto.Block) error { return block() },
		OnProgress: func(_ context.Context, p proto.Progress) error {
			r.Rows += p.Rows
			r.Bytes += p.Bytes
			return nil
		},
	})
	var fault *Fault
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEnough):
		return errEnough
	case errors.As(err, &fault):
		return fault
	}
	return s.fault(ctx, err)
}

// Codes of ClickHouse's errors that a request can bring about.
const (
	codeTooManyRows   = 158
	codeTimeout       = 159
	codeTooSlow       = 160
	codeTooDeepAST    = 167
	codeTooBigAST     = 168
	codeTooManyAtOnce = 202
	codeMemoryLimit   = 241
	codeTooDeep       = 306
	codeTooManyBytes  = 307
	codeBadRegexp     = 427
)

// fault words an error of a statement.
func (s *Store) fault(ctx context.Context, err error) error {
	var refused *clickhouse.Exception
	if errors.As(err, &refused) {
		switch int(refused.Code) {
		case codeTooManyRows, codeTooManyBytes:
			return exceeded("the query would read more rows than query.logs.max_rows allows (%d): ask for less time, or for a service", s.cfg.MaxRows)
		case codeMemoryLimit:
			return exceeded("the query needs more memory than query.logs.max_memory allows (%s): ask for less time, or for fewer series", s.cfg.MaxMemory)
		case codeTimeout, codeTooSlow:
			return s.late()
		case codeBadRegexp:
			return Invalid("ClickHouse cannot use a regular expression of the query: %s", refused.Message)
		case codeTooBigAST, codeTooDeepAST, codeTooDeep:
			return Invalid("the query has too many conditions")
		case codeTooManyAtOnce:
			return &Fault{http.StatusTooManyRequests, "ClickHouse has too many queries at the moment"}
		}
		s.log.Error("a statement for logs was refused", "error", refused.Message, "code", int(refused.Code))
		return &Fault{http.StatusInternalServerError, "ClickHouse: " + refused.Name + ": " + refused.Message}
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return s.late()
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if clickhouse.Unanswered(err) {
		return &Fault{http.StatusServiceUnavailable, "ClickHouse cannot be reached at the moment"}
	}
	return err
}

func (s *Store) late() error {
	return &Fault{http.StatusGatewayTimeout, "the query took longer than query.logs.timeout (" + s.cfg.Timeout.String() + "): ask for less time, or for a service"}
}

// shortened bounds a text of a request that an error repeats.
func shortened(text string) string {
	const most = 60
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
