package state_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/state"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/pipeline"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/twmb/franz-go/pkg/kfake.(*Cluster).run"))
}

// harness is a topic of states and a store over it.
type harness struct {
	t        *testing.T
	client   *kafka.Client
	producer *kafka.Producer
	topic    string
	registry *prometheus.Registry
	chunk    int
}

func newHarness(t *testing.T, cluster *kafkatest.Cluster) *harness {
	h := &harness{t: t, client: cluster.Client(t), topic: kafkatest.Unique("state"), chunk: 1000}
	_, err := h.client.EnsureTopics(t.Context(), []kafka.Topic{{
		Name: h.topic, Partitions: 2, Replication: 1, Configs: map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if h.producer, err = kafka.NewProducer(h.client, kafka.DefaultProducerConfig(), slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.producer.Close)
	return h
}

func (h *harness) store() *state.Store {
	h.registry = prometheus.NewRegistry()
	return state.New(h.client, h.producer, state.Config{Topic: h.topic, Group: "group", Chunk: h.chunk},
		slog.New(slog.DiscardHandler), state.NewMetrics(h.registry))
}

func (h *harness) damaged() float64 {
	n, err := testutil.GatherAndCount(h.registry, "goshawk_state_damaged_snapshots_total")
	if err != nil || n != 1 {
		h.t.Fatal(n, err)
	}
	families, _ := h.registry.Gather()
	for _, f := range families {
		if f.GetName() == "goshawk_state_damaged_snapshots_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

func snapshot(partition int32, offset int64, size int) *pipeline.Snapshot {
	text := make([]byte, size)
	r := rand.New(rand.NewPCG(uint64(offset), uint64(size)))
	for i := range text {
		text[i] = byte(r.Uint32())
	}
	return &pipeline.Snapshot{
		Topic: "spans", Partition: partition, Epoch: 7, Offset: offset,
		States: []pipeline.State{{Name: "empty"}, {Name: "one", Bytes: text}, {Name: "two", Bytes: []byte("two")}},
	}
}

func (h *harness) save(s *state.Store, all ...*pipeline.Snapshot) {
	h.t.Helper()
	for _, one := range all {
		if err := <-s.Save(h.t.Context(), one); err != nil {
			h.t.Fatal(err)
		}
	}
}

// offsets returns the offsets of the snapshots that are found, and checks them.
func (h *harness) offsets(s *state.Store, partition int32, sizes map[int64]int) []int64 {
	h.t.Helper()
	var all []int64
	err := s.Load(h.t.Context(), "spans", partition, func(got *pipeline.Snapshot) bool {
		want := snapshot(partition, got.Offset, sizes[got.Offset])
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			h.t.Errorf("snapshot at %d (-want +got):\n%s", got.Offset, diff)
		}
		all = append(all, got.Offset)
		return false
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// TestRoundTrip saves snapshots of many sizes of two partitions.
func TestRoundTrip(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster)
		s := h.store()
		if got := h.offsets(s, 0, nil); len(got) != 0 {
			t.Fatalf("an empty topic has snapshots at %v", got)
		}
		sizes := map[int64]int{}
		var want []int64
		for i, size := range []int{0, 1, 900, 999, 1000, 1001, 5000, 200_000} {
			sizes[int64(i)] = size
			want = append(want, int64(i))
			// Partition 2 is in the same partition as 0, which has as many there.
			h.save(s, snapshot(0, int64(i), size), snapshot(2, int64(i), size))
		}
		slices.Reverse(want)
		for _, partition := range []int32{0, 2} {
			if diff := cmp.Diff(want, h.offsets(h.store(), partition, sizes)); diff != "" || h.damaged() != 0 {
				t.Errorf("partition %d, %v damaged (-want +got):\n%s", partition, h.damaged(), diff)
			}
		}
		if got := h.offsets(h.store(), 1, sizes); len(got) != 0 {
			t.Errorf("partition 1 has snapshots at %v", got)
		}
	})
}

// TestIncomplete gives up in the middle of a snapshot, and goes on in the same
// slot: the one before stays, whatever compaction leaves.
func TestIncomplete(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster)
		s := h.store()
		sizes := map[int64]int{1: 50_000, 2: 60_000, 5: 3000}
		h.save(s, snapshot(0, 1, sizes[1]), snapshot(0, 2, sizes[2]))
		for n := range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Duration(5*(n+1))*time.Millisecond, cancel)
			if <-s.Save(ctx, snapshot(0, 3, 3_000_000)) == nil {
				t.Fatal("a snapshot that was given up is complete")
			}
			cancel()
		}
		if diff := cmp.Diff([]int64{2, 1}, h.offsets(h.store(), 0, sizes)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if latest := h.compacted(0); !latest[2] {
			t.Errorf("compaction leaves snapshots %v, not the last", latest)
		}
		// A new owner takes the last, and must not write over it.
		s = h.store()
		if err := s.Load(t.Context(), "spans", 0, func(*pipeline.Snapshot) bool { return true }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if <-s.Save(ctx, snapshot(0, 4, 3_000_000)) == nil {
			t.Error("a snapshot that was given up is complete")
		}
		cancel()
		if latest := h.compacted(0); !latest[2] {
			t.Errorf("after a takeover compaction leaves snapshots %v, not the last", latest)
		}
		h.save(s, snapshot(0, 5, sizes[5]))
		if got := h.offsets(h.store(), 0, sizes); len(got) == 0 || got[0] != 5 {
			t.Errorf("snapshots at %v, want 5 first", got)
		}
	})
}

// compacted copies the last record of every key to another topic, as compaction
// does, and returns the offsets of the snapshots that are found there.
func (h *harness) compacted(partition int32) map[int64]bool {
	h.t.Helper()
	last, order := map[string]kafka.Record{}, []string{}
	bounds, err := h.client.PartitionOffsets(h.t.Context(), h.topic, partition)
	if err != nil {
		h.t.Fatal(err)
	}
	for at := bounds.First; at < bounds.Next; {
		fetched, err := h.client.Fetch(h.t.Context(), kafka.FetchRequest{Topic: h.topic, Partition: partition, Offset: at, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		if err != nil {
			h.t.Fatal(err)
		}
		for {
			batch, memory, err := fetched.ReadBatch(func(r *kafka.FetchedRecord) {
				if r.Offset < at {
					return
				}
				one := kafka.Record{Partition: partition, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value), Timestamp: r.Timestamp}
				r.Headers(func(key, value []byte) bool {
					one.Headers = append(one.Headers, kafka.Header{Key: string(key), Value: bytes.Clone(value)})
					return true
				})
				last[string(r.Key)] = one
				order = append(slices.DeleteFunc(order, func(k string) bool { return k == string(r.Key) }), string(r.Key))
			})
			if memory != nil {
				memory.Release()
			}
			if err != nil {
				break
			}
			at = batch.Next
		}
		fetched.Release()
	}
	other := *h
	other.topic = kafkatest.Unique("compacted")
	if _, err := h.client.EnsureTopics(h.t.Context(), []kafka.Topic{{Name: other.topic, Partitions: 2, Replication: 1}}); err != nil {
		h.t.Fatal(err)
	}
	for _, key := range order {
		r := last[key]
		r.Topic = other.topic
		if err := h.producer.Produce(h.t.Context(), []kafka.Record{r}); err != nil {
			h.t.Fatal(err)
		}
	}
	found := map[int64]bool{}
	err = other.store().Load(h.t.Context(), "spans", partition, func(s *pipeline.Snapshot) bool { found[s.Offset] = true; return false })
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// TestDamaged writes nonsense where snapshots are.
func TestDamaged(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster)
		sizes := map[int64]int{1: 10}
		h.save(h.store(), snapshot(0, 1, 10))
		write := func(key, id, value string) {
			t.Helper()
			err := h.producer.Produce(t.Context(), []kafka.Record{{
				Topic: h.topic, Key: []byte(key), Value: []byte(value), Timestamp: 1, Headers: []kafka.Header{{Key: "goshawk-snapshot", Value: []byte(id)}},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		manifest := func(id string, chunks, size int) string {
			return fmt.Sprintf(`{"version":1,"id":%q,"epoch":7,"offset":9,"chunks":%d,"bytes":4,"size":%d,"checksum":"00"}`, id, chunks, size)
		}
		write("group/spans/0/1/manifest", "", "no manifest")
		write("group/spans/0/1/manifest", "", `{"version":9}`)
		write("group/spans/0/1/manifest", "", manifest("absent", 3, 10))
		write("group/spans/0/1/manifest", "", manifest("huge", 1<<30, 10))
		write("group/spans/0/1/0", "wrong", "abcd")
		write("group/spans/0/1/manifest", "", manifest("wrong", 1, 10))
		write("group/spans/0/x/manifest", "", "another key")
		write("somebody else", "", "")
		if got := h.offsets(h.store(), 0, sizes); !slices.Equal(got, []int64{1}) {
			t.Errorf("snapshots at %v, want 1", got)
		}
		if n := h.damaged(); n != 5 {
			t.Errorf("%v damaged snapshots are counted, want 5", n)
		}
	})
}
