package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) {
	enginetest.Child()
	os.Exit(m.Run())
}

// store is an engine with empty tables.
type store struct {
	*enginetest.Engine
	conn    driver.Conn
	dialect tables.Dialect
	metrics *Metrics
	log     *slog.Logger
}

func newStore(t testing.TB) *store {
	t.Helper()
	return prepared(t, enginetest.Start(t))
}

// prepared makes the tables on an engine.
func prepared(t testing.TB, e *enginetest.Engine) *store {
	t.Helper()
	conn := clickhousetest.Open(t, e)
	s := &store{Engine: e, conn: conn, dialect: tables.Dialect{Database: e.Database}, metrics: NewMetrics(prometheus.NewRegistry()), log: slog.New(slog.DiscardHandler)}
	m, err := migrations.New(conn, s.dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *store) sink() *Sink { return New(s.conn, s.dialect, DefaultConfig(), s.log, s.metrics) }

func (s *store) exec(t testing.TB, query string) {
	t.Helper()
	if err := s.conn.Exec(context.Background(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// text returns the rows of a query as lines of values.
func (s *store) text(t testing.TB, query string) string {
	t.Helper()
	var out []string
	rows, err := s.conn.Query(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(out, "\n")
}

// number returns the only value of a query.
func (s *store) number(t testing.TB, query string) uint64 {
	t.Helper()
	var n uint64
	if err := s.conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// filled are the tables that have rows. Most tests fill few of them.
func (s *store) filled(t testing.TB) []tables.Table {
	t.Helper()
	names := strings.Fields(s.text(t, "SELECT name FROM system.tables WHERE database = '"+s.dialect.Database+"' AND total_rows > 0"))
	return slices.DeleteFunc(tables.All(), func(table tables.Table) bool { return !slices.Contains(names, table.Name) })
}

// counts returns the number of rows of every table that has some, as text.
func (s *store) counts(t testing.TB) string {
	t.Helper()
	var out []string
	for _, table := range s.filled(t) {
		query := "SELECT count() FROM " + s.dialect.Table(table.Name)
		if table.Engine == "ReplacingMergeTree" {
			query += " FINAL"
		}
		out = append(out, fmt.Sprintf("%s=%d", table.Name, s.number(t, query)))
	}
	return strings.Join(out, " ")
}

// newOf returns a pointer to a new value of a type.
func newOf(t reflect.Type) any { return reflect.New(t).Interface() }

// plain returns what a pointer points to in a form that compares: times in UTC,
// doubles by their bits.
func plain(pointer any) any {
	switch v := reflect.ValueOf(pointer).Elem().Interface().(type) {
	case time.Time:
		return v.UTC()
	case []time.Time:
		list := []time.Time{}
		for _, t := range v {
			list = append(list, t.UTC())
		}
		return list
	case float64:
		return math.Float64bits(v)
	case []float64:
		list := []uint64{}
		for _, f := range v {
			list = append(list, math.Float64bits(f))
		}
		return list
	case map[string]float64:
		m := map[string]uint64{}
		for k, f := range v {
			m[k] = math.Float64bits(f)
		}
		return m
	default:
		value := reflect.ValueOf(v)
		if value.Kind() == reflect.Slice && value.IsNil() {
			return reflect.MakeSlice(value.Type(), 0, 0).Interface()
		}
		return v
	}
}
