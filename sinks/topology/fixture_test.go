package topology

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
	chsink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// fixture is an engine with goshawk's tables, a broker, a job, and the pipeline of
// logs, which stores the events that the job makes.
type fixture struct {
	conn     clickhouse.Conn
	dialect  tables.Dialect
	producer *producer
	topic    string
	cfg      Config
	job      *Job
	registry *prometheus.Registry
	// clock is the time of jobs, epoch the minute from which tests count.
	clock time.Time
	epoch minute
}

// producer is the topics' producer, as the process role has it.
type producer struct {
	*topic.Producer
	// sent counts the records that Kafka has.
	sent atomic.Int64
	// fail makes a call fail before records are sent, lost after they were.
	fail, lost error
}

func (p *producer) Produce(ctx context.Context, records []pipeline.Message) error {
	if p.fail != nil {
		return p.fail
	}
	parts := make([]topic.Part, len(records))
	for i, r := range records {
		parts[i] = topic.Part{Topic: r.Topic, Partition: r.Partition, Value: r.Value, Tenant: r.Tenant, BatchID: r.BatchID, Received: r.Received, Events: 1}
	}
	if err := p.Producer.Produce(ctx, parts); err != nil {
		return err
	}
	p.sent.Add(int64(len(records)))
	return p.lost
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	e := enginetest.Start(t)
	f := &fixture{
		conn: clickhousetest.Open(t, e), dialect: tables.Dialect{Database: e.Database}, topic: topic.DefaultConfig().Of(telemetry.Logs),
		cfg: DefaultConfig(), epoch: minuteOf(time.Now().Add(-48 * time.Hour)),
	}
	m, err := migrations.New(f.conn, f.dialect)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.start(t, brokertest.Start(t).Addr)
	f.restart()
	return f
}

// start runs the pipeline of logs until the test ends.
func (f *fixture) start(t *testing.T, addr string) {
	t.Helper()
	log, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{addr}
	client, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := client.EnsureTopics(context.Background(), []kafka.Topic{{Name: f.topic, Partitions: 3, Replication: 1}}); err != nil {
		t.Fatal(err)
	}
	p, err := kafka.NewProducer(client, kafka.DefaultProducerConfig(), log, registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	f.producer = &producer{Producer: topic.NewProducer(client, p)}

	source := topic.DefaultSourceConfig()
	source.MaxWait, source.FetchWait = 10*time.Millisecond, 20*time.Millisecond
	consumer, err := topic.NewConsumers(client, topic.DefaultMaxBuffered, log, registry).Consumer("goshawk-logs", f.topic, telemetry.Logs, source)
	if err != nil {
		t.Fatal(err)
	}
	metrics, stored, limits := pipeline.NewWorkerMetrics(registry), chsink.NewMetrics(registry), otlp.DefaultLimits()
	runner := &pipeline.Runner{Metrics: metrics, Pipelines: []pipeline.Pipeline{{
		Name: "logs", Topic: f.topic, Consumer: consumer,
		NewWorker: func(_ int32, source pipeline.Source) (*pipeline.Worker, error) {
			return &pipeline.Worker{
				Source: source, Decode: func(b *telemetry.Batch) { otlp.Decode(b, &limits) }, Log: log, Metrics: metrics,
				Sinks: []pipeline.NamedSink{{Name: "clickhouse", Sink: chsink.New(f.conn, f.dialect, chsink.DefaultConfig(), log, stored)}},
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

// restart puts a new job in the place of the old one.
func (f *fixture) restart() {
	f.registry = prometheus.NewRegistry()
	f.job = New(f.cfg, f.conn, f.dialect, f.producer, f.topic, func(string) int { return 30 }, slog.New(slog.DiscardHandler), NewMetrics(f.registry))
	f.job.now = func() time.Time { return f.clock }
}

// at returns the time of a minute.
func (f *fixture) at(m int) time.Time { return (f.epoch + minute(m)).time() }

// calls stores what was called in a minute, each as "service/version", or as
// "caller>callee kind".
func (f *fixture) calls(t *testing.T, tenant string, m int, all ...string) {
	t.Helper()
	trace := func(name string) string {
		id := telemetry.TraceID{0: 1, 1: byte(m), 15: 2}
		copy(id[2:13], name)
		return string(id[:])
	}
	for _, call := range all {
		var a, b, k string
		var err error
		if n, _ := fmt.Sscanf(call, "%s %s", &a, &k); n == 2 {
			a, b = cut(a, '>')
			err = f.conn.Exec(context.Background(), "INSERT INTO "+f.dialect.Table(tables.Edges)+
				" (tenant, time, caller, callee, operation, kind, calls, slow_trace_id, retention_days) VALUES (?, ?, ?, ?, 'GET', ?, 3, ?, 30)",
				tenant, f.at(m), a, b, k, trace(call))
		} else {
			a, b = cut(call, '/')
			err = f.conn.Exec(context.Background(), "INSERT INTO "+f.dialect.Table(tables.Operations)+
				" (tenant, time, service, version, operation, kind, calls, slow_trace_id, retention_days) VALUES (?, ?, ?, ?, 'GET', 'server', 3, ?, 30)",
				tenant, f.at(m), a, b, trace(call))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func cut(s string, at byte) (before, after string) {
	for i := range len(s) {
		if s[i] == at {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// look has the job look in the minute after one.
func (f *fixture) look(t *testing.T, m int) {
	t.Helper()
	f.clock = f.at(m + 1)
	if err := f.job.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// stored waits until the pipeline has stored all that was produced, and returns
// how many of the records were repeats.
func (f *fixture) stored(t *testing.T) (repeated uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var records, rejected uint64
		err := f.conn.QueryRow(context.Background(), "SELECT sum(records), sum(repeated), sum(rejected) FROM "+f.dialect.Table(tables.Ledger)).Scan(&records, &repeated, &rejected)
		switch {
		case err != nil:
			t.Fatal(err)
		case rejected > 0:
			t.Fatalf("%d events are rejected", rejected)
		case records == uint64(f.producer.sent.Load()):
			return repeated
		case time.Now().After(deadline):
			t.Fatalf("%d of %d records are stored", records, f.producer.sent.Load())
		}
	}
}

// events returns the events that are stored, sorted, as "tenant minute name
// subject".
func (f *fixture) events(t *testing.T) []string {
	t.Helper()
	f.stored(t)
	rows, err := f.conn.Query(context.Background(), `SELECT toString(tenant), toInt64(toUnixTimestamp(time)), toString(event_name), toString(service),
	attributes['service.version'], attributes['topology.caller'], attributes['topology.callee'], attributes['topology.edge.kind']
FROM `+f.dialect.Table(tables.Logs))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := []string{}
	for rows.Next() {
		var tenant, name, service, version, caller, callee, kind string
		var at int64
		if err := rows.Scan(&tenant, &at, &name, &service, &version, &caller, &callee, &kind); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%s %02d %s %s", tenant, at/60-int64(f.epoch), name, service)
		if version != "" {
			line += "/" + version
		}
		if callee != "" {
			line += " " + caller + ">" + callee + " " + kind
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// want compares the events that are stored with those that should be.
func (f *fixture) want(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := f.events(t); !slices.Equal(got, want) {
		t.Fatalf("events are\n%s\nwant\n%s", lines(got), lines(want))
	}
}

func lines(all []string) (text string) {
	for _, line := range all {
		text += "\t" + line + "\n"
	}
	return text
}
