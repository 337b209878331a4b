package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
	kafkasink "github.com/goshawk-observability/goshawk/sinks/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// deriving makes a point of every record, with the record's receive time.
type deriving struct{}

func (deriving) Process(_ context.Context, b *telemetry.Batch) error {
	w := pointwriter.New([]pointwriter.Label{{Key: "service.name", Value: "test"}}, "")
	for i := range b.Records {
		r := &b.Records[i]
		w.Metric("received", "", "", pointwriter.Gauge)
		w.Number([]pointwriter.Label{{Key: "partition", Value: fmt.Sprint(b.Partition)}}, 0, r.ReceiveTime, float64(r.Offset))
		value, events := w.Finish()
		b.Derived = append(b.Derived, telemetry.Derived{
			Signal: telemetry.Metrics, Tenant: "acme", Key: fmt.Sprint(r.Offset), Value: value, Events: events, Time: r.ReceiveTime,
		})
	}
	return nil
}

// sinkFunc is a sink.
type sinkFunc func(b *telemetry.Batch) error

func (f sinkFunc) Write(_ context.Context, b *telemetry.Batch) error { return f(b) }

// TestDerivedOnce crashes between producing what was derived of a block and
// committing the block, again and again: every derived point arrives once.
func TestDerivedOnce(t *testing.T) {
	const perPartition, partitions = 60, 2
	broker := brokertest.Start(t)
	log := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	settings := kafka.DefaultConfig()
	settings.Brokers = []string{broker.Addr}
	client, err := kafka.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics := topic.DefaultConfig()
	topics.Partitions = partitions
	if _, err := client.EnsureTopics(t.Context(), topics.Topics()); err != nil {
		t.Fatal(err)
	}
	kafkaProducer, err := kafka.NewProducer(client, kafka.DefaultProducerConfig(), log, registry)
	if err != nil {
		t.Fatal(err)
	}
	defer kafkaProducer.Close()
	producer := topic.NewProducer(client, kafkaProducer)
	for i := range perPartition * partitions {
		err := producer.Produce(t.Context(), []topic.Part{{
			Topic: topics.Spans, Partition: int32(i % partitions), Value: []byte{}, Tenant: "acme",
			BatchID: topic.BatchID{1, byte(i)}, Received: time.Now().UnixNano(), Events: 1,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	limits := otlp.DefaultLimits()
	// run runs a pipeline until its group has committed everything.
	run := func(signal telemetry.Signal, processors []pipeline.NamedProcessor, sinks ...func() pipeline.Sink) error {
		reg := prometheus.NewRegistry()
		cfg := topic.DefaultSourceConfig()
		cfg.MaxEvents, cfg.MaxBytes, cfg.MaxWait = 1, 1<<10, 20*time.Millisecond
		consumer, err := topic.NewConsumers(client, topic.DefaultMaxBuffered, log, reg).Consumer("test-"+signal.String(), topics.Of(signal), signal, cfg)
		if err != nil {
			t.Fatal(err)
		}
		metrics := pipeline.NewWorkerMetrics(reg)
		runner := &pipeline.Runner{Metrics: metrics, Pipelines: []pipeline.Pipeline{{
			Name: signal.String(), Topic: topics.Of(signal), Consumer: consumer,
			NewWorker: func(_ int32, source pipeline.Source) (*pipeline.Worker, error) {
				w := &pipeline.Worker{
					Source: source, Decode: func(b *telemetry.Batch) { otlp.Decode(b, &limits) }, Processors: processors, Log: log, Metrics: metrics,
				}
				for i, s := range sinks {
					w.Sinks = append(w.Sinks, pipeline.NamedSink{Name: fmt.Sprint(i), Sink: s()})
				}
				return w, nil
			},
		}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
				bounds, err := client.Offsets(ctx, topics.Of(signal))
				if err != nil {
					continue
				}
				committed, err := client.Committed(ctx, "test-"+signal.String(), topics.Of(signal), 0, 1)
				done := err == nil && len(committed) == partitions
				for _, p := range committed {
					done = done && p.CommittedOffset == bounds[p.Partition].Next
				}
				if done {
					cancel()
				}
			}
		}()
		return runner.Run(ctx)
	}
	var blocks atomic.Int64
	crashing := func() pipeline.Sink {
		return sinkFunc(func(b *telemetry.Batch) error {
			if n := blocks.Add(1); !b.Begun && n%10 == 0 {
				panic("crash on command")
			}
			return nil
		})
	}
	metrics := kafkasink.NewMetrics(registry)
	derived := func() pipeline.Sink { return kafkasink.New(messageProducer{producer}, topics.Feed, log, metrics) }
	crashes := 0
	for {
		err := run(telemetry.Spans, []pipeline.NamedProcessor{{Name: "deriving", Processor: deriving{}}}, derived, crashing)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "crash on command") {
			t.Fatal(err)
		}
		crashes++
	}
	var mu sync.Mutex
	seen := map[string]int{}
	repeats := 0
	err = run(telemetry.Metrics, nil, func() pipeline.Sink {
		return sinkFunc(func(b *telemetry.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			for i := range b.Records {
				if b.Records[i].Repeated {
					repeats++
				}
			}
			for i := range b.Numbers {
				p := &b.Numbers[i]
				seen[fmt.Sprintf("%s %v %v", b.TenantOf(b.Metrics[p.Metric].Resource), b.AttrsOf(p.Attrs)[0].Value.Str, p.Value)]++
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for partition := range partitions {
		for offset := range perPartition {
			if n := seen[fmt.Sprintf("acme %d %d", partition, offset)]; n != 1 {
				wrong++
			}
		}
	}
	if wrong > 0 || len(seen) != perPartition*partitions {
		t.Errorf("%d of %d points did not come once: %v", wrong, perPartition*partitions, seen)
	}
	t.Logf("%d crashes, %d repeats", crashes, repeats)
	if crashes < 3 || repeats < crashes {
		t.Error("that proves nothing")
	}
}
