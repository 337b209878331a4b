package filelog

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// maxBatches is how many files a round reads from, each a batch at most. It
// bounds the memory for what is under way.
const maxBatches = 8

// batch is what a round sends of one file. Its memory is used again.
type batch struct {
	tail *tail
	plan *plan
	// repeated is set where the plan is an earlier one.
	repeated       bool
	events         int64
	cut            int64
	raw            []byte
	records, value []byte
}

// scopeName is the instrumentation scope of the log records.
const scopeName = "goshawk/filelog"

// round reads a batch from each of some files, remembers what they are, and
// returns when Kafka has acknowledged them. It reports whether there was nothing
// to do.
func (t *Tailer) round(ctx context.Context) (idle bool, err error) {
	var plans []planned
	used := 0
	defer func() {
		for i := range used {
			t.batches[i].tail.busy = false
		}
	}()
	now := time.Now()
	for i, first, n := 0, t.next, len(t.order); i < n && used < maxBatches; i++ {
		at := (first + i) % n
		tl := t.order[at]
		if !tl.ready(now) {
			continue
		}
		if used == len(t.batches) {
			t.batches = append(t.batches, &batch{})
		}
		b := t.batches[used]
		filled, err := t.fill(ctx, b, tl, now)
		switch {
		case errors.Is(err, errOther):
			// The tails are other ones afterwards.
			t.note(false, t.truncated(tl, nil)...)
			t.scan()
			return false, nil
		case err != nil:
			t.warn("a file cannot be read", "path", tl.Path, "error", err)
		case filled:
			tl.busy = true
			used++
			t.next = at + 1
			if !b.repeated {
				plans = append(plans, planned{tl.ID, b.plan})
			}
		}
	}
	if used == 0 {
		return true, nil
	}
	if len(plans) > 0 && !t.note(true, entry{Plans: plans}) {
		// The states have their plans; they are produced once they are written.
		for !t.note(true, entry{Plans: plans}) {
			select {
			case <-ctx.Done():
				return true, nil
			case <-time.After(time.Second):
			}
		}
	}
	if err := t.send(ctx, t.batches[:used]); err != nil {
		return false, err
	}
	done := make([]fileID, used)
	for i, b := range t.batches[:used] {
		done[i] = b.tail.ID
		t.metrics.bytes.Add(float64(b.plan.To - b.tail.Offset))
		t.metrics.truncated.Add(float64(b.cut))
		if b.repeated {
			t.metrics.repeated.Inc()
		}
	}
	t.note(false, entry{Done: done})
	return false, nil
}

// send produces the batches and waits until they are acknowledged. Files go on
// being looked at: those that are moved meanwhile have to be opened.
func (t *Tailer) send(ctx context.Context, batches []*batch) error {
	parts := make([]topic.Part, 0, len(batches))
	for _, b := range batches {
		if b.events > 0 {
			parts = append(parts, t.part(b))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	delivered := make(chan error, 1)
	refused := make([]error, len(parts))
	go func() {
		delivered <- t.delivery.Deliver(ctx, parts, func(i int, err error) { refused[i] = err })
	}()
	tick := time.NewTicker(t.pause())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.scan()
		case err := <-delivered:
			if err != nil {
				return err
			}
			for i := range parts {
				if refused[i] == nil {
					t.metrics.lines.Add(float64(parts[i].Events))
					continue
				}
				t.metrics.rejected.Add(float64(parts[i].Events))
				t.log.Error("kafka will never take some lines; they are dropped", "lines", parts[i].Events, "error", refused[i])
			}
			return nil
		}
	}
}

// part is the Kafka record of a batch. Its id is that of the range of the file.
func (t *Tailer) part(b *batch) topic.Part {
	var key [32]byte
	copy(key[:], b.tail.ID[:])
	binary.LittleEndian.PutUint64(key[16:], uint64(b.tail.Offset))
	binary.LittleEndian.PutUint64(key[24:], uint64(b.plan.To))
	return topic.Part{
		Topic: t.target.Topic, Partition: b.plan.Partition, Value: b.value, Tenant: t.target.Tenant,
		BatchID: topic.RequestID(t.target.Tenant, key[:]), Received: b.plan.Observed, Events: b.events,
	}
}

// errOther says that a file does not have the content any more that was read.
var errOther = errors.New("the file has other content")

// fill reads the next batch of a file. It reports whether there is one.
func (t *Tailer) fill(ctx context.Context, b *batch, tl *tail, now time.Time) (bool, error) {
	if !t.open(tl) {
		return false, nil // the next look decides what became of it
	}
	b.tail, b.events, b.cut, b.repeated = tl, 0, 0, tl.Pending != nil
	want := t.rawBytes()
	if b.repeated {
		want = int(tl.Pending.To - tl.Offset)
	}
	// The bytes before are read as well: are they those that were?
	before := tl.Tail.Bytes
	if cap(b.raw) < before+want {
		b.raw = make([]byte, before+want)
	}
	raw := b.raw[:before+want]
	read, err := tl.file.ReadAt(raw, tl.Offset-int64(before))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if read < before || printOf(raw[:before]) != tl.Tail || tl.Offset == 0 && !tl.Head.of(raw[:read]) {
		return false, errOther
	}
	tl.most = max(tl.most, tl.size)
	raw = raw[:read]
	if b.repeated {
		if len(raw) < before+want || xxh3.Hash(raw[before:]) != tl.Pending.Sum {
			return false, errOther
		}
		b.plan = tl.Pending
		t.repeat(b, region{data: raw[before:], inside: tl.Inside, whole: true, endsInside: b.plan.Inside})
		return true, nil
	}
	atEnd := read < before+want
	r := region{data: raw[before:], inside: tl.Inside, whole: atEnd && !tl.waits(now) && (tl.rotated || endsLine(raw))}
	b.plan = &plan{Observed: now.UnixNano()}
	consumed, inside := t.encode(b, r, t.target.MaxRecord)
	if atEnd {
		tl.size = max(tl.size, tl.Offset+int64(len(r.data)))
	}
	if consumed == 0 {
		tl.tried = tl.size
		return false, nil
	}
	if b.plan.Partition, err = t.partition(ctx, tl.resource); err != nil {
		t.warn("kafka does not say how many partitions the topic has", "topic", t.target.Topic, "error", err)
		return false, nil
	}
	p := b.plan
	p.To, p.Inside, p.Sum = tl.Offset+int64(consumed), inside, xxh3.Hash(r.data[:consumed])
	raw = raw[:before+consumed]
	p.Tail = printOf(raw[max(0, len(raw)-printBytes):])
	p.Head = tl.Head
	if tl.Offset < printBytes {
		// What was read begins where the file begins.
		p.Head = printOf(raw[:min(len(raw), printBytes)])
	}
	return true, nil
}

// repeat encodes a region that was planned before. Where the settings have
// become so many attributes meanwhile that they do not fit, the log records have
// none.
func (t *Tailer) repeat(b *batch, r region) {
	if t.encode(b, r, math.MaxInt); len(b.value) <= t.target.MaxRecord {
		return
	}
	in := *b.tail.input
	in.attributes, in.cutAttributes = nil, logwriter.AppendBool(nil, truncatedAttribute, true)
	own := b.tail.input
	b.tail.input, b.events, b.cut = &in, 0, 0
	t.encode(b, r, math.MaxInt)
	b.tail.input = own
}

func endsLine(b []byte) bool { return len(b) > 0 && b[len(b)-1] == '\n' }

// rawBytes is how much is read of a file at a time. Encoded, it mostly fits into
// a Kafka record; what does not is read again.
func (t *Tailer) rawBytes() int {
	return max(t.target.MaxRecord*5/6, int(t.cfg.MaxLine)+1)
}

// partitionPatience bounds how long a round waits to hear how many partitions
// there are. Mostly that is known.
const partitionPatience = 2 * time.Second

func (t *Tailer) partition(ctx context.Context, resource []byte) (int32, error) {
	ctx, cancel := context.WithTimeout(ctx, partitionPatience)
	defer cancel()
	n, err := t.target.Producer.Partitions(ctx, t.target.Topic)
	if err != nil {
		return 0, err
	}
	return int32(otlp.PartitionOfResource(resource, n)), nil
}

// encode writes the events of a region as a request of at most limit bytes, and
// returns how much of the region they are, and whether that ends within an event.
func (t *Tailer) encode(b *batch, r region, limit int) (int, bool) {
	in := b.tail.input
	b.records = b.records[:0]
	limit -= logwriter.LogsBound(b.tail.resource, scopeName)
	s := splitter{maxLine: int(t.cfg.MaxLine), first: in.first}
	var record logwriter.Record
	n, inside := s.each(r, func(event []byte, cut bool) bool {
		record.Body, record.Attributes = event, in.attributes
		if cut {
			record.Attributes = in.cutAttributes
		}
		if len(b.records)+logwriter.RecordBound(&record) > limit && b.events > 0 {
			return false
		}
		if cut {
			b.cut++
		}
		// Lines that are read together are told apart by their times, by which clients
		// page.
		record.Observed = b.plan.Observed + b.events
		b.events++
		b.records = logwriter.AppendRecord(b.records, &record)
		return true
	})
	b.value = logwriter.AppendLogs(b.value[:0], b.tail.resource, scopeName, b.records)
	return n, inside
}
