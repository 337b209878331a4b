package kafka

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

const partitions = 7

// topics is a Producer that keeps what it gets, as Kafka would, and refuses
// values that are too large, and too much at once.
type topics struct {
	records []pipeline.Message
	fail    error
	limit   int
	calls   int
}

func (p *topics) Partitions(context.Context, string) (int, error) { return partitions, p.fail }

func (p *topics) Produce(_ context.Context, records []pipeline.Message) error {
	p.calls++
	size := 0
	for _, r := range records {
		size += len(r.Value)
		if p.limit > 0 && len(r.Value) > p.limit {
			return fmt.Errorf("producing: %w", pipeline.ErrRefused)
		}
	}
	switch {
	case p.fail != nil:
		return p.fail
	case len(records) > 1 && size > maxTogether:
		return errors.New("too much at once")
	}
	for _, r := range records {
		r.Value = bytes.Clone(r.Value)
		p.records = append(p.records, r)
	}
	return nil
}

func topicOf(_ telemetry.Feed, s telemetry.Signal) string { return "topic_" + s.String() }

func block(values ...string) *telemetry.Batch {
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "otlp_spans", Partition: 3, From: 10, To: 12, Signal: telemetry.Spans, Epoch: 5}}
	for i, v := range values {
		b.Derived = append(b.Derived, telemetry.Derived{
			Signal: telemetry.Metrics, Tenant: "acme", Key: fmt.Sprintf("key %d", i), Value: []byte(v), Events: int64(1 + i),
			Time: 1_790_000_000_000_000_000 + int64(i),
		})
	}
	return b
}

func TestSink(t *testing.T) {
	p := &topics{}
	m := NewMetrics(prometheus.NewRegistry())
	s := New(p, topicOf, slog.New(slog.DiscardHandler), m)
	if err := s.Write(t.Context(), block()); err != nil || p.calls != 0 {
		t.Fatalf("a block without derived records: %v, %d calls", err, p.calls)
	}
	b := block("one", "two")
	b.Derived[1].Signal = telemetry.Logs
	for _, fail := range []error{errors.New("away"), nil} {
		p.fail = fail
		if err := s.Write(t.Context(), b); !errors.Is(err, fail) {
			t.Fatalf("while Kafka fails with %v: %v", fail, err)
		}
	}
	want := []pipeline.Message{
		{Topic: "topic_metrics", Value: []byte("one"), Tenant: "acme", Received: 1_790_000_000_000_000_000, Events: 1},
		{Topic: "topic_logs", Value: []byte("two"), Tenant: "acme", Received: 1_790_000_000_000_000_001, Events: 2},
	}
	got := slices.Clone(p.records)
	for i := range got {
		if got[i].Partition < 0 || got[i].Partition >= partitions {
			t.Errorf("record %d is for partition %d", i, got[i].Partition)
		}
		got[i].BatchID, got[i].Partition = [16]byte{}, 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if n := testutil.ToFloat64(m.events.WithLabelValues("topic_logs")); n != 2 {
		t.Errorf("%v events are counted, want 2", n)
	}
}

// TestRepeat writes a block again, as after a crash, and others beside it: its
// records are the same, and those of no other block.
func TestRepeat(t *testing.T) {
	ids := func(edit func(*telemetry.Batch)) (all [][16]byte) {
		p := &topics{}
		b := block("same", "same")
		edit(b)
		if err := New(p, topicOf, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry())).Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, r := range p.records {
			all = append(all, r.BatchID)
		}
		return all
	}
	first := ids(func(*telemetry.Batch) {})
	if again := ids(func(b *telemetry.Batch) { b.Begun = true }); !slices.Equal(first, again) {
		t.Errorf("batch ids are %x, and %x when the block is written again", first, again)
	}
	seen := map[[16]byte]string{}
	for name, edit := range map[string]func(*telemetry.Batch){
		"this": func(*telemetry.Batch) {}, "topic": func(b *telemetry.Batch) { b.Topic = "other" },
		"partition": func(b *telemetry.Batch) { b.Partition++ }, "from": func(b *telemetry.Batch) { b.From++ },
		"to": func(b *telemetry.Batch) { b.To++ }, "epoch": func(b *telemetry.Batch) { b.Epoch++ },
	} {
		for _, id := range ids(edit) {
			if other, known := seen[id]; known {
				t.Errorf("%s and %s have a batch id in common", name, other)
			}
			seen[id] = name
		}
	}
}

// TestRefused has records among others that Kafka never takes, and more than a
// producer takes at once.
func TestRefused(t *testing.T) {
	p := &topics{limit: 300 << 10}
	m := NewMetrics(prometheus.NewRegistry())
	s := New(p, topicOf, slog.New(slog.DiscardHandler), m)
	var values, want []string
	for i := range 20 {
		size := (200 << 10) + i
		if i == 0 || i == 7 {
			size = (400 << 10) + i
		} else {
			want = append(want, fmt.Sprint(size))
		}
		values = append(values, strings.Repeat("x", size))
	}
	if err := s.Write(t.Context(), block(values...)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.records {
		got = append(got, fmt.Sprint(len(r.Value)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
	if n := testutil.ToFloat64(m.refused.WithLabelValues("topic_metrics")); n != 1+8 {
		t.Errorf("%v events are counted as refused, want 9", n)
	}
}

// TestPartition puts a trace id where the trace's spans are.
func TestPartition(t *testing.T) {
	for i := range 1000 {
		id := telemetry.TraceID{byte(i), byte(i >> 8), 0xab}
		if got, want := partition(hex.EncodeToString(id[:]), partitions), int32(otlp.PartitionOfTrace(id, partitions)); got != want {
			t.Fatalf("trace %x is on partition %d, want %d", id, got, want)
		}
	}
}
