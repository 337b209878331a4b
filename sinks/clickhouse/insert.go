package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// source is the name of the external table that an insert reads.
const source = "block"

// encoders are the encoders of a table's stored columns, by name.
type encoders map[string]encoder

// block is the insert into one table.
type block struct {
	table     string
	statement string
	external  *ext.Table
	rows      int
}

// newBlock prepares inserts into a table. Every stored column must have an
// encoder, and every encoder a column; the columns that say where a block came
// from need none.
func (s *Sink) newBlock(name string, fill encoders) *block {
	table := tables.Get(name)
	b := &block{table: name}
	for column, encode := range s.origin(&b.rows) {
		if _, own := fill[column]; !own {
			fill[column] = encode
		}
	}
	external, err := ext.NewTable(source)
	if err != nil {
		panic(err) // it has no columns that could be wrong
	}
	var names []string
	for _, c := range table.Stored() {
		encode := fill[c.Name]
		if encode == nil {
			panic(fmt.Sprintf("table %s: nothing fills column %s", name, c.Name))
		}
		delete(fill, c.Name)
		names = append(names, tables.Quote(c.Name))
		external.Block().Columns = append(external.Block().Columns,
			&blockColumn{name: c.Name, kind: column.Type(c.Type), rows: &b.rows, encode: encode})
	}
	for name := range fill {
		if _, common := s.origin(nil)[name]; !common {
			panic(fmt.Sprintf("table %s: there is no column %s", b.table, name))
		}
	}
	b.external = external
	list := strings.Join(names, ", ")
	b.statement = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s",
		s.dialect.Table(name), list, list, tables.Quote(source))
	return b
}

// insert writes the block's rows with a token. It returns when they are
// durable; a block without rows is nothing to write.
func (s *Sink) insert(ctx context.Context, b *block, token string) error {
	if b.rows == 0 {
		return nil
	}
	settings := maps.Clone(s.settings)
	settings["insert_deduplication_token"] = token
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	ctx = clickhouse.Context(ctx,
		clickhouse.WithSettings(settings), clickhouse.WithExternalTable(b.external))
	start := time.Now()
	if err := s.conn.Exec(ctx, b.statement); err != nil {
		s.metrics.failures.WithLabelValues(b.table).Inc()
		return fmt.Errorf("inserting %d rows into %s: %w", b.rows, b.table, err)
	}
	s.metrics.seconds.WithLabelValues(b.table).Observe(time.Since(start).Seconds())
	s.metrics.inserts.WithLabelValues(b.table).Inc()
	s.metrics.rows.WithLabelValues(b.table).Add(float64(b.rows))
	return nil
}
