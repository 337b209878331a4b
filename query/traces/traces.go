// Package traces reads spans for the read APIs of Jaeger, Zipkin and Tempo,
// which are in its sub-packages.
//
// There is one way to read traces by their ids, one to find the ids of traces,
// and one model of what was read; the sub-packages read requests and write
// answers. docs/traces.md is the contract.
//
// It must not know how rows get into the tables.
package traces

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

// Store is the table spans. It is safe for concurrent use.
type Store struct {
	cfg      Config
	columns  *clickhouse.Columns
	dialect  tables.Dialect
	settings []clickhouse.Setting
	slots    chan struct{}
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
		slots: make(chan struct{}, cfg.Concurrency), metrics: newMetrics(reg), log: log,
		settings: []clickhouse.Setting{
			setting("readonly", 2),
			setting("max_execution_time", uint64(cfg.Timeout.Seconds())+1),
			setting("max_memory_usage", uint64(cfg.MaxMemory)),
			setting("max_rows_to_read", cfg.MaxRows),
			setting("max_query_size", 4<<20),
			// The statements here are simple; the older analysis of them takes less
			// time, which is most of what a small one costs.
			{Key: "enable_analyzer", Value: "0"},
		},
	}
}

// Config returns the limits of the store.
func (s *Store) Config() *Config { return &s.cfg }

// Reader reads the spans of one tenant for one request. It is for one goroutine.
type Reader struct {
	store  *Store
	tenant string
	// Rows and Bytes are what ClickHouse read so far.
	Rows, Bytes uint64
	// Note says what of the answer is not complete, empty where it is.
	Note string
}

// Remark adds to what is said of an answer that is not complete.
func (r *Reader) Remark(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case r.Note == "":
		r.Note = text
	case !strings.Contains(r.Note, text):
		r.Note += "; " + text
	}
}

// For returns a reader of a tenant's spans.
func (s *Store) For(tenant string) *Reader { return &Reader{store: s, tenant: tenant} }

// Config returns the limits of the store.
func (r *Reader) Config() *Config { return &r.store.cfg }

// Fault is an error that says how a request is answered.
type Fault struct {
	// Status is the HTTP status.
	Status  int
	Message string
}

// Error returns the message.
func (f *Fault) Error() string { return f.Message }

// errEnough ends a statement whose caller has what it needs.
var errEnough = errors.New("enough was read")

// read runs a statement and calls block for every block of its result. It
// returns errEnough where block did.
func (r *Reader) read(ctx context.Context, text string, parameters []clickhouse.Parameter, out *clickhouse.Output, block func() error) error {
	s := r.store
	err := s.columns.Do(ctx, clickhouse.Query{
		Body: text, Settings: s.settings, Parameters: parameters, Result: out.Result,
		OnResult: func(context.Context, proto.Block) error { return block() },
		OnProgress: func(_ context.Context, p proto.Progress) error {
			r.Rows += p.Rows
			r.Bytes += p.Bytes
			return nil
		},
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEnough):
		return errEnough
	}
	return s.fault(ctx, err)
}

// Codes of ClickHouse's errors that a request can bring about.
const (
	codeTooManyRows   = 158
	codeTimeout       = 159
	codeTooSlow       = 160
	codeTooBigAST     = 168
	codeTooDeepAST    = 167
	codeTooDeep       = 306
	codeMemoryLimit   = 241
	codeBadRegexp     = 427
	codeTooManyBytes  = 307
	codeTooManyAtOnce = 202
)

// fault words an error of a statement.
func (s *Store) fault(ctx context.Context, err error) error {
	var refused *clickhouse.Exception
	if errors.As(err, &refused) {
		switch int(refused.Code) {
		case codeTooManyRows, codeTooManyBytes:
			return &Fault{http.StatusUnprocessableEntity, "the request would read more rows than query.traces.max_rows allows (" +
				strconv.FormatUint(s.cfg.MaxRows, 10) + "): ask for less time, or for a service"}
		case codeMemoryLimit:
			return &Fault{http.StatusUnprocessableEntity, "the request needs more memory than query.traces.max_memory allows (" +
				s.cfg.MaxMemory.String() + "): ask for less time, or for a service"}
		case codeTimeout, codeTooSlow:
			return s.late()
		case codeBadRegexp:
			return &Fault{http.StatusBadRequest, "ClickHouse cannot use a regular expression of the request: " + refused.Message}
		case codeTooBigAST, codeTooDeepAST, codeTooDeep:
			return &Fault{http.StatusBadRequest, "the request has too many conditions"}
		case codeTooManyAtOnce:
			return &Fault{http.StatusTooManyRequests, "ClickHouse has too many queries at the moment"}
		}
		s.log.Error("a statement for traces was refused", "error", refused.Message, "code", int(refused.Code))
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
	return &Fault{http.StatusGatewayTimeout, "the request took longer than query.traces.timeout (" + s.cfg.Timeout.String() + "): ask for less time, or for a service"}
}
