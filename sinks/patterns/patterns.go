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
	"log/slog"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/sinks/watch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// scope is the instrumentation scope of events.
const scope = "github.com/goshawk-observability/goshawk/sinks/patterns"

// Job merges patterns and makes events. It is used by one goroutine.
type Job struct {
	*watch.Job[*tenant]
	cfg     Config
	metrics *Metrics
}

// New makes a job. The topic is that of logs; kept returns for how many days the
// logs of a tenant are kept. Connection and producer are the caller's.
func New(cfg Config, conn clickhouse.Conn, dialect tables.Dialect, producer pipeline.Producer, topic string, kept func(tenant string) int, log *slog.Logger, metrics *Metrics) *Job {
	j := &Job{cfg: cfg, metrics: metrics}
	j.Job = watch.New(watch.Watched[*tenant]{
		Name: "patterns", Books: "log patterns", Event: "a log pattern", News: "new log lines", Behind: "patterns of logs are behind",
		Scope: scope, Tables: []string{tables.LogPatterns1m}, Recent: min(cfg.recent(), 2*cfg.lateness()+60), Most: cfg.MaxTotal,
		Interval: cfg.Interval, ForgetAfter: cfg.ForgetAfter, Load: j.load, Look: j.look, Show: metrics.show,
	}, watch.Parts{Conn: conn, Dialect: dialect, Producer: producer, Topic: topic, Kept: kept, Log: log, Metrics: metrics.Metrics})
	return j
}

// look looks at one tenant.
func (j *Job) look(ctx context.Context, t *tenant, a watch.Activity) error {
	if a != t.seen {
		if err := j.compare(ctx, t, a); err != nil {
			return err
		}
	}
	return j.announce(ctx, t)
}

// compare finds out what has changed and writes it down. A tenant that the books
// do not know is learned: nothing of it is news.
func (j *Job) compare(ctx context.Context, t *tenant, a watch.Activity) error {
	learning := len(t.services) == 0
	sights, err := j.sights(ctx, t.name, t.from(a.Newest, &j.cfg), a.Newest)
	if err != nil {
		return err
	}
	refused := t.refused
	t.take(sights, a.Newest, learning, &j.cfg)
	t.age(&j.cfg)
	if t.refused > 0 && refused == 0 {
		j.Log.Warn("the logs of a tenant have more patterns than are watched", "tenant", t.name, "more", t.refused)
	}
	if err := j.Step("write"); err != nil {
		return err
	}
	if err := j.write(ctx, t, t.unwritten()); err != nil {
		return err
	}
	if learning {
		j.Log.Info("the patterns of a tenant's logs were learned", "tenant", t.name, "patterns", t.total)
	}
	t.seen = a
	return nil
}

// announce produces the events of changes, which the books have already, and
// crosses them off.
func (j *Job) announce(ctx context.Context, t *tenant) error {
	changed := t.pending()
	changed = changed[:min(len(changed), j.cfg.MaxEvents)]
	events := make([]watch.Event, len(changed))
	for i, n := range changed {
		events[i] = event(t, n)
	}
	return j.Announce(ctx, t.name, events, func() error {
		for _, n := range changed {
			t.member(n).Announced = true
		}
		return j.write(ctx, t, changed)
	})
}
