package topic

import (
	"context"
	"time"

	"github.com/goshawk-observability/goshawk/internal/kafka"
)

// What Kafka lost is never passed over in silence: an error in the log and the
// counter goshawk_source_lost_records_total say so.

// endPatience is how long the end of the log may be before the position until
// that counts as a loss: after a new leader was elected the end lags for a
// moment.
const endPatience = 10 * time.Second

// brokenAttempts is how often a batch that cannot be decoded is fetched again.
const brokenAttempts = 5

// outOfRange deals with a position that is not in the log.
func (f *fetcher) outOfRange(ctx context.Context) {
	bounds, err := f.s.c.client.PartitionOffsets(ctx, f.s.c.topic, f.s.partition)
	if err != nil {
		f.fetchFailed(ctx, err)
		return
	}
	switch {
	case f.block.replayed:
		f.missReplay(bounds)
	case f.position < bounds.First:
		next := min(bounds.First, f.limit)
		f.lose(next-f.position, "kafka has deleted records before they were read", "continue", next)
		if f.block.to == f.block.from && !f.block.planned {
			f.block.from = next
		}
		f.position, f.block.to = next, next
		f.block.opened = time.Now()
	case f.position > bounds.Next:
		f.endBefore(ctx, bounds.Next)
	default:
		backoff(ctx, f.attempts) // it is in range by now
		f.attempts++
	}
}

// waitForEnd is called after an empty answer. While a planned block is formed
// again, its records must be there.
func (f *fetcher) waitForEnd(ctx context.Context, end int64) {
	if f.planned != nil && end <= f.position {
		f.endBefore(ctx, end)
	}
}

// endBefore deals with a log that ends before offsets which were there. After
// some patience it goes on with what is younger than all that was read, in a
// new epoch: offsets are given a second time now.
func (f *fetcher) endBefore(ctx context.Context, end int64) {
	now := time.Now()
	if f.stuck.IsZero() {
		f.stuck = now
	}
	if now.Sub(f.stuck) < f.s.c.endPatience {
		backoff(ctx, 3)
		return
	}
	next, err := f.younger(ctx, end)
	if err != nil {
		f.fetchFailed(ctx, err)
		return
	}
	f.stuck = time.Time{}
	lost := int64(0)
	if f.planned != nil {
		lost = f.plan.to - f.position
	}
	f.lose(lost, "kafka has lost the end of the partition", "end", end, "continue", next)
	f.epoch = newEpoch()
	f.position = next
	if b := f.block; b.to == b.from && f.planned == nil {
		b.epoch, b.from, b.to = f.epoch, next, next
	}
}

// younger returns the offset of the first record that was written after the
// last one that was read.
func (f *fetcher) younger(ctx context.Context, end int64) (int64, error) {
	if f.at <= 0 {
		return end, nil
	}
	next, err := f.s.c.client.OffsetAt(ctx, f.s.c.topic, f.s.partition, time.UnixMilli(f.at+1))
	if err != nil {
		return 0, err
	}
	if next < 0 || next > end {
		next = end
	}
	return next, nil
}

// batchFailed deals with a batch that cannot be decoded.
func (f *fetcher) batchFailed(ctx context.Context, batch *kafka.Batch, err error) {
	f.drop()
	if f.broken++; f.broken < brokenAttempts {
		f.warn("record batch cannot be read, trying again", err)
		backoff(ctx, f.broken)
		return
	}
	f.broken = 0
	next := min(max(batch.Next, f.position+1), f.limit)
	f.lose(next-f.position, "record batch cannot be read and is left out", "error", err, "continue", next)
	if f.block.to == f.block.from {
		f.block.opened = time.Now()
	}
	f.position, f.block.to = next, next
}

func (f *fetcher) lose(records int64, message string, args ...any) {
	f.s.metrics.lost.Add(float64(records))
	f.s.log.Error(message, append([]any{"offset", f.position, "lost", records}, args...)...)
}
