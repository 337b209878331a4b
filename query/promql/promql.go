// Package promql answers PromQL over the tables of metrics: a storage for the
// query engine of Prometheus, and Prometheus's HTTP API.
//
// The engine, the parser and the wording of answers are Prometheus's own; what
// is here is where samples come from. docs/prometheus.md is the contract.
package promql

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// engine is Prometheus's engine with limits of its own and a shortcut for
// functions of a window.
type engine struct {
	*promql.Engine
	parser parser.Parser
	// starts is set where the engine takes the start times of samples into
	// account, which the shortcut does not.
	starts bool
	// rollups is set where queries may be answered from rollups.
	rollups bool
	// maxSteps bounds the steps of a query's subqueries; 0 does not.
	maxSteps int
}

// newEngine makes an engine that evaluates queries as Prometheus does.
func newEngine(cfg Config, reg prometheus.Registerer, log *slog.Logger) *engine {
	p := parser.NewParser(cfg.parserOptions())
	return &engine{parser: p, starts: cfg.UseStartTimestamps, rollups: cfg.Rollups, maxSteps: cfg.MaxSamples, Engine: promql.NewEngine(promql.EngineOpts{
		Logger:                   log,
		Reg:                      reg,
		MaxSamples:               cfg.MaxSamples,
		Timeout:                  cfg.Timeout,
		LookbackDelta:            cfg.Lookback,
		ActiveQueryTracker:       newTracker(cfg.Concurrency),
		NoStepSubqueryIntervalFn: func(int64) int64 { return defaultSubqueryStep.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		UseStartTimestamps:       cfg.UseStartTimestamps,
		Parser:                   p,
	})}
}

// defaultSubqueryStep is the step of a subquery that names none.
const defaultSubqueryStep = time.Minute

// NewInstantQuery implements promql.QueryEngine.
func (e *engine) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, at time.Time) (promql.Query, error) {
	query, err := e.Engine.NewInstantQuery(ctx, q, opts, text, at)
	if err != nil {
		return nil, err
	}
	if err := e.boundSubqueries(query); err != nil {
		return nil, err
	}
	return e.shortened(ctx, q, opts, query), nil
}

// NewRangeQuery implements promql.QueryEngine.
func (e *engine) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, start, end time.Time, step time.Duration) (promql.Query, error) {
	plain, err := e.Engine.NewRangeQuery(ctx, q, opts, text, start, end, step)
	if err != nil {
		return nil, err
	}
	if err := e.boundSubqueries(plain); err != nil {
		return nil, err
	}
	return e.shortened(ctx, q, opts, plain), nil
}

// parserOptions are what queries may use beyond plain PromQL.
func (c *Config) parserOptions() parser.Options {
	return parser.Options{
		EnableExperimentalFunctions:  c.ExperimentalFunctions,
		EnableExtendedRangeSelectors: c.ExperimentalFunctions,
		ExperimentalDurationExpr:     c.ExperimentalFunctions,
		EnableBinopFillModifiers:     c.ExperimentalFunctions,
	}
}

// tracker lets a number of queries be evaluated at a time.
type tracker struct{ slots chan struct{} }

func newTracker(n int) *tracker { return &tracker{make(chan struct{}, n)} }

// GetMaxConcurrent implements promql.QueryTracker.
func (t *tracker) GetMaxConcurrent() int { return cap(t.slots) }

// Insert waits for a slot.
func (t *tracker) Insert(ctx context.Context, _ string) (int, error) {
	select {
	case t.slots <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Delete gives the slot back.
func (t *tracker) Delete(int) { <-t.slots }

// Close has nothing to release.
func (t *tracker) Close() error { return nil }
