// Package querytest gives the tests of query a real ClickHouse with goshawk's
// tables, and books that balance to spoil.
//
// The test package needs func TestMain(m *testing.M) { enginetest.Main(m) }.
package querytest

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	driverclickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Store is an engine with empty tables.
type Store struct {
	*enginetest.Engine
	// Conn may do everything.
	Conn driver.Conn
	// Columns reads results column by column, as the same user.
	Columns *clickhouse.Columns
}

// Start starts an engine for the test and creates the tables and views.
func Start(t testing.TB, change ...func(*engine.Config)) *Store {
	t.Helper()
	e := enginetest.Start(t, change...)
	s := &Store{Engine: e, Conn: clickhousetest.Open(t, e), Columns: clickhousetest.OpenColumns(t, e)}
	dialect := tables.Dialect{Database: e.Database}
	var texts []string
	for _, table := range tables.All() {
		texts = append(texts, table.Up())
	}
	for _, view := range tables.Views() {
		texts = append(texts, view.Up())
	}
	for _, text := range texts {
		statements, err := dialect.Render(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range statements {
			s.Exec(t, statement)
		}
	}
	return s
}

// Save keeps a copy of what is in the tables now, for Restore.
func (s *Store) Save(t testing.TB) {
	t.Helper()
	s.Exec(t, "CREATE DATABASE saved")
	for _, table := range tables.All() {
		s.Exec(t, fmt.Sprintf("CREATE TABLE saved.%s CLONE AS %s", table.Name, s.table(table.Name)))
	}
}

// Restore brings the tables back to what they were at Save.
func (s *Store) Restore(t testing.TB) {
	t.Helper()
	for _, table := range tables.All() {
		var rows uint64
		if err := s.Conn.QueryRow(context.Background(), "SELECT count() FROM saved."+table.Name).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if rows > 0 {
			s.Exec(t, "TRUNCATE TABLE "+s.table(table.Name))
			s.Exec(t, fmt.Sprintf("INSERT INTO %s SELECT * FROM saved.%s", s.table(table.Name), table.Name))
		}
	}
}

// Exec runs one statement. What is inserted twice is there twice.
func (s *Store) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	ctx := driverclickhouse.Context(context.Background(), driverclickhouse.WithSettings(driverclickhouse.Settings{"insert_deduplicate": 0}))
	if err := s.Conn.Exec(ctx, statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Block is one tenant's part of a block.
type Block struct {
	Topic, Tenant string
	Partition     uint32
	From, To      uint64
	// Rows says how many rows go to which table.
	Rows map[string]uint64
	// Rejected events go to dead_letters, in parts of at most 3.
	Rejected, Dropped, Repeated uint64
	// Time is when the block was received and its events happened.
	Time          time.Time
	RetentionDays uint16
}

// Write writes the block as the pipeline does: its events first, then its row
// in the ledger.
func (s *Store) Write(t testing.TB, b Block) {
	t.Helper()
	stored := uint64(0)
	for table, n := range b.Rows {
		s.WriteRows(t, b, table, n)
		stored += n
	}
	for position, left := uint64(0), b.Rejected; left > 0; position++ {
		n := min(left, 3)
		s.WriteDeadLetter(t, b, position, n)
		left -= n
	}
	minimum := time.Unix(0, 0)
	if stored > 0 {
		minimum = b.Time
	}
	s.WriteEntry(t, b, stored+b.Rejected+b.Dropped, stored, minimum)
}

// WriteRows writes n rows of the block into one table.
func (s *Store) WriteRows(t testing.TB, b Block, table string, n uint64) {
	t.Helper()
	columns, values := "tenant, time, kafka_partition, kafka_offset, retention_days", "? AS tenant, fromUnixTimestamp64Nano(?) AS time, ?, ?, ?"
	args := []any{b.Tenant, b.Time.UnixNano(), b.Partition, b.From, b.days()}
	switch table {
	case tables.Logs:
		columns += ", bucket, service, body"
		values += ", toStartOfInterval(toDateTime(time), INTERVAL 30 MINUTE), 'checkout', concat('secret of ', tenant, ' ', toString(number))"
	case tables.Spans:
		columns += ", bucket, service, name"
		values += ", toStartOfInterval(toDateTime(time), INTERVAL 30 MINUTE), 'checkout', 'GET /cart'"
	default:
		columns += ", metric, fingerprint"
		values += ", 'http.server.request.duration', number"
	}
	s.Exec(t, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM numbers(%d)", s.table(table), columns, values, n), args...)
}

// WriteDeadLetter writes one dead letter of the block.
func (s *Store) WriteDeadLetter(t testing.TB, b Block, position, events uint64) {
	t.Helper()
	s.Exec(t, `INSERT INTO `+s.table(tables.DeadLetters)+` (time, tenant, topic, kafka_partition, kafka_offset, record_offset, position, reason_code, reason, events, retention_days)
SELECT fromUnixTimestamp64Nano(?), ?, ?, ?, ?, ?, ?, 'too_old', 'the event is too old', ?, ?`,
		b.Time.UnixNano(), b.Tenant, b.Topic, b.Partition, b.From, b.From, position, events, b.days())
}

// WriteEntry writes the block's row in the ledger.
func (s *Store) WriteEntry(t testing.TB, b Block, accepted, stored uint64, minimum time.Time) {
	t.Helper()
	s.Exec(t, `INSERT INTO `+s.table(tables.Ledger)+` (time, tenant, topic, kafka_partition, from_offset, to_offset, records,
	accepted, stored, rejected, dropped, repeated, min_time, max_time, retention_days)
SELECT fromUnixTimestamp64Nano(?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, fromUnixTimestamp64Nano(?), fromUnixTimestamp64Nano(?), ?`,
		b.Time.UnixNano(), b.Tenant, b.Topic, b.Partition, b.From, b.To, b.To-b.From,
		accepted, stored, b.Rejected, b.Dropped, b.Repeated, minimum.UnixNano(), minimum.UnixNano(), b.days())
}

func (b Block) days() uint16 {
	if b.RetentionDays == 0 {
		return 30
	}
	return b.RetentionDays
}

func (s *Store) table(name string) string { return tables.Dialect{Database: s.Database}.Table(name) }

// Documented returns the SQL in a page of the documentation, block by block.
func Documented(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // a test's own
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range sqlBlock.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")
