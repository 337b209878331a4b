package interop

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/kafkareceiver"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// kafkaExporter is the collector's Kafka exporter for all three signals.
type kafkaExporter struct {
	logs    exporter.Logs
	traces  exporter.Traces
	metrics exporter.Metrics
}

// startExporter runs the collector's Kafka exporter with its defaults, except
// that what it is given is exported before the call returns. It keeps the names
// of topics, the encoding and the partitioner that it has by itself.
func startExporter(t *testing.T, broker string, edit func(*kafkaexporter.Config)) kafkaExporter {
	t.Helper()
	factory := kafkaexporter.NewFactory()
	cfg := factory.CreateDefaultConfig().(*kafkaexporter.Config)
	cfg.Brokers = []string{broker}
	// Without its queue the exporter answers when Kafka did.
	cfg.QueueBatchConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	// A broker that cannot be reached should fail the test sooner than after the
	// five minutes for which a collector tries.
	cfg.BackOffConfig.MaxElapsedTime = 30 * time.Second
	if edit != nil {
		edit(cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	settings := exportertest.NewNopSettings(factory.Type())
	var e kafkaExporter
	var err error
	if e.logs, err = factory.CreateLogs(t.Context(), settings, cfg); err != nil {
		t.Fatal(err)
	}
	if e.traces, err = factory.CreateTraces(t.Context(), settings, cfg); err != nil {
		t.Fatal(err)
	}
	if e.metrics, err = factory.CreateMetrics(t.Context(), settings, cfg); err != nil {
		t.Fatal(err)
	}
	run(t, e.logs, e.traces, e.metrics)
	return e
}

// send exports a batch of each signal and fails the test unless all of it is
// acknowledged.
func (e kafkaExporter) send(t *testing.T, s signals) {
	t.Helper()
	if err := e.logs.ConsumeLogs(t.Context(), s.logs); err != nil {
		t.Fatal(err)
	}
	if err := e.traces.ConsumeTraces(t.Context(), s.traces); err != nil {
		t.Fatal(err)
	}
	if err := e.metrics.ConsumeMetrics(t.Context(), s.metrics); err != nil {
		t.Fatal(err)
	}
}

// kafkaReceiver is the collector's Kafka receiver for all three signals, and
// what it has received of one service.
type kafkaReceiver struct {
	service string

	mu      sync.Mutex
	got     counts
	tenants map[string]bool
}

// startReceiver runs the collector's Kafka receiver with its defaults on what is
// in the topics already and what is added.
func startReceiver(t *testing.T, broker, service string) *kafkaReceiver {
	t.Helper()
	factory := kafkareceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*kafkareceiver.Config)
	cfg.Brokers = []string{broker}
	cfg.GroupID = "collector-" + service
	cfg.InitialOffset = "earliest"
	cfg.HeaderExtraction.ExtractHeaders = true
	cfg.HeaderExtraction.Headers = []string{tenantHeader}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &kafkaReceiver{service: service, tenants: map[string]bool{}}
	settings := receivertest.NewNopSettings(factory.Type())
	logs, err := factory.CreateLogs(t.Context(), settings, cfg, must(consumer.NewLogs(r.consumeLogs)))
	if err != nil {
		t.Fatal(err)
	}
	traces, err := factory.CreateTraces(t.Context(), settings, cfg, must(consumer.NewTraces(r.consumeTraces)))
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := factory.CreateMetrics(t.Context(), settings, cfg, must(consumer.NewMetrics(r.consumeMetrics)))
	if err != nil {
		t.Fatal(err)
	}
	run(t, logs, traces, metrics)
	return r
}

// tenantHeader is the header in which goshawk's records name their tenant; see
// docs/formats.
const tenantHeader = "goshawk-tenant"

func (r *kafkaReceiver) note(ctx context.Context, c counts) {
	if c == (counts{}) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.add(c)
	for _, tenant := range client.FromContext(ctx).Metadata.Get(tenantHeader) {
		r.tenants[tenant] = true
	}
}

func (r *kafkaReceiver) consumeLogs(ctx context.Context, logs plog.Logs) error {
	r.note(ctx, counts{logs: countLogs(logs, r.service)})
	return nil
}

func (r *kafkaReceiver) consumeTraces(ctx context.Context, traces ptrace.Traces) error {
	r.note(ctx, counts{spans: countSpans(traces, r.service)})
	return nil
}

func (r *kafkaReceiver) consumeMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	r.note(ctx, counts{points: countPoints(metrics, r.service)})
	return nil
}

// counts returns what has arrived up to now.
func (r *kafkaReceiver) counts() counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

type runnable interface {
	Start(ctx context.Context, host component.Host) error
	Shutdown(ctx context.Context) error
}

// run starts components and stops them with the test.
func run(t *testing.T, components ...runnable) {
	t.Helper()
	for _, c := range components {
		if err := c.Start(context.WithoutCancel(t.Context()), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("stopping a collector component: %v", err)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// setRecordHeader makes the exporter put a header on its records. The setting's
// type is private to the exporter, so it is set as a collector's file would.
func setRecordHeader(t *testing.T, cfg *kafkaexporter.Config, key, value string) {
	t.Helper()
	text := map[string]any{"record_headers": []any{map[string]any{"name": key, "value": value}}}
	if err := confmap.NewFromStringMap(text).Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
}
