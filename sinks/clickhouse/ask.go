package clickhouse

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// What limits ask the tables; see limit.go.

// asking returns the rows of series.found that are asked about, as the external
// table of a query.
func (s *Sink) asking(rows []uint32) *block {
	t := s.series
	if t.limits.ask == nil {
		b := &block{table: tables.Series, use: t.rows.use}
		for _, c := range t.block.columns {
			switch c.name {
			case "tenant", "metric", "fingerprint", "day":
				b.columns = append(b.columns, c)
			}
		}
		t.limits.ask = b
	}
	t.rows.all, t.rows.order = t.found, rows
	t.limits.ask.rows = len(rows)
	return t.limits.ask
}

// count reads how many series the table has.
func (s *Sink) count(ctx context.Context, b *telemetry.Batch, days []*dayCount) error {
	if len(days) == 0 {
		return nil
	}
	rows := make([]uint32, len(days))
	for i, d := range days {
		rows[i] = d.row
		d.series, d.loaded, d.exact = 0, true, true
	}
	query := fmt.Sprintf(`SELECT toString(tenant), toUInt16(day), uniqExact(fingerprint) FROM %[1]s
WHERE kafka_partition = %[2]d AND tenant IN (SELECT tenant FROM %[3]s) AND day IN (SELECT day FROM %[3]s) GROUP BY tenant, day`,
		s.dialect.Table(tables.Series), b.Partition, tables.Quote(source))
	err := s.query(ctx, s.asking(rows), query, func(scan func(...any) error) error {
		var of tenantDay
		var n uint64
		if err := scan(&of.tenant, &of.day, &n); err != nil {
			return err
		}
		if d := s.series.limits.days[of]; d != nil {
			d.series, d.loaded, d.exact = int(n), true, true
		}
		return nil
	})
	if err != nil {
		for _, d := range days {
			d.loaded, d.exact = false, false
		}
		return fmt.Errorf("counting series: %w", err)
	}
	return nil
}

// exist marks the series of crowded tenants that the table has.
func (s *Sink) exist(ctx context.Context, b *telemetry.Batch) error {
	l := s.series.limits
	var rows []uint32
	for i := range s.series.found {
		if s.series.found[i].count.crowded {
			rows = append(rows, uint32(i))
		}
	}
	query := fmt.Sprintf(`SELECT DISTINCT fingerprint, toUInt16(day) FROM %[1]s
WHERE kafka_partition = %[2]d AND tenant IN (SELECT tenant FROM %[3]s) AND day IN (SELECT day FROM %[3]s)
    AND metric IN (SELECT metric FROM %[3]s) AND fingerprint IN (SELECT fingerprint FROM %[3]s)`,
		s.dialect.Table(tables.Series), b.Partition, tables.Quote(source))
	err := s.query(ctx, s.asking(rows), query, func(scan func(...any) error) error {
		var fingerprint uint64
		var day uint16
		if err := scan(&fingerprint, &day); err != nil {
			return err
		}
		l.fresh[onDay(fingerprint, day)] = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for %d series: %w", len(rows), err)
	}
	return nil
}

// refusedBefore returns the tenants that an earlier attempt at the block refused
// series of.
func (s *Sink) refusedBefore(ctx context.Context, b *telemetry.Batch) ([]string, error) {
	query := fmt.Sprintf(`SELECT DISTINCT toString(tenant) FROM %s WHERE topic = %s AND kafka_partition = %d AND kafka_offset = %d AND reason_code = %s`,
		s.dialect.Table(tables.DeadLetters), tables.QuoteText(b.Topic), b.Partition, b.From, tables.QuoteText(ReasonSeriesLimit))
	var all []string
	err := s.query(ctx, nil, query, func(scan func(...any) error) error {
		all = append(all, "")
		return scan(&all[len(all)-1])
	})
	if err != nil {
		return nil, fmt.Errorf("reading the block's dead letters: %w", err)
	}
	return all, nil
}

// query runs a query over the rows of a block, if any, and calls row for every
// row of the answer.
func (s *Sink) query(ctx context.Context, over *block, query string, row func(scan func(...any) error) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if over != nil {
		ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(over.cut()...))
	}
	found, err := s.conn.Query(ctx, query)
	if err != nil {
		return err
	}
	for found.Next() && err == nil {
		err = row(found.Scan)
	}
	return cmp.Or(err, found.Err(), found.Close())
}
