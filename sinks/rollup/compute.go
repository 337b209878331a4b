package rollup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// errLost says that the tables do not have the rows that were inserted.
var errLost = errors.New("the tables do not have the rows that were inserted")

// compute computes and publishes a day.
func (j *Job) compute(ctx context.Context, d *Day) (Result, error) {
	began := time.Now()
	e := entry{
		tenant: d.Tenant, day: d.Day, topic: j.topic, rows: Rows{},
		// The clock may stand before that of whoever computed it last.
		version: max(uint64(j.now().UnixNano()), d.newest+1),
	}
	// With this, what is written from here on is deleted once it is superseded,
	// whatever happens.
	if err := j.write(ctx, &e); err != nil {
		return Result{}, err
	}
	var err error
	// First the offsets, then the samples: events are there before the row of
	// their block in the ledger.
	if e.offsets, err = j.offsets(ctx); err != nil {
		return Result{}, err
	}
	if err := j.synchronise(ctx); err != nil {
		return Result{}, err
	}
	out := j.newWriter(ctx, &e)
	if e.samples, err = j.sumUp(ctx, &e, out); err != nil {
		return Result{}, err
	}
	if err := out.flush(); err != nil {
		return Result{}, err
	}
	for _, t := range out.tables {
		e.rows[t.resolution.Name] = t.written
		if err := j.verify(ctx, &e, t); err != nil {
			return Result{}, err
		}
	}
	if err := j.keepSeries(ctx, &e); err != nil {
		return Result{}, err
	}
	if err := j.step("publish"); err != nil {
		return Result{}, err
	}
	e.published = j.now()
	if err := j.write(ctx, &e); err != nil {
		return Result{}, err
	}
	took := time.Since(began)
	j.metrics.days.WithLabelValues("computed").Inc()
	j.metrics.samples.Add(float64(e.samples))
	j.metrics.seconds.Observe(took.Seconds())
	return Result{Tenant: e.tenant, Day: e.day, Samples: e.samples, Rows: e.rows, Took: took}, j.step("published")
}

// verify compares the rows that a table has of a version with those that were
// inserted: an insert that was repeated, or lost, must not be published.
func (j *Job) verify(ctx context.Context, e *entry, t *tableWriter) error {
	var rows uint64
	err := j.conn.QueryRow(ctx, "SELECT count() FROM "+j.dialect.Table(t.resolution.Table)+" WHERE tenant = ? AND day = toDate(?) AND version = ?",
		e.tenant, e.day, e.version).Scan(&rows)
	if err != nil {
		return fmt.Errorf("counting the rows of %s: %w", t.resolution.Table, err)
	}
	if rows != t.written {
		return fmt.Errorf("%w: %s has %d, want %d", errLost, t.resolution.Table, rows, t.written)
	}
	return nil
}

// synchronise waits until every replica has what any of them had: the offsets
// may come from one and samples be read from another.
func (j *Job) synchronise(ctx context.Context) error {
	if j.dialect.Cluster == "" {
		return nil
	}
	if err := j.conn.Exec(ctx, "SYSTEM SYNC REPLICA"+j.dialect.OnCluster()+" "+j.dialect.Local(tables.Samples)+" LIGHTWEIGHT"); err != nil {
		return fmt.Errorf("waiting for replicas: %w", err)
	}
	return nil
}

// keepSeries keeps the names and labels of a day for as long as the rollups that
// outlive its samples.
func (j *Job) keepSeries(ctx context.Context, e *entry) error {
	longest := uint16(0)
	for name := range e.rows {
		longest = max(longest, j.retention(name, e.tenant))
	}
	if int(longest) <= j.kept(e.tenant) {
		return nil
	}
	if err := j.step("series"); err != nil {
		return err
	}
	err := j.conn.Exec(ctx, "INSERT INTO "+j.dialect.Table(tables.Series)+" SELECT * REPLACE (toUInt16(?) AS retention_days) FROM "+j.dialect.Table(tables.Series)+
		" AS s WHERE tenant = ? AND day = toDate(?) AND s.retention_days < ? AND kind IN ('gauge', 'sum')", longest, e.tenant, e.day, longest)
	if err != nil {
		return fmt.Errorf("keeping the series of the day: %w", err)
	}
	return nil
}
