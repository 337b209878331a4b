package deadletter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/clickhouse/clickhousetest"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func TestMain(m *testing.M) {
	enginetest.Child()
	os.Exit(m.Run())
}

// topics is a Producer that keeps what it gets, as Kafka would, and refuses
// values that are too large.
type topics struct {
	records []pipeline.Message
	fail    error
	limit   int
	calls   int
}

func (p *topics) Partitions(context.Context, string) (int, error) { return 4, nil }

func (p *topics) Produce(_ context.Context, records []pipeline.Message) error {
	p.calls++
	if p.fail != nil {
		return p.fail
	}
	for _, r := range records {
		if p.limit > 0 && len(r.Value) > p.limit {
			return fmt.Errorf("producing: %w", pipeline.ErrRefused)
		}
	}
	for _, r := range records {
		r.Value = bytes.Clone(r.Value)
		p.records = append(p.records, r)
	}
	return nil
}

func block() *telemetry.Batch {
	return &telemetry.Batch{
		Block: telemetry.Block{Topic: "otlp_logs", Partition: 6, From: 10, To: 12, Signal: telemetry.Logs},
		Records: []telemetry.Record{
			{Offset: 10, Tenant: "acme", ReceiveTime: 1_790_000_000_000_000_000}, {Offset: 11, Tenant: "zoo", ReceiveTime: 1_790_000_000_000_000_001},
		},
		Rejects: []telemetry.Reject{
			{Record: 1, Events: 3, Reason: "time is too old", ReasonCode: "time_too_old", Value: []byte("one")},
			{Record: 0, Events: 1, Reason: strings.Repeat("long ", 1000), ReasonCode: "malformed", Value: []byte("a longer value")},
		},
	}
}

func TestSink(t *testing.T) {
	p := &topics{}
	reg := prometheus.NewRegistry()
	s := New(p, "dead", slog.New(slog.DiscardHandler), NewMetrics(reg))
	if err := s.Write(context.Background(), &telemetry.Batch{}); err != nil || p.calls != 0 {
		t.Fatalf("a block without rejects: %v, %d calls", err, p.calls)
	}
	p.fail = errors.New("away")
	if err := s.Write(context.Background(), block()); !errors.Is(err, p.fail) {
		t.Fatalf("while Kafka is away: %v", err)
	}
	p.fail = nil
	for range 2 {
		if err := s.Write(context.Background(), block()); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.records) != 4 {
		t.Fatalf("%d records, want 4", len(p.records))
	}
	if p.records[0].BatchID != p.records[2].BatchID || p.records[1].BatchID != p.records[3].BatchID {
		t.Error("a repeated dead letter has another batch id")
	}
	if p.records[0].BatchID == p.records[1].BatchID {
		t.Error("two dead letters have the same batch id")
	}
	got := p.records[0]
	got.BatchID = [16]byte{}
	want := pipeline.Message{
		Topic: "dead", Partition: 2, Value: []byte("one"), Tenant: "zoo", Received: 1_790_000_000_000_000_001, Events: 3,
		Headers: []pipeline.Header{
			{Key: HeaderTopic, Value: []byte("otlp_logs")},
			{Key: HeaderPartition, Value: []byte("6")},
			{Key: HeaderOffset, Value: []byte("11")},
			{Key: HeaderPosition, Value: []byte("0")},
			{Key: HeaderReasonCode, Value: []byte("time_too_old")},
			{Key: HeaderReason, Value: []byte("time is too old")},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if n := len(p.records[1].Headers[5].Value); n != maxReason {
		t.Errorf("reason of %d bytes", n)
	}
}

// TestRefused checks that a dead letter that Kafka does not take holds up
// neither the others nor the stream.
func TestRefused(t *testing.T) {
	p := &topics{limit: 5}
	s := New(p, "dead", slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
	if err := s.Write(context.Background(), block()); err != nil {
		t.Fatal(err)
	}
	if len(p.records) != 1 || string(p.records[0].Value) != "one" {
		t.Errorf("records: %v", p.records)
	}
}

func newStore(t *testing.T) (*Store, clickhouse.Conn) {
	t.Helper()
	e := enginetest.Start(t)
	conn := clickhousetest.Open(t, e)
	d := tables.Dialect{Database: e.Database}
	statements := []string{"CREATE DATABASE IF NOT EXISTS " + d.DatabaseName()}
	for _, name := range []string{tables.DeadLetters, tables.DeadLetterReplays} {
		table := tables.Get(name)
		more, err := d.Render(table.Up())
		if err != nil {
			t.Fatal(err)
		}
		statements = append(statements, more...)
	}
	for _, s := range statements {
		if err := conn.Exec(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	return NewStore(conn, d, 35), conn
}

func TestListAndReplay(t *testing.T) {
	ctx := context.Background()
	store, conn := newStore(t)
	first := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	const letters = 250
	insert := func(from, to int) {
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO goshawk.dead_letters (time, tenant, topic, kafka_partition, record_offset, position, signal, reason_code, reason, events, value, retention_days)")
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < to; i++ {
			tenant, reason := "acme", "time_too_old"
			if i%5 == 0 {
				tenant = "zoo"
			}
			if i%2 == 0 {
				reason = "malformed"
			}
			if err := batch.Append(first.Add(time.Duration(i/3)*time.Second), tenant, "otlp_spans", uint32(i%6), uint64(i/2), uint32(i%2), "spans",
				reason, "because", uint64(2), fmt.Sprintf("value %d", i), uint16(35)); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
	}
	insert(0, letters)

	list := func(f Filter) []Letter {
		t.Helper()
		all, err := store.List(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for name, c := range map[string]struct {
		f    Filter
		want int
	}{
		"all":       {Filter{}, letters},
		"limit":     {Filter{Limit: 7}, 7},
		"tenant":    {Filter{Tenant: "zoo"}, letters / 5},
		"injection": {Filter{Tenant: "zoo' OR '1'='1"}, 0},
		"reason":    {Filter{ReasonCode: "malformed"}, letters / 2},
		"topic":     {Filter{Topic: "otlp_logs"}, 0},
		"since":     {Filter{Since: first.Add(60 * time.Second)}, letters - 180},
		"until":     {Filter{Until: first.Add(time.Second)}, 3},
	} {
		if got := len(list(c.f)); got != c.want {
			t.Errorf("%s: %d letters, want %d", name, got, c.want)
		}
	}
	l := list(Filter{Until: first.Add(time.Second), Tenant: "acme"})[0]
	want := Letter{Time: first, Tenant: "acme", Topic: "otlp_spans", Partition: 1, Offset: 0, Position: 1, Signal: "spans", ReasonCode: "time_too_old", Reason: "because", Events: 2, Size: 7}
	l.Time = l.Time.UTC()
	if l.value != "" {
		t.Error("a list reads values")
	}
	if diff := cmp.Diff(want, l, cmp.AllowUnexported(Letter{})); diff != "" {
		t.Errorf("letter (-want +got):\n%s", diff)
	}

	p := &topics{limit: 8} // "value 100" and what follows is refused
	done, err := store.Replay(ctx, p, Filter{ReasonCode: "malformed"}, true)
	if err != nil || len(p.records) != 0 || done.Letters != letters/2 || done.Events != letters {
		t.Fatalf("dry run: %+v, %d records, %v", done, len(p.records), err)
	}
	done, err = store.Replay(ctx, p, Filter{ReasonCode: "malformed", Limit: 20}, false)
	if err != nil || done.Letters != 20 || len(p.records) != 20 {
		t.Fatalf("first 20: %+v, %d records, %v", done, len(p.records), err)
	}
	done, err = store.Replay(ctx, p, Filter{ReasonCode: "malformed"}, false)
	if err != nil || done.Letters != 30 || done.Refused != 75 {
		t.Fatalf("the rest: %+v, %v", done, err)
	}
	seen := map[string]bool{}
	ids := map[[16]byte]bool{}
	for _, r := range p.records {
		if seen[string(r.Value)] || ids[r.BatchID] {
			t.Errorf("%s was replayed twice", r.Value)
		}
		seen[string(r.Value)], ids[r.BatchID] = true, true
		if r.Topic != "otlp_spans" || r.Partition < 0 || r.Partition > 3 || r.Events != 2 || r.Received < first.UnixNano() {
			t.Errorf("record %+v", r)
		}
	}
	if pending := len(list(Filter{ReasonCode: "malformed", Pending: true})); pending != 75 {
		t.Errorf("%d are pending, want the refused 75", pending)
	}
	replayed := 0
	for _, l := range list(Filter{}) {
		if l.Replayed {
			replayed++
		}
	}
	if replayed != 50 {
		t.Errorf("%d are marked as replayed, want 50", replayed)
	}

	// What was produced but not marked is produced again with the same id.
	p.fail = errors.New("away")
	if _, err := store.Replay(ctx, p, Filter{Tenant: "zoo"}, false); !errors.Is(err, p.fail) {
		t.Errorf("while Kafka is away: %v", err)
	}
}
