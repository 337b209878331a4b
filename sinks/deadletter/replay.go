package deadletter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
)

// Replay is what a replay did, or would do.
type Replay struct {
	Letters uint64 `json:"letters"`
	Events  uint64 `json:"events"`
	Bytes   uint64 `json:"bytes"`
	// Refused are the letters that Kafka will not take; they stay pending.
	Refused uint64 `json:"refused"`
	// Empty are the letters without a value, of which nothing can be produced:
	// those of series_limit, for example, only say what was left out. They stay
	// pending.
	Empty uint64 `json:"empty"`
}

// replayPage is how many letters are read, produced and marked at a time, and
// replayBytes how many bytes of them are produced together.
const (
	replayPage  = 100
	replayBytes = 4 << 20
)

// Replay produces the pending letters that the filter picks to the topic and
// partition they came from, and marks them as replayed. They go through decoding
// again with the present time as their receive time; what is still wrong comes
// back as a new dead letter. A replay that was interrupted is begun again: what
// was produced but not marked is recognised by its batch id within the window of
// the source. A dry run only counts.
func (s *Store) Replay(ctx context.Context, p pipeline.Producer, f Filter, dryRun bool) (Replay, error) {
	var done Replay
	f.Pending = true
	limit := f.Limit
	var after *Letter
	for {
		f.Limit = replayPage
		if limit > 0 {
			f.Limit = min(replayPage, limit-int(done.Letters+done.Refused))
		}
		if f.Limit == 0 {
			return done, nil
		}
		letters, err := s.read(ctx, f, after, !dryRun)
		if err != nil {
			return done, fmt.Errorf("replaying dead letters: %w", err)
		}
		rest := slices.DeleteFunc(slices.Clone(letters), func(l Letter) bool { return l.Size == 0 })
		done.Empty += uint64(len(letters) - len(rest))
		for len(rest) > 0 {
			n, size := 1, rest[0].Size
			for n < len(rest) && size+rest[n].Size <= replayBytes {
				size += rest[n].Size
				n++
			}
			if err := s.replay(ctx, p, rest[:n], dryRun, &done); err != nil {
				return done, fmt.Errorf("replaying dead letters: %w", err)
			}
			rest = rest[n:]
		}
		if len(letters) < f.Limit {
			return done, nil
		}
		after = &letters[len(letters)-1]
	}
}

func (s *Store) replay(ctx context.Context, p pipeline.Producer, letters []Letter, dryRun bool, done *Replay) error {
	refused := map[int]bool{}
	now := time.Now()
	if !dryRun {
		records := make([]pipeline.Message, len(letters))
		for i := range letters {
			l := &letters[i]
			partitions, err := p.Partitions(ctx, l.Topic)
			if err != nil {
				return err
			}
			records[i] = pipeline.Message{
				Topic: l.Topic, Partition: int32(l.Partition) % int32(max(partitions, 1)), Value: []byte(l.value), Tenant: l.Tenant,
				BatchID:  batchID("replay", l.Topic, int32(l.Partition), int64(l.Offset), l.Position, l.Time.UnixNano()),
				Received: now.UnixNano(), Events: int64(l.Events),
			}
		}
		numbers, err := produce(ctx, p, records)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			refused[n] = true
		}
	}
	var kept []Letter
	for i := range letters {
		if refused[i] {
			done.Refused++
			continue
		}
		kept = append(kept, letters[i])
		done.Letters++
		done.Events += letters[i].Events
		done.Bytes += letters[i].Size
	}
	if dryRun || len(kept) == 0 {
		return nil
	}
	return s.mark(ctx, kept, now)
}
