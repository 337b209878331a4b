package promql

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Store is ClickHouse as Prometheus sees a storage. It is safe for concurrent
// use; its queriers are not.
type Store struct {
	cfg      Config
	columns  *clickhouse.Columns
	dialect  tables.Dialect
	settings []clickhouse.Setting
	known    *seriesCache
	books    *rollupBooks
	// rolled counts selections that are answered from rollups.
	rolled *prometheus.CounterVec
	// perRow is leastPerRow but in tests.
	perRow uint64
}

// NewStore makes a storage of the tables of a database.
func NewStore(cfg Config, columns *clickhouse.Columns, database string) *Store {
	setting := func(key string, value int64) clickhouse.Setting {
		return clickhouse.Setting{Key: key, Value: strconv.FormatInt(value, 10), Important: true}
	}
	return &Store{
		cfg: cfg, columns: columns, dialect: tables.Dialect{Database: database},
		known: newSeriesCache(cfg.SeriesCache, cfg.MaxSeries), books: newRollupBooks(cfg.SeriesCache), perRow: leastPerRow,
		rolled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_query_rollup_selections_total", Help: "Selections of PromQL that were answered from rollups.",
		}, []string{"resolution"}),
		settings: []clickhouse.Setting{
			setting("readonly", 2),
			setting("max_execution_time", int64(cfg.Timeout.Seconds())+1),
			setting("max_memory_usage", int64(cfg.MaxMemory)),
			setting("max_query_size", 16<<20),
			// The statements here are simple; the older analysis of them takes two
			// thirds of the time, which is most of what a small query costs.
			{Key: "enable_analyzer", Value: "0"},
			// What the conditions name is narrow and read anyway: reading it first
			// takes a small query a quarter longer, and no query less.
			{Key: "optimize_move_to_prewhere", Value: "0"},
		},
	}
}

func (s *Store) table(name string) string { return s.dialect.Table(name) }

type tenantKey struct{}

// WithTenant returns a context whose queries see the rows of a tenant.
func WithTenant(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

func tenantOf(ctx context.Context) string {
	if tenant, ok := ctx.Value(tenantKey{}).(string); ok {
		return tenant
	}
	return telemetry.DefaultTenant
}

// tooMany is what a query is told that would take more than it may.
type tooMany struct{ error }

// away is the error of a query that ClickHouse did not answer, or not to its end.
type away struct{ error }

func (e away) Unwrap() error { return e.error }

// unavailable reports whether an error says that ClickHouse is away.
func unavailable(err error) bool {
	var a away
	return errors.As(err, &a)
}

// read runs a query and calls block for every block of its result. Where ClickHouse
// is away, unavailable says so of the error.
func (s *Store) read(ctx context.Context, text string, parameters []clickhouse.Parameter, result proto.Results, block func() error) error {
	err := s.columns.Do(ctx, clickhouse.Query{
		Body: text, Settings: s.settings, Parameters: parameters, Result: result,
		OnResult: func(context.Context, proto.Block) error { return block() },
	})
	if err == nil {
		return nil
	}
	var refused *clickhouse.Exception
	if errors.As(err, &refused) {
		return fmt.Errorf("ClickHouse: %s: %s", refused.Name, refused.Message)
	}
	if clickhouse.Unanswered(err) {
		return away{fmt.Errorf("ClickHouse is away: %w", err)}
	}
	return err
}

// Querier implements storage.Queryable. Times are Unix milliseconds, both
// included.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{store: s, mint: mint, maxt: maxt}, nil
}
