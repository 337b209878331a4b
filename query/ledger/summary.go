package ledger

import (
	"context"
	"fmt"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Summary adds up the ledger alone: whether blocks follow each other, whether
// the counts of every row add up, and the totals. It is cheap and does not look
// at the tables.
func (a *Audit) Summary(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Time: o.Now, Since: o.Since}
	bounds, err := a.bounds(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := a.sums(ctx, o, r); err != nil {
		return nil, err
	}
	if o.Tenant == "" {
		if err := a.spans(ctx, o, r); err != nil {
			return nil, err
		}
	}
	a.unknownTopics(r, bounds)
	r.finish(a.cfg.Topics, o.Kafka, a.cfg.MaxProblems, o.Tenant == "" && o.Since.IsZero())
	return r, nil
}

// sums reads the totals per topic, partition and tenant.
func (a *Audit) sums(ctx context.Context, o Options, r *Report) error {
	where, args := "1", []any{}
	if !o.Since.IsZero() {
		where += " AND toUnixTimestamp64Nano(time) >= ?"
		args = append(args, o.Since.UnixNano())
	}
	if o.Tenant != "" {
		where += " AND tenant = ?"
		args = append(args, o.Tenant)
	}
	return clickhouse.Each(ctx, a.conn, "summing up the ledger", func(row clickhouse.Row) error {
		var p Partition
		var partition uint32
		var from, to, unbalanced uint64
		if err := row.Scan(&p.Topic, &partition, &p.Tenant, &p.Blocks, &from, &to,
			&p.Records, &p.Accepted, &p.Stored, &p.Rejected, &p.Dropped, &p.Repeated, &unbalanced); err != nil {
			return err
		}
		p.Partition, p.From, p.To = int32(partition), int64(from), int64(to)
		r.Partitions = append(r.Partitions, p)
		if unbalanced > 0 {
			r.problem(a.cfg.MaxProblems, Problem{
				Kind: Unbalanced, Topic: p.Topic, Partition: p.Partition, Tenant: p.Tenant, From: p.From, To: p.To, Got: unbalanced,
				Detail: fmt.Sprintf("in %d blocks accepted is not stored + rejected + dropped", unbalanced),
			})
		}
		return nil
	}, `SELECT toString(topic), kafka_partition, toString(tenant), count(), min(from_offset), max(to_offset),
	sum(records), sum(accepted), sum(stored), sum(rejected), sum(dropped), sum(repeated),
	countIf(accepted != stored + rejected + dropped)
FROM `+a.dialect.Table(tables.Ledger)+`
WHERE `+where+`
GROUP BY topic, kafka_partition, tenant`, args...)
}

// spans checks that the blocks of every partition fill the range from the first
// to the last.
func (a *Audit) spans(ctx context.Context, o Options, r *Report) error {
	return clickhouse.Each(ctx, a.conn, "checking the blocks of the ledger", func(row clickhouse.Row) error {
		var topic string
		var partition uint32
		var from, to, doubled uint64
		var covered int64
		if err := row.Scan(&topic, &partition, &from, &to, &covered, &doubled); err != nil {
			return err
		}
		p := Problem{Topic: topic, Partition: int32(partition), From: int64(from), To: int64(to)}
		span := int64(to - from)
		if covered != span {
			p.Kind, p.Want, p.Got = Gap, uint64(span), uint64(max(covered, 0))
			p.Detail = fmt.Sprintf("blocks cover %d of %d offsets; a full audit names the gaps", covered, span)
			if covered > span {
				p.Kind = Overlap
				p.Detail = fmt.Sprintf("blocks cover %d offsets, but there are %d; a full audit names the blocks that overlap", covered, span)
			}
			r.problem(a.cfg.MaxProblems, p)
		}
		if doubled > 0 {
			p.Kind, p.Want, p.Got = LedgerDoubled, 0, doubled
			p.Detail = fmt.Sprintf("%d blocks are in the ledger more than once", doubled)
			r.problem(a.cfg.MaxProblems, p)
		}
		return nil
	}, `SELECT toString(topic), kafka_partition, min(from_offset), max(to_offset),
	sum(toInt64(to_offset) - toInt64(from_offset)), toUInt64(sum(most - 1))
FROM
(
    SELECT topic, kafka_partition, from_offset, to_offset, max(times) AS most
    FROM
    (
        SELECT topic, kafka_partition, from_offset, to_offset, tenant, count() AS times
        FROM `+a.dialect.Table(tables.Ledger)+`
        WHERE toUnixTimestamp64Nano(time) >= ?
        GROUP BY topic, kafka_partition, from_offset, to_offset, tenant
    )
    GROUP BY topic, kafka_partition, from_offset, to_offset
)
GROUP BY topic, kafka_partition
SETTINGS optimize_aggregation_in_order = 1`, nanoseconds(o.Since))
}
