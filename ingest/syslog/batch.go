package syslog

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// batch is what is gathered of many senders: the log records of each host and
// application by themselves.
type batch struct {
	groups map[string]*group
	order  []*group // with records, as they came
	// size bounds the requests that become of it; records is how many there are.
	size    int
	records int64
	opened  time.Time
	parts   []topic.Part
	// values has the requests, one for each partition.
	values [][]byte
	counts []int64
}

// group is the log records of one resource.
type group struct {
	resource []byte
	records  []byte
	count    int64
}

// maxGroups bounds the resources that are remembered from batch to batch.
const maxGroups = 10_000

// scopeName is the instrumentation scope of the log records.
const scopeName = "goshawk/syslog"

// shard gathers what a share of the senders sends. Two batches may wait for
// Kafka while a third one is filled; after that, senders wait.
type shard struct {
	s     *Server
	index uint64

	mu       sync.Mutex
	batch    *batch // nil where none is open
	parser   parser
	message  message
	record   logwriter.Record
	list     []byte
	key      []byte
	free     chan *batch
	full     chan *batch
	sequence uint64
}

// batchesPerShard are filled, waiting, or on their way.
const batchesPerShard = 3

func newShard(s *Server, index int) *shard {
	h := &shard{s: s, index: uint64(index), free: make(chan *batch, batchesPerShard), full: make(chan *batch, batchesPerShard)}
	h.parser.clock.location = s.location
	for range batchesPerShard {
		h.free <- &batch{groups: map[string]*group{}}
	}
	return h
}

// add takes a message, which is not needed afterwards. It waits for Kafka where
// too much waits for it already, and reports false where ctx ended meanwhile.
// The lock is held.
func (h *shard) add(ctx context.Context, text, peer []byte, cut bool, now time.Time) bool {
	m, r := &h.message, &h.record
	h.parser.parse(text, m, now)
	if len(m.body) == 0 && len(m.structured) == 0 && len(m.app) == 0 {
		return true // nothing was said
	}
	if m.broken {
		h.s.metrics.malformed.Inc()
	}
	if len(m.host) == 0 {
		m.host = peer
	}
	h.list = m.record(r, h.list, now.UnixNano(), cut)
	size := logwriter.RecordBound(r)
	if b := h.batch; b != nil && b.size+size+groupSize(m) > h.s.target.MaxRecord {
		h.hand()
	}
	if h.batch == nil {
		select {
		case h.batch = <-h.free:
			h.batch.opened = now
		case <-ctx.Done():
			return false
		}
	}
	b := h.batch
	g := h.groupOf(b, m)
	if g.count == 0 {
		b.order = append(b.order, g)
		b.size += logwriter.LogsBound(g.resource, scopeName)
	}
	before := len(g.records)
	g.records = logwriter.AppendRecord(g.records, r)
	g.count++
	b.records++
	b.size += len(g.records) - before
	return true
}

// groupSize is at least what a new group takes beside its records.
func groupSize(m *message) int {
	const heads = 1 << 10
	return 2*(len(m.host)+len(m.app)) + heads
}

// groupOf returns the group of the host and application of a message.
func (h *shard) groupOf(b *batch, m *message) *group {
	h.key = append(append(append(h.key[:0], m.host...), 0), m.app...)
	g := b.groups[string(h.key)]
	if g == nil {
		all := append([]logwriter.Attribute{}, h.s.target.Resource...)
		g = &group{resource: logbatch.Resource(append(all,
			logwriter.Attribute{Key: "host.name", Value: string(m.host)}, logwriter.Attribute{Key: "service.name", Value: string(m.app)})...)}
		b.groups[string(h.key)] = g
	}
	return g
}

// hand hands the open batch over to be sent. The lock is held.
func (h *shard) hand() {
	if h.batch != nil {
		h.full <- h.batch // it has room for all that there are
		h.batch = nil
	}
}

// tick hands the open batch over where it has waited for long enough.
func (h *shard) tick(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.batch != nil && now.Sub(h.batch.opened) >= h.s.cfg.BatchWait {
		h.hand()
	}
}

// send delivers batches, one after the other, until full is closed.
func (h *shard) send(ctx context.Context) {
	delivery := logbatch.NewDelivery(&h.s.target)
	for b := range h.full {
		if err := h.deliver(ctx, delivery, b); err != nil {
			h.s.metrics.dropped.WithLabelValues("stopped").Add(float64(b.records))
		}
		b.clear()
		h.free <- b
	}
}

func (h *shard) deliver(ctx context.Context, delivery *logbatch.Delivery, b *batch) error {
	for i := range b.values {
		b.values[i], b.counts[i] = b.values[i][:0], 0
	}
	for _, g := range b.order {
		p, err := delivery.Partition(ctx, g.resource)
		if err != nil {
			return err
		}
		for int(p) >= len(b.values) {
			b.values, b.counts = append(b.values, nil), append(b.counts, 0)
		}
		b.values[p] = logwriter.AppendLogs(b.values[p], g.resource, scopeName, g.records)
		b.counts[p] += g.count
	}
	var key [32]byte
	copy(key[:], h.s.id[:])
	binary.LittleEndian.PutUint64(key[16:], h.index)
	binary.LittleEndian.PutUint64(key[24:], h.sequence)
	h.sequence++
	id := topic.RequestID(h.s.target.Tenant, key[:])
	b.parts = b.parts[:0]
	received := time.Now().UnixNano()
	for p, value := range b.values {
		if b.counts[p] > 0 {
			b.parts = append(b.parts, topic.Part{
				Topic: h.s.target.Topic, Partition: int32(p), Value: value, Tenant: h.s.target.Tenant,
				BatchID: id.Part(p), Received: received, Events: b.counts[p],
			})
		}
	}
	delivered := b.records
	err := delivery.Deliver(ctx, b.parts, func(part int, err error) {
		delivered -= b.parts[part].Events
		h.s.metrics.dropped.WithLabelValues("refused").Add(float64(b.parts[part].Events))
		h.s.target.Log.Error("kafka will never take some syslog messages; they are dropped", "messages", b.parts[part].Events, "error", err)
	})
	if err == nil {
		h.s.metrics.records.Add(float64(delivered))
	}
	return err
}

// clear empties the batch and keeps its memory, within limits.
func (b *batch) clear() {
	const few, kept = 16, 4 << 10 // where there are more groups, each keeps so much
	for _, g := range b.order {
		g.count = 0
		if cap(g.records) > kept && len(b.groups) > few {
			g.records = nil
		}
		g.records = g.records[:0]
	}
	if len(b.groups) > maxGroups {
		clear(b.groups)
	}
	clear(b.parts)
	b.order, b.size, b.records = b.order[:0], 0, 0
}
