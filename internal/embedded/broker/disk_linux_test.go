package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sys/unix"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// smallDisk mounts a file system of its own, since filling the machine's disk
// would disturb others.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("SKIPPED, needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestDiskFull(t *testing.T) {
	for _, minFree := range []config.Bytes{4 << 20, 0} {
		t.Run(fmt.Sprintf("min_free_bytes=%d", minFree), func(t *testing.T) {
			disk := smallDisk(t, "16m")
			b := brokertest.StartProcess(t, func(c *broker.Config) {
				c.DataDir = filepath.Join(disk, "kafka")
				c.SegmentBytes = 256 << 10
				c.MinFreeBytes = minFree
			})
			c := client(t, b.Addr)
			createTopic(t, c, "topic", 1)
			commit(t, c, "group", "topic", 0, 0, "")
			ballast := filepath.Join(disk, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 6<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // the keeper has looked by now
			stored, refusal := fill(t, c, "topic", 10_000)
			if refusal == nil {
				t.Fatalf("%d records of 20 KB were taken on a disk of 16 MiB", stored)
			}
			if minFree > 0 && !errors.Is(refusal, kafka.KafkaStorageError) {
				t.Fatalf("refused after %d records with %v, want one that says so before the disk is full", stored, refusal)
			}
			for i := range 200 {
				// With no room kept free a commit may fail; it must not damage
				// those before and after it.
				_, _ = c.OffsetCommit(context.Background(), &kafka.OffsetCommitRequest{
					GroupID: "group", GenerationID: -1,
					Topics: map[string][]kafka.OffsetCommit{"topic": {{Partition: 0, Offset: int64(i % stored), Metadata: string(bytes.Repeat([]byte("m"), 1000))}}},
				})
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			end := mustProduce(t, c, "topic", 0, []byte("room again"))
			if end < int64(stored) {
				t.Fatalf("next record got offset %d after %d records", end, stored)
			}
			commit(t, c, "group", "topic", 0, 42, "kept")
			b.Kill9()
			b.Restart(t)
			if offset, metadata := committed(t, c, "group", "topic", 0); offset != 42 || metadata != "kept" {
				t.Errorf("the commit after the full disk is %d %q, want 42", offset, metadata)
			}
			records := 0
			readAll(t, c, "topic", 0, func(int64, []byte) { records++ })
			if records < stored+1 {
				t.Errorf("%d records are left of %d acknowledged", records, stored+1)
			}
		})
	}
}
