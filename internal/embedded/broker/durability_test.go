package broker_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// fetch returns the records of a partition from the offset on.
func fetch(c *kafka.Client, topic string, partition int, offset int64) ([]kafka.Record, error) {
	response, err := c.Fetch(context.Background(), &kafka.FetchRequest{
		Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 100 * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, response.Error
	}
	var records []kafka.Record
	for {
		r, err := response.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, *r)
	}
}

// readAll calls f with every record of the partition in order.
func readAll(t testing.TB, c *kafka.Client, topic string, partition int, f func(offset int64, value []byte)) {
	t.Helper()
	next, end := offsets(t, c, topic, partition)
	for next < end {
		var records []kafka.Record
		again(t, func() (err error) { records, err = fetch(c, topic, partition, next); return err })
		for _, r := range records {
			if r.Offset < next {
				continue
			}
			value, err := kafka.ReadAll(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			f(r.Offset, value)
			next = r.Offset + 1
		}
	}
}

func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	const (
		kills      = 10
		writers    = 4
		partitions = 4
	)
	b := brokertest.StartProcess(t, func(c *broker.Config) { c.SegmentBytes = 64 << 10 })
	c := client(t, b.Addr)
	createTopic(t, c, "load", partitions)

	ctx, stop := context.WithCancel(context.Background())
	var acked [writers]sync.Map
	var total atomic.Int64
	var group sync.WaitGroup
	for w := range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			own := client(t, b.Addr)
			padding := make([]byte, 400)
			for n := uint64(0); ctx.Err() == nil; n++ {
				value := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(w)), n)
				// A refused request may have been stored all the same; only
				// what was acknowledged counts.
				if _, err := produce(own, "load", w%partitions, append(value, padding...)); err == nil {
					acked[w].Store(n, true)
					total.Add(1)
				} else {
					time.Sleep(5 * time.Millisecond)
				}
			}
		}()
	}
	var position int64
	for i := range kills {
		enough := total.Load() + 50
		again(t, func() error {
			if total.Load() < enough {
				return fmt.Errorf("the writers got no answer between two kills; %d acknowledged", total.Load())
			}
			return nil
		})
		position = int64(i + 1)
		commit(t, c, "group", "load", 0, position, fmt.Sprint("plan-", i))
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		b.Kill9()
		b.Restart(t)
		if offset, metadata := committed(t, c, "group", "load", 0); offset != position || metadata != fmt.Sprint("plan-", i) {
			t.Fatalf("after kill %d the commit is %d %q, want %d", i, offset, metadata, position)
		}
	}
	stop()
	group.Wait()

	found := [writers]map[uint64]int{}
	for w := range found {
		found[w] = map[uint64]int{}
	}
	for p := range partitions {
		next := int64(0)
		readAll(t, c, "load", p, func(offset int64, value []byte) {
			if offset != next {
				t.Errorf("partition %d: offset %d follows %d", p, offset, next-1)
			}
			next = offset + 1
			found[binary.BigEndian.Uint64(value)][binary.BigEndian.Uint64(value[8:])]++
		})
	}
	lost := 0
	for w := range acked {
		acked[w].Range(func(n, _ any) bool {
			if found[w][n.(uint64)] != 1 {
				lost++
			}
			return true
		})
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged records are missing or doubled", lost, total.Load())
	}
	t.Logf("%d records acknowledged over %d kills", total.Load(), kills)
}

// damage changes the file that the pattern names below the data directory.
func damage(t *testing.T, dir, pattern string, change func(content []byte) []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	content, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFilesAreRepaired(t *testing.T) {
	garbage := func([]byte) []byte { return []byte("{ not JSON") }
	nothing := func([]byte) []byte { return nil }
	tests := []struct {
		name   string
		file   string
		change func([]byte) []byte
		// lost is how many of the ten records of one batch each may be gone.
		lost int
	}{
		{"list of topics", "topics.json", garbage, 0},
		{"list of topics empty", "topics.json", nothing, 0},
		{"main file", "meta.json", garbage, 0},
		{"settings", "broker_configs.json", garbage, 0},
		{"access lists", "acls.json", nothing, 0},
		{"snapshot", "partitions/topic-0/snapshot.json", garbage, 0},
		{"index", "partitions/topic-0/0.idx", func(c []byte) []byte { return c[:7] }, 0},
		{"end of the log cut", "partitions/topic-0/0.dat", func(c []byte) []byte { return c[:len(c)-3] }, 1},
		{"zeros behind the log", "partitions/topic-0/0.dat", func(c []byte) []byte { return append(c, make([]byte, 4096)...) }, 0},
		{"one bit in the middle", "partitions/topic-0/0.dat", func(c []byte) []byte { c[len(c)/2] ^= 4; return c }, 1},
		{"torn end of the offsets", "groups.log", func(c []byte) []byte { return append(c, "\x40\x00\x00\x00torn"...) }, 0},
		{"producers", "pids.log", func([]byte) []byte { return []byte("garbage") }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := brokertest.Start(t)
			c := client(t, b.Addr)
			createTopic(t, c, "topic", 2)
			for i := range 10 {
				mustProduce(t, c, "topic", 0, fmt.Appendf(nil, "record %d %s", i, strings.Repeat("x", 200)))
			}
			commit(t, c, "group", "topic", 0, 7, "plan")
			b.Stop()
			damage(t, b.DataDir, test.file, test.change)
			for range 2 {
				b.Restart(t)
				seen := map[int64]bool{}
				readAll(t, c, "topic", 0, func(offset int64, value []byte) {
					if strings.HasPrefix(string(value), fmt.Sprintf("record %d ", offset)) {
						seen[offset] = true
					}
				})
				if len(seen) < 10-test.lost {
					t.Errorf("%d records are left, want %d", len(seen), 10-test.lost)
				}
				if offset, metadata := committed(t, c, "group", "topic", 0); offset != 7 || metadata != "plan" {
					t.Errorf("the commit is %d %q, want 7 and its plan", offset, metadata)
				}
				// An offset is never given to a second record.
				if offset := mustProduce(t, c, "topic", 0, []byte("new")); offset < 10 {
					t.Errorf("a new record got offset %d, which an old one had", offset)
				}
				if offset := mustProduce(t, c, "topic", 1, []byte("new")); offset < 0 {
					t.Errorf("a new record in the other partition got offset %d", offset)
				}
				commit(t, c, "group", "topic", 1, 1, "later")
				b.Restart(t)
				if offset, _ := committed(t, c, "group", "topic", 1); offset != 1 {
					t.Errorf("a commit after the repair is %d, want 1", offset)
				}
			}
		})
	}
}

// A power failure may take the end of a partition but leave a commit that is
// ahead of it. Were the offsets between given out again, a consumer would pass
// over the records that get them.
func TestOffsetsStayAheadOfCommits(t *testing.T) {
	for _, left := range []string{"some", "nothing"} {
		t.Run(left, func(t *testing.T) {
			b := brokertest.StartProcess(t)
			c := client(t, b.Addr)
			createTopic(t, c, "topic", 1)
			for range 10 {
				mustProduce(t, c, "topic", 0, []byte("record"))
			}
			commit(t, c, "group", "topic", 0, 10, "")
			b.Kill9()
			want := int64(5)
			damage(t, b.DataDir, "partitions/topic-0/0.dat", func(content []byte) []byte {
				if left == "nothing" {
					want = 0
					return nil
				}
				return content[:len(content)/2]
			})
			b.Restart(t)
			if offset := mustProduce(t, c, "topic", 0, []byte("after")); offset != 10 {
				t.Fatalf("the next record got offset %d, want 10", offset)
			}
			records := 0
			readAll(t, c, "topic", 0, func(_ int64, value []byte) {
				if string(value) == "record" {
					records++
				}
			})
			if int64(records) != want {
				t.Errorf("%d records are left, want %d", records, want)
			}
			b.Kill9()
			b.Restart(t)
			if _, end := offsets(t, c, "topic", 0); end != 11 {
				t.Errorf("the partition ends at %d after another crash, want 11", end)
			}
		})
	}
}
