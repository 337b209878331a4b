package topic

import (
	"context"
	"math"

	"github.com/goshawk-observability/goshawk/internal/kafka"
)

// replay reads what was committed before and hands it over again, in blocks of
// its own. It returns false where the context has ended. What has gone meanwhile
// is left out: it was stored when it was there.
func (f *fetcher) replay(ctx context.Context) bool {
	for f.position < f.committed && ctx.Err() == nil {
		f.s.c.memory.wait(ctx)
		f.open()
		f.block.replayed = true
		f.limit = f.committed
		for !f.full(f.block) && ctx.Err() == nil {
			f.read(ctx, 1, f.s.c.cfg.FetchWait)
		}
		if !f.handOver(ctx, nil) {
			return false
		}
	}
	f.limit = math.MaxInt64
	f.drop() // may hold records after the committed offset, which a plan may treat otherwise
	return ctx.Err() == nil
}

// endReplay is called where there is nothing at the position: a log that ends
// before what was committed will be dealt with by whoever reads on.
func (f *fetcher) endReplay(end int64) {
	if end <= f.position {
		f.skipReplay(f.committed, "kafka has lost the end of the partition")
	}
}

// missReplay is called where the position is not in the log.
func (f *fetcher) missReplay(bounds kafka.Offsets) {
	if f.position < bounds.First {
		f.skipReplay(min(bounds.First, f.committed), "kafka has deleted records since")
		return
	}
	f.endReplay(bounds.Next)
}

func (f *fetcher) skipReplay(next int64, why string) {
	f.s.log.Warn("records that state is made of cannot be read again; rows of this time may be incomplete",
		"offset", f.position, "records", next-f.position, "reason", why)
	f.position, f.block.to = next, next
}
