package kafkatest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/deploy/kafka/kafkatest"
)

// The tests of this package are the evidence that what goshawk asks of kafka-go
// works on the broker that deploy/kafka pins.

func client(address string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(address), Timeout: 30 * time.Second, Transport: &kafka.Transport{MetadataTTL: time.Second}}
}

func createTopic(t *testing.T, c *kafka.Client, partitions int) string {
	t.Helper()
	topic := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	answer, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "3600000"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Errors[topic]; err != nil {
		t.Fatal(err)
	}
	return topic
}

func writer(t *testing.T, address, topic string, compression kafka.Compression) *kafka.Writer {
	t.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(address), Topic: topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.Hash{},
		BatchTimeout: 5 * time.Millisecond, MaxAttempts: 30, Compression: compression,
		Transport: &kafka.Transport{MetadataTTL: time.Second},
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func produce(t *testing.T, w *kafka.Writer, from, to int) {
	t.Helper()
	var records []kafka.Message
	for i := from; i < to; i++ {
		records = append(records, kafka.Message{
			Key: fmt.Appendf(nil, "key-%d", i%97), Value: fmt.Appendf(nil, "value %d", i),
			Headers: []kafka.Header{{Key: "goshawk-tenant", Value: []byte("default")}},
		})
	}
	if err := w.WriteMessages(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

// readAll fetches a partition from its first offset to its end.
func readAll(t *testing.T, c *kafka.Client, topic string, partition int) []string {
	t.Helper()
	answer, err := c.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	bounds := answer.Topics[topic][0]
	if bounds.Error != nil {
		t.Fatal(bounds.Error)
	}
	var values []string
	for next := bounds.FirstOffset; next < bounds.LastOffset; {
		fetched, err := c.Fetch(t.Context(), &kafka.FetchRequest{
			Topic: topic, Partition: partition, Offset: next, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 300 * time.Millisecond,
		})
		if err == nil {
			err = fetched.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		for {
			record, err := fetched.Records.ReadRecord()
			if err != nil {
				break
			}
			if record.Offset < next {
				continue
			}
			if record.Offset != next {
				t.Fatalf("partition %d: offset %d follows %d", partition, record.Offset, next-1)
			}
			value, err := kafka.ReadAll(record.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, string(value))
			next = record.Offset + 1
		}
	}
	return values
}

func TestProduceAndFetchWithEveryCompression(t *testing.T) {
	address := kafkatest.Start(t)
	for _, compression := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		t.Run(compression.String(), func(t *testing.T) {
			c := client(address)
			topic := createTopic(t, c, 4)
			const records = 1000
			produce(t, writer(t, address, topic, compression), 0, records)
			seen := map[string]int{}
			for partition := range 4 {
				for _, value := range readAll(t, c, topic, partition) {
					seen[value]++
				}
			}
			for i := range records {
				if n := seen[fmt.Sprintf("value %d", i)]; n != 1 {
					t.Fatalf("record %d was read %d times", i, n)
				}
			}
		})
	}
}

// TestPlanInCommitMetadata walks through the steps on which exactly-once rests.
func TestPlanInCommitMetadata(t *testing.T) {
	address := kafkatest.Start(t)
	c := client(address)
	topic := createTopic(t, c, 2)
	produce(t, writer(t, address, topic, kafka.Lz4), 0, 100)

	group, generation := join(t, address, topic)
	if n := len(generation.Assignments[topic]); n != 2 {
		t.Fatalf("the only member owns %d partitions", n)
	}
	commit := func(generationID int, member string, offset int64, plan string) error {
		answer, err := c.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
			GroupID: topic, GenerationID: generationID, MemberID: member,
			Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 1, Offset: offset, Metadata: plan}}},
		})
		if err != nil {
			return err
		}
		return answer.Topics[topic][0].Error
	}
	committed := func() (int64, string) {
		t.Helper()
		answer, err := c.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: {1}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(answer.Error, answer.Topics[topic][0].Error); err != nil {
			t.Fatal(err)
		}
		return answer.Topics[topic][0].CommittedOffset, answer.Topics[topic][0].Metadata
	}

	if offset, _ := committed(); offset != -1 {
		t.Fatalf("a new group has committed %d", offset)
	}
	if err := commit(int(generation.ID), generation.MemberID, 5, "plan 5-17"); err != nil {
		t.Fatalf("committing a plan: %v", err)
	}
	if offset, plan := committed(); offset != 5 || plan != "plan 5-17" {
		t.Fatalf("committed %d %q", offset, plan)
	}
	if err := commit(int(generation.ID)-1, generation.MemberID, 3, ""); !errors.Is(err, kafka.IllegalGeneration) {
		t.Fatalf("a commit of the generation before: %v", err)
	}
	if err := commit(int(generation.ID), "nobody", 3, ""); !errors.Is(err, kafka.UnknownMemberId) {
		t.Fatalf("a commit of a stranger: %v", err)
	}

	// A second member makes a new generation, which fences the first one out.
	oldID, oldMember := int(generation.ID), generation.MemberID
	second := make(chan *kafka.Generation, 1)
	go func() {
		defer close(second)
		g := consumerGroup(t, address, topic)
		next, err := g.Next(t.Context())
		if err == nil {
			second <- next
		}
	}()
	if _, err := group.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-second
	if err := commit(oldID, oldMember, 3, ""); !errors.Is(err, kafka.IllegalGeneration) && !errors.Is(err, kafka.RebalanceInProgress) {
		t.Fatalf("a commit of the generation before the rebalance: %v", err)
	}
	if offset, plan := committed(); offset != 5 || plan != "plan 5-17" {
		t.Fatalf("after the fenced commits %d %q is committed", offset, plan)
	}
}

func consumerGroup(t *testing.T, address, topic string) *kafka.ConsumerGroup {
	t.Helper()
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: topic, Brokers: []string{address}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: time.Second, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second,
		JoinGroupBackoff: 500 * time.Millisecond, WatchPartitionChanges: true,
	})
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func join(t *testing.T, address, topic string) (*kafka.ConsumerGroup, *kafka.Generation) {
	t.Helper()
	g := consumerGroup(t, address, topic)
	for {
		generation, err := g.Next(t.Context())
		// A new broker makes the topic of the offsets when the first group asks.
		if errors.Is(err, kafka.GroupCoordinatorNotAvailable) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return g, generation
	}
}

// TestKill9KeepsWhatWasAcknowledged kills the broker under load, three times.
func TestKill9KeepsWhatWasAcknowledged(t *testing.T) {
	broker := kafkatest.New(t, "log.segment.bytes=1048576")
	c := client(broker.Address())
	topic := createTopic(t, c, 2)
	w := writer(t, broker.Address(), topic, kafka.Lz4)

	acknowledged := make(map[string]bool)
	written := 0
	for range 3 {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		started := make(chan struct{})
		go func() {
			defer close(done)
			for first := true; ctx.Err() == nil; first = false {
				value := fmt.Sprintf("value %d", written)
				written++
				if err := w.WriteMessages(ctx, kafka.Message{Key: []byte(value), Value: []byte(value)}); err == nil {
					acknowledged[value] = true
				}
				if first {
					close(started)
				}
			}
		}()
		<-started
		// The moment of the kill is meant to be arbitrary.
		time.Sleep(200 * time.Millisecond)
		broker.Kill9(t)
		stop()
		<-done
		broker.Restart(t)
	}

	c = client(broker.Address())
	for partition := range 2 {
		for _, value := range readAll(t, c, topic, partition) {
			delete(acknowledged, value)
		}
	}
	if len(acknowledged) > 0 {
		t.Fatalf("%d of %d acknowledged records are missing", len(acknowledged), written)
	}
}
