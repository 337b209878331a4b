package patterns

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
	"github.com/goshawk-observability/goshawk/query/querytest"
	chsink "github.com/goshawk-observability/goshawk/sinks/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
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
	// clock is the time of jobs, epoch the minute from which tests count.
	clock  time.Time
	epoch  minute
	masker logpattern.Masker
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
	f.cfg.Learn = 0
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
	f.job = New(f.cfg, f.conn, f.dialect, f.producer, f.topic, func(string) int { return 30 }, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
	f.job.now = func() time.Time { return f.clock }
}

// at returns the time of a minute.
func (f *fixture) at(m int) time.Time { return (f.epoch + minute(m)).time() }

// lines counts lines of a minute, each as "service: text".
func (f *fixture) lines(t *testing.T, tenant string, m int, all ...string) {
	t.Helper()
	batch, err := f.conn.PrepareBatch(context.Background(), "INSERT INTO "+f.dialect.Table(tables.LogPatterns1m)+
		" (tenant, time, service, severity_class, pattern_id, pattern, lines, retention_days)")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range all {
		service, text, _ := strings.Cut(line, ": ")
		shape := f.masker.Shape(text)
		if err := batch.Append(tenant, f.at(m), service, int8(3), logpattern.ID(shape), string(shape), uint64(1), uint16(30)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
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

// want compares the events that are stored, as "tenant minute change service:
// pattern", with those that should be.
func (f *fixture) want(t *testing.T, want ...string) {
	t.Helper()
	f.stored(t)
	got := []string{}
	err := clickhouse.Each(context.Background(), f.conn, "reading events", func(row clickhouse.Row) error {
		var tenant, name, service, text string
		var at int64
		err := row.Scan(&tenant, &at, &name, &service, &text)
		got = append(got, fmt.Sprintf("%s %02d %s %s: %s", tenant, at/60-int64(f.epoch), strings.TrimPrefix(name, "log_pattern."), service, text))
		return err
	}, "SELECT toString(tenant), toInt64(toUnixTimestamp(time)), toString(event_name), toString(service), attributes['log_pattern.text'] FROM "+f.dialect.Table(tables.Logs))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("events are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// documented runs the queries of docs/log-patterns.md, at the time of the lines.
func (f *fixture) documented(t *testing.T) {
	t.Helper()
	queries := querytest.Documented(t, "../../docs/log-patterns.md")
	if len(queries) != 3 {
		t.Fatalf("found %d queries", len(queries))
	}
	for i, want := range []struct {
		rows uint64
		text string
	}{{3, "'down <*>',1"}, {6, "'session opened for user <*> by <*>',3,"}, {6, "'log_pattern.vanished','log pattern has vanished"}} {
		query := strings.ReplaceAll(queries[i], "now()", fmt.Sprintf("toDateTime(%d)", f.at(401).Unix()))
		for _, table := range []string{"log_patterns_1m", "log_patterns", "logs"} {
			query = strings.ReplaceAll(query, "FROM "+table+"\n", "FROM "+f.dialect.Table(table)+"\n")
			query = strings.ReplaceAll(query, "FROM "+table+" ", "FROM "+f.dialect.Table(table)+" ")
		}
		var rows uint64
		var all string
		err := f.conn.QueryRow(context.Background(), "SELECT count(), arrayStringConcat(groupArray(toString(tuple(*))), ' ') FROM ("+query+")").Scan(&rows, &all)
		if err != nil {
			t.Fatalf("%s\n%v", query, err)
		}
		if rows != want.rows || !strings.Contains(all, want.text) {
			t.Errorf("%s\nhas %d rows, want %d with %s\n%s", query, rows, want.rows, want.text, all)
		}
	}
}
