package topic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/goshawk-observability/goshawk/internal/kafka"
)

// prepare sets the fetcher to an offset and remembers the batch ids before it.
func (f *fetcher) prepare(ctx context.Context, b *beginning) error {
	offset, c, bounds := b.from, b.commitment, b.bounds
	f.position, f.committed, f.epoch, f.at, f.plan = offset, b.committed, c.epoch, c.at, c
	cfg := &f.s.c.cfg
	f.window = newWindow(cfg.RepeatWindow, cfg.RepeatIDs)
	if cfg.RepeatIDs == 0 || cfg.RepeatWindow == 0 || offset <= bounds.First || offset > bounds.Next {
		return nil
	}
	from := bounds.First
	if kept := f.s.c.kept.take(f.s.partition); kept != nil && kept.epoch == c.epoch && offset == b.committed {
		// This process had the partition before. Of the time before the committed
		// offset it may have forgotten what counted then.
		f.window = kept.window
		f.window.truncate(offset)
		from = kept.position
	}
	if from >= offset {
		return nil
	}
	start := time.Now()
	read, err := f.readBack(ctx, from, offset, bounds)
	if err != nil {
		return fmt.Errorf("reading back batch ids: %w", err)
	}
	f.s.log.Info("batch ids read back", "ids", f.window.len(), "bytes", read, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// keptWindow is the window of a partition whose generation has ended. Mostly
// this process gets the partition back in the next one.
type keptWindow struct {
	window   *window
	position int64 // the window has what is before
	epoch    uint32
}

// keptWindows are the kept windows of a consumer.
type keptWindows struct {
	mu  sync.Mutex
	all map[int32]*keptWindow
}

func (k *keptWindows) put(partition int32, w *keptWindow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = make(map[int32]*keptWindow)
	}
	k.all[partition] = w
}

func (k *keptWindows) take(partition int32) *keptWindow {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.all[partition]
	delete(k.all, partition)
	return w
}

// only forgets the windows of all partitions but those of a generation.
func (k *keptWindows) only(partitions []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p := range k.all {
		if !slices.Contains(partitions, int(p)) {
			delete(k.all, p)
		}
	}
}

// readBack reads the headers of the records in [begin, offset), as far as they
// are in the window. It returns how many bytes it fetched. Kafka cannot send headers without values,
// so what is read is bounded: where the window holds more than that, it begins
// later.
func (f *fetcher) readBack(ctx context.Context, begin, offset int64, bounds kafka.Offsets) (int64, error) {
	at := time.Now()
	if offset < bounds.Next {
		if t, err := f.timeOf(ctx, offset); err != nil {
			return 0, err
		} else if t > 0 {
			at = time.UnixMilli(t)
		}
	}
	from, err := f.s.c.client.OffsetAt(ctx, f.s.c.topic, f.s.partition, at.Add(-f.window.age))
	if err != nil {
		return 0, err
	}
	if from < 0 || from >= offset {
		return 0, nil
	}
	from = max(from, begin, bounds.First, offset-int64(f.window.max))
	limit := int64(f.s.c.cfg.RepeatBytes)
	total := int64(0)
	for skipped := false; from < offset && total < 2*limit; {
		n, next, err := f.readIDs(ctx, from, offset)
		if err != nil {
			return total, err
		}
		total += n
		if !skipped {
			skipped = true
			// Leave out the oldest where all of it would be too much.
			if per := max(n/max(next-from, 1), 1); (offset-next)*per > limit {
				next = max(next, offset-limit/per)
			}
		}
		from = next
	}
	f.window.evict()
	return total, nil
}

// timeOf returns the timestamp of the record at an offset, 0 where there is none.
func (f *fetcher) timeOf(ctx context.Context, offset int64) (int64, error) {
	fetched, err := f.s.c.client.Fetch(ctx, kafka.FetchRequest{
		Topic: f.s.c.topic, Partition: f.s.partition, Offset: offset, MinBytes: 1, MaxBytes: 1, MaxWait: 100 * time.Millisecond,
	})
	if err != nil {
		return 0, err
	}
	defer fetched.Release()
	at := int64(math.MaxInt64)
	_, memory, err := fetched.ReadBatch(func(r *kafka.FetchedRecord) {
		if r.Offset >= offset {
			at = min(at, r.Timestamp)
		}
	})
	if memory != nil {
		memory.Release()
	}
	if err != nil || at == math.MaxInt64 {
		return 0, nil //nolint:nilerr // a batch that cannot be read is dealt with when its turn comes
	}
	return at, nil
}

// readIDs reads one answer's batch ids of the records in [from, to). It returns
// the bytes that were fetched, and the offset to go on at.
func (f *fetcher) readIDs(ctx context.Context, from, to int64) (bytes, next int64, err error) {
	fetched, err := f.s.c.client.Fetch(ctx, kafka.FetchRequest{
		Topic: f.s.c.topic, Partition: f.s.partition, Offset: from,
		MinBytes: 1, MaxBytes: int32(f.s.c.cfg.FetchBytes), MaxWait: f.s.c.cfg.FetchWait,
	})
	if err != nil {
		return 0, from, err
	}
	defer fetched.Release()
	bytes = int64(fetched.Len())
	if bytes == 0 {
		return 0, to, nil // nothing there: a log may end early
	}
	next = from
	for next < to {
		batch, memory, err := fetched.ReadBatch(func(r *kafka.FetchedRecord) {
			if r.Offset < from || r.Offset >= to {
				return
			}
			if e := readEnvelope(r); !e.id.IsZero() {
				at := e.received
				if at == 0 {
					at = r.Timestamp * int64(time.Millisecond)
				}
				f.window.add(e.id, r.Offset, at)
			}
		})
		if memory != nil {
			memory.Release()
		}
		if errors.Is(err, io.EOF) {
			break
		}
		next = max(batch.Next, next) // a broken batch has no ids
	}
	if next == from {
		next = to
	}
	return bytes, next, nil
}
