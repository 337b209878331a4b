package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// keeping is a configuration with which nothing of these tests expires.
func keeping() Config {
	cfg := DefaultConfig()
	cfg.Retention = Retention{Logs: 3650, Spans: 3650, Metrics: 3650, DeadLetters: 3650, Ledger: 3650}
	return cfg
}

// lose deletes the rows of one partition of every table and says of which. The
// tables keep the tokens, as after a kill between token and rows.
func (s *store) lose(t *testing.T) (lost []string) {
	t.Helper()
	for _, table := range s.filled(t) {
		name, partition := s.dialect.Table(table.Name), "toString("+table.PartitionBy+")"
		p := s.text(t, fmt.Sprintf("SELECT %s AS p FROM %s GROUP BY p ORDER BY p LIMIT 1", partition, name))
		if p != "" {
			s.exec(t, fmt.Sprintf("ALTER TABLE %s DELETE WHERE %s = %s SETTINGS mutations_sync = 2", name, partition, tables.QuoteText(p)))
			lost = append(lost, table.Name+" "+p)
		}
	}
	return lost
}

func (s *store) write(t *testing.T, b *telemetry.Batch, begun bool) {
	t.Helper()
	b.Begun = begun
	if err := New(s.conn, s.dialect, keeping(), s.log, s.metrics).Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// TestTokenWithoutRows has tokens without rows in one partition of each table.
func TestTokenWithoutRows(t *testing.T) {
	for _, signal := range telemetry.Signals {
		t.Run(signal.String(), func(t *testing.T) {
			s := newStore(t)
			block := func() *telemetry.Batch { return sampleBlocks(1, 100)[signal] }
			again := func() (n float64) {
				for _, table := range tables.All() {
					n += testutil.ToFloat64(s.metrics.again.WithLabelValues(table.Name))
				}
				return n
			}
			s.write(t, block(), false)
			all := s.sums(t)
			t.Log(s.counts(t))
			s.write(t, block(), true)
			if got := s.sums(t); got != all || again() != 0 {
				t.Fatalf("nothing was missing; after another write %v rows were inserted again:\n%swant\n%s", again(), got, all)
			}
			// The second time the tokens of the first are known as well.
			for range timesAgain {
				lost, before := s.lose(t), again()
				t.Log("lost:", lost)
				without := s.sums(t)
				s.write(t, block(), false)
				if got := s.sums(t); got != without {
					t.Fatalf("the tokens are forgotten, which proves nothing:\n%swant\n%s", got, without)
				}
				s.write(t, block(), true)
				if got := s.sums(t); got != all {
					t.Fatalf("after another write:\n%swant\n%s", got, all)
				}
				if again() <= before {
					t.Error("the metric does not tell of it")
				}
				s.write(t, block(), true)
				if got := s.sums(t); got != all {
					t.Fatalf("after a further write:\n%swant\n%s", got, all)
				}
			}
			s.lose(t)
			b := block()
			b.Begun = true
			err := New(s.conn, s.dialect, keeping(), s.log, s.metrics).Write(context.Background(), b)
			if err == nil || !strings.Contains(err.Error(), "although their inserts were acknowledged") {
				t.Errorf("rows that do not come back: %v", err)
			}
		})
	}
}

// TestRetryFindsRows has the first write of a worker fail, and what it had
// written disappear before the second.
func TestRetryFindsRows(t *testing.T) {
	s := newStore(t)
	block := func(epoch uint32) *telemetry.Batch { return sampleBlocksEpoch(3, 100, telemetry.Spans, epoch) }
	s.write(t, block(1), false)
	all := s.sums(t)
	s.truncate(t)
	for step := 1; step <= 3; step++ {
		sink := New(&failing{Conn: s.conn, after: true, left: step}, s.dialect, keeping(), s.log, s.metrics)
		b := block(uint32(1 + step))
		if err := sink.Write(context.Background(), b); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		s.lose(t)
		if err := sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if got := s.sums(t); got != all {
			t.Fatalf("after insert %d has failed:\n%swant\n%s", step, got, all)
		}
		if sink.failed != (telemetry.Block{}) {
			t.Error("the block still counts as failed")
		}
		s.truncate(t)
	}
}

// TestRowsOfAnotherEpoch has rows with the same offsets in the same partitions,
// of the topic's earlier life.
func TestRowsOfAnotherEpoch(t *testing.T) {
	s := newStore(t)
	now := time.Now().Truncate(24 * time.Hour).Add(time.Hour)
	block := func(epoch uint32) *telemetry.Batch {
		return &telemetry.Batch{
			Block:     telemetry.Block{Topic: "otlp_logs", From: 0, To: 1, Signal: telemetry.Logs, Epoch: epoch},
			Records:   []telemetry.Record{{Tenant: "acme", ReceiveTime: now.UnixNano()}},
			Resources: []telemetry.Resource{{}},
			Scopes:    []telemetry.Scope{{}},
			Logs:      []telemetry.Log{{Time: now.UnixNano() + int64(epoch)}},
		}
	}
	s.write(t, block(1), false)
	s.write(t, block(2), false)
	all := s.text(t, "SELECT toString(time) FROM goshawk.logs ORDER BY time")
	s.exec(t, fmt.Sprintf("ALTER TABLE goshawk.logs DELETE WHERE toUnixTimestamp64Nano(time) = %d SETTINGS mutations_sync = 2", now.UnixNano()+2))
	s.write(t, block(1), true)
	s.write(t, block(2), true)
	if got := s.text(t, "SELECT toString(time) FROM goshawk.logs ORDER BY time"); got != all {
		t.Errorf("rows at\n%s\nwant\n%s", got, all)
	}
}

// TestExpiredRowsStayAway has rows that are older than they are kept.
func TestExpiredRowsStayAway(t *testing.T) {
	s := newStore(t)
	now := time.Now()
	b := &telemetry.Batch{
		Block:     telemetry.Block{Topic: "otlp_logs", From: 0, To: 1, Signal: telemetry.Logs, Epoch: 1},
		Records:   []telemetry.Record{{Tenant: "acme", ReceiveTime: now.UnixNano()}},
		Resources: []telemetry.Resource{{}},
		Scopes:    []telemetry.Scope{{}},
		Logs:      []telemetry.Log{{Time: now.AddDate(0, 0, -60).UnixNano()}},
		Begun:     true,
	}
	for range 2 {
		if err := s.sink().Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		s.exec(t, "ALTER TABLE goshawk.logs DELETE WHERE 1 SETTINGS mutations_sync = 2")
	}
	if err := s.sink().Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if n := s.number(t, "SELECT count() FROM goshawk.logs"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// TestWritersOfOneBlock has several workers write the same block at once, each
// of which takes it for begun by another.
func TestWritersOfOneBlock(t *testing.T) {
	s := newStore(t)
	site := newSite(5)
	rows := 0
	for from := int64(0); from < 300; from += 20 {
		writers, b := errgroup.Group{}, &telemetry.Batch{}
		site.logs(b, from, 300)
		b.Begun = true
		rows += len(b.Logs)
		for range 3 {
			own := *b
			writers.Go(func() error {
				return New(s.conn, s.dialect, keeping(), s.log, s.metrics).Write(context.Background(), &own)
			})
		}
		if err := writers.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.number(t, "SELECT count() FROM goshawk.logs"); n != uint64(rows) {
		t.Errorf("%d rows, want %d", n, rows)
	}
	if n := testutil.ToFloat64(s.metrics.again.WithLabelValues(tables.Logs)); n != 0 {
		t.Errorf("%v rows were inserted again", n)
	}
}

// deaf is a connection that runs no statement.
type deaf struct {
	driver.Conn
	statements int
}

// unasked must not be asked anything but whether series were refused, and none were.
type unasked struct{ deaf }

func (*unasked) Query(_ context.Context, query string, _ ...any) (driver.Rows, error) {
	if !strings.Contains(query, ReasonSeriesLimit) {
		return nil, fmt.Errorf("it was asked: %s", query)
	}
	return noRows{}, nil
}

// noRows is an empty answer.
type noRows struct{ driver.Rows }

func (noRows) Next() bool   { return false }
func (noRows) Err() error   { return nil }
func (noRows) Close() error { return nil }

func (d *deaf) Exec(context.Context, string, ...any) error {
	d.statements++
	return nil
}

// TestNothingIsAsked writes where no row can be missing.
func TestNothingIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		dialect tables.Dialect
		begun   bool
	}{
		"first write": {tables.Dialect{}, false},
		"cluster":     {tables.Dialect{Cluster: "main"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn := &unasked{}
			sink := New(conn, c.dialect, limited(0, nil), nil, NewMetrics(prometheus.NewRegistry()))
			sink.settings = clickhouse.Settings{}
			b := sampleBlocks(1, 100)[telemetry.Metrics]
			b.Begun = c.begun
			if err := sink.Write(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			if conn.statements == 0 {
				t.Error("nothing was written")
			}
		})
	}
}
