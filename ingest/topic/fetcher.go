package topic

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// fetcher reads a partition and gathers its records into blocks. It is used by
// one goroutine, except for recycle and the channel of blocks.
type fetcher struct {
	s      *source
	blocks chan *block
	// unused holds a block whose memory can be used again.
	unused chan *block

	window   *window
	tenants  map[string]string
	epoch    uint32
	at       int64      // the latest timestamp of a record read so far
	plan     commitment // of the first block; to is 0 where there is none
	position int64      // the next offset to read
	// committed is the offset up to which blocks were done when the partition was
	// assigned; what is read before it is replayed.
	committed int64
	limit     int64 // read no further
	fetched   *kafka.Fetched
	attempts  int // failed fetches in a row
	warned    time.Time
	// stuck is since when the end of the log is before what should be there.
	stuck time.Time
	// broken counts failed attempts to read the batch at position.
	broken int

	// What visit adds to, while a batch is read.
	block   *block
	planned map[int64]bool // repeats of the planned block
	kept    bool
	visit   func(*kafka.FetchedRecord)
}

func newFetcher(s *source) *fetcher {
	f := &fetcher{
		s:       s,
		blocks:  make(chan *block),
		unused:  make(chan *block, 1),
		window:  newWindow(s.c.cfg.RepeatWindow, s.c.cfg.RepeatIDs),
		tenants: make(map[string]string),
		limit:   math.MaxInt64,
	}
	f.visit = f.add
	return f
}

// close gives memory back. The goroutine has ended.
func (f *fetcher) close() {
	f.drop()
	if f.block != nil {
		f.block.release(f.s.c.memory)
		f.block = nil
	}
}

// drop forgets what is fetched and not read yet.
func (f *fetcher) drop() {
	if f.fetched != nil {
		f.fetched.Release()
		f.fetched = nil
	}
}

// recycle takes a block that nobody uses any more.
func (f *fetcher) recycle(b *block) {
	select {
	case f.unused <- b:
	default:
	}
}

// open starts a new block at the position.
func (f *fetcher) open() {
	f.window.evict()
	b := new(block)
	select {
	case b = <-f.unused:
		*b = block{records: b.records[:0], memory: b.memory[:0], repeats: b.repeats[:0]}
	default:
	}
	b.epoch, b.from, b.to = f.epoch, f.position, f.position
	f.block = b
}

// run fetches until the context ends.
func (f *fetcher) run(ctx context.Context) {
	if !f.replay(ctx) || f.plan.to > 0 && !f.repeat(ctx) {
		return
	}
	pause := minPause
	for ctx.Err() == nil {
		if f.block == nil {
			f.open()
			pause = minPause
		}
		b := f.block
		wait := f.s.c.cfg.FetchWait
		minBytes := int32(1)
		if b.to > b.from {
			// There is something already: rather one fetch at the end of the
			// wait than one for every record that comes.
			left := f.s.c.cfg.MaxWait - time.Since(b.opened)
			switch {
			case f.full(b):
				f.handOver(ctx, nil)
				continue
			case f.fetched != nil:
				// What is here already does not have to wait.
			case left <= 0:
				timer := time.NewTimer(pause)
				handed := f.handOver(ctx, timer.C)
				timer.Stop()
				if handed {
					continue
				}
				// The pipeline is busy: meanwhile the block grows.
				pause = min(2*pause, maxPause)
				wait = time.Millisecond
			default:
				wait = min(left, wait)
				minBytes = int32(f.s.c.cfg.FetchBytes) / 8
			}
		} else {
			f.s.c.memory.wait(ctx)
		}
		f.read(ctx, minBytes, wait)
	}
}

// While the pipeline is busy, a block that is due looks for further records
// with these pauses.
const (
	minPause = 50 * time.Millisecond
	maxPause = 400 * time.Millisecond
)

// handOver gives the block to the pipeline when it asks for one. It reports
// false where the timer was faster or the context has ended.
func (f *fetcher) handOver(ctx context.Context, timer <-chan time.Time) bool {
	f.block.at = f.at
	select {
	case f.blocks <- f.block:
		f.block = nil
		f.limit = math.MaxInt64
		return true
	case <-timer:
	case <-ctx.Done():
	}
	return false
}

// full reports whether the block takes no more.
func (f *fetcher) full(b *block) bool {
	return b.events >= int64(f.s.c.cfg.MaxEvents) || b.bytes >= int64(f.s.c.cfg.MaxBytes) ||
		b.to >= f.limit || f.epoch != b.epoch || f.s.c.memory.over()
}

// repeat forms the planned block again and hands it over.
func (f *fetcher) repeat(ctx context.Context) bool {
	f.open()
	b := f.block
	b.planned, f.limit = true, f.plan.to
	f.planned = make(map[int64]bool, len(f.plan.repeats))
	for _, d := range f.plan.repeats {
		f.planned[d] = true
	}
	for f.position < f.plan.to && f.epoch == b.epoch && ctx.Err() == nil {
		f.read(ctx, 1, f.s.c.cfg.FetchWait)
	}
	// What could not be read again is lost, but the range and with it the
	// token stay: if the block was written before, it is not written again.
	b.to = f.plan.to
	f.planned = nil
	f.plan = commitment{}
	f.drop() // may hold records after the limit
	return f.handOver(ctx, nil)
}

// read reads one record batch into the block, or waits for one. Errors are
// logged and answered with a pause.
func (f *fetcher) read(ctx context.Context, minBytes int32, wait time.Duration) {
	cfg := &f.s.c.cfg
	if f.fetched == nil {
		fetched, err := f.s.c.client.Fetch(ctx, kafka.FetchRequest{
			Topic: f.s.c.topic, Partition: f.s.partition, Offset: f.position,
			MinBytes: minBytes, MaxBytes: int32(cfg.FetchBytes), MaxWait: wait,
		})
		if err != nil {
			f.fetchFailed(ctx, err)
			return
		}
		f.attempts = 0
		f.fetched = fetched
		f.s.end.Store(fetched.HighWatermark)
		if fetched.Len() == 0 {
			f.drop()
			if f.block.replayed {
				f.endReplay(fetched.HighWatermark)
				return
			}
			f.waitForEnd(ctx, fetched.HighWatermark)
			return
		}
		f.stuck = time.Time{}
	}
	f.kept = false
	count, room := len(f.block.records), cap(f.block.records)
	batch, memory, err := f.fetched.ReadBatch(f.visit)
	switch {
	case errors.Is(err, io.EOF):
		f.drop()
		return
	case err != nil:
		f.batchFailed(ctx, &batch, err)
		return
	}
	f.broken = 0
	f.block.grew(cap(f.block.records)-room, f.s.c.memory)
	switch {
	case memory == nil:
	case f.kept:
		f.block.hold(memory, f.s.c.memory)
	default:
		memory.Release()
	}
	if next := min(batch.Next, f.limit); next > f.position {
		if f.block.to == f.block.from {
			f.block.opened = time.Now()
		}
		f.position, f.block.to = next, next
	}
	if batch.Next > f.limit {
		f.drop() // the rest of the batch belongs to the next block
	}
	if !f.block.replayed {
		f.s.metrics.records.Add(float64(len(f.block.records) - count))
	}
}

// add takes a record into the block.
func (f *fetcher) add(r *kafka.FetchedRecord) {
	if r.Offset < f.position || r.Offset >= f.limit {
		return
	}
	b := f.block
	f.at = max(f.at, r.Timestamp)
	e := readEnvelope(r)
	rec := telemetry.Record{
		Offset:      r.Offset,
		ReceiveTime: e.received,
		Tenant:      f.tenant(e.tenant),
		Declared:    e.events,
		Idle:        e.idle && len(r.Value) == 0,
	}
	if rec.ReceiveTime == 0 {
		rec.ReceiveTime = r.Timestamp * int64(time.Millisecond)
	}
	if !e.id.IsZero() {
		rec.Repeated = f.window.add(e.id, r.Offset, rec.ReceiveTime)
	}
	distance := r.Offset - b.from
	if f.planned != nil {
		rec.Repeated = f.planned[distance]
	}
	if rec.Repeated {
		b.repeats = append(b.repeats, distance)
		b.size.add(distance)
		if f.planned == nil && !b.replayed && !b.size.fit() {
			f.limit = r.Offset + 1
		}
	} else {
		rec.Value = r.Value
		f.kept = true
		b.events += weight(e.events, r.Value)
		b.bytes += int64(len(r.Value))
	}
	b.records = append(b.records, rec)
	if !b.replayed {
		f.count(&e, &rec)
	}
}

// count counts a record that is read for the first time, or again with its block.
func (f *fetcher) count(e *envelope, rec *telemetry.Record) {
	m := f.s.metrics
	if e.id.IsZero() {
		m.foreign.Inc()
	}
	if rec.Repeated {
		m.repeats.Inc()
		return
	}
	m.bytes.Add(float64(len(rec.Value)))
	if e.events > 0 {
		m.events.Add(float64(e.events))
	}
}

// tenant returns the tenant's name as a string that outlives the record.
func (f *fetcher) tenant(name []byte) string {
	if len(name) == 0 {
		return telemetry.DefaultTenant
	}
	if known, ok := f.tenants[string(name)]; ok {
		return known
	}
	s := string(name)
	if len(f.tenants) < maxCachedTenants {
		f.tenants[s] = s
	}
	return s
}

// fetchFailed deals with an error of a fetch request.
func (f *fetcher) fetchFailed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f.s.metrics.all.fetchErrors.With(f.s.metrics.with("error", kafka.Code(err))).Inc()
	if errors.Is(err, kafkago.OffsetOutOfRange) {
		f.outOfRange(ctx)
		return
	}
	f.s.c.client.Reset()
	if f.attempts >= 2 {
		f.warn("cannot read from kafka, trying again", err)
	}
	backoff(ctx, f.attempts)
	f.attempts++
}

func (f *fetcher) warn(message string, err error) {
	if now := time.Now(); now.Sub(f.warned) > 10*time.Second {
		f.warned = now
		f.s.log.Warn(message, "offset", f.position, "error", err)
	}
}
