package sampling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// errLeft says that rows are there that were deleted.
var errLeft = errors.New("rows that were deleted are there")

// atOnce is for how many tenants parts are written anew together.
const atOnce = 20

// thin deletes the rows of the runs of a day and writes the probability into
// those that stay. What is done already is not done again.
func (j *Job) thin(ctx context.Context, day int64, begun []*Day, only *Selection) error {
	if err := j.synchronise(ctx, tables.SamplingTraces); err != nil {
		return err
	}
	for group := range slices.Chunk(begun, atOnce) {
		var work []*task
		for _, d := range group {
			t, err := j.task(ctx, &d.last)
			if err != nil {
				return err
			}
			if t.Spans+t.Traces > 0 {
				work = append(work, t)
			}
		}
		for _, table := range []string{tables.Spans, tables.Traces} {
			if err := j.rewrite(ctx, table, day, work, only); err != nil {
				return err
			}
			for _, t := range work {
				var left uint64
				if err := j.row(ctx, "SELECT count() FROM ("+j.leaving(t.entry, table, "1")+")"+scanning, &left); err != nil {
					return fmt.Errorf("looking whether rows of %s are gone: %w", table, err)
				}
				if left > 0 {
					return fmt.Errorf("%w: %d of %s of tenant %s", errLeft, left, table, t.tenant)
				}
			}
		}
	}
	return nil
}

// task is a run with what has to be known of its plan.
type task struct {
	*entry
	crosses   bool
	inherited []float64 // probabilities of traces that began earlier
}

// task looks into the plan of a run, and whether it is there as a whole: what a
// plan does not know is left to chance.
func (j *Job) task(ctx context.Context, e *entry) (*task, error) {
	t := &task{entry: e}
	var rows, crossing uint64
	err := j.row(ctx, "SELECT count(), countIf(reason = 'crossing'), arraySort(groupUniqArrayIf(probability, reason = 'earlier' AND probability < 1)) FROM "+
		j.dialect.Table(tables.SamplingTraces)+" WHERE "+e.planned(), &rows, &crossing, &t.inherited)
	if err != nil {
		return nil, fmt.Errorf("reading the plan of %s: %w", e.tenant, err)
	}
	if rows != e.kept {
		return nil, fmt.Errorf("%w: the plan of tenant %s has %d traces, want %d", errLost, e.tenant, rows, e.kept)
	}
	t.crosses = crossing > 0
	return t, nil
}

// commands are what is to be done with the rows of a day in a partition of a
// table. Rows that stay are not touched a second time.
func (t *task) commands(day int64, partition, decisions string) []string {
	if day != t.day && !t.crosses {
		return nil
	}
	chance := t.chance(day, "IN", decisions)
	update := func(probability float64, where string) string {
		p := decimal(probability)
		return fmt.Sprintf("UPDATE sampling_probability = %s IN PARTITION %s WHERE sampling_probability > %s AND %s", p, partition, p, where)
	}
	all := []string{
		"DELETE IN PARTITION " + partition + " WHERE " + t.unlucky() + " AND " + chance,
		update(t.rule.Probability, t.lucky()+" AND "+chance),
	}
	if day == t.day {
		for _, p := range t.inherited {
			all = append(all, update(p, fmt.Sprintf("%s AND trace_id IN (SELECT trace_id FROM %s WHERE %s AND reason = 'earlier' AND probability = %s)",
				t.owned(), decisions, t.planned(), decimal(p))))
		}
	}
	return all
}

// rewrite has the partitions of a day, and of the day after, in a table written
// anew, for all tasks at once, and waits for it.
func (j *Job) rewrite(ctx context.Context, table string, day int64, work []*task, only *Selection) error {
	var all []string
	for _, at := range []int64{day, day + 1} {
		partitions, err := j.partitionsOf(ctx, table, at, work)
		if err != nil {
			return err
		}
		for _, partition := range partitions {
			for _, t := range work {
				all = append(all, t.commands(at, partition, j.dialect.Local(tables.SamplingTraces))...)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	// What an earlier job has begun goes on by itself.
	if err := j.settled(ctx, table, only); err != nil {
		return err
	}
	if err := j.step("delete"); err != nil {
		return err
	}
	only.progress("%s: writing the table %s anew", tables.Date(day), table)
	settings := []string{"mutations_sync", "0"}
	if j.dialect.Cluster != "" {
		// Every replica finds the same: the plan does not change any more.
		settings = append(settings, "allow_nondeterministic_mutations", "1")
	}
	statement := "ALTER TABLE " + j.dialect.Local(table) + j.dialect.OnCluster() + " " + strings.Join(all, ", ")
	if err := j.exec(ctx, statement, settings...); err != nil {
		return fmt.Errorf("deleting from %s: %w", table, err)
	}
	if err := j.step("deleting"); err != nil {
		return err
	}
	return j.settled(ctx, table, only)
}

// partitionsOf returns the partitions of a table that have rows of a day of the
// tenants: one for each retention.
func (j *Job) partitionsOf(ctx context.Context, table string, day int64, work []*task) ([]string, error) {
	var owners, all []string
	for _, t := range work {
		if day == t.day || t.crosses {
			owners = append(owners, tables.QuoteText(t.tenant))
		}
	}
	if len(owners) == 0 {
		return nil, nil
	}
	var retentions []uint16
	err := j.row(ctx, "SELECT arraySort(groupUniqArray(retention_days)) FROM "+j.dialect.Table(table)+" WHERE tenant IN ("+strings.Join(owners, ", ")+") AND "+
		within(table, day, day+1)+scanning, &retentions)
	if err != nil {
		return nil, fmt.Errorf("looking for the partitions of %s: %w", table, err)
	}
	for _, days := range retentions {
		all = append(all, fmt.Sprintf("(%d, '%s')", days, tables.Date(day)))
	}
	return all, nil
}

// settled waits until no mutation of a table is under way. One that fails is
// tried again by ClickHouse; it is an error here, so that somebody hears of it.
func (j *Job) settled(ctx context.Context, table string, only *Selection) error {
	mutations := "system.mutations"
	if j.dialect.Cluster != "" {
		mutations = "clusterAllReplicas(" + tables.QuoteText(j.dialect.Cluster) + ", system.mutations)"
	}
	for wait := 20 * time.Millisecond; ; wait = min(wait+20*time.Millisecond, time.Second) {
		var open, parts uint64
		var reason string
		err := j.row(ctx, "SELECT count(), toUInt64(sum(parts_to_do)), max(latest_fail_reason) FROM "+mutations+" WHERE NOT is_done AND "+j.here(table), &open, &parts, &reason)
		switch {
		case err != nil:
			return fmt.Errorf("looking how far %s is: %w", table, err)
		case reason != "":
			return fmt.Errorf("deleting from %s: %s", table, reason)
		case open == 0:
			return nil
		}
		if wait == time.Second {
			only.progress("%s: %d parts to go", table, parts)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
