package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/ingest/state"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/memory"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/internal/supervise"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors"
	chsink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/deadletter"
	kafkasink "github.com/goshawk-observability/goshawk/sinks/kafka"
)

func newProcess() *cobra.Command {
	return command("process", "Move events from Kafka through the processors into ClickHouse",
		`Runs one worker per partition: take a block, decode, process, write, commit. Start as many processes as there are
partitions to share; they share the partitions. Tables are created where they are missing.`,
		func(ctx context.Context, s Settings, o *observe.Observer, _ *supervise.Parent) error {
			group, ctx := errgroup.WithContext(ctx)
			if s.Process.Listen != "" {
				group.Go(func() error { return serveHealth(ctx, "process.listen", s.Process.Listen, o) })
			}
			group.Go(func() error { return runProcess(ctx, s, o) })
			return group.Wait()
		})
}

// runProcess runs the process role until ctx ends.
func runProcess(ctx context.Context, s Settings, o *observe.Observer) error {
	client, err := kafka.New(s.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	producer, err := newProducer(s, o, client, "deadletter")
	if err != nil {
		return err
	}
	defer producer.Close()
	conn, err := clickhouse.Open(s.ClickHouse)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ensureTopics(ctx, client, s.Topics, o.Log); err != nil {
		return err
	}
	if err := ensureTables(ctx, s, conn, o.Log); err != nil || ctx.Err() != nil {
		return err
	}
	if err := ensureExactlyOnce(ctx, s, conn, o.Log); err != nil || ctx.Err() != nil {
		return err
	}
	columns, err := clickhouse.OpenColumns(s.ClickHouse)
	if err != nil {
		return err
	}
	defer columns.Close()
	runner, err := newRunner(s, o, client, producer, conn, columns)
	if err != nil {
		return err
	}
	o.Log.Info("workers are up", "group", s.Process.Group)
	defer o.Repanic()
	return runner.Run(ctx)
}

// ensureExactlyOnce checks that ClickHouse recognises inserts that are repeated.
// It tries until the database answers.
func ensureExactlyOnce(ctx context.Context, s Settings, conn clickhouse.Conn, log *slog.Logger) error {
	var refused error
	err := retryUntil(ctx, log, "checking that repeated inserts are recognised", func() error {
		err := chsink.Probe(ctx, conn, s.dialect())
		if errors.Is(err, chsink.ErrNotExactlyOnce) {
			refused, err = err, nil
		}
		return err
	})
	return errors.Join(refused, err)
}

// newRunner puts the pipelines of all signals together.
func newRunner(s Settings, o *observe.Observer, client *kafka.Client, kafkaProducer *kafka.Producer, conn clickhouse.Conn, columns *clickhouse.Columns) (*pipeline.Runner, error) {
	producer := topic.NewProducer(client, kafkaProducer)
	registry, err := processors.Registry()
	if err != nil {
		return nil, err
	}
	metrics := pipeline.NewWorkerMetrics(o.Registry)
	sinks := newSinkMetrics(o.Registry)
	states := state.NewMetrics(o.Registry)
	consumers := topic.NewConsumers(client, s.Process.MaxBuffered, o.Log, o.Registry)
	consumers.WriteIdle(producer)
	runner := &pipeline.Runner{Metrics: metrics}
	tellCountries(s.Pipelines.Logs.Processors, o.Log)
	for _, stream := range s.streams() {
		chain, err := registry.Build(stream.settings.Processors)
		if err != nil {
			return nil, fmt.Errorf("pipelines.%s.%w", stream.name, err)
		}
		var consumer pipeline.Consumer
		if consumer, err = consumers.Consumer(stream.group, stream.topic, stream.signal, stream.settings.Source); err != nil {
			return nil, err
		}
		for _, job := range newJobs(stream.topic, s, o, producer, conn, columns) {
			consumer = beside{consumer, func(ctx context.Context) {
				defer o.Repanic()
				job.Run(ctx)
			}}
		}
		snapshots := state.New(client, kafkaProducer, state.Config{
			Topic: s.Topics.State, Group: stream.group, Chunk: min(state.DefaultChunk, int(s.Producer.MaxBatch)/2),
		}, o.Log, states)
		room := s.Process.room()
		memory.OnQuiet(room.Trim)
		runner.Pipelines = append(runner.Pipelines, pipeline.Pipeline{
			Name: stream.name, Topic: stream.topic, Consumer: consumer, Room: room,
			NewWorker: func(_ int32, source pipeline.Source) (*pipeline.Worker, error) {
				steps, err := chain()
				if err != nil {
					return nil, err
				}
				return &pipeline.Worker{
					Source:     source,
					Decode:     stream.decode,
					Processors: steps,
					Sinks:      newSinks(s, o, producer, conn, sinks),
					Snapshots:  snapshots,
					State:      s.Process.State,
					Log:        o.Log,
					Metrics:    metrics,
				}, nil
			},
		})
	}
	return runner, nil
}

// job is what runs beside the workers of a topic.
type job interface{ Run(ctx context.Context) }

// newJobs makes the jobs of a topic that are enabled.
func newJobs(name string, s Settings, o *observe.Observer, producer *topic.Producer, conn clickhouse.Conn, columns *clickhouse.Columns) []job {
	var jobs []job
	for _, one := range []struct {
		topic   string
		enabled bool
		make    func() job
	}{
		{s.Topics.Metrics, s.Sinks.Rollup.Enabled, func() job { return newRollupJob(s, o.Log, conn, columns, o.Registry) }},
		{s.Topics.Spans, s.Sinks.Sampling.Enabled, func() job { return newSamplingJob(s, o.Log, conn, columns, o.Registry) }},
		{s.Topics.Spans, s.Sinks.Topology.Enabled, func() job { return newTopologyJob(s, o, producer, conn) }},
		{s.Topics.Logs, s.Sinks.Patterns.Enabled, func() job { return newPatternsJob(s, o, producer, conn) }},
	} {
		if one.topic == name && one.enabled {
			jobs = append(jobs, one.make())
		}
	}
	return jobs
}

// sinkMetrics are what the sinks of all workers report.
type sinkMetrics struct {
	stored  *chsink.Metrics
	letters *deadletter.Metrics
	derived *kafkasink.Metrics
}

func newSinkMetrics(reg prometheus.Registerer) *sinkMetrics {
	return &sinkMetrics{chsink.NewMetrics(reg), deadletter.NewMetrics(reg), kafkasink.NewMetrics(reg)}
}

// newSinks makes the sinks of one worker. ClickHouse comes last: its ledger row
// closes the block.
func newSinks(s Settings, o *observe.Observer, producer *topic.Producer, conn clickhouse.Conn, m *sinkMetrics) []pipeline.NamedSink {
	traced := func(name string, sink pipeline.Sink) pipeline.NamedSink {
		return pipeline.NamedSink{Name: name, Sink: tracedSink{sink, o.Tracer, name}}
	}
	return []pipeline.NamedSink{
		traced("deadletter", deadletter.New(messageProducer{producer}, s.Topics.DeadLetter, o.Log, m.letters)),
		traced("kafka", kafkasink.New(messageProducer{producer}, s.Topics.Feed, o.Log, m.derived)),
		traced("clickhouse", chsink.New(conn, s.dialect(), s.Sinks.ClickHouse, o.Log, m.stored).SharedBy(producer.Partitions)),
	}
}

// retryUntil calls f until it succeeds, logging what stands in the way now and
// then. It returns nil when ctx ends.
func retryUntil(ctx context.Context, log *slog.Logger, doing string, f func() error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := f()
		if err == nil {
			return nil
		}
		if wait >= time.Second {
			log.Warn("cannot go on yet", "doing", doing, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// serveHealth serves /metrics and /healthz of a role that has no other port, on
// the address that the setting has.
func serveHealth(ctx context.Context, setting, address string, o *observe.Observer) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("opening %s: %w", setting, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	// Where a worker's time goes is an operator's question; the port is on
	// loopback unless it is told otherwise.
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", setting, err)
	}
	return nil
}
