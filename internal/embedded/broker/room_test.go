package broker_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// small makes a log of 4 MiB in segments of 64 KiB.
func small(c *broker.Config) {
	c.MaxLogBytes = 4 << 20
	c.SegmentBytes = 64 << 10
	c.MaxRecordBytes = 128 << 10
}

// noise is a record that no compression makes smaller.
func noise(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// fill produces records of 20 KB until the broker refuses one, or count have
// been stored, and returns how many were stored.
func fill(t testing.TB, c *kafka.Client, topic string, count int) (stored int, refusal error) {
	t.Helper()
	record := noise(20_000)
	for stored < count {
		_, err := produce(c, topic, 0, record)
		var code kafka.Error
		switch {
		case err == nil:
			stored++
		case errors.As(err, &code):
			return stored, err
		default:
			t.Fatal(err)
		}
	}
	return stored, nil
}

func TestOldSegmentsGoOnceReadByAll(t *testing.T) {
	b := brokertest.StartProcess(t, small)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	commit(t, c, "reader", "topic", 0, 0, "")
	// Five times the log, read as it is written.
	for round := range 25 {
		again(t, func() error { _, err := fill(t, c, "topic", 40); return err })
		_, end := offsets(t, c, "topic", 0)
		commit(t, c, "reader", "topic", 0, end, fmt.Sprint(round))
		size, err := broker.LogBytes(b.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		if size > 4<<20 || size < 100_000 {
			t.Fatalf("the log has %d bytes, want what was written but no more than 4 MiB", size)
		}
	}
	first, end := offsets(t, c, "topic", 0)
	if first == 0 || end < 1000 {
		t.Fatalf("partition holds [%d,%d), want the beginning gone and 1000 records written", first, end)
	}
	// Offsets go on where they were, whatever way the broker ends, and so do
	// the partition's first record and the group.
	for _, stop := range []func(){b.Stop, b.Kill9} {
		stop()
		b.Restart(t)
		f, e := offsets(t, c, "topic", 0)
		if f < first || e != end {
			t.Fatalf("partition holds [%d,%d) after a restart, held [%d,%d)", f, e, first, end)
		}
		if got := mustProduce(t, c, "topic", 0, []byte("next")); got != end {
			t.Fatalf("next record got offset %d, want %d", got, end)
		}
		end++
		readAll(t, c, "topic", 0, func(int64, []byte) {})
	}
}

func TestUnreadRecordsAreKeptAndWritersRefused(t *testing.T) {
	b := brokertest.Start(t, small)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	createTopic(t, c, "goshawk_deadletter", 1)
	again(t, func() error { _, err := fill(t, c, "topic", 20); return err })
	commit(t, c, "slow", "topic", 0, 10, "")

	stored, refusal := fill(t, c, "topic", 1000)
	if !errors.Is(refusal, kafka.KafkaStorageError) || !kafka.KafkaStorageError.Temporary() {
		t.Fatalf("after %d records: %v, want a refusal that can be retried", stored, refusal)
	}
	time.Sleep(1500 * time.Millisecond) // the keeper has looked by now
	more, _ := fill(t, c, "topic", 1000)
	stored += more
	first, end := offsets(t, c, "topic", 0)
	if first > 10 || end != int64(20+stored) {
		t.Fatalf("partition holds [%d,%d) of %d records; the group has read up to 10", first, end, 20+stored)
	}
	// What the consumer itself writes is let through, or it could never read on.
	if n, err := fill(t, c, "goshawk_deadletter", 5); err != nil {
		t.Fatalf("dead letter %d: %v", n, err)
	}
	// Another group that has read everything does not help.
	commit(t, c, "fast", "topic", 0, end, "")
	time.Sleep(1500 * time.Millisecond)
	if more, _ := fill(t, c, "topic", 1000); more > 10 {
		t.Fatalf("%d records were taken while the slow group holds a full log", more)
	}
	if first, _ := offsets(t, c, "topic", 0); first > 10 {
		t.Fatalf("records up to %d were deleted; a group has read up to 10", first)
	}
	_, end = offsets(t, c, "topic", 0)
	commit(t, c, "slow", "topic", 0, end, "")
	mustProduce(t, c, "topic", 0, []byte("room again"))
	if f, _ := offsets(t, c, "topic", 0); f == 0 {
		t.Fatal("nothing was deleted although all groups have read it")
	}
}

func TestTopicsWaitForTheirFirstGroup(t *testing.T) {
	b := brokertest.Start(t, small)
	c := client(t, b.Addr)
	createTopic(t, c, "otlp_logs", 1)
	createTopic(t, c, "scratch", 1)
	stored, refusal := fill(t, c, "otlp_logs", 1000)
	if refusal == nil {
		t.Fatalf("%d records were taken that no group has begun to read", stored)
	}
	if first, _ := offsets(t, c, "otlp_logs", 0); first != 0 {
		t.Fatalf("unread records up to %d were deleted", first)
	}
	commit(t, c, "reader", "otlp_logs", 0, int64(stored), "")
	// A topic that nobody ever reads is a ring.
	for range 20 {
		again(t, func() error { _, err := fill(t, c, "scratch", 40); return err })
	}
	if first, end := offsets(t, c, "scratch", 0); first == 0 || end < 800 {
		t.Fatalf("scratch holds [%d,%d), want its beginning gone", first, end)
	}
}

func TestManySmallRecordsAreBounded(t *testing.T) {
	b := brokertest.Start(t, small)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1)
	commit(t, c, "slow", "topic", 0, 0, "")
	// Each batch costs the broker memory, so that 4 MiB of the smallest batches
	// must be refused long before they have 4 MiB of bytes.
	for i := range 10_000 {
		if _, err := produce(c, "topic", 0, []byte("x")); err != nil {
			if i < 2000 {
				t.Fatalf("record %d: %v", i, err)
			}
			return
		}
	}
	t.Fatal("10000 batches fit into 4 MiB; each counts for 1 KiB at least")
}

// TestRetentionByTime is what the setting topics.retention asks for.
func TestRetentionByTime(t *testing.T) {
	b := brokertest.StartProcess(t, small)
	c := client(t, b.Addr)
	createTopic(t, c, "otlp_logs", 1, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "1"})
	again(t, func() error { _, err := fill(t, c, "otlp_logs", 50); return err })
	_, end := offsets(t, c, "otlp_logs", 0)
	time.Sleep(1500 * time.Millisecond)
	if first, _ := offsets(t, c, "otlp_logs", 0); first != 0 {
		t.Fatalf("records up to %d were deleted that no group has begun to read", first)
	}
	commit(t, c, "reader", "otlp_logs", 0, end, "")
	var first int64
	again(t, func() error {
		end = mustProduce(t, c, "otlp_logs", 0, []byte("look")) + 1
		if first, _ = offsets(t, c, "otlp_logs", 0); first < 40 {
			return fmt.Errorf("the partition still begins at %d", first)
		}
		return nil
	})
	// The last segment stays, and with it the offset that comes next.
	for _, stop := range []func(){b.Stop, b.Kill9} {
		stop()
		b.Restart(t)
		if got := mustProduce(t, c, "otlp_logs", 0, []byte("next")); got != end {
			t.Fatalf("next record got offset %d, want %d", got, end)
		}
		end++
	}
}

func TestTopicRetentionSparesTheUnread(t *testing.T) {
	b := brokertest.Start(t, small)
	c := client(t, b.Addr)
	createTopic(t, c, "topic", 1, kafka.ConfigEntry{ConfigName: "retention.bytes", ConfigValue: "200000"},
		kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "1"}, kafka.ConfigEntry{ConfigName: "segment.bytes", ConfigValue: "1"})
	commit(t, c, "reader", "topic", 0, 0, "")
	again(t, func() error { _, err := fill(t, c, "topic", 50); return err })
	time.Sleep(1500 * time.Millisecond)
	if first, _ := offsets(t, c, "topic", 0); first != 0 {
		t.Fatalf("unread records up to %d were deleted", first)
	}
	commit(t, c, "reader", "topic", 0, 50, "")
	again(t, func() error {
		mustProduce(t, c, "topic", 0, []byte("look"))
		if first, _ := offsets(t, c, "topic", 0); first < 40 {
			return fmt.Errorf("the partition still begins at %d", first)
		}
		return nil
	})
}
