package topic_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// load produces rows from several goroutines until the returned function is
// called, which waits for them.
func (h *harness) load(partitions, callers int) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var wait sync.WaitGroup
	for caller := range callers {
		wait.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				rows := make([]string, 1+i%3)
				for j := range rows {
					rows[j] = fmt.Sprintf("caller %d row %d.%d", caller, i, j)
				}
				// What was not acknowledged is sent again, as a client does.
				for h.produce(h.t.Context(), int32((caller+i)%partitions), rows...) != nil && h.t.Context().Err() == nil {
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(time.Duration(rand.N(8)) * time.Millisecond)
			}
		})
	}
	return func() { cancel(); wait.Wait() }
}

// TestRebalance lets members come and go under load.
func TestRebalance(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 6)
		stop := h.load(6, 4)
		members := []*member{h.join(nil)}
		for _, change := range []int{+1, +1, -1, +1, -1, -1, +1} {
			time.Sleep(700 * time.Millisecond)
			if change > 0 {
				members = append(members, h.join(nil))
				continue
			}
			members[0].stop()
			members = members[1:]
		}
		time.Sleep(500 * time.Millisecond)
		stop()
		h.settle()
		t.Logf("%d rows in %d blocks, %d replays", h.sink.Len(), h.sink.Blocks, h.sink.Replays)
	})
}

// crashing is a source that dies at random: nothing of the block is committed,
// or the commit is done and nobody hears of it.
type crashing struct {
	pipeline.Source
	left *int
	mu   *sync.Mutex
}

func (c crashing) crash() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.left > 0 && rand.N(12) == 0 {
		*c.left--
		return true
	}
	return false
}

func (c crashing) Take(ctx context.Context, b *telemetry.Batch) error {
	if err := c.Source.Take(ctx, b); err != nil {
		return err
	}
	if c.crash() {
		return fmt.Errorf("%w: crash after the plan", pipeline.ErrLost)
	}
	return nil
}

func (c crashing) Commit(ctx context.Context, block telemetry.Block) error {
	if c.crash() {
		return fmt.Errorf("%w: crash before the commit", pipeline.ErrLost)
	}
	if err := c.Source.Commit(ctx, block); err != nil {
		return err
	}
	if c.crash() {
		return fmt.Errorf("%w: crash after the commit", pipeline.ErrLost)
	}
	return nil
}

// TestCrashesWithKafka crashes members at every step; blocks must be formed
// again exactly, whoever gets the partition.
func TestCrashesWithKafka(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		h := newHarness(t, cluster, 3)
		crashes := 30
		var mu sync.Mutex
		stop := h.load(3, 4)
		for range 2 {
			h.join(func(s pipeline.Source) pipeline.Source { return crashing{s, &crashes, &mu} })
		}
		deadline := time.Now().Add(40 * time.Second)
		for time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			left := crashes
			mu.Unlock()
			if left == 0 {
				break
			}
		}
		stop()
		h.settle()
		t.Logf("%d rows in %d blocks, %d replays, %d crashes left", h.sink.Len(), h.sink.Blocks, h.sink.Replays, crashes)
		if h.sink.Replays == 0 {
			t.Error("no block was formed again: the test tests nothing")
		}
	})
}

// TestBrokerRestart restarts the broker under load.
func TestBrokerRestart(t *testing.T) {
	dir := t.TempDir()
	options := []kfake.Opt{kfake.DataDir(dir)}
	cluster := kafkatest.Embedded(t, options...)
	var port int
	if _, err := fmt.Sscanf(cluster.Addrs[0], "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, cluster, 3)
	stop := h.load(3, 3)
	h.join(nil)
	h.join(nil)
	for range 3 {
		time.Sleep(800 * time.Millisecond)
		cluster.Fake.Close()
		time.Sleep(300 * time.Millisecond)
		cluster = kafkatest.Embedded(t, append(options, kfake.Ports(port))...)
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	h.settle()
	t.Logf("%d rows in %d blocks, %d replays", h.sink.Len(), h.sink.Blocks, h.sink.Replays)
}
