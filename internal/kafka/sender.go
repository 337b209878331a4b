package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// unknownLeader stands for the leader of a partition before metadata is known.
const unknownLeader = -1

// The pause after a failed attempt doubles from the first to the last.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// send runs in a goroutine as long as the broker's lanes have something: it
// takes what is ready, sends one request, settles it, and looks again.
func (p *Producer) send(b *broker) {
	for {
		if p.cfg.Linger > 0 {
			pause(p.stop, p.cfg.Linger)
		}
		p.mu.Lock()
		lanes := p.collect(b)
		if len(lanes) == 0 {
			p.removeSender(b)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if b.id == unknownLeader {
			p.findLeaders(lanes)
			continue
		}
		p.carry(p.request(b, lanes))
	}
}

// lead sends one request for the broker from the goroutine of a caller, and
// hands the broker over. What may take long goes on in a goroutine of its own.
func (p *Producer) lead(ctx context.Context, c *call, b *broker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if lanes := p.collect(b); len(lanes) == 0 {
		p.removeSender(b)
	} else {
		p.mu.Unlock()
		r := p.request(b, lanes)
		done := r.link != nil && len(r.message.buffer) <= leadBytes && p.carryWhile(ctx, r)
		p.mu.Lock()
		if done {
			p.handOver(b)
		} else {
			go func() {
				p.carry(r)
				p.send(b)
			}()
		}
	}
	c.leads = false
}

// leadBytes bounds a request that a caller sends: what a connection takes at
// once, so that only the answer has to be waited for.
const leadBytes = 64 << 10

// handOver ends somebody's sending: where lanes are ready, the first one's
// caller goes on, who waits for nothing else. The lock is held.
func (p *Producer) handOver(b *broker) {
	if len(b.ready) == 0 || p.closed {
		p.removeSender(b)
		return
	}
	if first := b.ready[0]; len(first.queue) > 0 {
		if c := first.queue[0].call; !c.gone && !c.leads {
			c.leads = true
			c.signal <- b
			return
		}
	}
	go p.send(b)
}

// dropSignal takes back that a call, which is about to be gone, leads. The lock
// is held.
func (p *Producer) dropSignal(c *call) *broker {
	c.leads = false
	for {
		if b := <-c.signal; b != nil {
			return b
		}
	}
}

// collect takes the batches of one request off the ready lanes. The lock is held.
func (p *Producer) collect(b *broker) []*lane {
	var lanes []*lane
	left := int64(p.cfg.MaxRequest)
	state := entryEncoding
	if b.id == unknownLeader {
		state = entrySent
	}
	kept := b.ready[:0]
	for i, l := range b.ready {
		if left <= 0 {
			kept = append(kept, b.ready[i:]...)
			break
		}
		l.listed = false
		if l.leader != b.id {
			p.schedule(l)
			continue
		}
		n, size := 0, int64(0)
		for n < len(l.queue) {
			e := l.queue[n]
			if n > 0 && size+e.size > int64(p.cfg.MaxBatch) {
				break
			}
			size += e.size
			e.state = state
			n++
		}
		if n == 0 {
			continue
		}
		left -= size
		l.batch = append(l.batch[:0], l.queue[:n]...)
		l.queue = slices.Delete(l.queue, 0, n)
		l.busy = true
		lanes = append(lanes, l)
	}
	clear(b.ready[len(kept):])
	b.ready = kept
	// Partitions of one topic are neighbours in a request.
	slices.SortStableFunc(lanes, func(a, b *lane) int { return strings.Compare(a.id.topic, b.id.topic) })
	return lanes
}

// batchRecords yields the records of the lane's batch.
func (l *lane) batchRecords(yield func(int, *Record) bool) {
	for i, e := range l.batch {
		if !yield(i, &e.record) {
			return
		}
	}
}

// request is one request to a broker with the lanes whose batches are in it.
type request struct {
	broker  *broker
	lanes   []*lane
	message *produceMessage
	// link is nil where there is no connection yet.
	link  *link
	start time.Time
	// err is why the request cannot be sent.
	err error
}

// request encodes the lanes' batches and takes a connection where there is one.
func (p *Producer) request(b *broker, lanes []*lane) *request {
	m, _ := p.messages.Get().(*produceMessage)
	if m == nil {
		m = new(produceMessage)
	}
	r := &request{broker: b, lanes: lanes, message: m}
	r.err = m.encode(p.client.cfg.ClientID, p.client.cfg.RequestTimeout, lanes, p.cfg.Compression)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lanes {
		for _, e := range l.batch {
			e.state = entrySent
		}
	}
	p.encoded.Broadcast()
	if r.err == nil {
		r.link = p.takeLink(b)
	}
	return r
}

// carry sends the request, waits for the answer and settles the outcome.
func (p *Producer) carry(r *request) {
	if r.err == nil && r.link == nil {
		p.mu.Lock()
		address := r.broker.address
		p.mu.Unlock()
		r.link, r.err = p.client.openLink(p.stop, &p.conns, address)
	}
	if r.err == nil {
		r.err = p.begin(r)
	}
	if r.err == nil {
		r.err = r.message.exchange()
	}
	p.complete(r)
}

// carryWhile does the same over a connection that is there, unless the context
// ends before the answer comes. Then it reports false, and carry goes on.
func (p *Producer) carryWhile(ctx context.Context, r *request) bool {
	if r.err = p.begin(r); r.err == nil {
		interrupted := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_ = r.link.conn.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection
			close(interrupted)
		})
		r.err = r.message.exchange()
		if !stop() {
			<-interrupted
			if errors.Is(r.err, os.ErrDeadlineExceeded) && r.message.sent {
				r.err = nil
				return false
			}
		}
	}
	p.complete(r)
	return true
}

// begin bounds the time of a request, which may be under way already.
func (p *Producer) begin(r *request) error {
	if r.start.IsZero() {
		r.start = time.Now()
		r.message.start(r.link)
	}
	return r.link.conn.SetDeadline(r.start.Add(p.client.cfg.RequestTimeout + time.Second))
}

// complete settles the outcome of a request and gives back what it used.
func (p *Producer) complete(r *request) {
	if !r.start.IsZero() {
		p.metrics.requests.Inc()
		p.metrics.seconds.Observe(time.Since(r.start).Seconds())
		for i := range r.lanes {
			p.metrics.wire.Add(float64(r.message.parts[i].wire))
		}
	}
	if r.err != nil {
		p.client.Reset()
	}
	p.mu.Lock()
	p.putLink(r)
	p.settle(r.lanes, r.message.parts, r.err)
	p.mu.Unlock()
	p.messages.Put(r.message)
}

// takeLink returns a connection to the broker that is not in use, or nil. The
// lock is held.
func (p *Producer) takeLink(b *broker) *link {
	n := len(b.idle) - 1
	if n < 0 {
		return nil
	}
	l := b.idle[n]
	if time.Since(l.idle) > p.client.cfg.IdleTimeout {
		b.closeIdle() // the others are idle for longer
		return nil
	}
	b.idle[n] = nil
	b.idle = b.idle[:n]
	return l
}

// putLink keeps the connection of a request for the next one. After an error
// the broker's other connections are most likely dead too. The lock is held.
func (p *Producer) putLink(r *request) {
	switch {
	case r.err != nil:
		if r.link != nil {
			go r.link.conn.Close()
		}
		r.broker.closeIdle()
	default:
		r.link.idle = time.Now()
		r.broker.idle = append(r.broker.idle, r.link)
	}
}

// closeIdle closes the connections that are not in use. The lock is held.
func (b *broker) closeIdle() {
	for _, l := range b.idle {
		go l.conn.Close() // TLS says goodbye first
	}
	clear(b.idle)
	b.idle = b.idle[:0]
}

// settle ends the entries of a request, or lines them up again. The lock is held.
func (p *Producer) settle(lanes []*lane, outcomes []producePart, requestErr error) {
	stale := false
	for i, l := range lanes {
		err := requestErr
		if requestErr == nil {
			err = outcomes[i].err
		}
		if err == nil {
			p.acknowledge(l)
			continue
		}
		p.metrics.errors.WithLabelValues(Code(err)).Inc()
		if refused(err) {
			for _, e := range l.batch {
				p.finish(e, err)
			}
			p.release(l)
			continue
		}
		stale = true
		p.lineUp(l, err)
	}
	if stale && requestErr == nil {
		p.client.Reset() // another broker may lead the partition now
	}
}

// acknowledge ends the entries of a lane's batch. The lock is held.
func (p *Producer) acknowledge(l *lane) {
	bytes := int64(0)
	for _, e := range l.batch {
		bytes += e.size
		p.finish(e, nil)
	}
	p.metrics.records.Add(float64(len(l.batch)))
	p.metrics.bytes.Add(float64(bytes))
	l.failures, l.lastErr = 0, nil
	p.release(l)
}

// release lets the lane go on. The lock is held.
func (p *Producer) release(l *lane) {
	clear(l.batch)
	l.batch = l.batch[:0]
	l.busy = false
	p.schedule(l)
}

// lineUp puts the entries of a failed batch back to the front of the lane, and
// lets the lane pause. The lock is held.
func (p *Producer) lineUp(l *lane, err error) {
	l.lastErr = err
	l.leader = unknownLeader
	p.warn(l, err)
	p.unsend(l)
	wait := min(firstPause<<min(l.failures, 10), lastPause)
	l.failures++
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter, not a secret
	time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		l.busy = false
		p.schedule(l)
	})
}

// unsend moves the lane's batch back to the front of its queue, without what
// nobody waits for any more. The lock is held.
func (p *Producer) unsend(l *lane) {
	keep := make([]*entry, 0, len(l.batch)+len(l.queue))
	for _, e := range l.batch {
		switch {
		case p.closed:
			p.finish(e, errClosed)
		case e.call.gone:
			p.finish(e, nil)
		default:
			e.state = entryQueued
			keep = append(keep, e)
		}
	}
	l.queue = append(keep, l.queue...)
	clear(l.batch)
	l.batch = l.batch[:0]
}

// findLeaders moves lanes of unknown leadership to their brokers.
func (p *Producer) findLeaders(lanes []*lane) {
	topics := make([]string, 0, 4)
	for _, l := range lanes {
		if !slices.Contains(topics, l.id.topic) {
			topics = append(topics, l.id.topic)
		}
	}
	ctx, cancel := context.WithTimeout(p.stop, p.client.cfg.RequestTimeout)
	defer cancel()
	metadata, err := p.client.api.Metadata(ctx, &kafkago.MetadataRequest{Topics: topics})
	leaders := make(map[partitionID]kafkago.Broker)
	if err == nil {
		for _, t := range metadata.Topics {
			for _, part := range t.Partitions {
				if part.Error == nil && part.Leader.Host != "" {
					leaders[partitionID{t.Name, int32(part.ID)}] = part.Leader
				}
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lanes {
		if leader, ok := leaders[l.id]; ok {
			p.unsend(l)
			l.leader = int32(leader.ID)
			p.locate(leader)
			p.release(l)
			continue
		}
		lineUpErr := err
		if lineUpErr == nil {
			lineUpErr = &metadataError{l.id.topic, l.id.partition, "no leader is known"}
		}
		p.metrics.errors.WithLabelValues(Code(lineUpErr)).Inc()
		p.client.Reset()
		p.lineUp(l, lineUpErr)
	}
}

// locate takes note of where a broker is. The lock is held.
func (p *Producer) locate(at kafkago.Broker) {
	b, address := p.broker(int32(at.ID)), net.JoinHostPort(at.Host, strconv.Itoa(at.Port))
	if b.address != address {
		b.address = address
		b.closeIdle()
	}
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
