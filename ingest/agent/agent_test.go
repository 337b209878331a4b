package agent_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/goshawk-observability/goshawk/ingest/agent"
	"github.com/goshawk-observability/goshawk/ingest/agent/kafkaexporter"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/supervise/supervisetest"
)

func TestMain(m *testing.M) {
	part().Child()
	brokertest.Main(m)
}

// child is the configuration of an agent in a process of its own.
type child struct {
	Broker, Config string
}

func part() supervisetest.Part[child] {
	return supervisetest.Part[child]{
		Name: "agent",
		Run: func(ctx context.Context, c child, log *slog.Logger, ready func(map[string]string)) error {
			o := options(c.Broker, log)
			o.Config = []string{"yaml:" + c.Config}
			return agent.Run(ctx, o, func() { ready(map[string]string{}) })
		},
	}
}

func options(broker string, log *slog.Logger) agent.Options {
	d := kafkaexporter.DefaultDefaults()
	d.Kafka.Brokers = []string{broker}
	d.Kafka.DialTimeout, d.Kafka.RequestTimeout = time.Second, 2*time.Second
	return agent.Options{Kafka: d, Version: "test", Log: log, Registry: prometheus.NewRegistry()}
}

// topics creates the topics on the broker.
func topics(t *testing.T, address string) {
	t.Helper()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{address}
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsureTopics(t.Context(), topic.DefaultConfig().Topics()); err != nil {
		t.Fatal(err)
	}
}

// run runs an agent in this process until the test ends, or stop is called.
func run(t *testing.T, o agent.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- agent.Run(ctx, o, func() { close(ready) }) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-ended:
		stopped = true
		cancel()
		t.Fatalf("starting: %v", err)
	}
	return stop
}

// reader reads a topic from its beginning.
type reader struct{ *kgo.Client }

func read(t *testing.T, address, topic string) reader {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return reader{client}
}

// until hands every record on until done says so.
func (r reader) until(t *testing.T, what string, each func(*kgo.Record), done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !done() {
		fetches := r.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		}
		fetches.EachRecord(each)
	}
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func decodeMetrics(t *testing.T, r *kgo.Record) pmetric.Metrics {
	t.Helper()
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(r.Value); err != nil {
		t.Error(err)
	}
	return request.Metrics()
}

// bodies returns the bodies of the log records in a record.
func bodies(t *testing.T, r *kgo.Record) map[string]plog.LogRecord {
	t.Helper()
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(r.Value); err != nil {
		t.Error(err)
	}
	found := map[string]plog.LogRecord{}
	for _, resource := range request.Logs().ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				found[record.Body().AsString()] = record
			}
		}
	}
	return found
}

func TestDefaultConfiguration(t *testing.T) {
	b := brokertest.Start(t)
	topics(t, b.Addr)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") }))
	defer site.Close()
	o := options(b.Addr, slog.New(slog.NewTextHandler(io.Discard, nil)))
	o.Default = agent.DefaultOptions{DataDir: filepath.Join(t.TempDir(), "it's $5"), Interval: time.Second, Probes: []agent.Probe{{Name: "site", URL: site.URL}}}
	run(t, o)
	wanted := map[string]bool{}
	for _, name := range []string{
		"system.cpu.time", "system.cpu.utilization", "system.memory.usage", "system.memory.utilization", "system.disk.io",
		"system.filesystem.usage", "system.network.io", "system.network.connections", "system.cpu.load_average.1m",
		"system.paging.operations", "system.processes.count", "probe_success",
	} {
		wanted[name] = true
	}
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	read(t, b.Addr, "otlp_metrics").until(t, "host metrics", func(r *kgo.Record) {
		if header(r, topic.HeaderTenant) != "default" || len(header(r, topic.HeaderBatchID)) != 16 || len(header(r, topic.HeaderReceived)) != 8 {
			t.Errorf("headers are %v", r.Headers)
		}
		for _, resource := range decodeMetrics(t, r).ResourceMetrics().All() {
			for _, scope := range resource.ScopeMetrics().All() {
				for _, m := range scope.Metrics().All() {
					if name, ok := resource.Resource().Attributes().Get("host.name"); strings.HasPrefix(m.Name(), "system.") && (!ok || name.Str() != hostname) {
						t.Errorf("metric %s is of the resource %v", m.Name(), resource.Resource().Attributes().AsRaw())
					}
					delete(wanted, m.Name())
				}
			}
		}
	}, func() bool { return len(wanted) == 0 || t.Failed() })
}

func TestFilesAndSyslog(t *testing.T) {
	b := brokertest.Start(t)
	topics(t, b.Addr)
	dir := t.TempDir()
	file := filepath.Join(dir, "app.log")
	if err := os.WriteFile(file, []byte("line one\nline two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 4)
	o := options(b.Addr, slog.New(slog.NewTextHandler(io.Discard, nil)))
	o.Config = []string{"yaml:" + fmt.Sprintf(`
receivers:
  file_log: {include: [%q], start_at: beginning, poll_interval: 50ms, storage: file_storage}
  syslog/5424tcp: {protocol: rfc5424, tcp: {listen_address: %q}}
  syslog/5424udp: {protocol: rfc5424, udp: {listen_address: %q}}
  syslog/3164tcp: {protocol: rfc3164, tcp: {listen_address: %q}}
  syslog/3164udp: {protocol: rfc3164, udp: {listen_address: %q}}
extensions: {file_storage: {directory: %q, create_directory: true}}
exporters: {goshawk_kafka: {sending_queue: {storage: file_storage}}}
service:
  extensions: [file_storage]
  pipelines:
    logs: {receivers: [file_log, syslog/5424tcp, syslog/5424udp, syslog/3164tcp, syslog/3164udp], exporters: [goshawk_kafka]}
`, file, ports[0], ports[1], ports[2], ports[3], filepath.Join(dir, "queue"))}
	run(t, o)
	now := time.Now().UTC()
	for i, network := range []string{"tcp", "udp", "tcp", "udp"} {
		conn, err := net.Dial(network, ports[i])
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("<165>1 %s host%d app 42 ID47 - message %d\n", now.Format("2006-01-02T15:04:05.000000Z"), i, i)
		if i >= 2 {
			text = fmt.Sprintf("<34>%s host%d su: message %d\n", now.Format(time.Stamp), i, i)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	// Every line is the body as it came; what was parsed is in the attributes.
	want := map[string]string{"line one": "", "line two": ""}
	for i := range 4 {
		want[fmt.Sprintf("message %d", i)] = fmt.Sprintf("host%d", i)
	}
	read(t, b.Addr, "otlp_logs").until(t, "lines", func(r *kgo.Record) {
		for body, record := range bodies(t, r) {
			for key, host := range want {
				if !strings.Contains(body, key) {
					continue
				}
				if host != "" && record.Attributes().AsRaw()["hostname"] != host {
					t.Errorf("%q has the attributes %v", body, record.Attributes().AsRaw())
				}
				delete(want, key)
			}
		}
	}, func() bool { return len(want) == 0 })
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

// TestQueueOutlivesTheAgent takes Kafka away, kills and stops the agent while it
// holds what it has accepted, and brings both back.
func TestQueueOutlivesTheAgent(t *testing.T) {
	b := brokertest.StartProcess(t)
	topics(t, b.Addr)
	dir := t.TempDir()
	port := freePorts(t, 1)[0]
	cfg := child{Broker: b.Addr, Config: fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
extensions: {file_storage: {directory: %q, create_directory: true}}
exporters:
  goshawk_kafka:
    timeout: 2s
    retry_on_failure: {max_interval: 500ms}
    sending_queue: {storage: file_storage}
service:
  extensions: [file_storage]
  pipelines: {logs: {receivers: [otlp], exporters: [goshawk_kafka]}}
`, port, filepath.Join(dir, "queue"))}
	process, _, err := part().Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(); process.Watch(t) })
	const each = 40
	accepted := map[string]bool{}
	send := func(phase string) {
		t.Helper()
		for i := range each {
			body := fmt.Sprintf("%s %d", phase, i)
			if err := sendLog(port, body); err != nil {
				t.Fatal(err)
			}
			accepted[body] = true
		}
	}
	send("kafka is there")
	b.Kill9()
	send("kafka is away")
	process.Kill9()
	if _, err := process.Again(cfg); err != nil {
		t.Fatal(err)
	}
	send("the agent is back")
	process.Stop()
	if _, err := process.Again(cfg); err != nil {
		t.Fatal(err)
	}
	send("the agent was stopped")
	process.Kill9()
	b.Restart(t)
	if _, err := process.Again(cfg); err != nil {
		t.Fatal(err)
	}

	// A record with an id that was seen before is dropped behind Kafka.
	seen := map[string]string{}
	counts := map[string]int{}
	missing := maps.Clone(accepted)
	read(t, b.Addr, "otlp_logs").until(t, "all that was accepted", func(r *kgo.Record) {
		id := hex.EncodeToString([]byte(header(r, topic.HeaderBatchID)))
		if id == "" {
			t.Error("a record has no batch id")
		}
		if value, repeated := seen[id]; repeated {
			if value != string(r.Value) {
				t.Error("two different records have one batch id")
			}
			return
		}
		seen[id] = string(r.Value)
		for body := range bodies(t, r) {
			counts[body]++
			delete(missing, body)
		}
	}, func() bool { return len(missing) == 0 })
	for _, body := range slices.Sorted(maps.Keys(counts)) {
		if counts[body] != 1 {
			t.Errorf("%q is there %d times", body, counts[body])
		}
		if !accepted[body] {
			t.Errorf("%q was never accepted", body)
		}
	}
}

// sendLog returns nil when the agent has accepted the record.
func sendLog(address, body string) error {
	data := plog.NewLogs()
	record := data.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetStr(body)
	encoded, err := plogotlp.NewExportRequestFromLogs(data).MarshalProto()
	if err != nil {
		return err
	}
	response, err := http.Post("http://"+address+"/v1/logs", "application/x-protobuf", strings.NewReader(string(encoded)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"unknown receiver":   {"receivers: {nonsense: {}}", "nonsense"},
		"unknown setting":    {"exporters: {goshawk_kafka: {broker: x}}", "broker"},
		"bad address":        {"exporters: {goshawk_kafka: {brokers: [x]}}", "HOST:PORT"},
		"bad compression":    {"exporters: {goshawk_kafka: {compression: lzw}}", "compression"},
		"bad tenant":         {"exporters: {goshawk_kafka: {tenant: 'a b'}}", "tenant"},
		"batch in the queue": {"exporters: {goshawk_kafka: {sending_queue: {batch: {min_size: 10}}}}", "sending_queue.batch"},
		"unknown detector":   {"processors: {resourcedetection: {detectors: [ec2]}}", "ec2"},
	} {
		t.Run(name, func(t *testing.T) {
			base := "yaml:" + `
receivers: {sensors: {}}
exporters: {goshawk_kafka: {}}
service: {pipelines: {metrics: {receivers: [sensors], exporters: [goshawk_kafka]}}}
`
			o := options("127.0.0.1:9", slog.New(slog.NewTextHandler(io.Discard, nil)))
			o.Config = []string{base}
			if err := agent.Check(t.Context(), o); err != nil {
				t.Fatal("the base is not valid: ", err)
			}
			o.Config = append(o.Config, "yaml:"+c.config)
			o.Registry = prometheus.NewRegistry()
			if err := agent.Check(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestComponents(t *testing.T) {
	have := map[string]bool{}
	for _, c := range agent.Components() {
		have[c.Kind+" "+c.Type] = true
		if c.Module == "" {
			t.Errorf("%s %s has no module", c.Kind, c.Type)
		}
	}
	for _, want := range []string{
		"receiver otlp", "receiver host_metrics", "receiver sensors", "receiver probe", "receiver file_log", "receiver syslog",
		"receiver zipkin", "receiver jaeger", "receiver statsd", "processor batch", "processor memory_limiter", "processor resource",
		"processor resourcedetection", "processor attributes", "processor filter", "processor transform", "exporter goshawk_kafka",
		"exporter debug", "extension file_storage", "extension health_check",
	} {
		if !have[want] {
			t.Errorf("no %s", want)
		}
	}
}
