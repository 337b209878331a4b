package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// counted streams what a table has per tenant and block.
type counted struct {
	rows  driver.Rows
	table string
}

// count asks a table for the value per tenant and block, in the order of keys.
func (a *Audit) count(ctx context.Context, table, value, topic string, o Options, w *window) (*counted, error) {
	where, args := w.condition("kafka_offset")
	if topic != "" {
		where += " AND topic = ?"
		args = append(args, topic)
	}
	if o.Tenant != "" {
		where += " AND tenant = ?"
		args = append(args, o.Tenant)
	}
	rows, err := a.conn.Query(ctx, `SELECT kafka_partition, kafka_offset, toString(tenant) AS owner, toUInt64(`+value+`)
FROM `+a.dialect.Table(table)+`
WHERE `+where+`
GROUP BY kafka_partition, kafka_offset, owner
ORDER BY kafka_partition, kafka_offset, owner`, args...)
	if err != nil {
		return nil, fmt.Errorf("counting the blocks of %s: %w", table, err)
	}
	return &counted{rows, table}, nil
}

// removed asks the books of sampling for the spans per tenant and block that
// runs delete which began, or of those only that are done. Where runs of both
// kinds are wanted, what is done must be asked for before the rows are counted
// and what has begun afterwards.
func (a *Audit) removed(ctx context.Context, state string, o Options, w *window) (*counted, error) {
	where, args := w.condition("kafka_offset")
	if o.Tenant != "" {
		where += " AND tenant = ?"
		args = append(args, o.Tenant)
	}
	rows, err := a.conn.Query(ctx, `SELECT kafka_partition, kafka_offset, toString(tenant) AS owner, sum(removed)
FROM `+a.dialect.Table(tables.SamplingBlocks)+`
WHERE `+where+` AND plan GLOBAL IN (SELECT plan FROM `+a.dialect.Table(tables.Sampling)+` WHERE `+state+`)
GROUP BY kafka_partition, kafka_offset, owner
ORDER BY kafka_partition, kafka_offset, owner`, args...)
	if err != nil {
		return nil, fmt.Errorf("counting what sampling deleted: %w", err)
	}
	return &counted{rows, tables.SamplingBlocks}, nil
}

func (s *counted) next() (f found, ok bool, err error) {
	if s.rows.Next() {
		err = s.rows.Scan(&f.partition, &f.from, &f.tenant, &f.n)
		ok = true
	} else {
		err = s.rows.Err()
	}
	if err != nil {
		return f, false, fmt.Errorf("counting the blocks of %s: %w", s.table, err)
	}
	return f, ok, nil
}

func (s *counted) close() { _ = s.rows.Close() }

// listed streams the entries of the ledger.
type listed struct{ rows driver.Rows }

// entries asks for the ledger's rows of a topic, in the order of keys, which is
// nearly the order that they have in the table.
func (a *Audit) entries(ctx context.Context, topic string, o Options, w *window) (*listed, error) {
	where, args := w.condition("from_offset")
	args = append([]any{topic}, args...)
	if o.Tenant != "" {
		where += " AND tenant = ?"
		args = append(args, o.Tenant)
	}
	rows, err := a.conn.Query(ctx, `SELECT kafka_partition, from_offset, toString(tenant) AS owner, to_offset,
	records, accepted, stored, rejected, dropped, repeated, time, min_time, retention_days
FROM `+a.dialect.Table(tables.Ledger)+`
WHERE topic = ? AND `+where+`
ORDER BY kafka_partition, from_offset, owner, to_offset`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return &listed{rows}, nil
}

func (s *listed) next() (e entry, ok bool, err error) {
	if s.rows.Next() {
		err = s.rows.Scan(&e.partition, &e.from, &e.tenant, &e.to,
			&e.records, &e.accepted, &e.stored, &e.rejected, &e.dropped, &e.repeated, &e.received, &e.minTime, &e.retentionDays)
		ok = true
	} else {
		err = s.rows.Err()
	}
	if err != nil {
		return e, false, fmt.Errorf("reading the ledger: %w", err)
	}
	return e, ok, nil
}

func (s *listed) close() { _ = s.rows.Close() }

// condition bounds a column of offsets to the window, partition by partition.
// A partition that the ledger does not know is not bounded.
func (w *window) condition(column string) (string, []any) {
	if len(w.partitions) == 0 {
		return "1", nil
	}
	return column + " >= transform(kafka_partition, ?, ?, toUInt64(0))", []any{w.partitions, w.from}
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// none is a stream without elements.
type none struct{}

func (none) next() (f found, ok bool, err error) { return f, false, nil }

// primed is a stream whose first element has been read. That says that all rows
// behind it have been counted: they are sorted.
type primed struct {
	stream[found]
	first found
	ok    bool
	begun bool
}

func (p *primed) read() (err error) {
	p.first, p.ok, err = p.stream.next()
	return err
}

func (p *primed) next() (f found, ok bool, err error) {
	if !p.begun {
		p.begun = true
		return p.first, p.ok, nil
	}
	return p.stream.next()
}
