package topic_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestRepeats sends the same parts again: at once, after a new member has taken
// over, and in the middle of others.
func TestRepeats(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		again := func(rows ...string) {
			t.Helper()
			parts := make([]topic.Part, len(rows))
			for i, row := range rows {
				parts[i] = h.part(0, row)
			}
			if err := h.producer.Produce(t.Context(), parts); err != nil {
				t.Fatal(err)
			}
		}
		var rows []string
		for i := range 100 {
			rows = append(rows, fmt.Sprintf("row %d", i))
		}
		m := h.join(nil)
		if err := h.produce(t.Context(), 0, rows[:60]...); err != nil {
			t.Fatal(err)
		}
		again(rows[:60]...)
		h.settle()
		if err := h.produce(t.Context(), 0, rows[60:]...); err != nil {
			t.Fatal(err)
		}
		h.settle()
		if got := m.value(t, "goshawk_source_repeats_total"); got != 60 {
			t.Errorf("%v repeats, want 60", got)
		}
		m.stop()

		m = h.join(nil)
		again(rows...)
		if err := h.produce(t.Context(), 0, "one more"); err != nil {
			t.Fatal(err)
		}
		h.settle()
		if got := m.value(t, "goshawk_source_repeats_total"); got != 100 {
			t.Errorf("%v repeats for the new member, want 100", got)
		}
		if got := m.value(t, "goshawk_pipeline_repeated_records_total"); got != 100 {
			t.Errorf("the worker saw %v repeats, want 100", got)
		}
	})
}

// TestManyRepeats has more scattered repeats than the commit metadata can hold,
// and crashes on the way.
func TestManyRepeats(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		var parts []topic.Part
		for i := range 3000 {
			row := fmt.Sprintf("row %d", i)
			h.rows = append(h.rows, row)
			parts = append(parts, h.part(0, row), h.part(0, row))
		}
		if err := h.producer.Produce(t.Context(), parts); err != nil {
			t.Fatal(err)
		}
		var takes atomic.Int64
		h.join(func(s pipeline.Source) pipeline.Source {
			return sourceFunc{s, func() error {
				if n := takes.Add(1); n == 2 || n == 4 {
					return fmt.Errorf("%w: crash after the plan", pipeline.ErrLost)
				}
				return nil
			}}
		})
		h.settle()
		if h.sink.Blocks < 3 {
			t.Errorf("%d blocks: the metadata cannot have held the plan", h.sink.Blocks)
		}
	})
}

// TestBegun crashes after a plan: the block is known to be begun when it is taken
// again, and no other is.
func TestBegun(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		var mu sync.Mutex
		var taken []string
		h.join(func(s pipeline.Source) pipeline.Source {
			return begun{s, func(b *telemetry.Batch) error {
				mu.Lock()
				defer mu.Unlock()
				taken = append(taken, fmt.Sprintf("%d %t", b.From, b.Begun))
				if len(taken) == 2 {
					return fmt.Errorf("%w: crash after the plan", pipeline.ErrLost)
				}
				return nil
			}}
		})
		for i := range 3 {
			if err := h.produce(t.Context(), 0, fmt.Sprintf("row %d", i)); err != nil {
				t.Fatal(err)
			}
			h.settle() // a block each
		}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff([]string{"0 false", "1 false", "1 true", "2 false"}, taken); diff != "" {
			t.Errorf("blocks (-want +got):\n%s", diff)
		}
	})
}

type begun struct {
	pipeline.Source
	taken func(*telemetry.Batch) error
}

func (s begun) Take(ctx context.Context, b *telemetry.Batch) error {
	if err := s.Source.Take(ctx, b); err != nil {
		return err
	}
	return s.taken(b)
}

type sourceFunc struct {
	pipeline.Source
	taken func() error
}

func (s sourceFunc) Take(ctx context.Context, b *telemetry.Batch) error {
	if err := s.Source.Take(ctx, b); err != nil {
		return err
	}
	return s.taken()
}

// seen collects what the source says of each record.
type seen struct {
	pipeline.Source
	records chan telemetry.Record
}

func (s seen) Take(ctx context.Context, b *telemetry.Batch) error {
	err := s.Source.Take(ctx, b)
	if err == nil {
		for _, r := range b.Records {
			r.Value = bytes.Clone(r.Value)
			s.records <- r
		}
	}
	return err
}

func TestForeignRecords(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		received := binary.BigEndian.AppendUint64(nil, 1_700_000_000_000_000_000)
		events := binary.BigEndian.AppendUint64(nil, 7)
		id := make([]byte, 16)
		id[3] = 1
		at := time.UnixMilli(1_650_000_000_123)
		header := func(key string, value []byte) kafkago.Header { return kafkago.Header{Key: key, Value: value} }
		foreign := telemetry.Record{Tenant: "default", Declared: -1, ReceiveTime: at.UnixNano()}
		cases := []struct {
			name    string
			headers []kafkago.Header
			want    telemetry.Record
		}{
			{"none", nil, foreign},
			{"others", []kafkago.Header{header("traceparent", []byte("00-x"))}, foreign},
			{
				"ours",
				[]kafkago.Header{
					header(topic.HeaderTenant, []byte("acme")), header(topic.HeaderBatchID, id),
					header(topic.HeaderReceived, received), header(topic.HeaderEvents, events),
				},
				telemetry.Record{Tenant: "acme", Declared: 7, ReceiveTime: 1_700_000_000_000_000_000},
			},
			{
				"no id is no repeat",
				[]kafkago.Header{header(topic.HeaderTenant, []byte("acme"))},
				telemetry.Record{Tenant: "acme", Declared: -1, ReceiveTime: at.UnixNano()},
			},
			{
				"the same id",
				[]kafkago.Header{header(topic.HeaderBatchID, id)},
				telemetry.Record{Tenant: "default", Declared: -1, ReceiveTime: at.UnixNano(), Repeated: true},
			},
			{
				"idle with a value",
				[]kafkago.Header{header(topic.HeaderIdle, []byte{1})},
				foreign,
			},
			{"short id", []kafkago.Header{header(topic.HeaderTenant, []byte("acme")), header(topic.HeaderBatchID, id[:15])}, foreign},
			{"long time", []kafkago.Header{header(topic.HeaderReceived, append(received, 0))}, foreign},
			{"negative time", []kafkago.Header{header(topic.HeaderReceived, []byte{255, 0, 0, 0, 0, 0, 0, 0})}, foreign},
			{"negative count", []kafkago.Header{header(topic.HeaderEvents, []byte{255, 0, 0, 0, 0, 0, 0, 0})}, foreign},
			{"empty tenant", []kafkago.Header{header(topic.HeaderTenant, nil)}, foreign},
			{"bad tenant", []kafkago.Header{header(topic.HeaderTenant, []byte("a'; DROP"))}, foreign},
			{"long tenant", []kafkago.Header{header(topic.HeaderTenant, []byte(strings.Repeat("a", 65)))}, foreign},
		}
		client := cluster.Client(t)
		for i := range cases {
			c := &cases[i]
			response, err := client.API().Produce(t.Context(), &kafkago.ProduceRequest{
				Topic: h.topic, Partition: 0, RequiredAcks: kafkago.RequireAll, Compression: kafkago.Gzip,
				Records: kafkago.NewRecordReader(kafkago.Record{Time: at, Headers: c.headers, Value: kafkago.NewBytes([]byte(c.name))}),
			})
			if err != nil || response.Error != nil {
				t.Fatal(err, response.Error)
			}
			c.want.Offset = response.BaseOffset
			if !c.want.Repeated {
				c.want.Value = []byte(c.name)
				h.rows = append(h.rows, c.name)
			}
		}
		records := make(chan telemetry.Record, len(cases))
		h.join(func(s pipeline.Source) pipeline.Source { return seen{s, records} })
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if diff := cmp.Diff(c.want, <-records); diff != "" {
					t.Error(diff)
				}
			})
		}
		h.settle()
	})
}

// TestDeletedRecords deletes records that were not read yet.
func TestDeletedRecords(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 1)
		m := h.join(nil)
		if err := h.produce(t.Context(), 0, "first"); err != nil {
			t.Fatal(err)
		}
		h.settle()
		m.stop()
		for i := range 10 {
			if err := h.produce(t.Context(), 0, fmt.Sprintf("row %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		kept := h.rows[:1:1]
		kept = append(kept, h.rows[5:]...) // offsets 5 to 10
		h.rows = kept
		deleteRecords(t, cluster, h.topic, 5)
		m = h.join(nil)
		h.settle()
		if got := m.value(t, "goshawk_source_lost_records_total"); got != 4 {
			t.Errorf("%v records are lost, want 4", got)
		}
	})
}

// TestFirstRead has a group begin with a partition: that is no news, unless
// there are records that it can no longer read.
func TestFirstRead(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	h := newHarness(t, cluster, 1)
	for _, row := range []string{"gone", "kept", "kept too"} {
		if err := h.produce(t.Context(), 0, row); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() string {
		t.Helper()
		var text observetest.Log
		h.log = slog.New(slog.NewTextHandler(&text, nil))
		h.group, h.sink = kafkatest.Unique("group"), new(pipelinetest.ModelSink)
		m := h.join(nil)
		h.settle()
		m.stop()
		return text.String()
	}
	if text := begin(); strings.Contains(text, "first time") {
		t.Errorf("nothing is skipped, but the log says\n%s", text)
	}
	deleteRecords(t, cluster, h.topic, 1)
	h.rows = h.rows[1:]
	if text := begin(); !strings.Contains(text, "first time; what was before is gone") || !strings.Contains(text, "offset=1") {
		t.Errorf("a record is skipped, but the log says\n%s", text)
	}
}

// TestLostEnd has an offset committed that the log does not reach, as after a
// broker has lost what it acknowledged. Offsets are given a second time then,
// to other records, and these must not be taken for the old ones.
func TestLostEnd(t *testing.T) {
	cluster := kafkatest.Embedded(t)
	h := newHarness(t, cluster, 1)
	m := h.join(nil)
	for i := range 5 {
		if err := h.produce(t.Context(), 0, fmt.Sprintf("old %d", i)); err != nil {
			t.Fatal(err)
		}
		h.settle() // a block each
	}
	m.stop()
	if err := h.produce(t.Context(), 0, "planned 0", "planned 1"); err != nil {
		t.Fatal(err)
	}
	client := cluster.Client(t)
	for _, plan := range []string{"", ";to=7"} {
		t.Run("plan"+plan, func(t *testing.T) {
			h.t = t
			at := time.Now().UnixMilli()
			time.Sleep(2 * time.Millisecond)
			if _, err := client.API().DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: []string{h.topic}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			client.Reset()
			if _, err := client.EnsureTopics(t.Context(), []kafka.Topic{{Name: h.topic, Partitions: 1, Replication: 1}}); err != nil {
				t.Fatal(err)
			}
			commitOffset(t, client, h.group, h.topic, 5, fmt.Sprintf("goshawk/1;epoch=00000001;at=%d%s", at, plan))
			h.rows = slices.DeleteFunc(h.rows, func(row string) bool { return strings.HasPrefix(row, "planned") })
			// Some come before the loss is noticed, and some after.
			for i := range 3 {
				if err := h.produce(t.Context(), 0, fmt.Sprintf("new %d%s", i, plan)); err != nil {
					t.Fatal(err)
				}
			}
			m := h.join(nil)
			defer m.stop()
			h.settle()
			for i := range 5 {
				if err := h.produce(t.Context(), 0, fmt.Sprintf("later %d%s", i, plan)); err != nil {
					t.Fatal(err)
				}
				h.settle()
			}
		})
	}
}

func commitOffset(t *testing.T, client *kafka.Client, group, topic string, offset int64, metadata string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		response, err := client.API().OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{
			GroupID: group, GenerationID: -1,
			Topics: map[string][]kafkago.OffsetCommit{topic: {{Offset: offset, Metadata: metadata}}},
		})
		if err == nil {
			err = response.Topics[topic][0].Error
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func deleteRecords(t *testing.T, cluster *kafkatest.Cluster, topic string, before int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = before
	rt.Partitions = append(rt.Partitions, rp)
	request.Topics = append(request.Topics, rt)
	response, err := request.RequestWith(t.Context(), client)
	if err != nil || response.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatal(err, response)
	}
}
