package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// FetchRequest asks for the records of one partition from an offset on.
// Records of aborted transactions are left out.
type FetchRequest struct {
	Topic     string
	Partition int32
	Offset    int64
	// MinBytes and MaxWait make the broker wait until there is that much, or
	// for that long. MaxBytes bounds the answer, except for its first batch.
	MinBytes, MaxBytes int32
	MaxWait            time.Duration
}

// Fetched is the answer to a fetch request: record batches that are decoded
// one by one.
type Fetched struct {
	// HighWatermark is the offset after the last record that may be read,
	// LogStart the first that is still there.
	HighWatermark, LogStart int64

	buffer  *Buffer
	raw     []byte
	aborted []abortedTransaction
	aborts  map[int64]bool
}

type abortedTransaction struct{ producer, first int64 }

// Fetch reads from a partition. The caller releases what it gets. An error of
// the broker is a kafka-go Error.
func (c *Client) Fetch(ctx context.Context, r FetchRequest) (*Fetched, error) {
	m := &fetchMessage{request: r, clientID: c.cfg.ClientID}
	m.exchange.key, m.exchange.minVersion = protocol.Fetch, 4
	err := c.roundTrip(ctx, c.cfg.RequestTimeout+r.MaxWait, m)
	if err != nil {
		if m.revoke() && m.buffer != nil {
			m.buffer.Release()
		}
		return nil, fmt.Errorf("fetching %s/%d from offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	f, err := m.decode()
	if err != nil {
		m.buffer.Release()
		return nil, fmt.Errorf("fetching %s/%d from offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return f, nil
}

// Release gives the answer's memory back. Batches and records that were handed
// out keep their own hold on it.
func (f *Fetched) Release() {
	if f.buffer != nil {
		f.buffer.Release()
		f.buffer = nil
	}
	f.raw = nil
}

// Len returns how many bytes are left to be decoded.
func (f *Fetched) Len() int { return len(f.raw) }

// ReadBatch visits the records of the next batch and returns the batch and the
// memory that its records are in, which the caller releases. At the end it
// returns io.EOF. With another error it returns the broken batch, of which only
// the offsets mean something, has visited nothing, and is at the batch after it.
func (f *Fetched) ReadBatch(visit func(*FetchedRecord)) (Batch, *Buffer, error) {
	if len(f.raw) == 0 {
		return Batch{}, nil, io.EOF
	}
	batch, rest, err := nextBatch(f.raw)
	f.raw = rest
	if err == errTruncated { //nolint:errorlint // never wrapped: made by the line above
		return Batch{}, nil, io.EOF
	}
	if err != nil {
		return batch, nil, err
	}
	if batch.Control {
		f.endTransaction(&batch)
		return batch, nil, nil
	}
	if f.isAborted(&batch) || batch.count == 0 {
		return batch, nil, nil
	}
	memory := f.buffer
	body := batch.body
	if codec := Compression(batch.attributes & attributeCodec); codec != None {
		if memory, err = shared.decompress(codec, body); err != nil {
			return batch, nil, fmt.Errorf("record batch at offset %d: %w", batch.Base, err)
		}
		body = memory.B
	} else {
		memory.Retain()
	}
	// Nothing of a broken batch is visited.
	err = batch.records(body, func(*FetchedRecord) {})
	if err == nil {
		err = batch.records(body, visit)
	}
	if err != nil {
		memory.Release()
		return batch, nil, err
	}
	return batch, memory, nil
}

// isAborted reports whether the batch belongs to an aborted transaction. The
// broker lists the aborted transactions that overlap with the answer.
func (f *Fetched) isAborted(batch *Batch) bool {
	if batch.attributes&attributeTransactional == 0 {
		return false
	}
	for len(f.aborted) > 0 && f.aborted[0].first <= batch.Base {
		if f.aborts == nil {
			f.aborts = make(map[int64]bool)
		}
		f.aborts[f.aborted[0].producer] = true
		f.aborted = f.aborted[1:]
	}
	return f.aborts[batch.producer]
}

// endTransaction reads a transaction marker.
func (f *Fetched) endTransaction(batch *Batch) {
	if f.aborts == nil && len(f.aborted) == 0 {
		return
	}
	const markerAbort = 0
	_ = f.isAborted(batch)
	_ = batch.records(batch.body, func(r *FetchedRecord) {
		key := reader{b: r.Key}
		key.int16() // version
		if kind := key.int16(); !key.bad && kind == markerAbort {
			delete(f.aborts, batch.producer)
		}
	})
}

// fetchMessage is a Fetch request of version 4 to 11.
type fetchMessage struct {
	exchange
	request  FetchRequest
	clientID string
	buffer   *Buffer
}

// Broker returns the leader of the partition.
func (m *fetchMessage) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return leaderOf(cluster, m.request.Topic, m.request.Partition)
}

// RawExchange sends the request and reads the answer into a pooled buffer.
func (m *fetchMessage) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := m.begin(); err != nil {
		return nil, err
	}
	defer m.end()
	n, err := sendRequest(rw, m.encode(), m.version)
	if err != nil {
		return nil, err
	}
	buffer := NewBuffer(n)
	if _, err := io.ReadFull(rw, buffer.B); err != nil {
		buffer.Release()
		return nil, err
	}
	m.buffer = buffer
	return m, nil
}

func (m *fetchMessage) encode() []byte {
	r := &m.request
	b := make([]byte, 0, 128+len(r.Topic)+len(m.clientID))
	b = appendHeader(b, protocol.Fetch, m.clientID)
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // replica id: a client
	b = binary.BigEndian.AppendUint32(b, uint32(r.MaxWait.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(r.MinBytes))
	b = binary.BigEndian.AppendUint32(b, uint32(r.MaxBytes))
	b = append(b, byte(kafkago.ReadCommitted))
	if m.version >= 7 {
		b = binary.BigEndian.AppendUint32(b, 0)          // session id
		b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // session epoch: no session
	}
	b = binary.BigEndian.AppendUint32(b, 1)
	b = appendString(b, r.Topic)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Partition))
	if m.version >= 9 {
		b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // leader epoch: any
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Offset))
	if m.version >= 5 {
		b = binary.BigEndian.AppendUint64(b, ^uint64(0)) // log start offset, of followers only
	}
	b = binary.BigEndian.AppendUint32(b, uint32(r.MaxBytes))
	if m.version >= 7 {
		b = binary.BigEndian.AppendUint32(b, 0) // forgotten topics
	}
	if m.version >= 11 {
		b = appendString(b, "") // rack
	}
	return b
}

func (m *fetchMessage) decode() (*Fetched, error) {
	r := reader{b: m.buffer.B}
	r.int32() // throttle time
	code := int16(0)
	if m.version >= 7 {
		code = r.int16()
		r.int32() // session id
	}
	f := &Fetched{buffer: m.buffer}
	if code == 0 {
		if topics := r.count(6); topics != 1 {
			return nil, fmt.Errorf("answer names %d topics, want 1", topics)
		}
		topic := string(r.string())
		if partitions := r.count(18); partitions != 1 {
			return nil, fmt.Errorf("answer names %d partitions, want 1", partitions)
		}
		partition := r.int32()
		if topic != m.request.Topic || partition != m.request.Partition {
			return nil, fmt.Errorf("answer is for %s/%d", topic, partition)
		}
		code = r.int16()
		f.HighWatermark = r.int64()
		r.int64() // last stable offset
		if m.version >= 5 {
			f.LogStart = r.int64()
		}
		for range r.count(16) {
			f.aborted = append(f.aborted, abortedTransaction{r.int64(), r.int64()})
		}
		slices.SortFunc(f.aborted, func(a, b abortedTransaction) int { return int(a.first - b.first) })
		if m.version >= 11 {
			r.int32() // preferred replica
		}
		f.raw = r.take(max(int(r.int32()), 0))
		if r.bad {
			return nil, fmt.Errorf("answer of %d bytes is cut off", len(m.buffer.B))
		}
	}
	if code != 0 {
		return nil, kafkago.Error(code)
	}
	return f, nil
}
