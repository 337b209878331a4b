package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	connection "github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

const deadLetters = tables.DeadLetters

// Verify compares the ledger with the tables, block by block. It asks one
// grouped query of every table and holds one block at a time; the number of
// partitions and problems bounds its memory.
//
// It may run while events are stored: what comes after it began is left out.
func (a *Audit) Verify(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Time: o.Now, Since: o.Since, Verified: true}
	bounds, err := a.bounds(ctx, o)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(a.cfg.Topics))
	for topic := range a.cfg.Topics {
		names = append(names, topic)
	}
	slices.Sort(names)
	for _, topic := range names {
		if err := a.verifyTopic(ctx, o, r, topic, bounds[topic]); err != nil {
			return nil, err
		}
	}
	a.unknownTopics(r, bounds)
	r.finish(a.cfg.Topics, o.Kafka, a.cfg.MaxProblems, o.Tenant == "")
	return r, nil
}

// unknownTopics reports topics whose rows could not be looked for.
func (a *Audit) unknownTopics(r *Report, bounds map[string]*window) {
	for topic := range bounds {
		if a.cfg.Topics[topic] == "" {
			r.problem(a.cfg.MaxProblems, Problem{
				Kind: UnknownTopic, Topic: topic, Partition: -1, From: -1, To: -1,
				Detail: "the ledger has blocks of a topic that is not configured, so their rows cannot be compared",
			})
		}
	}
}

// expirySlack is how long before its time a row of the ledger counts as expired.
const expirySlack = 48 * time.Hour

// window is the range of offsets that is looked at, per partition of a topic.
type window struct {
	partitions []uint32
	// from is the first offset, end where the ledger ended.
	from, end []uint64
}

// bounds reads where the ledger begins, after Since, and ends. Where its first
// rows have expired, or are about to, it begins with what is left; rows of
// events from before have nothing to be compared with.
func (a *Audit) bounds(ctx context.Context, o Options) (map[string]*window, error) {
	all := map[string]*window{}
	err := connection.Each(ctx, a.conn, "reading the ends of the ledger", func(row connection.Row) error {
		var topic string
		var partition uint32
		var from *uint64
		var end uint64
		if err := row.Scan(&topic, &partition, &from, &end); err != nil {
			return err
		}
		w := all[topic]
		if w == nil {
			w = &window{}
			all[topic] = w
		}
		if from == nil {
			from = &end // nothing was received since then
		}
		w.partitions = append(w.partitions, partition)
		w.from = append(w.from, *from)
		w.end = append(w.end, end)
		return nil
	}, `SELECT toString(topic), kafka_partition,
	if(? != 0, minOrNullIf(from_offset, toUnixTimestamp64Nano(time) >= ?),
		if(min(time) + toIntervalDay(min(retention_days)) < fromUnixTimestamp64Nano(?), min(from_offset), 0)), max(to_offset)
FROM `+a.dialect.Table(tables.Ledger)+`
GROUP BY topic, kafka_partition
ORDER BY topic, kafka_partition`, nanoseconds(o.Since), nanoseconds(o.Since), o.Now.Add(expirySlack).UnixNano())
	return all, err
}

func (a *Audit) verifyTopic(ctx context.Context, o Options, r *Report, topic string, w *window) error {
	if w == nil {
		w = &window{}
	}
	c := &comparison{
		report: r, cfg: &a.cfg, options: o, topic: topic,
		tables: signalTables[a.cfg.Topics[topic]],
		ends:   map[uint32]uint64{}, committed: map[uint32]int64{},
		partitions: map[key]*Partition{}, last: map[uint32]block{},
		wholeBlocks: o.Tenant == "",
	}
	for i, p := range w.partitions {
		c.ends[p] = w.end[i]
	}
	for _, k := range o.Kafka {
		if k.Topic == topic {
			c.committed[uint32(k.Partition)] = k.Committed
		}
	}
	// What one query reads in order, another must not wait for: each has its
	// own connection, and all are let go of at the end.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_threads": 2, "optimize_aggregation_in_order": 0, "max_block_size": 8192,
	}))
	var gone, going stream[found] = none{}, none{}
	sampled := slices.Contains(c.tables, tables.Spans)
	if sampled {
		s, err := a.removed(ctx, "state = 'done'", o, w)
		if err != nil {
			return err
		}
		defer s.close()
		gone = s
	}
	var rows []stream[found]
	for _, table := range c.tables {
		s, err := a.count(ctx, table, "count()", "", o, w)
		if err != nil {
			return err
		}
		defer s.close()
		first := &primed{stream: s}
		if err := first.read(); err != nil {
			return err
		}
		rows = append(rows, first)
	}
	if sampled {
		s, err := a.removed(ctx, "1", o, w)
		if err != nil {
			return err
		}
		defer s.close()
		going = s
	}
	letters, err := a.count(ctx, tables.DeadLetters, "sum(events)", topic, o, w)
	if err != nil {
		return err
	}
	defer letters.close()
	entries, err := a.entries(ctx, topic, o, w)
	if err != nil {
		return err
	}
	defer entries.close()
	if err := c.run(entries, rows, letters, gone, going); err != nil {
		return err
	}
	for _, p := range c.partitions {
		r.Partitions = append(r.Partitions, *p)
	}
	return nil
}
