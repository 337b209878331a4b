package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// replacing is the engine whose rows replace each other.
const replacing = "ReplacingMergeTree"

// store inserts the block's rows, where it has any. Uncertain says that an
// earlier insert of the same rows may have been begun: a token that the table
// knows does not prove then that it has the rows.
//
// A cluster's tables are replicated: they publish token and rows together, and
// a replica that lags would only seem to miss rows. Rows that replace each other
// (series) may come twice, so a token that nobody has used does for them. The
// other tables are looked into. Views over a table are not: what a materialized
// view makes of rows that are inserted again is the view's.
func (s *Sink) store(ctx context.Context, b *block, token string, uncertain bool) error {
	if b.rows == 0 {
		return nil
	}
	uncertain = uncertain && s.dialect.Cluster == ""
	if uncertain && b.missing == "" {
		unused := fmt.Sprintf("%s/%016x", token, rand.Uint64()) //nolint:gosec // unique, not secret
		return s.insert(ctx, b, b.statement, unused)
	}
	if err := s.insert(ctx, b, b.statement, token); err != nil || !uncertain {
		return err
	}
	return s.verify(ctx, b, token)
}

// timesAgain is how often rows that are missing are inserted in one write. The
// second time is for an insert of the first that was cut short itself.
const timesAgain = 2

// verify inserts what is missing of a block whose insert has just succeeded. It
// must be called after that: the table notes a token and puts the rows in place
// under one lock, so behind a repeat that it dropped no earlier insert is still
// about to put rows there. That holds for each of the inserts here as well; as
// their tokens are numbered, whoever else does the same adds nothing.
func (s *Sink) verify(ctx context.Context, b *block, token string) error {
	for n := 1; ; n++ {
		partitions, rows, err := s.missing(ctx, b)
		if err != nil || len(partitions) == 0 {
			return err
		}
		if n > timesAgain {
			return fmt.Errorf("%d rows are not in %s although their inserts were acknowledged: partitions %s",
				rows, b.table, strings.Join(partitions, ", "))
		}
		s.log.Warn("ClickHouse took an insert for a repeat but does not have its rows; inserting them again",
			"table", b.table, "token", token, "partitions", strings.Join(partitions, ", "), "rows", rows)
		quoted := make([]string, len(partitions))
		for i, p := range partitions {
			quoted[i] = tables.QuoteText(p)
		}
		statement := fmt.Sprintf("%s WHERE %s IN (%s)", b.statement, b.partition, strings.Join(quoted, ", "))
		if err := s.insert(ctx, b, statement, fmt.Sprintf("%s/again/%d", token, n)); err != nil {
			return err
		}
		s.metrics.again.WithLabelValues(b.table).Add(float64(rows))
	}
}

// missing returns the partitions of the table that should have rows of the
// block and have none, and how many rows that are. An insert puts all rows of a
// partition in place at once, so there are no halves.
func (s *Sink) missing(ctx context.Context, b *block) (partitions []string, rows uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	found, err := s.conn.Query(clickhouse.Context(ctx, clickhouse.WithExternalTable(b.cut()...)), b.missing)
	if err != nil {
		return nil, 0, fmt.Errorf("looking for %d rows in %s: %w", b.rows, b.table, err)
	}
	defer found.Close()
	for found.Next() {
		var partition string
		var n uint64
		if err := found.Scan(&partition, &n); err != nil {
			return nil, 0, fmt.Errorf("looking for %d rows in %s: %w", b.rows, b.table, err)
		}
		partitions = append(partitions, partition)
		rows += n
	}
	if err := found.Err(); err != nil {
		return nil, 0, fmt.Errorf("looking for %d rows in %s: %w", b.rows, b.table, err)
	}
	return partitions, rows, nil
}

// missingFrom returns the query of missing.
//
// A row is the block's where its origin and all columns of the table's order are
// among the block's, which also bounds what is read. The time of events tells
// them from those of an earlier topic or epoch with the same offsets. The time
// of the books, which name the topic, may be the present of another attempt.
//
// Rows that are about to expire may be gone and need not come back. Servers that
// make a replicated or shared table of every table are left out as clusters are.
func (s *Sink) missingFrom(table *tables.Table, partition string) string {
	stored := table.ColumnNames()
	var own []string
	for _, c := range slices.Compact(slices.Sorted(slices.Values(
		append([]string{"retention_days", "kafka_partition", "kafka_offset"}, table.OrderBy...)))) {
		if slices.Contains(stored, c) && (c != "time" || !slices.Contains(stored, "topic")) {
			own = append(own, fmt.Sprintf("%s IN (SELECT %s FROM %s)", tables.Quote(c), tables.Quote(c), tables.Quote(source)))
		}
	}
	database := cmp.Or(s.dialect.Database, tables.DefaultDatabase)
	return fmt.Sprintf(`SELECT %[1]s AS p, count() FROM %[2]s
WHERE %[3]s > now() + INTERVAL 1 HOUR
    AND p NOT IN (SELECT %[1]s FROM %[4]s WHERE %[5]s)
    AND (SELECT NOT match(engine, '^(Replicated|Shared)') FROM system.tables WHERE database = %[6]s AND name = %[7]s)
GROUP BY p ORDER BY p`,
		partition, tables.Quote(source), table.TTL, s.dialect.Table(table.Name), strings.Join(own, " AND "),
		tables.QuoteText(database), tables.QuoteText(table.Name))
}
