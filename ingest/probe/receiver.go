package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// probeReceiver probes the targets of one configuration and feeds the pipelines
// of both signals.
type probeReceiver struct {
	set     receiver.Settings
	cfg     *Config
	own     *ownMetrics
	metrics consumer.Metrics
	traces  consumer.Traces
	// forget lets the factory make a new receiver for the configuration.
	forget func()

	modules   map[string]*prober.Module
	scheduler *scheduler
	batches   *batcher
	api       *api

	start, shutdown sync.Once
	startErr        error
	stop            func(context.Context) error
}

func newReceiver(set receiver.Settings, cfg *Config) (*probeReceiver, error) {
	own, err := newOwnMetrics(set.MeterProvider)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	r := &probeReceiver{set: set, cfg: cfg, own: own, forget: func() {}, stop: func(context.Context) error { return nil }}
	r.scheduler = newScheduler(cfg.Site, cfg.Concurrency, r.probe, r.skip)
	return r, nil
}

// Start reads the files and begins to probe. Only the first call does so.
func (r *probeReceiver) Start(context.Context, component.Host) error {
	r.start.Do(func() { r.startErr = r.begin() })
	return r.startErr
}

// Shutdown ends all probes and hands on what they have found. What a slow
// consumer has not taken when the context ends is lost and counted.
func (r *probeReceiver) Shutdown(ctx context.Context) error {
	var err error
	r.shutdown.Do(func() {
		r.forget()
		err = r.stop(ctx)
	})
	return err
}

// openModules makes every module, so that a file that is missing is found at
// the start.
func (r *probeReceiver) openModules() error {
	r.modules = map[string]*prober.Module{}
	for name, cfg := range r.cfg.modules() {
		m, err := prober.New(name, cfg, prober.Options{UserAgent: r.agent()})
		if err != nil {
			return err
		}
		r.modules[name] = m
	}
	return nil
}

func (r *probeReceiver) agent() string { return "Goshawk-Probe/" + r.set.BuildInfo.Version }

func (r *probeReceiver) begin() error {
	if err := r.openModules(); err != nil {
		return err
	}
	var file *targetsFile
	var listed []Target
	var err error
	if r.cfg.TargetsFile != "" {
		if file, err = openTargets(r.cfg.TargetsFile); err != nil {
			return fmt.Errorf("targets_file: %w", err)
		}
		listed = file.targets
	}
	jobs, err := r.plan(listed)
	if err != nil {
		return err
	}
	var listener net.Listener
	if r.cfg.Listen != "" {
		if r.api, err = newAPI(r); err != nil {
			return err
		}
		if listener, err = r.api.listen(); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	r.batches = &batcher{
		findings: make(chan finding, r.cfg.BatchSize), size: r.cfg.BatchSize, timeout: r.cfg.BatchTimeout,
		version: r.set.BuildInfo.Version, metrics: r.metrics, traces: r.traces, lost: r.lose,
		retries: 6, pause: 100 * time.Millisecond,
	}

	probing, stopProbing := context.WithCancel(context.Background())
	delivering, stopDelivering := context.WithCancel(context.Background())
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		r.batches.run(delivering)
	}()
	group := r.scheduler.start(probing)
	r.schedule(probing, jobs)
	if file != nil {
		group.Go(func() { r.follow(probing, file) })
	}
	if listener != nil {
		group.Go(func() { r.api.serve(listener) })
	}
	r.stop = func(ctx context.Context) error {
		// Probes end at once with their context; then nobody adds results.
		stopProbing()
		if r.api != nil {
			r.api.close()
		}
		group.Wait()
		for _, m := range r.modules {
			m.Close()
		}
		close(r.batches.findings)
		defer stopDelivering()
		select {
		case <-delivered:
			return nil
		case <-ctx.Done():
			stopDelivering()
			<-delivered
			return fmt.Errorf("handing on the last results: %w", ctx.Err())
		}
	}
	return nil
}

func (r *probeReceiver) schedule(ctx context.Context, jobs []*job) {
	r.scheduler.replace(ctx, jobs)
	r.own.targets.Record(ctx, int64(len(jobs)))
}

// plan makes jobs of the configured targets and of those of the file.
func (r *probeReceiver) plan(listed []Target) ([]*job, error) {
	targets := slices.Concat(r.cfg.Targets, listed)
	if err := r.cfg.validateTargets(targets); err != nil {
		return nil, err
	}
	jobs := make([]*job, 0, len(targets))
	var errs []error
	for _, t := range targets {
		t = r.cfg.complete(t)
		module := r.modules[t.Module]
		if err := module.Check(t.Target); err != nil {
			errs = append(errs, fmt.Errorf("target %s of module %s: %w", t.Target, t.Module, err))
			continue
		}
		jobs = append(jobs, &job{Target: t, module: module})
	}
	return jobs, errors.Join(errs...)
}

// probe is what the scheduler's workers do.
func (r *probeReceiver) probe(ctx context.Context, j *job) {
	result := j.module.Probe(ctx, j.Target.Target, j.Timeout, false)
	if result.Canceled {
		return
	}
	r.own.ran(result.Failure == nil)
	r.batches.add(ctx, finding{Result: result, site: r.cfg.Site, name: j.Name, labels: j.Labels})
}

func (r *probeReceiver) skip(_ *job, ticks int) {
	r.own.skipped.Add(context.Background(), int64(ticks))
}

func (r *probeReceiver) lose(signal string, results int, err error) {
	r.own.lose(signal, results)
	r.set.Logger.Sugar().Warnw("probe results were not taken", "signal", signal, "results", results, "error", err)
}
