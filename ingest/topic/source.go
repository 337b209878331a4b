package topic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// source is a partition during one generation of the group. Its fetcher runs in
// a goroutine and gathers the next block while the pipeline works on this one.
type source struct {
	c         *Consumer
	member    *membership
	gen       *kafkago.Generation
	partition int32
	log       *slog.Logger
	metrics   *partitionMetrics

	fetcher *fetcher
	// at is where the partition stood when it was assigned, and begin what the
	// fetcher begins with; it is nil once that is under way.
	at      pipeline.Position
	begin   *beginning
	current *block
	silence silence
	// end is the offset after the last record, as the broker last said, and
	// committed the group's offset.
	end, committed atomic.Int64

	// fetching ends the fetcher.
	fetching context.Context
	cancel   context.CancelFunc
	fetches  sync.WaitGroup
}

// beginning is what a fetcher begins with.
type beginning struct {
	// from is the first offset to read, less than the committed one where blocks
	// that are done are to come again.
	from       int64
	committed  int64
	commitment commitment
	bounds     kafka.Offsets
}

var _ pipeline.Rewinder = (*source)(nil)

// open reads what the group has committed for the partition. Fetching begins with
// the first Take.
func (c *Consumer) open(ctx context.Context, m *membership, g *kafkago.Generation, partition int32) (*source, error) {
	s := &source{
		c: c, member: m, gen: g, partition: partition,
		log:     c.log.With("partition", partition),
		metrics: c.metrics.partition(c.topic, partition),
	}
	s.fetcher = newFetcher(s)
	s.fetching, s.cancel = context.WithCancel(ctx)
	if err := s.again(ctx, "cannot read where the partition stands, trying again", s.locate); err != nil {
		s.cancel()
		s.metrics.forget()
		return nil, err
	}
	return s, nil
}

// again calls f until it succeeds, the context ends or trying again does not help.
func (s *source) again(ctx context.Context, complaint string, f func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := f(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, errLaterVersion) {
			return err
		}
		s.c.client.Reset()
		if attempt == 2 {
			s.log.Warn(complaint, "error", err)
		}
		backoff(ctx, attempt)
	}
}

// Position implements pipeline.Rewinder.
func (s *source) Position() pipeline.Position { return s.at }

// Rewind implements pipeline.Rewinder.
func (s *source) Rewind(from int64) {
	if s.begin != nil {
		s.begin.from = max(min(from, s.begin.committed), s.at.First)
	}
}

// start begins to fetch, with the batch ids remembered that came before.
func (s *source) start(ctx context.Context) error {
	err := s.again(ctx, "cannot read the batch ids before the partition's offset, trying again", func(ctx context.Context) error {
		return s.fetcher.prepare(ctx, s.begin)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	s.begin = nil
	s.fetches.Go(func() { s.fetcher.run(s.fetching) })
	return nil
}

// locate finds the offset to go on from.
func (s *source) locate(ctx context.Context) error {
	committed, err := s.c.client.Committed(ctx, s.c.group, s.c.topic, int(s.partition))
	if err != nil {
		return err
	}
	bounds, err := s.c.client.PartitionOffsets(ctx, s.c.topic, s.partition)
	if err != nil {
		return err
	}
	offset := committed[0].CommittedOffset
	c, ours, err := parseCommitment(committed[0].Metadata)
	switch {
	case offset >= 0 && errors.Is(err, errLaterVersion):
		return err
	case offset < 0:
		offset, c = bounds.First, commitment{epoch: newEpoch()}
		if offset > 0 {
			s.log.Info("partition is read for the first time; what was before is gone", "offset", offset)
		} else {
			s.log.Debug("partition is read for the first time", "offset", offset)
		}
	case err != nil || !ours:
		// Blocks from here on are new ones, even where their offsets are not.
		c = commitment{epoch: newEpoch()}
		s.log.Warn("offset was set by somebody else, going on from there", "offset", offset, "metadata", committed[0].Metadata)
	case c.to > 0 && c.to <= offset:
		return fmt.Errorf("commit metadata %q does not fit offset %d", committed[0].Metadata, offset)
	}
	s.end.Store(bounds.Next)
	s.committed.Store(offset)
	s.showLag()
	s.at = pipeline.Position{
		Topic: s.c.topic, Partition: s.partition, First: min(bounds.First, offset), Committed: offset,
		Epoch: c.epoch, Fresh: committed[0].CommittedOffset < 0,
	}
	s.silence.heard(c.at, time.Now(), false)
	s.begin = &beginning{from: offset, committed: offset, commitment: c, bounds: bounds}
	return nil
}

// newEpoch returns a random Block.Epoch.
func newEpoch() uint32 { return max(rand.Uint32(), 1) } //nolint:gosec // unique, not secret

func (s *source) close() {
	s.cancel()
	s.fetches.Wait()
	s.releaseCurrent()
	s.fetcher.close()
	f := s.fetcher
	if s.begin != nil || f.position < f.committed {
		// The window that was kept before, if any, still serves.
		s.metrics.forget()
		return
	}
	s.c.kept.put(s.partition, &keptWindow{window: f.window, position: f.position, epoch: f.epoch})
	s.metrics.forget()
}

func (s *source) releaseCurrent() {
	if s.current != nil {
		s.current.release(s.c.memory)
		s.fetcher.recycle(s.current)
		s.current = nil
	}
}

// Take implements pipeline.Source.
func (s *source) Take(ctx context.Context, b *telemetry.Batch) error {
	clear(b.Records)
	b.Records = b.Records[:0]
	s.releaseCurrent()
	if s.begin != nil {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	blk, err := s.next(ctx)
	if err != nil {
		return err
	}
	s.current = blk
	if !blk.planned && !blk.replayed && len(blk.records) > 0 {
		plan := commitment{epoch: blk.epoch, at: blk.at, to: blk.to, repeats: blk.repeats}
		if err := s.commit(blk.from, plan.String()); err != nil {
			return fmt.Errorf("planning block %d-%d: %w", blk.from, blk.to, err)
		}
	}
	b.Block = telemetry.Block{
		Topic: s.c.topic, Partition: s.partition, From: blk.from, To: blk.to, Signal: s.c.signal, Epoch: blk.epoch,
	}
	b.Begun, b.Replayed = blk.planned, blk.replayed
	b.Records, blk.records = blk.records, b.Records
	if !blk.replayed {
		s.metrics.blocks.Inc()
	}
	return nil
}

// Commit implements pipeline.Source.
func (s *source) Commit(_ context.Context, block telemetry.Block) error {
	done := commitment{epoch: block.Epoch, at: s.current.at}
	if err := s.commit(block.To, done.String()); err != nil {
		return fmt.Errorf("committing block %d-%d: %w", block.From, block.To, err)
	}
	s.committed.Store(block.To)
	s.showLag()
	return nil
}

func (s *source) showLag() {
	s.metrics.lag.Set(float64(max(s.end.Load()-s.committed.Load(), 0)))
}

// commitTimeout bounds one attempt to commit.
const commitTimeout = 5 * time.Second

// commit writes offset and metadata for the partition, fenced by the
// generation.
//
// A commit whose outcome is not known may still be under way to the broker, and
// must not be applied after a later one: that would set the group back to the
// middle of blocks that were formed differently. So after such a commit the
// membership ends, and the broker refuses whatever comes from it. For the same
// reason the end of a generation does not interrupt a commit.
func (s *source) commit(offset int64, metadata string) error {
	request := &kafkago.OffsetCommitRequest{
		GroupID:      s.c.group,
		GenerationID: int(s.gen.ID),
		MemberID:     s.gen.MemberID,
		Topics: map[string][]kafkago.OffsetCommit{
			s.c.topic: {{Partition: int(s.partition), Offset: offset, Metadata: metadata}},
		},
	}
	deadline := time.Now().Add(s.c.cfg.SessionTimeout)
	for attempt := 0; ; attempt++ {
		err := s.tryCommit(request)
		if err == nil {
			return nil
		}
		s.metrics.all.commitErrors.With(s.metrics.with("error", kafka.Code(err))).Inc()
		var code kafkago.Error
		switch {
		case !errors.As(err, &code), code == kafkago.RequestTimedOut, code == kafkago.Unknown:
			s.c.client.Reset()
			s.member.resign()
			return fmt.Errorf("%w: outcome of the commit is not known: %w", pipeline.ErrLost, err)
		case code == kafkago.IllegalGeneration, code == kafkago.UnknownMemberId, code == kafkago.RebalanceInProgress,
			code == kafkago.FencedInstanceID:
			return fmt.Errorf("%w: %w", pipeline.ErrLost, err)
		case code == kafkago.OffsetMetadataTooLarge:
			return fmt.Errorf("broker refuses %d bytes of commit metadata; its offset.metadata.max.bytes must be at least %d: %w",
				len(metadata), maxMetadata, err)
		case time.Now().After(deadline):
			s.member.resign()
			return fmt.Errorf("%w: %w", pipeline.ErrLost, err)
		}
		s.c.client.Reset()
		backoff(context.Background(), attempt)
	}
}

func (s *source) tryCommit(request *kafkago.OffsetCommitRequest) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	response, err := s.c.client.API().OffsetCommit(ctx, request)
	if err != nil {
		return err
	}
	partitions := response.Topics[s.c.topic]
	if len(partitions) != 1 || partitions[0].Partition != int(s.partition) {
		return errors.New("answer to the commit does not name the partition")
	}
	return partitions[0].Error
}

// backoff waits longer after each attempt, up to two seconds.
func backoff(ctx context.Context, attempt int) {
	wait := min(50*time.Millisecond<<min(attempt, 10), 2*time.Second)
	wait = wait/2 + rand.N(wait/2) //nolint:gosec // jitter, not a secret
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
