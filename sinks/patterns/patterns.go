// Package patterns merges the patterns of log lines that differ in words that
// vary, and makes events of what is new and what has vanished.
//
// At intervals it looks which patterns the table log_patterns_1m has seen, merges
// those of each service, writes that into the table log_patterns, its books of what
// is known, and has a log record with an event name for every merged pattern that
// is new, has vanished or is back, in the topic of logs.
//
// An event is written down in the books before it is produced, and crossed off
// when Kafka has it. So a job that is killed at any point loses none, and what is
// produced again has the batch id that it had. All times are minutes of the lines
// of a service: where nothing comes, nothing vanishes.
//
// It must not know how records get to Kafka: that is a [pipeline.Producer].
package patterns

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Job merges patterns and makes events. It is used by one goroutine.
type Job struct {
	cfg      Config
	conn     clickhouse.Conn
	dialect  tables.Dialect
	producer pipeline.Producer
	// topic is that of logs.
	topic string
	// kept returns for how many days the logs of a tenant are kept.
	kept    func(tenant string) int
	log     *slog.Logger
	metrics *Metrics
	now     func() time.Time
	// step is called before each step that changes something; tests make it fail.
	step func(name string) error
	// tenants are those that had lines at the last look.
	tenants map[string]*tenant
}

// New makes a job. The topic is that of logs; kept returns for how many days the
// logs of a tenant are kept. Connection and producer are the caller's.
func New(cfg Config, conn clickhouse.Conn, dialect tables.Dialect, producer pipeline.Producer, topic string, kept func(tenant string) int, log *slog.Logger, metrics *Metrics) *Job {
	return &Job{
		cfg: cfg, conn: conn, dialect: dialect, producer: producer, topic: topic, kept: kept, log: log, metrics: metrics,
		now: time.Now, step: func(string) error { return nil }, tenants: map[string]*tenant{},
	}
}

// Run looks at intervals until ctx ends. What fails is logged and tried again.
func (j *Job) Run(ctx context.Context) {
	ticker := time.NewTicker(j.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := j.Look(ctx); err != nil && ctx.Err() == nil {
			j.log.Warn("patterns of logs are behind", "error", err)
		}
	}
}

// Look looks at every tenant that has lines once. A tenant that fails does not keep
// others from being looked at; the first error is returned.
func (j *Job) Look(ctx context.Context) error {
	began := j.now()
	active, err := j.active(ctx)
	if err != nil {
		j.metrics.failures.Inc()
		return err
	}
	for name := range j.tenants {
		if _, ok := active[name]; !ok {
			delete(j.tenants, name) // the books know it
		}
	}
	var failed error
	for name, a := range active {
		if err := j.tenant(ctx, name, a); err != nil {
			delete(j.tenants, name) // what is true is what the books say
			if ctx.Err() != nil {
				return ctx.Err()
			}
			j.metrics.failures.Inc()
			if failed == nil {
				failed = fmt.Errorf("patterns of tenant %s: %w", name, err)
			}
		}
	}
	j.metrics.show(j.tenants)
	j.metrics.seconds.Observe(j.now().Sub(began).Seconds())
	return failed
}

// tenant looks at one tenant.
func (j *Job) tenant(ctx context.Context, name string, a activity) error {
	t := j.tenants[name]
	if t == nil {
		var err error
		if t, err = j.load(ctx, name); err != nil {
			return err
		}
	}
	if a != t.seen {
		if err := j.compare(ctx, t, a); err != nil {
			return err
		}
	}
	if err := j.announce(ctx, t); err != nil {
		return err
	}
	j.tenants[name] = t
	return nil
}

// compare finds out what has changed and writes it down. A tenant that the books
// do not know is learned: nothing of it is news.
func (j *Job) compare(ctx context.Context, t *tenant, a activity) error {
	learning := len(t.services) == 0
	sights, err := j.sights(ctx, t.name, t.from(a.newest, &j.cfg), a.newest)
	if err != nil {
		return err
	}
	refused := t.refused
	t.take(sights, a.newest, learning, &j.cfg)
	t.age(&j.cfg)
	if t.refused > 0 && refused == 0 {
		j.log.Warn("the logs of a tenant have more patterns than are watched", "tenant", t.name, "more", t.refused)
	}
	if err := j.step("write"); err != nil {
		return err
	}
	if err := j.write(ctx, t, t.unwritten()); err != nil {
		return err
	}
	if learning {
		j.log.Info("the patterns of a tenant's logs were learned", "tenant", t.name, "patterns", t.total)
	}
	t.seen = a
	return nil
}

// announce produces the events of changes, which the books have already, and
// crosses them off.
func (j *Job) announce(ctx context.Context, t *tenant) error {
	changed := t.pending()
	changed = changed[:min(len(changed), j.cfg.MaxEvents)]
	if len(changed) == 0 {
		return nil
	}
	if err := j.step("produce"); err != nil {
		return err
	}
	if err := j.produce(ctx, t, changed); err != nil {
		return err
	}
	for _, n := range changed {
		t.member(n).announced = true
	}
	if err := j.step("announced"); err != nil {
		return err
	}
	return j.write(ctx, t, changed)
}
