package sampling

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// errLost says that the tables do not have the rows that were inserted.
var errLost = errors.New("the tables do not have the rows that were inserted")

// The settings of what reads a whole day: it is in no hurry, and what does not
// fit into memory goes to disk.
const scanning = " SETTINGS max_threads = 2, max_bytes_before_external_group_by = 536870912, log_queries = 0"

// maxOperations bounds the operations whose slow traces are told from others:
// those with the most traces.
const maxOperations = 5000

// plan plans a run of a day and begins it. Of a dry run nothing is left. While
// it reads, nobody deletes rows of the day or of the one before: whether that
// was so the books say afterwards.
func (j *Job) plan(ctx context.Context, s *survey, d *Day, only *Selection) (*entry, error) {
	e := &entry{
		tenant: d.Tenant, day: d.Day, run: d.last.run + 1, plan: rand.Uint64(), //nolint:gosec // unique, not secret
		rule: j.cfg.of(d.Tenant), topic: j.topic, offsets: s.offsets,
	}
	if err := j.synchronise(ctx, tables.Spans, tables.Traces); err != nil {
		return nil, err
	}
	if err := j.measure(ctx, e); err != nil {
		return nil, err
	}
	if d.last.run == 0 {
		if err := j.learn(ctx, e); err != nil {
			return nil, err
		}
	} else {
		// What is left of a thinned day does not say what was slow on it, and what
		// is gone does not come back.
		e.slow, e.rule.SlowQuantile = d.last.slow, d.last.rule.SlowQuantile
		e.rule.Probability = min(e.rule.Probability, d.last.rule.Probability)
	}
	if err := j.decide(ctx, e); err != nil {
		return nil, err
	}
	if err := j.account(ctx, e); err != nil {
		return nil, err
	}
	if only.DryRun {
		return e, j.forget(ctx, e)
	}
	if err := j.unmoved(ctx, s, d); err != nil {
		return nil, err
	}
	return j.begin(ctx, e)
}

// row scans the one row of a query.
func (j *Job) row(ctx context.Context, query string, into ...any) error {
	return j.conn.QueryRow(ctx, query).Scan(into...)
}

// measure counts the rows of the day.
func (j *Job) measure(ctx context.Context, e *entry) error {
	for _, table := range []string{tables.Spans, tables.Traces} {
		rows, longest := &e.Spans, uint16(0)
		if table == tables.Traces {
			rows = &e.Traces
		}
		err := j.row(ctx, "SELECT count(), max(retention_days) FROM "+j.dialect.Table(table)+" WHERE "+e.owned()+" AND "+within(table, e.day, e.day+1)+scanning, rows, &longest)
		if err != nil {
			return fmt.Errorf("counting the rows of %s: %w", table, err)
		}
		e.retention = max(e.retention, longest, uint16(j.kept(e.tenant)))
	}
	return nil
}

// learn finds above which durations traces are slow, by what the day has of each
// operation. An operation without a trace above is left out.
func (j *Job) learn(ctx context.Context, e *entry) error {
	return clickhouse.Each(ctx, j.conn, "finding what is slow", func(row clickhouse.Row) error {
		var o operation
		if err := row.Scan(&o.service, &o.name, &o.nanoseconds); err != nil {
			return err
		}
		e.slow = append(e.slow, o)
		return nil
	}, fmt.Sprintf(`SELECT service, name, quantileExact(%s)(duration) AS threshold
FROM (%s HAVING began >= %s AND began < %s)
GROUP BY service, name HAVING threshold < max(duration) ORDER BY count() DESC, service, name LIMIT %d%s`,
		decimal(e.rule.SlowQuantile), j.assembled(e), moment(e.day), moment(e.day+1), maxOperations, scanning))
}

// assembled is the query of the traces that have a row on the day or on one next
// to it. Traces without a root are an operation of their own, without a name.
func (j *Job) assembled(e *entry) string {
	const rooted = "(root_span_id = toFixedString('', 8), time)"
	return fmt.Sprintf(`SELECT trace_id, %s AS partitions, min(time) AS began, max(end_time) AS ended,
	toUnixTimestamp64Nano(ended) - toUnixTimestamp64Nano(began) AS duration,
	toString(argMin(root_service, %s)) AS service, toString(argMin(root_name, %s)) AS name,
	max(errors) > 0 AS failed, max(time) AS latest, countIf(time >= %s AND time < %s) > 0 AS here,
	minIf(sampling_probability, time < %s) AS had
FROM %s WHERE %s AND %s GROUP BY trace_id`,
		j.partitions(), rooted, rooted, moment(e.day), moment(e.day+1), moment(e.day),
		j.dialect.Table(tables.Traces), e.owned(), within(tables.Traces, e.day-1, e.day+2))
}

// partitions is the aggregate of the partitions that a trace came from: on a
// cluster they say on which shards its rows are. Usually it is one.
func (j *Job) partitions() string {
	if j.dialect.Cluster == "" {
		return "[min(kafka_partition)]"
	}
	return "groupUniqArray(kafka_partition)"
}

// What is known of a trace, as bits.
const (
	isHere      = 1 << iota // has rows on the day
	isFailed                // a span failed
	isAssembled             // has a row in traces
	isEarlier               // has rows on the day before
	isCrossing              // goes on after midnight
	isSlow                  // took longer than the threshold of its operation
)

// decide writes down which traces are not left to chance, and which of the
// others go on after midnight.
func (j *Job) decide(ctx context.Context, e *entry) error {
	if err := j.step("decide"); err != nil {
		return err
	}
	services, names, thresholds := make([]string, 0, len(e.slow)), make([]string, 0, len(e.slow)), make([]string, 0, len(e.slow))
	for _, o := range e.slow {
		services, names = append(services, tables.QuoteText(o.service)), append(names, tables.QuoteText(o.name))
		thresholds = append(thresholds, fmt.Sprint(o.nanoseconds))
	}
	slow := "0"
	join := ""
	if len(e.slow) > 0 {
		slow = "s.threshold > 0 AND duration >= s.threshold"
		// Above a threshold is from the next nanosecond on; 0 is that of no operation.
		join = fmt.Sprintf(` LEFT JOIN (SELECT o.1 AS service, o.2 AS name, o.3 + 1 AS threshold FROM (SELECT arrayJoin(arrayZip([%s], [%s], [%s])) AS o)) AS s
	ON a.service = s.service AND a.name = s.name`, strings.Join(services, ", "), strings.Join(names, ", "), strings.Join(thresholds, ", "))
	}
	merged := "[min(partition)]"
	if j.dialect.Cluster != "" {
		merged = "groupUniqArray(partition)"
	}
	statement := fmt.Sprintf(`INSERT INTO %s (tenant, day, plan, trace_id, kafka_partition, reason, probability, retention_days)
SELECT %s, toDate(%d), %d, trace_id, arrayJoin(partitions), why, if(why = 'earlier', inherited, 1), %d
FROM
(
    SELECT trace_id, %s AS partitions, groupBitOr(facts) AS known, min(had) AS inherited,
        multiIf(bitTest(known, 3), 'earlier', bitTest(known, 1), 'error', bitTest(known, 5), 'slow', NOT bitTest(known, 2), 'unassembled', bitTest(known, 4), 'crossing', '') AS why
    FROM
    (
        SELECT trace_id, kafka_partition AS partition, toUInt8(%d + %d * (status = 'error')) AS facts, toFloat64(1) AS had
        FROM %s WHERE %s AND %s
        UNION ALL
        SELECT trace_id, arrayJoin(partitions) AS partition,
            toUInt8(%d * here + %d * failed + %d + %d * (began < %s) + %d * (ended >= %s OR latest >= %s) + %d * (%s)) AS facts,
            if(began < %s, a.had, 1) AS had
        FROM (%s) AS a%s
    )
    GROUP BY trace_id HAVING bitTest(known, 0) AND why != ''
)%s`,
		j.dialect.Table(tables.SamplingTraces), tables.QuoteText(e.tenant), e.day, e.plan, e.retention, merged,
		isHere, isFailed, j.dialect.Table(tables.Spans), e.owned(), within(tables.Spans, e.day, e.day+1),
		isHere, isFailed, isAssembled, isEarlier, moment(e.day), isCrossing, moment(e.day+1), moment(e.day+1), isSlow, slow,
		moment(e.day), j.assembled(e), join, scanning)
	if err := j.exec(ctx, statement, "insert_deduplicate", "0"); err != nil {
		return fmt.Errorf("deciding about traces: %w", err)
	}
	if err := j.row(ctx, "SELECT count() FROM "+j.dialect.Table(tables.SamplingTraces)+" WHERE "+e.planned(), &e.kept); err != nil {
		return fmt.Errorf("counting what was decided: %w", err)
	}
	return nil
}

// account writes down how many spans of each block go, and counts what goes.
func (j *Job) account(ctx context.Context, e *entry) error {
	for _, table := range []string{tables.Spans, tables.Traces} {
		removed, rows := &e.SpansRemoved, e.Spans
		if table == tables.Traces {
			removed, rows = &e.TracesRemoved, e.Traces
		}
		if err := j.row(ctx, "SELECT count() FROM ("+j.leaving(e, table, "1")+")"+scanning, removed); err != nil {
			return fmt.Errorf("counting the rows of %s that go: %w", table, err)
		}
		if rows == 0 {
			continue
		}
		size, err := j.size(ctx, table, e.day)
		if err != nil {
			return err
		}
		e.BytesRemoved += uint64(size * float64(*removed))
	}
	if err := j.step("account"); err != nil {
		return err
	}
	err := j.exec(ctx, fmt.Sprintf(`INSERT INTO %s (tenant, day, plan, kafka_partition, kafka_offset, removed, retention_days)
SELECT %s, toDate(%d), %d, kafka_partition, kafka_offset, count(), %d FROM (%s) GROUP BY kafka_partition, kafka_offset%s`,
		j.dialect.Table(tables.SamplingBlocks), tables.QuoteText(e.tenant), e.day, e.plan, e.retention,
		j.leaving(e, tables.Spans, "kafka_partition, kafka_offset"), scanning), "insert_deduplicate", "0")
	if err != nil {
		return fmt.Errorf("writing down what goes of each block: %w", err)
	}
	var noted uint64
	if err := j.row(ctx, "SELECT sum(removed) FROM "+j.dialect.Table(tables.SamplingBlocks)+" WHERE "+e.planned(), &noted); err != nil {
		return fmt.Errorf("adding up what goes of each block: %w", err)
	}
	if noted != e.SpansRemoved {
		return fmt.Errorf("%w: %d spans of blocks are to go, want %d", errLost, noted, e.SpansRemoved)
	}
	return nil
}

// size returns about how many bytes a row of the day takes on disk.
func (j *Job) size(ctx context.Context, table string, day int64) (float64, error) {
	parts := "system.parts"
	if j.dialect.Cluster != "" {
		parts = "cluster(" + tables.QuoteText(j.dialect.Cluster) + ", system.parts)"
	}
	var bytes, rows uint64
	err := j.row(ctx, "SELECT sum(bytes_on_disk), sum(rows) FROM "+parts+" WHERE active AND "+j.here(table)+
		" AND endsWith(partition, "+tables.QuoteText("'"+tables.Date(day)+"')")+")", &bytes, &rows)
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", table, err)
	}
	return float64(bytes) / float64(max(rows, 1)), nil
}

// unmoved fails where the books have changed, of the day or of the one before,
// since the survey.
func (j *Job) unmoved(ctx context.Context, s *survey, d *Day) error {
	if err := j.synchronise(ctx, tables.Sampling); err != nil {
		return err
	}
	all, err := j.entries(ctx)
	if err != nil {
		return err
	}
	for _, day := range []int64{d.Day - 1, d.Day} {
		var last, known entry
		for _, e := range all {
			if e.tenant == d.Tenant && e.day == day {
				last = e
			}
		}
		if k := s.get(d.Tenant, day); k != nil {
			known = k.last
		}
		if last.run != known.run || last.done != known.done {
			return fmt.Errorf("%w: %s", errOvertaken, tables.Date(day))
		}
	}
	return nil
}

// forget deletes what a plan has written that is not carried out.
func (j *Job) forget(ctx context.Context, e *entry) error {
	for _, table := range []string{tables.SamplingTraces, tables.SamplingBlocks} {
		err := j.conn.Exec(ctx, "ALTER TABLE "+j.dialect.Local(table)+j.dialect.OnCluster()+" DELETE WHERE "+e.planned())
		if err != nil {
			return fmt.Errorf("forgetting a plan: %w", err)
		}
	}
	return nil
}
