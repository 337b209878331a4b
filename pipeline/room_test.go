package pipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestRoom has many workers come and go: together they never have more than there is
// room for, and a block that is larger than all of it is alone.
func TestRoom(t *testing.T) {
	const bytes = 100
	r := NewRoom(bytes)
	var inside atomic.Int64
	var alone atomic.Int64
	var workers sync.WaitGroup
	for seed := range uint64(8) {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 500 {
				length := random.IntN(2 * bytes)
				size := r.sizeOf([]telemetry.Record{{Value: make([]byte, length/2)}, {Value: make([]byte, length-length/2)}})
				if err := r.enter(t.Context(), size); err != nil {
					t.Error(err)
					return
				}
				b := r.batch()
				now := inside.Add(size)
				if now > bytes || length >= bytes && now != size {
					t.Errorf("blocks with %d bytes at a time", now)
				}
				if length >= bytes {
					alone.Add(1)
				}
				if len(b.Records) > 0 {
					t.Error("a batch is not empty")
				}
				b.Records = append(b.Records, telemetry.Record{Offset: 1})
				inside.Add(-size)
				r.giveBack(b)
				r.leave(size)
			}
		})
	}
	workers.Wait()
	if alone.Load() == 0 {
		t.Error("no block was larger than the room")
	}
}

func TestRoomEnds(t *testing.T) {
	r := NewRoom(10)
	if err := r.enter(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.enter(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for room after the end: %v", err)
	}
}

func TestRoomKeepsBatches(t *testing.T) {
	r := NewRoom(1)
	first, second := r.batch(), r.batch()
	r.giveBack(first)
	r.giveBack(second)
	if got := r.batch(); got != second {
		t.Error("the batch that was used last does not come first")
	}
	r.Trim()
	if got := r.batch(); got == first {
		t.Error("a batch is kept that was to go")
	}
}
