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

// columnOf is a column of a table and how it is encoded.
type columnOf struct {
	name   string
	kind   column.Type
	encode encoder
}

// block is the insert into one table. It is sent in pieces, so that neither the
// rows of a piece leave the processor's cache between columns nor a connection's
// buffer grows to the size of a column; the server joins them.
type block struct {
	table     string
	statement string
	// missing asks for the partitions of the table that have no row of the
	// block; it is empty where rows replace each other.
	missing string
	// partition is the table's partition as text.
	partition string
	columns   []*columnOf
	// rows is the number of rows to insert.
	rows int
	// use makes the encoders see some of the rows.
	use func(from, to int)
	// pieces are made once and used again.
	pieces []*piece
	// current is the piece that the encoders see, and size its rows.
	current *piece
	size    int
}

// piece is a range of rows, [from, to).
type piece struct {
	block    *block
	from, to int
	external *ext.Table
}

// pieceRows is how many rows are sent together.
const pieceRows = 8192

// begin makes the encoders see the rows of the piece.
func (p *piece) begin() {
	if p.block.current != p {
		p.block.current, p.block.size = p, p.to-p.from
		p.block.use(p.from, p.to)
	}
}

// newBlock prepares inserts into a table. Every stored column must have an
// encoder, and every encoder a column; the columns that say where a block came
// from need none.
func (s *Sink) newBlock(name string, use func(from, to int), fill encoders) *block {
	table := tables.Get(name)
	b := &block{table: name, use: use}
	origin := s.origin(&b.size)
	for column, encode := range origin {
		if _, own := fill[column]; !own {
			fill[column] = encode
		}
	}
	var names []string
	for _, c := range table.Stored() {
		encode := fill[c.Name]
		if encode == nil {
			panic(fmt.Sprintf("table %s: nothing fills column %s", name, c.Name))
		}
		delete(fill, c.Name)
		names = append(names, tables.Quote(c.Name))
		b.columns = append(b.columns, &columnOf{c.Name, column.Type(c.Type), encode})
	}
	for column := range fill {
		if _, common := origin[column]; !common {
			panic(fmt.Sprintf("table %s: there is no column %s", name, column))
		}
	}
	list := strings.Join(names, ", ")
	b.statement = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s",
		s.dialect.Table(name), list, list, tables.Quote(source))
	b.partition = "toString(" + table.PartitionBy + ")"
	if table.Engine != replacing {
		b.missing = s.missingFrom(&table, b.partition)
	}
	return b
}

// cut returns the pieces of the block as external tables of the same name.
func (b *block) cut() []*ext.Table {
	b.current = nil
	var external []*ext.Table
	for from := 0; from < b.rows; from += pieceRows {
		n := len(external)
		if n == len(b.pieces) {
			b.pieces = append(b.pieces, b.newPiece())
		}
		p := b.pieces[n]
		p.from, p.to = from, min(from+pieceRows, b.rows)
		external = append(external, p.external)
	}
	return external
}

func (b *block) newPiece() *piece {
	p := &piece{block: b}
	var err error
	if p.external, err = ext.NewTable(source); err != nil {
		panic(err) // it has no columns that could be wrong
	}
	columns := &p.external.Block().Columns
	for _, c := range b.columns {
		*columns = append(*columns, &blockColumn{c, p})
	}
	return p
}

// insert runs a statement over the block's rows with a token. It returns when
// they are durable.
func (s *Sink) insert(ctx context.Context, b *block, statement, token string) error {
	settings := maps.Clone(s.settings)
	settings["insert_deduplication_token"] = token
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	ctx = clickhouse.Context(ctx,
		clickhouse.WithSettings(settings), clickhouse.WithExternalTable(b.cut()...))
	start := time.Now()
	if err := s.conn.Exec(ctx, statement); err != nil {
		s.metrics.failures.WithLabelValues(b.table).Inc()
		return fmt.Errorf("inserting %d rows into %s: %w", b.rows, b.table, err)
	}
	s.metrics.seconds.WithLabelValues(b.table).Observe(time.Since(start).Seconds())
	s.metrics.inserts.WithLabelValues(b.table).Inc()
	s.metrics.rows.WithLabelValues(b.table).Add(float64(b.rows))
	return nil
}
