package kafka

import (
	"encoding/binary"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// produceMessage is a Produce request of version 3 to 8 with one record batch
// for each of several partitions of one broker. The request owns its memory:
// once the batches are encoded, nobody's records are touched.
type produceMessage struct {
	trip
	buffer  []byte
	scratch []byte
	parts   []producePart
}

// producePart is one partition's share of a request.
type producePart struct {
	id partitionID
	// err is the outcome: of the answer, or where there is none of the request.
	err error
	// wire is the size of the encoded batch.
	wire int
}

const requireAll = -1

// The versions of Produce requests that are spoken: from the record batches of
// today to the last before flexible encoding.
const (
	produceMin = 3
	produceMax = 8
)

// encode builds the request for the lanes' batches. Lanes of one topic must be
// next to each other.
func (m *produceMessage) encode(clientID string, timeout time.Duration, lanes []*lane, codec Compression) error {
	m.parts = m.parts[:0]
	b := appendHeader(m.buffer[:0], protocol.Produce, clientID)
	b = binary.BigEndian.AppendUint16(b, ^uint16(0)) // transactional id: null
	acks := int16(requireAll)
	b = binary.BigEndian.AppendUint16(b, uint16(acks))
	b = binary.BigEndian.AppendUint32(b, uint32(timeout.Milliseconds()))
	topicsAt := len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	topics, partitions, partitionsAt := uint32(0), uint32(0), 0
	for i, l := range lanes {
		if i == 0 || l.id.topic != lanes[i-1].id.topic {
			topics++
			b = appendString(b, l.id.topic)
			partitionsAt, partitions = len(b), 0
			b = binary.BigEndian.AppendUint32(b, 0)
		}
		partitions++
		binary.BigEndian.PutUint32(b[partitionsAt:], partitions)
		b = binary.BigEndian.AppendUint32(b, uint32(l.id.partition))
		sizeAt := len(b)
		b = binary.BigEndian.AppendUint32(b, 0)
		var err error
		b, m.scratch, err = appendBatch(b, l.batchRecords, codec, m.scratch)
		m.buffer = b
		if err != nil {
			return fmt.Errorf("encoding records for %s/%d: %w", l.id.topic, l.id.partition, err)
		}
		wire := len(b) - sizeAt - 4
		binary.BigEndian.PutUint32(b[sizeAt:], uint32(wire))
		m.parts = append(m.parts, producePart{id: l.id, err: errNoAnswer, wire: wire})
	}
	binary.BigEndian.PutUint32(b[topicsAt:], topics)
	m.buffer = b
	return nil
}

// start makes the encoded request ready to be sent over the link.
func (m *produceMessage) start(l *link) { m.begin(l, m.buffer) }

// exchange sends the request and takes the outcomes from the answer.
func (m *produceMessage) exchange() error {
	answer, err := m.run(m.buffer)
	if err != nil {
		return err
	}
	return m.decode(answer)
}

func (m *produceMessage) decode(answer []byte) error {
	r := reader{b: answer}
	for range r.count(6) {
		topic := r.string()
		for range r.count(14) {
			partition := r.int32()
			code := r.int16()
			r.int64() // base offset
			r.int64() // append time
			if m.link.version >= 5 {
				r.int64() // log start
			}
			var message []byte
			if m.link.version >= 8 {
				for range r.count(6) {
					r.int32() // index in the batch
					if text := r.string(); len(text) > 0 {
						message = text
					}
				}
				if text := r.string(); len(text) > 0 {
					message = text
				}
			}
			if r.bad {
				break
			}
			for i := range m.parts {
				part := &m.parts[i]
				if part.id.partition == partition && part.id.topic == string(topic) {
					part.err = answerError(code, message)
				}
			}
		}
	}
	if r.bad {
		return fmt.Errorf("answer of %d bytes is cut off", len(answer))
	}
	return nil
}

// answerError is the error of a broker's code, with its message where it has
// one.
func answerError(code int16, message []byte) error {
	switch {
	case code == 0:
		return nil
	case len(message) > 0:
		return fmt.Errorf("%w: %s", kafkago.Error(code), message)
	}
	return kafkago.Error(code)
}
