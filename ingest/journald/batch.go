package journald

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

const (
	// minRecord is what a Kafka record must be able to hold: the longest entry.
	minRecord = 2*maxField + 2*maxList + 64<<10
	// batchWait is how long entries may wait for others, maxEntries bounds those
	// of a batch.
	batchWait  = 200 * time.Millisecond
	maxEntries = 20_000
	scopeName  = "goshawk/journald"
)

// severities are those of OpenTelemetry for the priorities of syslog.
var severities = [8]struct {
	number uint8
	text   string
}{{21, "emerg"}, {19, "alert"}, {18, "crit"}, {17, "err"}, {13, "warning"}, {10, "notice"}, {9, "info"}, {5, "debug"}}

// batch is what is gathered, by resource.
type batch struct {
	target   *logbatch.Target
	groups   map[string]*group
	order    []*group
	size     int
	count    int
	last     string // cursor
	opened   time.Time
	observed int64
	list     []byte
}

type group struct {
	resource, records []byte
	count             int64
}

func newBatch(t *logbatch.Target) *batch { return &batch{target: t, groups: map[string]*group{}} }

func (b *batch) clear() { *b = *newBatch(b.target) }

// fits reports whether an entry can be added.
func (b *batch) fits(e *entry) bool {
	const heads = 2 << 10
	return b.count < maxEntries && (b.count == 0 || b.size+2*len(e.body)+2*len(e.list)+heads < b.target.MaxRecord)
}

func (b *batch) add(e *entry) {
	key := string(e.host) + "\x00" + string(e.service())
	g := b.groups[key]
	if g == nil {
		all := append([]logwriter.Attribute{}, b.target.Resource...)
		g = &group{resource: logbatch.Resource(append(all,
			logwriter.Attribute{Key: "host.name", Value: string(e.host)}, logwriter.Attribute{Key: "service.name", Value: string(e.service())})...)}
		b.groups[key] = g
		b.order = append(b.order, g)
		b.size += logwriter.LogsBound(g.resource, scopeName)
	}
	list := e.list
	if e.cut {
		list = logwriter.AppendBool(append(b.list[:0], list...), "log.record.truncated", true)
		b.list = list
	}
	at := e.time
	if at == 0 {
		at = e.received
	}
	s := &severities[e.priority]
	before := len(g.records)
	g.records = logwriter.AppendRecord(g.records, &logwriter.Record{
		Time: at, Observed: b.observed, Severity: s.number, SeverityText: s.text, Body: e.body, Attributes: list,
	})
	b.size += len(g.records) - before
	g.count++
	b.count++
	b.last = string(e.cursor)
}

// errEnded says that journalctl printed everything that it had to.
var errEnded = errors.New("it ended")

// follow reads entries and delivers them, until there are no more.
func (r *Reader) follow(ctx context.Context, out *os.File) error {
	in := bufio.NewReaderSize(out, 64<<10)
	r.batch.clear()
	var e entry
	for {
		var deadline time.Time
		if r.batch.count > 0 && r.state.Plan == nil {
			deadline = r.batch.opened.Add(batchWait)
		}
		// Where the context has ended, this must not undo its deadline.
		if in.Buffered() == 0 {
			_ = out.SetReadDeadline(deadline)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		_, err := in.Peek(1)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
			if err := r.deliver(ctx); err != nil {
				return err
			}
			continue
		case err == io.EOF:
			if r.batch.count > 0 && r.state.Plan == nil {
				return errors.Join(r.deliver(ctx), errEnded)
			}
			return errEnded
		case err != nil:
			return err
		}
		_ = out.SetReadDeadline(time.Time{})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.reset()
		if err := readEntry(in, e.field); err != nil {
			return err
		}
		if e.cut {
			r.metrics.truncated.Inc()
		}
		if err := r.take(ctx, &e); err != nil {
			return err
		}
	}
}

// take adds an entry, and delivers what is complete.
func (r *Reader) take(ctx context.Context, e *entry) error {
	b := r.batch
	if len(e.cursor) == 0 {
		return fmt.Errorf("%w: an entry has no cursor", errFormat)
	}
	if r.state.Plan == nil && !b.fits(e) {
		if err := r.deliver(ctx); err != nil {
			return err
		}
	}
	if b.count == 0 {
		b.opened = time.Now()
		b.observed = b.opened.UnixNano()
		if p := r.state.Plan; p != nil {
			b.observed = p.Observed
		}
	}
	b.add(e)
	p := r.state.Plan
	switch {
	case p == nil:
		return nil
	case b.last == p.To:
		r.metrics.repeated.Inc()
		return r.deliver(ctx)
	case b.count >= p.Count:
		// Entries that were planned are not in the journal any more, so that it
		// cannot be told what is there already.
		r.log.Error("the journal was shortened while a batch was under way; some entries may be stored twice", "entries", p.Count)
		r.state.Plan = nil
	}
	return nil
}

// deliver writes the plan of the batch, produces it, and moves the cursor on.
func (r *Reader) deliver(ctx context.Context) error {
	b := r.batch
	if r.state.Plan == nil {
		partitions, err := r.partitions(ctx)
		if err != nil {
			return err
		}
		r.state.Plan = &plan{To: b.last, Count: b.count, Partitions: partitions, Observed: b.observed}
		if err := r.state.save(true); err != nil {
			return err
		}
	}
	parts := r.parts()
	delivered := int64(b.count)
	if err := r.delivery.Deliver(ctx, parts, func(part int, err error) {
		delivered -= parts[part].Events
		r.metrics.rejected.Add(float64(parts[part].Events))
		r.log.Error("kafka will never take some entries of the journal; they are dropped", "entries", parts[part].Events, "error", err)
	}); err != nil {
		return err
	}
	r.metrics.records.Add(float64(delivered))
	r.state.Cursor, r.state.Plan = b.last, nil
	b.clear()
	return r.state.save(false)
}

// partitions waits until Kafka says how many partitions there are.
func (r *Reader) partitions(ctx context.Context) (int, error) {
	if _, err := r.delivery.Partition(ctx, nil); err != nil {
		return 0, err
	}
	return r.target.Producer.Partitions(ctx, r.target.Topic)
}

// parts are the Kafka records of the batch. Their ids are those of the range of
// cursors.
func (r *Reader) parts() []topic.Part {
	p := r.state.Plan
	values := make([][]byte, p.Partitions)
	counts := make([]int64, p.Partitions)
	for _, g := range r.batch.order {
		n := otlp.PartitionOfResource(g.resource, p.Partitions)
		values[n] = logwriter.AppendLogs(values[n], g.resource, scopeName, g.records)
		counts[n] += g.count
	}
	id := topic.RequestID(r.target.Tenant, fmt.Appendf(nil, "%s\x00%s\x00%s", r.state.ID, r.state.Cursor, p.To))
	var parts []topic.Part
	for n, value := range values {
		if counts[n] > 0 {
			parts = append(parts, topic.Part{
				Topic: r.target.Topic, Partition: int32(n), Value: value, Tenant: r.target.Tenant,
				BatchID: id.Part(n), Received: p.Observed, Events: counts[n],
			})
		}
	}
	return parts
}
