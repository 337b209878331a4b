package topic

import (
	"context"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// While a partition is silent, a processor that remembers records does not learn
// that time goes on. So whoever has the partition writes that into it: a record
// that brings nothing but its receive time. What processors do stays a function
// of the records, whoever reads them and whenever.

// longestSilence bounds the time between two idle records, which doubles from one
// to the next, and maxDoublings how often.
const (
	longestSilence = time.Minute
	maxDoublings   = 16
)

// idleTimeout bounds one attempt to write an idle record.
const idleTimeout = 5 * time.Second

// silence is what a source knows of the time in which nothing came.
type silence struct {
	// after is how long nothing must come until the first idle record, 0 for never,
	// and doublings how often that was doubled since.
	after     time.Duration
	doublings int
	// behind is by how many milliseconds the timestamps of the records that came
	// were behind this process's clock, at the least; known is set where some came.
	behind int64
	known  bool
	// warned is when the log last said that a record could not be written.
	warned time.Time
}

var _ pipeline.Idler = (*source)(nil)

// IdleAfter implements pipeline.Idler.
func (s *source) IdleAfter(silence time.Duration) { s.silence.after = silence }

// heard takes note of records that came at a time, the latest with a timestamp in
// milliseconds, 0 where there was none. Idle ones do not end a silence.
func (s *silence) heard(timestamp int64, now time.Time, idle bool) {
	if behind := now.UnixMilli() - timestamp; timestamp > 0 && (!s.known || behind < s.behind) {
		s.behind, s.known = behind, true
	}
	if !idle {
		s.doublings = 0
	}
}

// wait returns how long to wait until the next idle record.
func (s *silence) wait() time.Duration {
	return min(s.after<<s.doublings, max(s.after, longestSilence))
}

// received is the receive time of an idle record: the present by the clock of
// those who wrote the records, as far as that is not ahead of this process's.
// Otherwise a clock that is ahead would close what is still to come.
func (s *silence) received(now time.Time) int64 {
	return now.UnixNano() - max(s.behind, 0)*int64(time.Millisecond)
}

// next waits for a block, and writes idle records meanwhile.
func (s *source) next(ctx context.Context) (*block, error) {
	for {
		if b, err := s.await(ctx); b != nil || err != nil {
			return b, err
		}
		s.writeIdle(ctx)
	}
}

// await waits for a block. It returns none where it is time for an idle record.
func (s *source) await(ctx context.Context) (*block, error) {
	var silent <-chan time.Time
	if s.silence.after > 0 && s.c.idle != nil {
		timer := time.NewTimer(s.silence.wait())
		defer timer.Stop()
		silent = timer.C
	}
	select {
	case b := <-s.fetcher.blocks:
		s.silence.heard(b.at, time.Now(), allIdle(b.records))
		return b, nil
	case <-silent:
		return nil, nil //nolint:nilnil // that is the third outcome
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func allIdle(records []telemetry.Record) bool {
	for i := range records {
		if !records[i].Idle {
			return false
		}
	}
	return true
}

// writeIdle writes an idle record, unless there are records that were not taken:
// then the partition is not silent.
func (s *source) writeIdle(ctx context.Context) {
	if s.end.Load() > s.committed.Load() {
		return
	}
	received := s.silence.received(time.Now())
	part := Part{
		Topic: s.c.topic, Partition: s.partition, Value: []byte{}, Tenant: telemetry.DefaultTenant, Received: received,
		BatchID: RequestID(telemetry.DefaultTenant, fmt.Appendf(nil, "idle/%s/%d/%d", s.c.topic, s.partition, received)),
		Headers: []kafka.Header{{Key: HeaderIdle, Value: []byte{1}}},
	}
	ctx, cancel := context.WithTimeout(ctx, idleTimeout)
	defer cancel()
	err := s.c.idle.Produce(ctx, []Part{part})
	if err == nil {
		s.silence.doublings = min(s.silence.doublings+1, maxDoublings)
		s.metrics.all.idle.With(s.metrics.with("outcome", "written")).Inc()
		return
	}
	s.metrics.all.idle.With(s.metrics.with("outcome", "failed")).Inc()
	if now := time.Now(); now.Sub(s.silence.warned) > 10*time.Second {
		s.silence.warned = now
		s.log.Warn("cannot tell the silent partition the time, trying again", "error", err)
	}
}
