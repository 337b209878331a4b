package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
)

func TestDiskFullRefusesAndRecovers(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("SKIPPED, needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	e := enginetest.Start(t, func(c *engine.Config) { c.DataDir, c.MinFreeBytes = filepath.Join(disk, "clickhouse"), 8<<20 })
	conn := open(t, e, e.User, e.Password)
	execute(t, conn, "CREATE TABLE t (n UInt64, s String CODEC(NONE)) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000")
	insert := func(n int) error {
		return conn.Exec(context.Background(), fmt.Sprintf(
			"INSERT INTO t SELECT %d, randomString(1000) FROM numbers(2000) SETTINGS insert_deduplication_token = 'b%d'", n, n))
	}
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	stored := 0
	var refusal error
	for ; stored < 200; stored++ {
		if refusal = insert(stored); refusal != nil {
			break
		}
	}
	if refusal == nil {
		t.Fatal("400 MB were stored on a disk of 96 MiB")
	}
	if c := code(refusal); c != 243 && !strings.Contains(refusal.Error(), "No space left") {
		t.Errorf("refused with %v, want one that names the disk", refusal)
	}
	if free, err := freeBytes(disk); err != nil || free < 7<<20 {
		t.Errorf("%d bytes are left on the disk, %v; the engine must leave 8 MiB", free, err)
	}
	// It starts on the full disk, too.
	e.Kill9()
	e.Restart(t)
	if n := count(t, conn, "SELECT count() FROM t"); n != uint64(stored)*2000 {
		t.Errorf("%d rows are readable on the full disk, %d were acknowledged", n, stored*2000)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	again(t, func() error { return insert(stored) })
	if n := count(t, conn, "SELECT count() FROM t"); n != uint64(stored+1)*2000 {
		t.Errorf("%d rows after there was room again, want those of %d batches", n, stored+1)
	}
}

func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return int64(s.Bavail) * s.Bsize, err
}
