package rollup

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// batchRows is how many rows are inserted together.
const batchRows = 200_000

// writer inserts the rows of a version into the tables of all resolutions.
type writer struct {
	job    *Job
	ctx    context.Context //nolint:containedctx // that of one computing, whose only user this is
	entry  *entry
	tables []*tableWriter
}

// tableWriter gathers rows of one table.
type tableWriter struct {
	resolution tables.Resolution
	retention  uint16
	written    uint64
	// samples are those of all rows; leftOut is set once the first rows have
	// shown that there are too few of them.
	samples uint64
	decided bool
	leftOut bool

	tenants, metrics       *proto.ColLowCardinality[string]
	days, retentions       proto.ColUInt16
	fingerprints, versions proto.ColUInt64
	ends                   proto.ColUInt32
	counts, firstAfter     proto.ColUInt32
	lastAfter, staleAfter  proto.ColUInt32
	first, last, sums      proto.ColFloat64
	minBits, maxBits       proto.ColUInt64
	resets, rounding       proto.ColFloat64
}

func (j *Job) newWriter(ctx context.Context, e *entry) *writer {
	w := &writer{job: j, ctx: ctx, entry: e}
	for _, r := range j.cfg.resolutions() {
		w.tables = append(w.tables, &tableWriter{
			resolution: r, retention: j.retention(r.Name, e.tenant),
			tenants: new(proto.ColStr).LowCardinality(), metrics: new(proto.ColStr).LowCardinality(),
		})
	}
	return w
}

// add adds a row to the nth table.
func (w *writer) add(n int, metric string, fingerprint uint64, f *rollup.Fragment) error {
	t := w.tables[n]
	if t.leftOut {
		return nil
	}
	t.samples += uint64(f.Count)
	start := f.End - t.resolution.Milliseconds
	after := func(at int64) uint32 {
		if at == 0 {
			return 0
		}
		return uint32(at - start)
	}
	t.tenants.Append(w.entry.tenant)
	t.metrics.Append(metric)
	t.days = append(t.days, uint16(w.entry.day))
	t.fingerprints = append(t.fingerprints, fingerprint)
	t.ends = append(t.ends, uint32(f.End/1000))
	t.versions = append(t.versions, w.entry.version)
	t.counts = append(t.counts, f.Count)
	t.firstAfter = append(t.firstAfter, after(f.FirstTime))
	t.lastAfter = append(t.lastAfter, after(f.LastTime))
	t.staleAfter = append(t.staleAfter, after(f.Stale))
	t.first = append(t.first, f.First)
	t.last = append(t.last, f.Last)
	t.sums = append(t.sums, f.Sum)
	t.minBits = append(t.minBits, math.Float64bits(f.Min)^math.Float64bits(f.First))
	t.maxBits = append(t.maxBits, math.Float64bits(f.Max)^math.Float64bits(f.Last))
	t.resets = append(t.resets, f.Resets)
	t.rounding = append(t.rounding, f.Rounding)
	t.retentions = append(t.retentions, t.retention)
	if len(t.days) >= batchRows {
		return w.insert(t)
	}
	return nil
}

// flush inserts what is left.
func (w *writer) flush() error {
	for _, t := range w.tables {
		if err := w.insert(t); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) insert(t *tableWriter) error {
	rows := len(t.days)
	if !t.decided {
		t.decided, t.leftOut = true, t.samples < uint64(w.job.cfg.MinSamples)*uint64(rows)
	}
	if rows == 0 || t.leftOut {
		return nil
	}
	if err := w.job.step("insert"); err != nil {
		return err
	}
	days := proto.ColDate{}
	for _, d := range t.days {
		days = append(days, proto.Date(d))
	}
	ends := proto.ColDateTime{Location: time.UTC}
	for _, end := range t.ends {
		ends.Data = append(ends.Data, proto.DateTime(end))
	}
	input := proto.Input{
		{Name: "tenant", Data: t.tenants},
		{Name: "metric", Data: t.metrics},
		{Name: "day", Data: days},
		{Name: "fingerprint", Data: t.fingerprints},
		{Name: "time", Data: ends},
		{Name: "version", Data: t.versions},
		{Name: "count", Data: t.counts},
		{Name: "first_after", Data: t.firstAfter},
		{Name: "last_after", Data: t.lastAfter},
		{Name: "stale_after", Data: t.staleAfter},
		{Name: "first", Data: t.first},
		{Name: "last", Data: t.last},
		{Name: "sum", Data: t.sums},
		{Name: "min_bits", Data: t.minBits},
		{Name: "max_bits", Data: t.maxBits},
		{Name: "resets", Data: t.resets},
		{Name: "rounding", Data: t.rounding},
		{Name: "retention_days", Data: t.retentions},
	}
	// Nothing here is inserted a second time under the same version, and what
	// was is noticed before the version is published.
	err := w.job.columns.Do(w.ctx, clickhouse.Query{
		Body:     "INSERT INTO " + w.job.dialect.Table(t.resolution.Table) + " " + input.Columns() + " VALUES",
		Settings: w.job.settings("insert_deduplicate", "0", "async_insert", "0"),
		Input:    input,
	})
	if err != nil {
		return fmt.Errorf("inserting %d rows into %s: %w", rows, t.resolution.Table, err)
	}
	t.written += uint64(rows)
	w.job.metrics.rows.WithLabelValues(t.resolution.Name).Add(float64(rows))
	t.tenants.Reset()
	t.metrics.Reset()
	for _, column := range []interface{ Reset() }{
		&t.days, &t.fingerprints, &t.ends, &t.versions, &t.counts, &t.firstAfter, &t.lastAfter, &t.staleAfter,
		&t.first, &t.last, &t.sums, &t.minBits, &t.maxBits, &t.resets, &t.rounding, &t.retentions,
	} {
		column.Reset()
	}
	return nil
}

// settings are those of a statement: the pairs, and what all have.
func (j *Job) settings(pairs ...string) []clickhouse.Setting {
	all := []clickhouse.Setting{{Key: "log_queries", Value: "0", Important: true}}
	if j.dialect.Cluster != "" {
		all = append(all, clickhouse.Setting{Key: "distributed_foreground_insert", Value: "1", Important: true})
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, clickhouse.Setting{Key: pairs[i], Value: pairs[i+1], Important: true})
	}
	return all
}
