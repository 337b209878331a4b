package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Record is what is written to one partition.
type Record struct {
	Topic     string
	Partition int32
	Key       []byte
	Value     []byte
	Headers   []Header
	// Timestamp is in milliseconds since 1970.
	Timestamp int64
}

func (r *Record) size() int64 {
	const overhead = 32
	n := len(r.Key) + len(r.Value) + overhead
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value) + 4
	}
	return int64(n)
}

// Producer writes records and returns when every replica has them. Records of
// one partition keep their order: one request is under way for it at a time,
// and what arrives meanwhile goes out together with the next. It is safe for
// concurrent use.
//
// A record is encoded into the producer's own memory before it is sent. What
// Produce was given is touched only until Produce returns, whatever the reason.
type Producer struct {
	client  *Client
	cfg     ProducerConfig
	log     *slog.Logger
	metrics *producerMetrics

	// stop ends waiting when the producer is closed, and closing the connections
	// ends the requests that are under way.
	stop   context.Context
	cancel context.CancelFunc
	conns  connections
	// senders counts who sends: goroutines that run send, and callers that lead.
	senders sync.WaitGroup

	mu       sync.Mutex
	encoded  sync.Cond // signalled when entries have left the state entryEncoding
	lanes    map[partitionID]*lane
	brokers  map[int32]*broker
	buffered int64
	closed   bool
	warned   time.Time

	messages sync.Pool // *produceMessage
}

// lane is what waits for one partition.
type lane struct {
	id     partitionID
	leader int32
	// queue is what waits, batch what is under way.
	queue, batch []*entry
	busy         bool // batch is under way, or the lane pauses after an error
	listed       bool // among the ready lanes of its broker
	failures     int
	lastErr      error
}

// broker is one leader with the lanes that have something for it.
type broker struct {
	id      int32
	address string
	ready   []*lane
	// senders is how many are at work or about to look at ready.
	senders int
	// idle are connections, the one used last at the end.
	idle []*link
	// waiting is set while a timer looks after a request that takes long.
	waiting bool
}

// entry is one record on its way.
type entry struct {
	record Record
	size   int64
	call   *call
	state  entryState
}

type entryState uint8

const (
	entryQueued entryState = iota
	entryEncoding
	entrySent // encoded: the record's memory is not needed for this attempt
	entryDone
)

// call is one call of Produce.
type call struct {
	pending int
	err     error
	gone    bool
	// leads is set while the caller sends for a broker, from when it is told to.
	leads bool
	// signal tells the caller to send for a broker, or with nil that nothing of
	// the call is pending any more. It has room for one of each.
	signal chan *broker
}

// NewProducer returns a producer that writes through the client.
func NewProducer(client *Client, cfg ProducerConfig, log *slog.Logger, reg prometheus.Registerer) (*Producer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka producer: %w", err)
	}
	p := &Producer{
		client:  client,
		cfg:     cfg,
		log:     log,
		metrics: newProducerMetrics(reg),
		lanes:   make(map[partitionID]*lane),
		brokers: make(map[int32]*broker),
	}
	p.encoded.L = &p.mu
	p.stop, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Close gives up what is not acknowledged and waits for the requests under way
// to end. Calls of Produce return ErrUnavailable.
func (p *Producer) Close() {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.lanes {
		for _, e := range l.queue {
			p.finish(e, errClosed)
		}
		l.queue = nil
	}
	p.mu.Unlock()
	p.cancel()
	p.conns.close()
	p.senders.Wait()
}

// Produce writes the records and returns nil when all of them are acknowledged.
// Otherwise some of them may be written: ErrFull where nothing was tried,
// ErrRefused where trying again is pointless, and ErrUnavailable where time ran
// out, whether the context's or Config.DeliveryTimeout.
func (p *Producer) Produce(ctx context.Context, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	entries := make([]entry, len(records))
	c := &call{pending: len(records), signal: make(chan *broker, 2)}
	total := int64(0)
	for i := range records {
		e := &entries[i]
		e.record, e.call, e.size = records[i], c, records[i].size()
		if e.size > int64(p.cfg.MaxBatch) {
			return fmt.Errorf("%w: a record of %d bytes is larger than max_batch %s", ErrRefused, e.size, p.cfg.MaxBatch)
		}
		total += e.size
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.DeliveryTimeout)
	defer cancel()
	lead, err := p.enqueue(entries, total)
	if err != nil {
		return err
	}
	if lead != nil {
		p.lead(ctx, c, lead)
	}
	for {
		select {
		case b := <-c.signal:
			if b == nil {
				return c.err
			}
			p.lead(ctx, c, b)
		case <-ctx.Done():
			return p.abandon(ctx, c, entries)
		}
	}
}

// enqueue lines up the entries of a call. Where it returns a broker, the caller
// is the one to send for it.
func (p *Producer) enqueue(entries []entry, total int64) (lead *broker, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errClosed)
	case p.buffered+total > int64(p.cfg.MaxBuffered):
		p.metrics.full.Inc()
		return nil, ErrFull
	}
	p.buffered += total
	p.metrics.buffered.Set(float64(p.buffered))
	for i := range entries {
		e := &entries[i]
		l := p.lane(partitionID{e.record.Topic, e.record.Partition})
		l.queue = append(l.queue, e)
		b := p.list(l, promptSenders)
		switch {
		case b == nil:
		case lead == nil && b.id != unknownLeader && p.cfg.Linger == 0:
			lead, e.call.leads = b, true
		default:
			go p.send(b)
		}
	}
	return lead, nil
}

// abandon ends a call whose time ran out. When it returns, the producer does
// not touch the memory of the call's records any more.
func (p *Producer) abandon(ctx context.Context, c *call, entries []entry) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range entries {
		for entries[i].state == entryEncoding {
			p.encoded.Wait()
		}
	}
	if c.leads {
		p.handOver(p.dropSignal(c))
	}
	if c.pending == 0 {
		return c.err
	}
	c.gone = true
	cause := context.Cause(ctx)
	if c.err != nil {
		cause = c.err
	}
	for i := range entries {
		e := &entries[i]
		if l := p.lanes[partitionID{e.record.Topic, e.record.Partition}]; l != nil && l.lastErr != nil && e.state != entryDone {
			cause = fmt.Errorf("%w, after: %w", cause, l.lastErr)
			break
		}
	}
	for i := range entries {
		e := &entries[i]
		if e.state != entryQueued {
			continue // whoever has it sees that the call is gone
		}
		l := p.lanes[partitionID{e.record.Topic, e.record.Partition}]
		for j, queued := range l.queue {
			if queued == e {
				l.queue = append(l.queue[:j], l.queue[j+1:]...)
				break
			}
		}
		p.finish(e, nil)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}

// finish settles an entry. The lock is held.
func (p *Producer) finish(e *entry, err error) {
	if e.state == entryDone {
		return
	}
	e.state = entryDone
	p.buffered -= e.size
	p.metrics.buffered.Set(float64(p.buffered))
	if err != nil && e.call.err == nil {
		if !refused(err) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		} else {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		e.call.err = err
	}
	if e.call.pending--; e.call.pending == 0 && !e.call.gone {
		e.call.signal <- nil
	}
}

func (p *Producer) lane(id partitionID) *lane {
	l := p.lanes[id]
	if l == nil {
		l = &lane{id: id, leader: unknownLeader}
		p.lanes[id] = l
	}
	return l
}

// list puts the lane among the ready ones of its broker. Where it returns the
// broker, fewer than prompt are sending and one more is counted, which the
// caller has to provide. The lock is held.
func (p *Producer) list(l *lane, prompt int) *broker {
	if l.busy || l.listed || len(l.queue) == 0 || p.closed {
		return nil
	}
	b := p.broker(l.leader)
	l.listed = true
	b.ready = append(b.ready, l)
	switch {
	case b.senders < min(prompt, p.cfg.MaxInFlight):
		p.addSender(b)
		return b
	case b.senders < p.cfg.MaxInFlight && !b.waiting:
		b.waiting = true
		time.AfterFunc(patience, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			b.waiting = false
			if len(b.ready) > 0 && b.senders < p.cfg.MaxInFlight && !p.closed {
				p.addSender(b)
				go p.send(b)
			}
		})
	}
	return nil
}

// schedule lists the lane, and sends for it where nobody does. The lock is held.
func (p *Producer) schedule(l *lane) {
	if b := p.list(l, 1); b != nil {
		go p.send(b)
	}
}

func (p *Producer) broker(id int32) *broker {
	b := p.brokers[id]
	if b == nil {
		b = &broker{id: id}
		p.brokers[id] = b
	}
	return b
}

// addSender and removeSender count who sends for the broker. The lock is held.
func (p *Producer) addSender(b *broker) {
	b.senders++
	p.senders.Add(1)
}

func (p *Producer) removeSender(b *broker) {
	b.senders--
	p.senders.Done()
}

// promptSenders is how many requests go out to one broker side by side at once.
// Beyond them records wait, and gather into larger requests, for patience.
const promptSenders = 2

// patience is how long records wait for the answer to a request before they go
// out in another one beside it. Waiting gathers more records into fewer
// requests; not waiting for ever keeps one slow partition from holding up the
// others of its broker.
const patience = 25 * time.Millisecond

// warn logs an error of the cluster, at most every ten seconds. The lock is held.
func (p *Producer) warn(l *lane, err error) {
	if now := time.Now(); now.Sub(p.warned) >= 10*time.Second && !errors.Is(err, context.Canceled) {
		p.warned = now
		p.log.Warn("kafka does not take records, trying again", "topic", l.id.topic, "partition", l.id.partition, "error", err)
	}
}
