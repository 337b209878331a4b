// Package watch is what jobs have in common that look at intervals what has come
// and gone of every tenant, and produce events of it.
//
// What a job knows of a tenant is in a table, its books. An event is written down
// in the books before it is produced, and crossed off when Kafka has it. So a job
// that is killed at any point loses none, and what is produced again has the batch
// id that it had. All times are minutes of the tenant's data: where nothing comes,
// nothing vanishes.
//
// It must not know what is watched, nor how records get to Kafka: that is a
// [pipeline.Producer].
package watch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Watched says what a job watches. T is what is known of a tenant.
type Watched[T any] struct {
	// Name is that of the job, Books are what its books are of, Event is what an
	// event is of, and News is what it looks for; Behind is said when it fails.
	Name, Books, Event, News, Behind string
	// Scope is the instrumentation scope of events.
	Scope string
	// Tables are those that are looked at, and Recent is for how long after the
	// newest of their rows a tenant is.
	Tables []string
	Recent Minute
	// Most is how many things of a tenant are known.
	Most int
	// Interval is how often it is looked, ForgetAfter for how long the books know
	// what has vanished.
	Interval, ForgetAfter time.Duration
	// Load returns what the books know of a tenant.
	Load func(ctx context.Context, tenant string) (T, error)
	// Look writes down what has changed of a tenant, and announces it.
	Look func(ctx context.Context, t T, a Activity) error
	// Show tells the metrics what is known, by tenant.
	Show func(tenants map[string]T)
}

// Parts are what a job works with. They are the caller's.
type Parts struct {
	Conn     clickhouse.Conn
	Dialect  tables.Dialect
	Producer pipeline.Producer
	// Topic is that of logs.
	Topic string
	// Kept returns for how many days the data of a tenant are kept.
	Kept    func(tenant string) int
	Log     *slog.Logger
	Metrics *Metrics
}

// Job looks what has changed. It is used by one goroutine.
type Job[T any] struct {
	Parts
	// Now is the clock, and Step is called before each step that changes something;
	// tests make it fail.
	Now  func() time.Time
	Step func(name string) error

	watched Watched[T]
	// tenants are those that had data at the last look.
	tenants map[string]T
}

// New makes a job.
func New[T any](watched Watched[T], parts Parts) *Job[T] {
	return &Job[T]{Parts: parts, Now: time.Now, Step: func(string) error { return nil }, watched: watched, tenants: map[string]T{}}
}

// Run looks at intervals until ctx ends. What fails is logged and tried again.
func (j *Job[T]) Run(ctx context.Context) {
	ticker := time.NewTicker(j.watched.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := j.Look(ctx); err != nil && ctx.Err() == nil {
			j.Log.Warn(j.watched.Behind, "error", err)
		}
	}
}

// Look looks at every tenant that has data once. A tenant that fails does not keep
// others from being looked at; the first error is returned.
func (j *Job[T]) Look(ctx context.Context) error {
	began := j.Now()
	active, err := j.active(ctx)
	if err != nil {
		j.Metrics.failures.Inc()
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
			j.Metrics.failures.Inc()
			if failed == nil {
				failed = fmt.Errorf("%s of tenant %s: %w", j.watched.Name, name, err)
			}
		}
	}
	j.watched.Show(j.tenants)
	j.Metrics.seconds.Observe(j.Now().Sub(began).Seconds())
	return failed
}

// tenant looks at one tenant.
func (j *Job[T]) tenant(ctx context.Context, name string, a Activity) error {
	t, ok := j.tenants[name]
	if !ok {
		var err error
		if t, err = j.watched.Load(ctx, name); err != nil {
			return err
		}
	}
	if err := j.watched.Look(ctx, t, a); err != nil {
		return err
	}
	j.tenants[name] = t
	return nil
}
