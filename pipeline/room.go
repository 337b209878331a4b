package pipeline

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Room is what the workers of a pipeline share: it bounds the blocks that they work on
// at a time, and keeps the memory of batches between them. A block's rows take
// several times the memory of its records, and where a pipeline is behind all of its
// partitions have large blocks at once.
type Room struct {
	bytes    int64
	inFlight *semaphore.Weighted

	mu      sync.Mutex
	batches []*telemetry.Batch // empty; the one that was used last is taken first
}

// NewRoom makes room for blocks whose records have that many bytes together. A
// block that is larger waits until it is alone.
func NewRoom(bytes int64) *Room {
	return &Room{bytes: bytes, inFlight: semaphore.NewWeighted(bytes)}
}

// Trim lets go of memory that no block needs just now.
func (r *Room) Trim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = nil
}

// sizeOf is the room that a block with the records takes.
func (r *Room) sizeOf(records []telemetry.Record) int64 {
	size := int64(0)
	for i := range records {
		size += int64(len(records[i].Value))
	}
	return min(size, r.bytes)
}

// enter waits for room, in the order of the calls.
func (r *Room) enter(ctx context.Context, size int64) error {
	return r.inFlight.Acquire(ctx, size) //nolint:wrapcheck // the context's
}

func (r *Room) leave(size int64) { r.inFlight.Release(size) }

// batch returns an empty batch.
func (r *Room) batch() *telemetry.Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.batches)
	if n == 0 {
		return new(telemetry.Batch)
	}
	b := r.batches[n-1]
	r.batches[n-1], r.batches = nil, r.batches[:n-1]
	return b
}

// giveBack empties a batch for other workers.
func (r *Room) giveBack(b *telemetry.Batch) {
	b.Reset()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, b)
}
