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
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Store is the table spans. It is safe for concurrent use.
type Store struct {
	*store.Store
	cfg     Config
	columns *clickhouse.Columns
	dialect tables.Dialect
	metrics *metrics
}

// NewStore makes a store of the tables of a database.
func NewStore(cfg Config, columns *clickhouse.Columns, database string, reg prometheus.Registerer, log *slog.Logger) *Store {
	const less = ": ask for less time, or for a service"
	return &Store{cfg: cfg, columns: columns, dialect: tables.Dialect{Database: database}, metrics: newMetrics(reg), Store: store.New(store.Options{
		Limits: cfg.limits(), MaxStatement: 4 << 20, Requests: "traces", Setting: "query.traces",
		// The statements here are simple; the older analysis of them takes less
		// time, which is most of what a small one costs.
		Settings: []clickhouse.Setting{{Key: "enable_analyzer", Value: "0"}},
		Texts: map[store.Kind]string{
			store.TooManyRows:       "the request would read more rows than query.traces.max_rows allows (" + strconv.FormatUint(cfg.MaxRows, 10) + ")" + less,
			store.TooMuchMemory:     "the request needs more memory than query.traces.max_memory allows (" + cfg.MaxMemory.String() + ")" + less,
			store.TooLate:           "the request took longer than query.traces.timeout (" + cfg.Timeout.String() + ")" + less,
			store.BadRegexp:         "ClickHouse cannot use a regular expression of the request: ",
			store.TooManyConditions: "the request has too many conditions",
			store.Busy:              store.BusyText,
		},
	}, log)}
}

// Config returns the limits of the store.
func (s *Store) Config() *Config { return &s.cfg }

// Reader reads the spans of one tenant for one request. It is for one goroutine.
type Reader struct {
	store  *Store
	tenant string
	// Usage is what ClickHouse read so far.
	store.Usage
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

// errEnough ends a statement whose caller has what it needs.
var errEnough = errors.New("enough was read")

// read runs a statement and calls block for every block of its result, until
// block returns an error, which it returns.
func (r *Reader) read(ctx context.Context, text string, parameters []clickhouse.Parameter, out *clickhouse.Output, block func() error) error {
	return r.store.Read(ctx, r.store.columns, text, parameters, out, &r.Usage, block)
}
