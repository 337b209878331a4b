// Package topology makes events of what is new and what has vanished: services,
// their versions, and the edges between them.
//
// At intervals it looks which of them the tables edges_1m and operations_1m have
// seen, compares that with the table topology, its books of what is known, and
// has a log record with an event name for every difference, in the topic of logs.
//
// An event is written down in the books before it is produced, and crossed off
// when Kafka has it. So a job that is killed at any point loses none, and what is
// produced again has the batch id that it had. All times are minutes of the data
// of a tenant: where nothing comes, nothing vanishes.
//
// It must not know how records get to Kafka: that is a [Producer].
package topology

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Job makes events. It is used by one goroutine.
type Job struct {
	cfg      Config
	conn     clickhouse.Conn
	dialect  tables.Dialect
	producer pipeline.Producer
	// topic is that of logs.
	topic string
	// kept returns for how many days the edges of a tenant are kept.
	kept    func(tenant string) int
	log     *slog.Logger
	metrics *Metrics
	now     func() time.Time
	// step is called before each step that changes something; tests make it fail.
	step func(name string) error
	// tenants are those that had data at the last look.
	tenants map[string]*tenant
}

// New makes a job. The topic is that of logs; kept returns for how many days the
// edges of a tenant are kept. Connection and producer are the caller's.
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
			j.log.Warn("events of the topology are behind", "error", err)
		}
	}
}

// Look looks at every tenant that has data once. A tenant that fails does not keep
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
				failed = fmt.Errorf("topology of tenant %s: %w", name, err)
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
	if len(t.things) == 0 {
		if err := j.learn(ctx, t, a); err != nil {
			return err
		}
	} else {
		if err := j.announce(ctx, t, t.pending()); err != nil {
			return err
		}
		if a == t.seen {
			return nil
		}
		if err := j.compare(ctx, t, a); err != nil {
			return err
		}
	}
	j.tenants[name] = t
	return nil
}

// learn takes all that a tenant has of late for known, without events: there are
// no books of it.
func (j *Job) learn(ctx context.Context, t *tenant, a activity) error {
	sights, err := j.sights(ctx, t.name, a.newest-j.cfg.vanishAfter(), a.newest)
	if err != nil {
		return err
	}
	t.learn(sights, a.newest, &j.cfg)
	if err := j.step("learn"); err != nil {
		return err
	}
	if err := j.write(ctx, t, t.unwritten()); err != nil {
		return err
	}
	t.seen = a
	j.log.Info("a tenant's topology was learned", "tenant", t.name, "things", len(t.things))
	return nil
}

// compare finds out what has changed, writes it down, and announces it.
func (j *Job) compare(ctx context.Context, t *tenant, a activity) error {
	sights, err := j.sights(ctx, t.name, t.from(a.newest, &j.cfg), a.newest)
	if err != nil {
		return err
	}
	refused := t.refused
	changed, rest := t.compare(sights, a.newest, &j.cfg)
	if t.refused > 0 && refused == 0 {
		j.log.Warn("the topology of a tenant has more things than are watched", "tenant", t.name, "limit", j.cfg.MaxThings, "more", t.refused)
	}
	if unwritten := t.unwritten(); len(unwritten) > 0 {
		if err := j.step("write"); err != nil {
			return err
		}
		if err := j.write(ctx, t, unwritten); err != nil {
			return err
		}
	}
	if err := j.announce(ctx, t, changed); err != nil {
		return err
	}
	if !rest {
		t.seen = a
	}
	return nil
}

// announce produces the events of things that have changed, which the books have
// already, and crosses them off.
func (j *Job) announce(ctx context.Context, t *tenant, changed []thing) error {
	if len(changed) == 0 {
		return nil
	}
	if err := j.step("produce"); err != nil {
		return err
	}
	if err := j.produce(ctx, t, changed); err != nil {
		return err
	}
	for _, th := range changed {
		t.things[th].announced = true
	}
	if err := j.step("announced"); err != nil {
		return err
	}
	return j.write(ctx, t, changed)
}
