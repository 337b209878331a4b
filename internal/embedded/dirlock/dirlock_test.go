package dirlock

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, err := Lock(context.Background(), dir, "the test's")
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Lock(ended, dir, "the test's"); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("a second lock: %v", err)
	}
	// A holder that is just ending is waited for.
	time.AfterFunc(100*time.Millisecond, func() { first.Close() })
	second, err := Lock(context.Background(), dir, "the test's")
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}
