package topic_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLog shows what happened when GOSHAWK_TEST_LOG is set.
func testLog() *slog.Logger {
	if os.Getenv("GOSHAWK_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// harness is one topic with a producer, a group, and a sink for all members.
type harness struct {
	t       *testing.T
	cluster *kafkatest.Cluster
	topic   string
	group   string
	cfg     topic.SourceConfig
	sink    *pipelinetest.ModelSink
	log     *slog.Logger // the consumers'
	// processors and state are those of all members.
	processors []pipeline.NamedProcessor
	state      pipeline.StateConfig

	producer *topic.Producer
	mu       sync.Mutex
	rows     []string
}

func newHarness(t *testing.T, cluster *kafkatest.Cluster, partitions int) *harness {
	h := &harness{
		t: t, cluster: cluster, topic: cluster.Topic(t, partitions), group: kafkatest.Unique("group"),
		cfg: topic.DefaultSourceConfig(), sink: new(pipelinetest.ModelSink), log: testLog(),
	}
	h.cfg.MaxWait = 20 * time.Millisecond
	h.cfg.FetchWait = 100 * time.Millisecond
	h.cfg.SessionTimeout, h.cfg.HeartbeatInterval = 6*time.Second, 100*time.Millisecond
	h.producer = newProducer(t, cluster)
	return h
}

// newProducer writes to the cluster until the test ends.
func newProducer(t testing.TB, cluster *kafkatest.Cluster) *topic.Producer {
	t.Helper()
	client := cluster.Client(t)
	p, err := kafka.NewProducer(client, kafka.DefaultProducerConfig(), testLog(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return topic.NewProducer(client, p)
}

// produce writes one record of one event for each row, and notes the rows.
func (h *harness) produce(ctx context.Context, partition int32, rows ...string) error {
	parts := make([]topic.Part, len(rows))
	for i, row := range rows {
		parts[i] = h.part(partition, row)
	}
	err := h.producer.Produce(ctx, parts)
	if err == nil {
		h.mu.Lock()
		h.rows = append(h.rows, rows...)
		h.mu.Unlock()
	}
	return err
}

func (h *harness) part(partition int32, row string) topic.Part {
	return topic.Part{
		Topic: h.topic, Partition: partition, Value: []byte(row), Tenant: "acme",
		BatchID: topic.RequestID("acme", []byte(row)).Part(0), Received: time.Now().UnixNano(), Events: 1,
	}
}

// member is one process of the group.
type member struct {
	registry *prometheus.Registry
	stop     func()
}

// join starts a member. Stop it to make it leave; the test stops it at its end.
func (h *harness) join(wrap func(pipeline.Source) pipeline.Source) *member {
	h.t.Helper()
	client, err := kafka.New(h.cluster.Config())
	if err != nil {
		h.t.Fatal(err)
	}
	m := &member{registry: prometheus.NewRegistry()}
	consumers := topic.NewConsumers(client, topic.DefaultMaxBuffered, h.log, m.registry)
	consumers.WriteIdle(h.producer)
	consumer, err := consumers.Consumer(h.group, h.topic, telemetry.Logs, h.cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	consumer.SetEndPatience(time.Second)
	metrics := pipeline.NewWorkerMetrics(m.registry)
	runner := &pipeline.Runner{Metrics: metrics, Pipelines: []pipeline.Pipeline{{
		Name: "logs", Topic: h.topic, Consumer: consumer,
		NewWorker: func(_ int32, source pipeline.Source) (*pipeline.Worker, error) {
			if wrap != nil {
				source = wrap(source)
			}
			return &pipeline.Worker{
				Source: source, Decode: pipelinetest.Decode, Log: testLog(), Metrics: metrics,
				Sinks:      []pipeline.NamedSink{{Name: "model", Sink: h.sink}},
				Processors: h.processors, State: h.state,
			}, nil
		},
	}}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	var once sync.Once
	m.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Errorf("member: %v", err)
			}
			client.Close()
		})
	}
	h.t.Cleanup(m.stop)
	return m
}

// settle waits until the sink has everything, and checks it.
func (h *harness) settle() {
	h.t.Helper()
	h.mu.Lock()
	rows := h.rows
	h.mu.Unlock()
	deadline := time.Now().Add(60 * time.Second)
	for h.sink.Len() < len(rows) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // whatever comes too often
	if wrong := h.sink.Check(rows); len(wrong) > 0 {
		h.t.Fatalf("%d of %d rows; %s", h.sink.Len(), len(rows), strings.Join(wrong, "\n"))
	}
}

// value returns a metric's value, summed over its series.
func (m *member) value(t *testing.T, name string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, s := range f.GetMetric() {
				sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestConsume(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 3)
		m := h.join(nil)
		for i := range 300 {
			if err := h.produce(t.Context(), int32(i%3), fmt.Sprintf("row %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		h.settle()
		if h.sink.Blocks > 200 {
			t.Errorf("%d blocks for 300 records", h.sink.Blocks)
		}
		if got := m.value(t, "goshawk_source_records_total"); got != 300 {
			t.Errorf("records_total is %v, want 300", got)
		}
		if got := m.value(t, "goshawk_source_assigned"); got != 3 {
			t.Errorf("assigned is %v, want 3", got)
		}
	})
}
