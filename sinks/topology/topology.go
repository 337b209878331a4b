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
// It must not know how records get to Kafka: that is a [pipeline.Producer].
package topology

import (
	"context"
	"log/slog"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// scope is the instrumentation scope of events.
const scope = "github.com/goshawk-observability/goshawk/sinks/topology"

// Job makes events. It is used by one goroutine.
type Job struct {
	*watch.Job[*tenant]
	cfg     Config
	metrics *Metrics
}

// New makes a job. The topic is that of logs; kept returns for how many days the
// edges of a tenant are kept. Connection and producer are the caller's.
func New(cfg Config, conn clickhouse.Conn, dialect tables.Dialect, producer pipeline.Producer, topic string, kept func(tenant string) int, log *slog.Logger, metrics *Metrics) *Job {
	j := &Job{cfg: cfg, metrics: metrics}
	j.Job = watch.New(watch.Watched[*tenant]{
		Name: "topology", Books: "the topology", Event: "the topology", News: "what is new", Behind: "events of the topology are behind",
		Scope: scope, Tables: []string{tables.Operations, tables.Edges}, Recent: cfg.vanishAfter() + cfg.lateness(), Most: cfg.MaxThings,
		Interval: cfg.Interval, ForgetAfter: cfg.ForgetAfter, Load: j.load, Look: j.look, Show: metrics.show,
	}, watch.Parts{Conn: conn, Dialect: dialect, Producer: producer, Topic: topic, Kept: kept, Log: log, Metrics: metrics.Metrics})
	return j
}

// look looks at one tenant.
func (j *Job) look(ctx context.Context, t *tenant, a watch.Activity) error {
	if len(t.things) == 0 {
		return j.learn(ctx, t, a)
	}
	if err := j.announce(ctx, t, t.pending()); err != nil || a == t.seen {
		return err
	}
	return j.compare(ctx, t, a)
}

// learn takes all that a tenant has of late for known, without events: there are
// no books of it.
func (j *Job) learn(ctx context.Context, t *tenant, a watch.Activity) error {
	sights, err := j.sights(ctx, t.name, a.Newest-j.cfg.vanishAfter(), a.Newest)
	if err != nil {
		return err
	}
	t.learn(sights, a.Newest, &j.cfg)
	if err := j.Step("learn"); err != nil {
		return err
	}
	if err := j.write(ctx, t, t.unwritten()); err != nil {
		return err
	}
	t.seen = a
	j.Log.Info("a tenant's topology was learned", "tenant", t.name, "things", len(t.things))
	return nil
}

// compare finds out what has changed, writes it down, and announces it.
func (j *Job) compare(ctx context.Context, t *tenant, a watch.Activity) error {
	sights, err := j.sights(ctx, t.name, t.from(a.Newest, &j.cfg), a.Newest)
	if err != nil {
		return err
	}
	refused := t.refused
	changed, rest := t.compare(sights, a.Newest, &j.cfg)
	if t.refused > 0 && refused == 0 {
		j.Log.Warn("the topology of a tenant has more things than are watched", "tenant", t.name, "limit", j.cfg.MaxThings, "more", t.refused)
	}
	if unwritten := t.unwritten(); len(unwritten) > 0 {
		if err := j.Step("write"); err != nil {
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
	events := make([]watch.Event, len(changed))
	for i, th := range changed {
		events[i] = event(t.name, th, t.things[th])
	}
	return j.Announce(ctx, t.name, events, func() error {
		for _, th := range changed {
			t.things[th].Announced = true
		}
		return j.write(ctx, t, changed)
	})
}
