package pipeline

import (
	"context"
	"fmt"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// stateKeeper saves the state of a worker's processors now and then. Only the
// making of a snapshot holds the worker up; it is written beside the work.
type stateKeeper struct {
	w          *Worker
	processors []namedState
	metrics    *partitionMetrics

	// offset is that of the last snapshot.
	offset int64
	// pending gets the outcome of the snapshot that is being written, nil where
	// there is none, and stop gives it up.
	pending <-chan error
	stop    context.CancelFunc
	// read is how many bytes were read since the last snapshot, size the size of
	// that.
	read, size int64
}

type namedState struct {
	name string
	Stateful
	size int // of its state in the last snapshot
}

// newStateKeeper returns nil where no processor has a state, or none is to be
// saved.
func newStateKeeper(w *Worker) *stateKeeper {
	k := &stateKeeper{w: w}
	for _, p := range w.Processors {
		if s, ok := p.Processor.(Stateful); ok {
			k.processors = append(k.processors, namedState{name: p.Name, Stateful: s})
		}
	}
	if len(k.processors) == 0 || w.Snapshots == nil {
		return nil
	}
	return k
}

// restore restores all states of a snapshot, or none. A processor that the
// snapshot knows nothing of was added since; it begins empty.
func (k *stateKeeper) restore(s *Snapshot) error {
	for i := range k.processors {
		p := &k.processors[i]
		var bytes []byte
		for j := range s.States {
			if s.States[j].Name == p.name {
				bytes = s.States[j].Bytes
			}
		}
		if err := p.Restore(bytes); err != nil {
			err = fmt.Errorf("processor %s: %w", p.name, err)
			for j := range i {
				if e := k.processors[j].Restore(nil); e != nil {
					return fmt.Errorf("%w, and %s cannot be emptied: %w", err, k.processors[j].name, e)
				}
			}
			return err
		}
	}
	return nil
}

// recordBytes is what a record counts for beside its value.
const recordBytes = 64

// note counts what was read.
func (k *stateKeeper) note(b *telemetry.Batch) {
	for i := range b.Records {
		k.read += int64(len(b.Records[i].Value)) + recordBytes
	}
}

// committed saves a snapshot where it is time for one. The state is that after
// the block, which is committed.
func (k *stateKeeper) committed(ctx context.Context, block *telemetry.Block) {
	k.showHeld()
	if k.pending != nil {
		select {
		case err := <-k.pending:
			k.written(err)
		default:
			return
		}
	}
	cfg := &k.w.State
	if k.read < max(int64(cfg.IntervalBytes), int64(cfg.IntervalRatio)*k.size) {
		return
	}
	start := k.w.Now()
	// The memory is only the store's: all partitions together would keep as much as
	// the states take.
	s := &Snapshot{Topic: block.Topic, Partition: block.Partition, Epoch: block.Epoch, Offset: block.To}
	k.offset, k.size = s.Offset, 0
	for i := range k.processors {
		p := &k.processors[i]
		bytes := p.Snapshot(make([]byte, 0, p.size+p.size/8))
		p.size = len(bytes)
		k.size += int64(p.size)
		s.States = append(s.States, State{Name: p.name, Bytes: bytes})
	}
	k.read = 0
	ctx, k.stop = context.WithCancel(ctx)
	k.pending = k.w.Snapshots.Save(ctx, s)
	k.metrics.paused.Add(max(k.w.Now().Sub(start).Seconds(), 0))
	k.metrics.snapshotBytes.Set(float64(k.size))
}

// written takes note of how a snapshot ended.
func (k *stateKeeper) written(err error) {
	k.stop()
	k.pending, k.stop = nil, nil
	if err == nil {
		k.metrics.saved.Inc()
		return
	}
	// The next one comes after the same interval: the one before still serves.
	k.metrics.saveFailed.Inc()
	k.w.Log.Warn("snapshot of the processors' state could not be saved", "topic", k.metrics.topic,
		"partition", k.metrics.number, "offset", k.offset, "error", err)
}

// saveNow saves a snapshot and waits for it.
func (k *stateKeeper) saveNow(ctx context.Context, s *Snapshot) error {
	return <-k.w.Snapshots.Save(ctx, s)
}

// close gives up what is being written. The next owner of the partition has the
// snapshot before.
func (k *stateKeeper) close() {
	if k != nil && k.pending != nil {
		k.stop()
		if err := <-k.pending; err == nil {
			k.metrics.saved.Inc()
		}
		k.pending = nil
	}
}

func (k *stateKeeper) showHeld() {
	for i := range k.processors {
		if m, ok := k.processors[i].Stateful.(Measured); ok {
			items, bytes := m.Held()
			k.metrics.held(k.processors[i].name, items, bytes)
		}
	}
}
