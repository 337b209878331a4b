package kafkaexporter

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

const partitions = 4

// harness is an exporter factory with a broker behind it.
type harness struct {
	env     *Environment
	factory exporter.Factory
	cfg     *Config
	address string
}

// newHarness starts a broker; change, which may be nil, edits what its topics
// are made of.
func newHarness(t *testing.T, change func(*topic.Config)) *harness {
	t.Helper()
	b := brokertest.Start(t)
	d := DefaultDefaults()
	d.Kafka.Brokers = []string{b.Addr}
	d.Topics.Partitions = partitions
	d.Tenant = "shop"
	created := d.Topics
	if change != nil {
		change(&created)
	}
	client, err := kafka.New(d.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsureTopics(t.Context(), created.Topics()); err != nil {
		t.Fatal(err)
	}
	h := &harness{address: b.Addr, env: &Environment{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Registry: prometheus.NewRegistry(), Stopping: context.Background(), Defaults: d,
	}}
	h.factory = NewFactory(h.env)
	h.cfg = h.factory.CreateDefaultConfig().(*Config)
	// What happens is then known when the call returns.
	h.cfg.Queue = configoptional.None[exporterhelper.QueueBatchConfig]()
	h.cfg.Retry.Enabled = false
	if err := h.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) logs(t *testing.T) exporter.Logs {
	t.Helper()
	e, err := h.factory.CreateLogs(t.Context(), exportertest.NewNopSettings(Type), h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// records reads n records of a topic.
func (h *harness) records(t *testing.T, name string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(h.address), kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		all = append(all, client.PollFetches(ctx).Records()...)
		if ctx.Err() != nil {
			t.Fatalf("%d records, want %d", len(all), n)
		}
	}
	return all
}

// describe tells a record's place, headers and value, but not when it came.
func describe(r *kgo.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", r.Partition)
	for _, h := range r.Headers {
		if h.Key != topic.HeaderReceived {
			fmt.Fprintf(&b, " %s=%s", h.Key, hex.EncodeToString(h.Value))
		}
	}
	return b.String() + " " + hex.EncodeToString(r.Value)
}

// want is what the gateway makes of a body.
func want(t *testing.T, signal telemetry.Signal, body []byte) map[string]bool {
	t.Helper()
	s := otlp.NewSplitter(otlp.DefaultLimits())
	if err := s.Split(signal, body, partitions, time.Now().UnixNano()); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	id := topic.RequestID("shop", body)
	for i, p := range s.Parts() {
		part := id.Part(i)
		all[fmt.Sprintf("%d %s=%s %s=%s %s=%016x %s", p.Partition, topic.HeaderTenant, hex.EncodeToString([]byte("shop")),
			topic.HeaderBatchID, hex.EncodeToString(part[:]), topic.HeaderEvents, p.Events, hex.EncodeToString(p.Value))] = true
	}
	return all
}

func someLogs(n int) plog.Logs {
	data := plog.NewLogs()
	for i := range n {
		resource := data.ResourceLogs().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", fmt.Sprint("s", i))
		record := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Body().SetStr(fmt.Sprint("body ", i))
		record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	}
	return data
}

// TestAsTheGateway writes every signal twice: the records are those of the
// gateway, and those of the repeat have the same ids.
func TestAsTheGateway(t *testing.T) {
	h := newHarness(t, nil)
	set := exportertest.NewNopSettings(Type)
	logs := h.logs(t)
	traces, err := h.factory.CreateTraces(t.Context(), set, h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := h.factory.CreateMetrics(t.Context(), set, h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := pcommon.NewTimestampFromTime(time.Now())
	spans, points := ptrace.NewTraces(), pmetric.NewMetrics()
	list := spans.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 40 {
		span := list.AppendEmpty()
		span.SetTraceID([16]byte{1, byte(i)})
		span.SetSpanID([8]byte{2, byte(i)})
		span.SetStartTimestamp(now)
		span.SetEndTimestamp(now)
		resource := points.ResourceMetrics().AppendEmpty()
		resource.Resource().Attributes().PutInt("n", int64(i))
		m := resource.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("m")
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(now)
		p.SetIntValue(int64(i))
	}
	lines := someLogs(40)
	encode := func(body []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	for range 2 {
		for _, err := range []error{logs.ConsumeLogs(t.Context(), lines), traces.ConsumeTraces(t.Context(), spans), metrics.ConsumeMetrics(t.Context(), points)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for signal, body := range map[telemetry.Signal][]byte{
		telemetry.Logs:    encode(plogotlp.NewExportRequestFromLogs(lines).MarshalProto()),
		telemetry.Spans:   encode(ptraceotlp.NewExportRequestFromTraces(spans).MarshalProto()),
		telemetry.Metrics: encode(pmetricotlp.NewExportRequestFromMetrics(points).MarshalProto()),
	} {
		wanted := want(t, signal, body)
		if len(wanted) < 2 {
			t.Fatalf("%s: the request was not cut", signal)
		}
		have, received := map[string]bool{}, 0
		for _, r := range h.records(t, h.env.Defaults.Topics.Of(signal), 2*len(wanted)) {
			have[describe(r)] = true
			for _, header := range r.Headers {
				if header.Key == topic.HeaderReceived && len(header.Value) == 8 {
					received++
				}
			}
		}
		if diff := cmp.Diff(wanted, have); diff != "" {
			t.Errorf("%s: %s", signal, diff)
		}
		if received != 2*len(wanted) {
			t.Errorf("%s: %d records say when they were received, want %d", signal, received, 2*len(wanted))
		}
		if got := testutil.ToFloat64(h.env.metrics().accepted.WithLabelValues(signal.String())); got != 80 {
			t.Errorf("%s: %v events are counted, want 80", signal, got)
		}
	}
	for _, e := range []interface{ Shutdown(context.Context) error }{traces, metrics} {
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestRejectedRows drops what breaks a rule, and keeps the rest.
func TestRejectedRows(t *testing.T) {
	h := newHarness(t, nil)
	data := someLogs(3)
	data.ResourceLogs().At(1).ScopeLogs().At(0).LogRecords().At(0).SetTimestamp(pcommon.NewTimestampFromTime(time.Now().AddDate(1, 0, 0)))
	if err := h.logs(t).ConsumeLogs(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	m := h.env.metrics()
	if got := testutil.ToFloat64(m.accepted.WithLabelValues("logs")); got != 2 {
		t.Errorf("%v events were accepted, want 2", got)
	}
	if got := testutil.ToFloat64(m.rejections.WithLabelValues("logs", "time_in_future")); got != 1 {
		t.Errorf("%v events were rejected, want 1", got)
	}
}

// TestRefused sends what the topic is configured not to take.
func TestRefused(t *testing.T) {
	h := newHarness(t, func(c *topic.Config) { c.MaxMessage = 1 << 10 })
	h.cfg.Compression = "none"
	data := someLogs(1)
	data.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().SetStr(strings.Repeat("x", 100<<10))
	err := h.logs(t).ConsumeLogs(t.Context(), data)
	if !consumererror.IsPermanent(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
	if got := testutil.ToFloat64(h.env.metrics().rejections.WithLabelValues("logs", "refused")); got != 1 {
		t.Errorf("%v events were refused, want 1", got)
	}
}

// TestAway finds no broker: that passes, and so does the wait for it when the
// agent has to end.
func TestAway(t *testing.T) {
	h := newHarness(t, nil)
	stopping, stop := context.WithCancel(context.Background())
	h.env.Stopping = stopping
	h.cfg.Brokers = []string{"192.0.2.1:9092"} // leads nowhere
	h.cfg.Timeout = time.Hour
	e := h.logs(t)
	ended := make(chan error, 1)
	go func() { ended <- e.ConsumeLogs(context.Background(), someLogs(1)) }()
	stop()
	if err := <-ended; err == nil || consumererror.IsPermanent(err) {
		t.Errorf("got %v, want an error that passes", err)
	}
}

// TestAgain opens the exporter of a configuration twice: its metrics are free
// again after the first has ended.
func TestAgain(t *testing.T) {
	h := newHarness(t, nil)
	for range 2 {
		e, err := h.factory.CreateLogs(t.Context(), exportertest.NewNopSettings(Type), h.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
