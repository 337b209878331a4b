package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCache(t *testing.T) {
	t.Parallel()
	var c cache[int64]
	var made atomic.Int64
	produce := func(context.Context) (int64, error) { return made.Add(1), nil }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if n, err := c.get(context.Background(), "a", time.Hour, produce); n != 1 || err != nil {
				t.Errorf("%d %v", n, err)
			}
		})
	}
	all.Wait()
	if n, err := c.get(context.Background(), "b", time.Hour, produce); n != 2 || err != nil {
		t.Errorf("another key: %d %v", n, err)
	}
	if n, _ := c.get(context.Background(), "c", -time.Hour, produce); n != 3 {
		t.Errorf("the first of c: %d", n)
	}
	failing := errors.New("away")
	if _, err := c.get(context.Background(), "d", time.Hour, func(context.Context) (int64, error) { return 0, failing }); !errors.Is(err, failing) {
		t.Errorf("got %v", err)
	}
	if n, err := c.get(context.Background(), "d", time.Hour, produce); n != 4 || err != nil {
		t.Errorf("a failure was kept: %d %v", n, err)
	}
	for i := range 2 * maxCacheKeys {
		if _, err := c.get(context.Background(), string(rune(i+1000)), time.Hour, produce); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.slots); n > maxCacheKeys {
		t.Errorf("%d answers are kept", n)
	}
}

// TestCacheGivesUp must not wait for an answer that nobody wants any more.
func TestCacheGivesUp(t *testing.T) {
	t.Parallel()
	var c cache[int]
	begun, end := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_, _ = c.get(context.Background(), "a", 0, func(context.Context) (int, error) {
			close(begun)
			<-end
			return 0, nil
		})
	})
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.get(ctx, "a", 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(end)
	all.Wait()
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "24h": now.Add(-24 * time.Hour), "90s": now.Add(-90 * time.Second),
		"2026-01-30T00:00:00Z": time.Date(2026, 1, 30, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"soon", "-1h", "0", "2026-01-30", "24"} {
		if got, err := ParseSince(text, now); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}
