package topic

import (
	"context"
	"sync/atomic"
	"time"
)

// budget bounds the memory of the blocks of all partitions of a process.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) add(n int64) { b.used.Add(n) }

// over reports whether the blocks take more than they should.
func (b *budget) over() bool { return b.used.Load() >= b.limit }

// wait returns when there is room. What takes the room is on its way through a
// pipeline, and none of that waits for the caller.
func (b *budget) wait(ctx context.Context) {
	const pause = 10 * time.Millisecond
	if !b.over() {
		return
	}
	timer := time.NewTicker(pause)
	defer timer.Stop()
	for b.over() {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}
