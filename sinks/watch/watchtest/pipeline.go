package watchtest

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
	chsink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Producer is the topics' producer, as the process role has it.
type Producer struct {
	*topic.Producer
	// Fail makes a call fail before records are sent, Lost after they were.
	Fail, Lost error
	// sent counts the records that Kafka has.
	sent atomic.Int64
}

// Produce implements [pipeline.Producer].
func (p *Producer) Produce(ctx context.Context, records []pipeline.Message) error {
	if p.Fail != nil {
		return p.Fail
	}
	parts := make([]topic.Part, len(records))
	for i, r := range records {
		parts[i] = topic.Part{Topic: r.Topic, Partition: r.Partition, Value: r.Value, Tenant: r.Tenant, BatchID: r.BatchID, Received: r.Received, Events: 1}
	}
	if err := p.Producer.Produce(ctx, parts); err != nil {
		return err
	}
	p.sent.Add(int64(len(records)))
	return p.Lost
}

// pipeline runs the pipeline of logs until the test ends.
func (b *Bed) pipeline(t *testing.T, addr string) {
	t.Helper()
	log, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{addr}
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := client.EnsureTopics(context.Background(), []kafka.Topic{{Name: b.Topic, Partitions: 3, Replication: 1}}); err != nil {
		t.Fatal(err)
	}
	p, err := kafka.NewProducer(client, kafka.DefaultProducerConfig(), log, registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	b.Producer = &Producer{Producer: topic.NewProducer(client, p)}

	source := topic.DefaultSourceConfig()
	source.MaxWait, source.FetchWait = 10*time.Millisecond, 20*time.Millisecond
	consumer, err := topic.NewConsumers(client, topic.DefaultMaxBuffered, log, registry).Consumer("goshawk-logs", b.Topic, telemetry.Logs, source)
	if err != nil {
		t.Fatal(err)
	}
	metrics, stored, limits := pipeline.NewWorkerMetrics(registry), chsink.NewMetrics(registry), otlp.DefaultLimits()
	runner := &pipeline.Runner{Metrics: metrics, Pipelines: []pipeline.Pipeline{{
		Name: "logs", Topic: b.Topic, Consumer: consumer,
		NewWorker: func(_ int32, source pipeline.Source) (*pipeline.Worker, error) {
			return &pipeline.Worker{
				Source: source, Decode: func(b *telemetry.Batch) { otlp.Decode(b, &limits) }, Log: log, Metrics: metrics,
				Sinks: []pipeline.NamedSink{{Name: "clickhouse", Sink: chsink.New(b.Conn, b.Dialect, chsink.DefaultConfig(), log, stored)}},
			}, nil
		},
	}}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
