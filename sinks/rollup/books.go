package rollup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// settleEvery is how often the books of a clean day say that it still is.
const settleEvery = time.Hour

// write writes what is known of versions into the books. What is written later
// of a version has a later time, whatever the clock says.
func (j *Job) write(ctx context.Context, all ...*entry) error {
	if len(all) == 0 {
		return nil
	}
	batch, err := j.conn.PrepareBatch(ctx, "INSERT INTO "+j.dialect.Table(tables.Rollups)+
		" (tenant, day, version, published, checked, topic, partitions, offsets, samples, rows, retention_days)")
	if err != nil {
		return fmt.Errorf("writing the books of rollups: %w", err)
	}
	defer func() { _ = batch.Close() }()
	for _, e := range all {
		if now := j.now(); now.After(e.checked) {
			e.checked = now
		} else {
			e.checked = e.checked.Add(1)
		}
		published := e.published
		if published.IsZero() {
			published = time.Unix(0, 0)
		}
		partitions, ends := []uint32{}, []uint64{}
		for _, p := range slices.Sorted(maps.Keys(e.offsets)) {
			partitions, ends = append(partitions, p), append(ends, e.offsets[p])
		}
		kept := uint16(j.kept(e.tenant))
		for _, r := range tables.Resolutions() {
			kept = max(kept, j.retention(r.Name, e.tenant))
		}
		err := batch.Append(e.tenant, time.Unix(e.day*86400, 0).UTC(), e.version, published, e.checked, e.topic, partitions, ends, e.samples, map[string]uint64(e.rows), kept)
		if err != nil {
			return fmt.Errorf("writing the books of rollups: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("writing the books of rollups: %w", err)
	}
	return nil
}

// settle brings the books of days up to date that need not be computed, and
// deletes what is superseded. It changes the states of days. The first error is
// returned.
func (j *Job) settle(ctx context.Context, s *survey) error {
	var failed error
	failing := func(d *Day, err error) {
		j.metrics.failures.Inc()
		if failed == nil {
			failed = fmt.Errorf("%s of tenant %s: %w", tables.Date(d.Day), d.Tenant, err)
		}
	}
	var clean []*entry
	for i := range s.days {
		d := &s.days[i]
		if d.State == Late {
			if err := j.recount(ctx, d); err != nil {
				failing(d, err)
				continue
			}
		}
		if d.State == Clean && (d.late || j.now().Sub(d.entry.checked) >= settleEvery) {
			d.entry.offsets, d.entry.topic = s.offsets, j.topic
			clean = append(clean, &d.entry)
		}
		if len(d.older) > 0 {
			if err := j.sweep(ctx, d); err != nil {
				failing(d, err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	err := j.step("settle")
	if err == nil {
		// They are clean up to the offsets of the survey.
		err = j.write(ctx, clean...)
	}
	if failed == nil {
		failed = err
	}
	return failed
}

// recount looks whether a day that blocks came late for has more samples than
// before: the blocks may be about other days around it, or not about samples.
func (j *Job) recount(ctx context.Context, d *Day) error {
	samples, err := j.count(ctx, d.Tenant, d.Day)
	if err != nil {
		return err
	}
	switch {
	case samples == d.entry.samples:
		d.State = Clean
		j.metrics.days.WithLabelValues("unchanged").Inc()
	case samples < d.entry.samples || j.expiring(d.Tenant, d.Day):
		// Samples are gone, and the rollups are all that is left of them.
		d.State = Expired
	}
	return nil
}

// count returns how many rows of the table samples are in the windows of a day.
func (j *Job) count(ctx context.Context, tenant string, day int64) (uint64, error) {
	var rows proto.ColUInt64
	total := uint64(0)
	err := j.columns.Do(ctx, clickhouse.Query{
		Body:       "SELECT count() AS n FROM " + j.dialect.Table(tables.Samples) + " WHERE " + ofDay(day),
		Parameters: []clickhouse.Parameter{clickhouse.Text("tenant", tenant)},
		Settings:   j.settings(),
		Result:     proto.Results{{Name: "n", Data: &rows}},
		OnResult: func(context.Context, proto.Block) error {
			for _, n := range rows {
				total += n
			}
			return nil
		},
	})
	if err != nil {
		return 0, fmt.Errorf("counting samples: %w", err)
	}
	return total, nil
}

// sweep deletes the rows of versions before the published one, once no query can
// be reading them.
func (j *Job) sweep(ctx context.Context, d *Day) error {
	if j.now().Sub(d.entry.published) < j.grace {
		return nil
	}
	if err := j.step("sweep"); err != nil {
		return err
	}
	where := fmt.Sprintf("tenant = %s AND day = toDate(%d) AND version < %d", tables.QuoteText(d.Tenant), d.Day, d.entry.version)
	sync := " SETTINGS mutations_sync = 1"
	if j.dialect.Cluster != "" {
		sync = " SETTINGS mutations_sync = 2"
	}
	for _, r := range tables.Resolutions() {
		var kept []uint16
		if err := j.conn.QueryRow(ctx, "SELECT groupUniqArray(retention_days) FROM "+j.dialect.Table(r.Table)+" WHERE "+where).Scan(&kept); err != nil {
			return fmt.Errorf("looking for superseded rows of %s: %w", r.Table, err)
		}
		for _, days := range kept {
			partition := fmt.Sprintf("(%d, '%s')", days, tables.Date(d.Day))
			err := j.conn.Exec(ctx, "ALTER TABLE "+j.dialect.Local(r.Table)+j.dialect.OnCluster()+" DELETE IN PARTITION "+partition+" WHERE "+where+sync)
			if err != nil {
				return fmt.Errorf("deleting superseded rows of %s: %w", r.Table, err)
			}
		}
	}
	if err := j.step("swept"); err != nil {
		return err
	}
	err := j.conn.Exec(ctx, "ALTER TABLE "+j.dialect.Local(tables.Rollups)+j.dialect.OnCluster()+" DELETE WHERE "+where+sync)
	if err != nil {
		return fmt.Errorf("deleting superseded versions: %w", err)
	}
	j.log.Debug("superseded rollups deleted", "tenant", d.Tenant, "day", tables.Date(d.Day), "versions", len(d.older))
	d.older = nil
	return nil
}
