package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

func client(t testing.TB, addr string) *kafka.Client {
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addr), Timeout: 10 * time.Second, Transport: transport}
}

// again calls f until it succeeds: kafka-go's first calls after a restart of
// the broker fail on connections that it does not know to be stale.
func again(t testing.TB, f func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func createTopic(t testing.TB, c *kafka.Client, topic string, partitions int, configs ...kafka.ConfigEntry) {
	t.Helper()
	again(t, func() error {
		response, err := c.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs,
		}}})
		if err != nil {
			return err
		}
		if err := response.Errors[topic]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return err
		}
		return nil
	})
}

func produce(c *kafka.Client, topic string, partition int, values ...[]byte) (int64, error) {
	records := make([]kafka.Record, len(values))
	for i, v := range values {
		records[i].Value = kafka.NewBytes(v)
	}
	response, err := c.Produce(context.Background(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(records...),
	})
	if err != nil {
		return 0, err
	}
	return response.BaseOffset, response.Error
}

func mustProduce(t testing.TB, c *kafka.Client, topic string, partition int, values ...[]byte) int64 {
	t.Helper()
	var offset int64
	again(t, func() (err error) { offset, err = produce(c, topic, partition, values...); return err })
	return offset
}

// offsets returns the first offset of the partition and the one after the last.
func offsets(t testing.TB, c *kafka.Client, topic string, partition int) (first, end int64) {
	t.Helper()
	again(t, func() error {
		response, err := c.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
			topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
		}})
		if err != nil {
			return err
		}
		if got := response.Topics[topic]; len(got) != 1 || got[0].Error != nil {
			return fmt.Errorf("offsets of %s/%d: %v", topic, partition, got)
		}
		first, end = response.Topics[topic][0].FirstOffset, response.Topics[topic][0].LastOffset
		return nil
	})
	return first, end
}

func commit(t testing.TB, c *kafka.Client, group, topic string, partition int, offset int64, metadata string) {
	t.Helper()
	again(t, func() error {
		response, err := c.OffsetCommit(context.Background(), &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: -1,
			Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: partition, Offset: offset, Metadata: metadata}}},
		})
		if err != nil {
			return err
		}
		return response.Topics[topic][0].Error
	})
}

func committed(t testing.TB, c *kafka.Client, group, topic string, partition int) (int64, string) {
	t.Helper()
	var offset int64
	var metadata string
	again(t, func() error {
		response, err := c.OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{
			GroupID: group, Topics: map[string][]int{topic: {partition}},
		})
		if err != nil {
			return err
		}
		if response.Error != nil {
			return response.Error
		}
		p := response.Topics[topic][0]
		offset, metadata = p.CommittedOffset, p.Metadata
		return p.Error
	})
	return offset, metadata
}

func TestRecordsAndOffsetsOutliveRestartAndKill(t *testing.T) {
	b := brokertest.StartProcess(t)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 2)
	var want int64
	for _, end := range []func(){b.Stop, b.Kill9, b.Stop, b.Kill9, b.Kill9} {
		if got := mustProduce(t, c, "topic", 1, []byte("a"), []byte("b")); got != want {
			t.Fatalf("record got offset %d, want %d", got, want)
		}
		want += 2
		commit(t, c, "group", "topic", 1, want, fmt.Sprint("plan ", want))
		end()
		b.Restart(t)
		if offset, metadata := committed(t, c, "group", "topic", 1); offset != want || metadata != fmt.Sprint("plan ", want) {
			t.Fatalf("committed offset %d with metadata %q, want %d and its plan", offset, metadata, want)
		}
		if first, end := offsets(t, c, "topic", 1); first != 0 || end != want {
			t.Fatalf("partition holds [%d,%d), want [0,%d)", first, end, want)
		}
	}
}

func TestSecondBrokerOnTheSameDirectoryIsRefused(t *testing.T) {
	b := brokertest.StartProcess(t)
	_, err := brokertest.NewProcess(b.DataDir)
	if err == nil {
		t.Fatal("a second broker started on the directory of a running one")
	}
	if want := fmt.Sprintf("in use by process %d", b.Pid()); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not say %q", err, want)
	}
	// A killed broker leaves no lock behind.
	b.Kill9()
	b.Restart(t)
}

func TestStopLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	b := brokertest.Start(t)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 2)
	mustProduce(t, c, "topic", 0, []byte("record"))
	// A request that waits must not keep the broker from stopping.
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_, _ = c.Fetch(context.Background(), &kafka.FetchRequest{Topic: "topic", Partition: 1, MinBytes: 1, MaxBytes: 1000, MaxWait: 5 * time.Second})
	}()
	time.Sleep(50 * time.Millisecond)
	b.Stop()
	<-waiting
	c.Transport.(*kafka.Transport).CloseIdleConnections()
	goleak.VerifyNone(t, before)
	for _, file := range []string{"clean", "topics.json", "groups.log"} {
		if _, err := os.Stat(filepath.Join(b.DataDir, file)); err != nil {
			t.Error(err)
		}
	}
}

// The other clients of the Kafka world have to get along with the broker too:
// franz-go, which collectors use, with an idempotent producer and a group.
func TestFranzGo(t *testing.T) {
	b := brokertest.Start(t)
	createTopic(t, client(t, b.Addr), "topic", 3)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	producer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr), kgo.DefaultProduceTopic("topic"))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range 300 {
		producer.Produce(ctx, &kgo.Record{Key: fmt.Append(nil, i), Value: fmt.Append(nil, "value ", i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(b.Addr), kgo.ConsumerGroup("group"), kgo.ConsumeTopics("topic"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	seen := map[string]int{}
	for len(seen) < 300 {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
	}
	if err := consumer.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	for value, n := range seen {
		if n != 1 {
			t.Errorf("%q was read %d times", value, n)
		}
	}
}

func TestLargeRecords(t *testing.T) {
	b := brokertest.Start(t)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	for _, size := range []int{900 << 10, 3 << 20} {
		value := noise(size)
		offset := mustProduce(t, c, "topic", 0, value)
		var records []kafka.Record
		again(t, func() (err error) { records, err = fetch(c, "topic", 0, offset); return err })
		if len(records) == 0 {
			t.Fatalf("a record of %d bytes cannot be read", size)
		}
		if got, err := kafka.ReadAll(records[0].Value); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("a record of %d bytes came back as %d bytes, %v", size, len(got), err)
		}
	}
	if _, err := produce(c, "topic", 0, noise(5<<20)); !errors.Is(err, kafka.MessageSizeTooLarge) {
		t.Errorf("a record above the limit: %v, want MESSAGE_TOO_LARGE", err)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	if err := func() error { c := broker.DefaultConfig(); return c.Validate() }(); err != nil {
		t.Fatalf("the defaults are invalid: %v", err)
	}
	for want, change := range map[string]func(*broker.Config){
		"embedded.kafka.listen":           func(c *broker.Config) { c.Listen = "nowhere" },
		"embedded.kafka.advertise":        func(c *broker.Config) { c.Advertise = "0.0.0.0:9092" },
		"embedded.kafka.metrics_listen":   func(c *broker.Config) { c.MetricsListen = "9308" },
		"embedded.kafka.max_log_bytes":    func(c *broker.Config) { c.MaxLogBytes = 1 << 20 },
		"embedded.kafka.max_record_bytes": func(c *broker.Config) { c.MaxRecordBytes = 0 },
		"embedded.kafka.segment_bytes":    func(c *broker.Config) { c.SegmentBytes = 1 << 30 },
		"embedded.kafka.hold_groups":      func(c *broker.Config) { c.HoldGroups = []string{"["} },
		"embedded.kafka.sync_interval":    func(c *broker.Config) { c.SyncInterval = 0 },
		"embedded.kafka.max_connections":  func(c *broker.Config) { c.MaxConnections = 0 },
		"embedded.kafka.max_partitions":   func(c *broker.Config) { c.MaxPartitions = 1 << 20 },
		"embedded.kafka.idle_timeout":     func(c *broker.Config) { c.IdleTimeout = 0 },
		"embedded.kafka.request_timeout":  func(c *broker.Config) { c.RequestTimeout = 0 },
	} {
		c := broker.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
