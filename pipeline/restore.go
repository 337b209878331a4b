package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How a worker came to the state that it began with, as metrics call it.
const (
	// startFresh: nothing of the partition was read before.
	startFresh = "fresh"
	// startSnapshot: from a snapshot and all records since.
	startSnapshot = "snapshot"
	// startGap: from a snapshot, but some of the records since are gone.
	startGap = "gap"
	// startReplay: there was no snapshot; some records were read again.
	startReplay = "replay"
	// startEmpty: there was none, and no records were read again.
	startEmpty = "empty"
)

// restore brings the state of the processors to where the partition was left, as
// far as that does not need records: those come again as replayed blocks.
func (w *Worker) restore(ctx context.Context) error {
	if w.state = newStateKeeper(w); w.state == nil {
		return nil
	}
	source, ok := w.Source.(Rewinder)
	if !ok {
		return fmt.Errorf("processor %s has a state, and the source cannot go back", w.state.processors[0].name)
	}
	at := source.Position()
	w.state.metrics = w.Metrics.partition(at.Topic, at.Partition)
	from, found, err := w.load(ctx, at)
	if err != nil {
		return err
	}
	how := startSnapshot
	switch {
	case found && from < at.First:
		how = startGap
		w.Log.Warn("records after the last snapshot of the processors' state are gone; rows of this time may be incomplete",
			"topic", at.Topic, "partition", at.Partition, "snapshot", from, "first", at.First)
		from = at.First
	case found:
	case at.Fresh:
		how, from = startFresh, at.Committed
	default:
		from = max(at.First, at.Committed-w.State.ReplayRecords)
		if how = startReplay; from >= at.Committed {
			how, from = startEmpty, at.Committed
		}
		w.Log.Warn("there is no snapshot of the processors' state; it begins without what came before",
			"topic", at.Topic, "partition", at.Partition, "from", from, "committed", at.Committed)
	}
	w.Metrics.starts.WithLabelValues(at.Topic, how).Inc()
	w.Log.Info("state of processors is restored", "topic", at.Topic, "partition", at.Partition, "how", how,
		"offset", from, "replayed", at.Committed-from)
	source.Rewind(from)
	if found {
		return nil
	}
	// From now on a restart comes to the same state as this one has.
	return w.again(ctx, "saving the first snapshot of the processors' state", func() error {
		return w.state.saveNow(ctx, &Snapshot{Topic: at.Topic, Partition: at.Partition, Epoch: at.Epoch, Offset: from})
	})
}

// load restores the latest snapshot that can be used, and returns its offset.
func (w *Worker) load(ctx context.Context, at Position) (from int64, found bool, err error) {
	err = w.again(ctx, "reading the snapshots of the processors' state", func() error {
		return w.Snapshots.Load(ctx, at.Topic, at.Partition, func(s *Snapshot) bool {
			if s.Epoch != at.Epoch || s.Offset > at.Committed {
				w.Metrics.unusable.WithLabelValues(at.Topic, "offset").Inc()
				return false
			}
			if err := w.state.restore(s); err != nil {
				w.Metrics.unusable.WithLabelValues(at.Topic, "content").Inc()
				w.Log.Error("snapshot of the processors' state cannot be used", "topic", at.Topic, "partition", at.Partition,
					"offset", s.Offset, "error", err)
				return false
			}
			from, found = s.Offset, true
			return true
		})
	})
	return from, found, err
}

// again calls f until it succeeds or the context ends.
func (w *Worker) again(ctx context.Context, doing string, f func() error) error {
	var warned time.Time
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if now := w.Now(); now.Sub(warned) >= warnEvery {
			warned = now
			w.Log.Warn("cannot begin with the partition yet, trying again", "doing", doing, "attempt", attempt+1, "error", err)
		}
		w.Pause(ctx, attempt)
	}
}
