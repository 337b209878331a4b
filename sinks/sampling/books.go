package sampling

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// entry is a run of a day of a tenant, as the table sampling has it.
type entry struct {
	tenant  string
	day     int64
	run     uint32 // from 1
	plan    uint64
	done    bool
	checked time.Time
	rule    Rule
	slow    []operation
	topic   string
	offsets tables.Offsets
	kept    uint64 // rows of the table sampling_traces
	Counts
	retention uint16
}

// operation is a root operation and the duration above which it is slow.
type operation struct {
	service, name string
	nanoseconds   int64
}

// entries returns the runs of all days, those of a day in order.
func (j *Job) entries(ctx context.Context) ([]entry, error) {
	var all []entry
	err := clickhouse.Each(ctx, j.conn, "reading the books of sampling", func(row clickhouse.Row) error {
		var e entry
		var day uint16
		var done uint8
		var services, names []string
		var durations []int64
		var partitions []uint32
		var offsets []uint64
		if err := row.Scan(&e.tenant, &day, &e.run, &e.plan, &done, &e.rule.Probability, &e.rule.SlowQuantile, &services, &names, &durations,
			&e.topic, &partitions, &offsets, &e.kept, &e.Spans, &e.SpansRemoved, &e.Traces, &e.TracesRemoved, &e.BytesRemoved, &e.retention, &e.checked); err != nil {
			return err
		}
		e.day, e.done, e.offsets = int64(day), done == 1, tables.Offsets{}
		for i := range durations {
			e.slow = append(e.slow, operation{services[i], names[i], durations[i]})
		}
		for i := range partitions {
			e.offsets[partitions[i]] = offsets[i]
		}
		all = append(all, e)
		return nil
	}, `SELECT toString(tenant) AS owner, toUInt16(day) AS number, run,
	(argMax((plan, state = 'done', probability, slow_quantile, slow.service, slow.name, slow.duration_ns, topic, partitions, offsets,
		kept, spans, spans_removed, traces, traces_removed, bytes_removed, retention_days), (state, checked)) AS last).1,
	toUInt8(last.2), last.3, last.4, CAST(last.5, 'Array(String)'), CAST(last.6, 'Array(String)'), last.7, toString(last.8), last.9, last.10,
	last.11, last.12, last.13, last.14, last.15, last.16, last.17, max(checked)
FROM `+j.dialect.Table(tables.Sampling)+` GROUP BY owner, number, run ORDER BY owner, number, run`)
	return all, err
}

// errOvertaken says that another job was at the same day. The next pass goes on
// from where that one is.
var errOvertaken = errors.New("another job thins the same days")

// begin makes the plan that of its run. Of the plans that several jobs have for
// a run the first is taken and the others are dropped as repeats, so that all
// jobs delete by the same one. It returns the run as the books have it then.
func (j *Job) begin(ctx context.Context, e *entry) (*entry, error) {
	if err := j.step("begin"); err != nil {
		return nil, err
	}
	e.checked = j.now()
	token := fmt.Sprintf("sampling/%s/%s/%d", e.tenant, tables.Date(e.day), e.run)
	if err := j.write(ctx, e, "insert_deduplicate", "1", "insert_deduplication_token", token); err != nil {
		return nil, err
	}
	if err := j.synchronise(ctx, tables.Sampling); err != nil {
		return nil, err
	}
	all, err := j.entries(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].tenant == e.tenant && all[i].day == e.day && all[i].run == e.run {
			return &all[i], j.step("begun")
		}
	}
	return nil, fmt.Errorf("%w: run %d of %s is not in the books", errOvertaken, e.run, tables.Date(e.day))
}

// finish notes that everything is deleted.
func (j *Job) finish(ctx context.Context, e *entry) error {
	if err := j.step("finish"); err != nil {
		return err
	}
	e.done = true
	// The row replaces that of the beginning, whatever the clock says.
	if now := j.now(); now.After(e.checked) {
		e.checked = now
	} else {
		e.checked = e.checked.Add(1)
	}
	if err := j.write(ctx, e, "insert_deduplicate", "0"); err != nil {
		return err
	}
	return j.step("finished")
}

// write writes a run into the books.
func (j *Job) write(ctx context.Context, e *entry, settings ...string) error {
	var services, names, durations, partitions, offsets []string
	for _, s := range e.slow {
		services, names = append(services, tables.QuoteText(s.service)), append(names, tables.QuoteText(s.name))
		durations = append(durations, fmt.Sprint(s.nanoseconds))
	}
	for _, p := range slices.Sorted(maps.Keys(e.offsets)) {
		partitions, offsets = append(partitions, fmt.Sprint(p)), append(offsets, fmt.Sprint(e.offsets[p]))
	}
	state := "begun"
	if e.done {
		state = "done"
	}
	array := func(elements []string) string { return "[" + strings.Join(elements, ", ") + "]" }
	statement := fmt.Sprintf(`INSERT INTO %s (tenant, day, run, plan, state, checked, probability, slow_quantile, slow.service, slow.name, slow.duration_ns,
	topic, partitions, offsets, kept, spans, spans_removed, traces, traces_removed, bytes_removed, retention_days)
SELECT %s, toDate(%d), %d, %d, '%s', fromUnixTimestamp64Nano(%d), %s, %s, %s, %s, %s, %s, %s, %s, %d, %d, %d, %d, %d, %d, %d`,
		j.dialect.Table(tables.Sampling), tables.QuoteText(e.tenant), e.day, e.run, e.plan, state, e.checked.UnixNano(),
		decimal(e.rule.Probability), decimal(e.rule.SlowQuantile), array(services), array(names), array(durations),
		tables.QuoteText(e.topic), array(partitions), array(offsets),
		e.kept, e.Spans, e.SpansRemoved, e.Traces, e.TracesRemoved, e.BytesRemoved, e.retention)
	if err := j.exec(ctx, statement, settings...); err != nil {
		return fmt.Errorf("writing the books of sampling: %w", err)
	}
	return nil
}

// decimal is a number in SQL, with all of its bits.
func decimal(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// exec runs a statement. The settings are pairs of names and values.
func (j *Job) exec(ctx context.Context, statement string, settings ...string) error {
	all := []clickhouse.Setting{
		{Key: "log_queries", Value: "0", Important: true},
		// The thresholds of thousands of operations are part of a statement.
		{Key: "max_query_size", Value: "16777216", Important: true},
		{Key: "async_insert", Value: "0", Important: true},
	}
	if j.dialect.Cluster != "" {
		all = append(all, clickhouse.Setting{Key: "distributed_foreground_insert", Value: "1", Important: true})
	}
	// A server that drops the token of an insert from a SELECT unless it is told
	// not to; others do not know the setting and pass over it.
	all = append(all, clickhouse.Setting{Key: "deduplicate_insert_select", Value: "enable_even_for_bad_queries"})
	for i := 0; i+1 < len(settings); i += 2 {
		all = append(all, clickhouse.Setting{Key: settings[i], Value: settings[i+1], Important: true})
	}
	return j.columns.Do(ctx, clickhouse.Query{Body: statement, Settings: all})
}

// synchronise waits until every replica has what any of them had.
func (j *Job) synchronise(ctx context.Context, names ...string) error {
	if j.dialect.Cluster == "" {
		return nil
	}
	for _, name := range names {
		if err := j.conn.Exec(ctx, "SYSTEM SYNC REPLICA"+j.dialect.OnCluster()+" "+j.dialect.Local(name)+" LIGHTWEIGHT"); err != nil {
			return fmt.Errorf("waiting for replicas: %w", err)
		}
	}
	return nil
}
