// Package sampling thins past days of traces out. Everything is stored at first,
// and what is decided is decided with full knowledge: a trace that failed is
// kept, a trace that was slow among those of its operation is kept, and of the
// rest every trace is kept with a probability that its rows say from then on.
// So sum(1 / sampling_probability) counts what there was.
//
// Chance is in the trace id: the last 56 bits are its randomness, as W3C Trace
// Context and OpenTelemetry have it, and a trace is kept where they are not below
// the threshold of the probability. What is kept at one probability is kept at
// every greater one, here and by whoever else samples consistently.
//
// A day of a tenant is thinned in a run. First the run is planned: which traces
// are not left to chance, and how many spans of each block will go, which is
// written down block by block. One row in the table sampling makes the plan that
// of the run, and of several jobs only one can write it. From then on rows are
// deleted by that plan, by whoever comes, as often as it takes. Nothing is
// deleted that is not in the books already, so the ledger can be held against
// the tables at any time, and a job that is killed at any point is made up for
// by the next.
package sampling

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Job thins days. It is used by one goroutine.
type Job struct {
	cfg     Config
	conn    clickhouse.Conn
	columns *clickhouse.Columns
	dialect tables.Dialect
	// topic is where spans come from.
	topic string
	// kept returns for how many days the spans of a tenant are kept.
	kept    func(tenant string) int
	log     *slog.Logger
	metrics *Metrics
	now     func() time.Time
	// step is called before each step that changes something; tests make it fail.
	step func(name string) error
}

// New makes a job. The topic is that of spans; kept returns for how many days
// the spans of a tenant are kept. The connections are the caller's.
func New(cfg Config, conn clickhouse.Conn, columns *clickhouse.Columns, dialect tables.Dialect, topic string, kept func(tenant string) int, log *slog.Logger, metrics *Metrics) *Job {
	return &Job{
		cfg: cfg, conn: conn, columns: columns, dialect: dialect, topic: topic, kept: kept, log: log, metrics: metrics,
		now: time.Now, step: func(string) error { return nil },
	}
}

// Run thins what is due, now and at intervals, until ctx ends. What fails is
// logged and tried again.
func (j *Job) Run(ctx context.Context) {
	if !j.cfg.Enabled {
		return
	}
	timer := time.NewTimer(j.cfg.Warmup)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := j.Pass(ctx, Selection{}, nil); err != nil && ctx.Err() == nil {
			j.log.Warn("sampling is behind", "error", err)
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
	// Again thins days again that were, for what came late.
	Again bool
	// DryRun counts what would be deleted, and deletes nothing.
	DryRun bool
	// Progress, where it is not nil, is told now and then how far it is.
	Progress func(text string)
}

func (s *Selection) has(tenant string, day int64) bool {
	return (s.Tenant == "" || s.Tenant == tenant) && (s.Day == 0 || s.Day == day)
}

func (s *Selection) progress(format string, args ...any) {
	if s.Progress != nil {
		s.Progress(fmt.Sprintf(format, args...))
	}
}

// Result is a day that was thinned, or would be.
type Result struct {
	Tenant string
	Day    int64
	Counts
}

// Counts are what a run is about: rows that there were on the day, and those
// that go, also on the day after.
type Counts struct {
	Spans, SpansRemoved   uint64
	Traces, TracesRemoved uint64 // rows of the table traces
	// BytesRemoved is about how much the rows took on disk.
	BytesRemoved uint64
}

// Add adds what another run is about.
func (c *Counts) Add(o Counts) {
	c.Spans += o.Spans
	c.SpansRemoved += o.SpansRemoved
	c.Traces += o.Traces
	c.TracesRemoved += o.TracesRemoved
	c.BytesRemoved += o.BytesRemoved
}

// Pass looks at every day once, the oldest first, and thins those that are due
// or were begun. Done, which may be nil, is called after each. A day that fails
// does not keep others from being thinned; the first error is returned.
func (j *Job) Pass(ctx context.Context, only Selection, done func(Result)) error {
	s, err := j.survey(ctx)
	if err != nil {
		j.metrics.failures.Inc()
		return err
	}
	if done == nil {
		done = func(Result) {}
	}
	var failed error
	for _, day := range s.numbers() {
		err := j.day(ctx, s, day, &only, done)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			j.metrics.failures.Inc()
			j.log.Warn("a day was not thinned", "day", tables.Date(day), "error", err)
			if failed == nil {
				failed = fmt.Errorf("sampling %s: %w", tables.Date(day), err)
			}
		}
	}
	j.metrics.show(s.days)
	return failed
}

// day plans and thins a day for all tenants of the selection that it is due for:
// parts hold the rows of several tenants, and are written anew only once.
func (j *Job) day(ctx context.Context, s *survey, day int64, only *Selection, done func(Result)) error {
	began := time.Now()
	var begun []*Day
	var failed error
	for _, d := range s.of(day) {
		if !only.has(d.Tenant, day) {
			continue
		}
		if j.due(s, d, only) {
			only.progress("%s of %s: planning", tables.Date(day), d.Tenant)
			e, err := j.plan(ctx, s, d, only)
			if err != nil {
				if failed == nil {
					failed = fmt.Errorf("planning tenant %s: %w", d.Tenant, err)
				}
				continue
			}
			if only.DryRun {
				done(Result{d.Tenant, day, e.Counts})
				continue
			}
			if d.last, d.State = *e, Begun; e.done {
				d.State = Done // another job has been here meanwhile
			}
		}
		if d.State == Begun && !only.DryRun {
			begun = append(begun, d)
		}
	}
	if len(begun) == 0 {
		return failed
	}
	if err := j.thin(ctx, day, begun, only); err != nil {
		return err
	}
	for _, d := range begun {
		if err := j.finish(ctx, &d.last); err != nil {
			return err
		}
		d.State = Done
		c := d.last.Counts
		j.metrics.days.Inc()
		j.metrics.removed.WithLabelValues(tables.Spans).Add(float64(c.SpansRemoved))
		j.metrics.removed.WithLabelValues(tables.Traces).Add(float64(c.TracesRemoved))
		j.metrics.bytes.Add(float64(c.BytesRemoved))
		j.log.Info("a day was thinned", "tenant", d.Tenant, "day", tables.Date(day), "probability", d.last.rule.Probability,
			"spans", c.Spans, "spans_removed", c.SpansRemoved, "traces", c.Traces, "traces_removed", c.TracesRemoved)
		done(Result{d.Tenant, day, c})
	}
	j.metrics.seconds.Observe(time.Since(began).Seconds())
	return failed
}

// due reports whether a run of a day is to be planned now. While rows of the day
// before are being deleted, what is left of them says nothing of when a trace
// began.
func (j *Job) due(s *survey, d *Day, only *Selection) bool {
	if before := s.get(d.Tenant, d.Day-1); before != nil && before.State == Begun {
		return false
	}
	return d.State == Due || d.State == Done && only.Again && j.cfg.of(d.Tenant).Probability < 1
}
