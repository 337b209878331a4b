// Package rollup sums the samples of past days up: it computes the tables
// samples_1m, samples_5m and samples_1h from the table samples.
//
// A day of a tenant is computed as a whole, under a version of its own, and is
// published by one row in the table rollups once all its rows are there. Readers
// take the rows of the greatest version that is published. So a job that is
// killed at any point, and two that work at the same time, waste work and change
// no answer. Rows of older versions are deleted some time later, when no query
// can be reading them any more.
//
// The row that publishes a version says up to which offset of each partition
// everything is part of it: the offsets are taken before samples are read, and
// the row of a block in the ledger is written after its events. As long as the
// ledger has no later block with events of the day, the day is clean and its
// rollups say what the samples say. What comes late makes it unclean, for
// readers at once, and it is computed again.
//
// All samples are summed up, those of delta temporality too: what a series is
// taken for is decided when it is asked for, by what is known of it then.
package rollup

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Job computes rollups. It is used by one goroutine.
type Job struct {
	cfg     Config
	conn    clickhouse.Conn
	columns *clickhouse.Columns
	dialect tables.Dialect
	// topic is where metrics come from.
	topic string
	// kept returns for how many days the samples of a tenant are kept.
	kept    func(tenant string) int
	log     *slog.Logger
	metrics *Metrics
	now     func() time.Time
	// step is called before each step that changes something; tests make it fail.
	step func(name string) error
	// grace is how old a version must be before those before it are deleted.
	grace time.Duration
}

// grace is far longer than a query may take, with the seconds for which it
// remembers what is published.
const grace = 30 * time.Minute

// New makes a job. The topic is that of metrics; kept returns for how many days
// the samples of a tenant are kept. The connections are the caller's.
func New(cfg Config, conn clickhouse.Conn, columns *clickhouse.Columns, dialect tables.Dialect, topic string, kept func(tenant string) int, log *slog.Logger, metrics *Metrics) *Job {
	return &Job{
		cfg: cfg, conn: conn, columns: columns, dialect: dialect, topic: topic, kept: kept, log: log, metrics: metrics,
		now: time.Now, step: func(string) error { return nil }, grace: grace,
	}
}

// Run computes what is due, now and at intervals, until ctx ends. What fails is
// logged and tried again.
func (j *Job) Run(ctx context.Context) {
	timer := time.NewTimer(j.cfg.Warmup)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := j.Pass(ctx, Selection{}, nil); err != nil && ctx.Err() == nil {
			j.metrics.failures.Inc()
			j.log.Warn("rollups are behind", "error", err)
		}
		timer.Reset(j.cfg.Interval)
	}
}

// Selection bounds what a pass looks at.
type Selection struct {
	// Tenant is the only tenant, empty for all.
	Tenant string
	// Day is the only day, counted from 1970-01-01, 0 for all.
	Day int64
	// Now has days computed at once that samples came late for.
	Now bool
	// Again has days computed that need not be.
	Again bool
}

// Result is a day that was computed.
type Result struct {
	Tenant  string
	Day     int64
	Samples uint64
	Rows
	Took time.Duration
}

// Rows is how many rows there are by the name of the resolution.
type Rows map[string]uint64

// Pass looks at every day once and computes those that need it, the newest
// first. Done, which may be nil, is called after each. A day that fails does not
// keep others from being computed; the first error is returned.
func (j *Job) Pass(ctx context.Context, only Selection, done func(Result)) error {
	s, err := j.survey(ctx, only)
	if err != nil {
		return err
	}
	failed := j.settle(ctx, s)
	for _, d := range s.days {
		if !j.due(&d, only) {
			continue
		}
		result, err := j.compute(ctx, &d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			j.metrics.failures.Inc()
			j.log.Warn("a day was not rolled up", "tenant", d.Tenant, "day", tables.Date(d.Day), "error", err)
			if failed == nil {
				failed = fmt.Errorf("rolling up %s of tenant %s: %w", tables.Date(d.Day), d.Tenant, err)
			}
			continue
		}
		j.log.Info("a day was rolled up", "tenant", d.Tenant, "day", tables.Date(d.Day), "samples", result.Samples,
			"rows", result.RowsText(), "seconds", result.Took.Seconds())
		if done != nil {
			done(result)
		}
	}
	j.metrics.show(s.days)
	return failed
}

// RowsText lists the rows, the finest resolution first.
func (rows Rows) RowsText() string {
	var all []string
	for _, r := range tables.Resolutions() {
		if n, ok := rows[r.Name]; ok {
			all = append(all, fmt.Sprintf("%s %d", r.Name, n))
		}
	}
	return strings.Join(all, ", ")
}

// due reports whether a day is to be computed now.
func (j *Job) due(d *Day, only Selection) bool {
	switch d.State {
	case Missing:
		return true
	case Late:
		// What trickles in late does not have the day computed all the time.
		return only.Now || only.Again || j.now().Sub(time.Unix(0, int64(d.entry.version))) >= j.cfg.Delay
	case Clean:
		return only.Again || !d.entry.has(j.cfg.resolutions())
	case Waiting, Expired:
	}
	return false
}

// over reports whether a day is over for as long as it takes.
func (j *Job) over(day int64) bool {
	return !j.now().Before(time.UnixMilli((day + 1) * rollup.Day).Add(j.cfg.Delay))
}

// expiring reports whether samples of a day may be gone.
func (j *Job) expiring(tenant string, day int64) bool {
	return !j.now().Before(time.UnixMilli((day + int64(j.kept(tenant))) * rollup.Day))
}

// retention returns for how many days a tenant's rows of a resolution are kept.
func (j *Job) retention(resolution, tenant string) uint16 {
	if own := j.cfg.RetentionDays.of(resolution); own != 0 {
		return own
	}
	return uint16(j.kept(tenant))
}
