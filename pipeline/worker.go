package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// NamedProcessor is a processor with the name it has in the registry.
type NamedProcessor struct {
	Name string
	Processor
}

// NamedSink is a sink with the name that logs and metrics use.
type NamedSink struct {
	Name string
	Sink
}

// Worker moves the blocks of one partition through a pipeline. It is sequential
// and starts no goroutine.
//
// There are three kinds of failure. What is wrong with the data is in
// Batch.Rejects and goes through the sinks like everything else. What is wrong
// with a sink is expected to pass: the write is repeated until it succeeds. An
// error of a processor, or a panic anywhere, is a bug: Run returns it, nothing
// of the block is committed, and the process is expected to stop.
type Worker struct {
	Source     Source
	Decode     Decoder
	Processors []NamedProcessor
	Sinks      []NamedSink

	// Snapshots keeps the state of processors that have one; nil leaves it in
	// memory, and a restart begins without.
	Snapshots SnapshotStore
	State     StateConfig

	Log     *slog.Logger
	Metrics *WorkerMetrics
	// Now is the clock for metrics and pauses; nil for the wall clock.
	Now func() time.Time
	// Pause waits before a failed write is repeated; nil waits in real time.
	Pause func(ctx context.Context, attempt int)

	state *stateKeeper // nil where no state is to be saved
	// taken is what Take fills; rows have memory only while a block is under way.
	taken telemetry.Batch
	// room is that of the pipeline.
	room *Room
}

// Run moves blocks until the context ends or the partition is lost (nil), or
// until something is broken (the error).
func (w *Worker) Run(ctx context.Context) error {
	if w.Now == nil {
		w.Now = time.Now
	}
	if w.Pause == nil {
		w.Pause = pause
	}
	if w.room == nil {
		w.room = NewRoom(math.MaxInt64)
	}
	err := w.restore(ctx)
	defer func() { w.state.close() }()
	for err == nil {
		err = w.step(ctx)
	}
	if errors.Is(err, ErrLost) || ctx.Err() != nil {
		return nil
	}
	return err
}

// step moves one block.
func (w *Worker) step(ctx context.Context) (err error) {
	b := &w.taken
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in block %d-%d of %s/%d: %v\n%s", b.From, b.To, b.Topic, b.Partition, r, debug.Stack())
		}
	}()
	w.expect()
	start := w.Now()
	if err := w.Source.Take(ctx, b); err != nil {
		return fmt.Errorf("taking a block: %w", err)
	}
	taken := w.Now()
	size := w.room.sizeOf(b.Records)
	if err := w.room.enter(ctx, size); err != nil {
		return err
	}
	defer w.room.leave(size)
	b = w.room.batch()
	b.Adopt(&w.taken)
	if err := w.move(ctx, b, start, taken); err != nil {
		return err
	}
	w.room.giveBack(b)
	return nil
}

// move moves a block that was waited for from start until taken, and then for room.
func (w *Worker) move(ctx context.Context, b *telemetry.Batch, start, taken time.Time) error {
	m := w.Metrics.partition(b.Topic, b.Partition)
	m.step(stepTake, start, taken)
	taken = m.step(stepWait, taken, w.Now())
	if b.Replayed {
		return w.replay(ctx, b, m, taken)
	}
	if len(b.Records) > 0 {
		if err := w.work(ctx, b, m, taken); err != nil {
			return err
		}
	}
	before := w.Now()
	if err := w.Source.Commit(ctx, b.Block); err != nil {
		return err
	}
	after := w.Now()
	m.step(stepCommit, before, after)
	m.done(b, after)
	if w.state != nil {
		w.state.note(b)
		w.state.committed(ctx, &b.Block)
	}
	return nil
}

// expect tells the source whether processors wait for their clock to go on.
func (w *Worker) expect() {
	source, ok := w.Source.(Idler)
	if !ok {
		return
	}
	for _, p := range w.Processors {
		if m, ok := p.Processor.(Measured); ok {
			if items, _ := m.Held(); items > 0 {
				source.IdleAfter(w.State.IdleAfter)
				return
			}
		}
	}
	source.IdleAfter(0)
}

// replay makes the processors see a block again that is stored already.
func (w *Worker) replay(ctx context.Context, b *telemetry.Batch, m *partitionMetrics, at time.Time) error {
	m.replayed.Add(float64(len(b.Records)))
	if w.state != nil {
		w.state.note(b)
	}
	return w.process(ctx, b, m, at)
}

// process decodes a block and runs it through the processors.
func (w *Worker) process(ctx context.Context, b *telemetry.Batch, m *partitionMetrics, at time.Time) error {
	w.Decode(b)
	at = m.step(stepDecode, at, w.Now())
	for _, p := range w.Processors {
		if err := p.Process(ctx, b); err != nil {
			return fmt.Errorf("processor %s in block %d-%d of %s/%d: %w", p.Name, b.From, b.To, b.Topic, b.Partition, err)
		}
	}
	m.step(stepProcess, at, w.Now())
	return nil
}

// work decodes, processes and writes a block.
func (w *Worker) work(ctx context.Context, b *telemetry.Batch, m *partitionMetrics, at time.Time) error {
	if err := w.process(ctx, b, m, at); err != nil {
		return err
	}
	for _, s := range w.Sinks {
		if err := w.write(ctx, s, b, m); err != nil {
			return err
		}
	}
	return nil
}

// warnEvery is the least time between two log lines about a stuck sink.
const warnEvery = 10 * time.Second

// write writes the batch to one sink, however long that takes.
func (w *Worker) write(ctx context.Context, s NamedSink, b *telemetry.Batch, m *partitionMetrics) error {
	start := w.Now()
	var warned time.Time
	for attempt := 0; ; attempt++ {
		err := s.Write(ctx, b)
		now := w.Now()
		if err == nil {
			m.step(stepWrite, start, now)
			if attempt > 0 {
				m.stuck.Set(0)
				w.Log.Info("sink takes data again", "sink", s.Name, "topic", b.Topic, "partition", b.Partition,
					"stuck", now.Sub(start).Round(time.Millisecond), "attempts", attempt+1)
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("writing to sink %s: %w", s.Name, context.Cause(ctx))
		}
		m.retried.WithLabelValues(b.Topic, m.number, s.Name).Inc()
		m.stuck.Set(now.Sub(start).Seconds())
		if now.Sub(warned) >= warnEvery {
			warned = now
			w.Log.Warn("sink does not take data, trying again", "sink", s.Name, "topic", b.Topic, "partition", b.Partition,
				"from", b.From, "to", b.To, "attempt", attempt+1, "error", err)
		}
		w.Pause(ctx, attempt)
	}
}

// pause waits longer after each attempt, up to five seconds.
func pause(ctx context.Context, attempt int) {
	wait := min(100*time.Millisecond<<min(attempt, 10), 5*time.Second)
	wait = wait/2 + rand.N(wait/2) //nolint:gosec // jitter, not a secret
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
