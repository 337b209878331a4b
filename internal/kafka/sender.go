package kafka

import (
	"context"
	"math/rand/v2"
	"slices"
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
	defer p.senders.Done()
	for {
		if p.cfg.Linger > 0 {
			pause(p.stop, p.cfg.Linger)
		}
		p.mu.Lock()
		lanes := p.collect(b)
		if len(lanes) == 0 {
			b.senders--
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if b.id == unknownLeader {
			p.findLeaders(lanes)
		} else {
			p.attempt(lanes)
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

// attempt sends the lanes' batches in one request and settles the outcome.
func (p *Producer) attempt(lanes []*lane) {
	m, _ := p.messages.Get().(*produceMessage)
	if m == nil {
		m = new(produceMessage)
	}
	err := m.encode(p.client.cfg.ClientID, p.client.cfg.RequestTimeout, lanes, p.cfg.Compression)
	p.mu.Lock()
	for _, l := range lanes {
		for _, e := range l.batch {
			e.state = entrySent
		}
	}
	p.encoded.Broadcast()
	p.mu.Unlock()
	var outcomes []producePart
	if err == nil {
		start := time.Now()
		err = p.client.roundTrip(p.stop, p.client.cfg.RequestTimeout+time.Second, m)
		p.metrics.requests.Inc()
		p.metrics.seconds.Observe(time.Since(start).Seconds())
		if err == nil {
			outcomes = m.parts
		}
		for i := range lanes {
			p.metrics.wire.Add(float64(m.parts[i].wire))
		}
	}
	p.settle(lanes, outcomes, err)
	if m.revoke() {
		p.messages.Put(m) // else a connection still works on it
	}
}

// settle ends the entries of a request, or lines them up again.
func (p *Producer) settle(lanes []*lane, outcomes []producePart, requestErr error) {
	if requestErr != nil {
		p.client.Reset()
	}
	stale := requestErr != nil
	p.mu.Lock()
	defer p.mu.Unlock()
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
	leaders := make(map[partitionID]int32)
	if err == nil {
		for _, t := range metadata.Topics {
			for _, part := range t.Partitions {
				if part.Error == nil && part.Leader.Host != "" {
					leaders[partitionID{t.Name, int32(part.ID)}] = int32(part.Leader.ID)
				}
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lanes {
		if leader, ok := leaders[l.id]; ok {
			p.unsend(l)
			l.leader = leader
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

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
