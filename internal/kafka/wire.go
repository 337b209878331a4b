package kafka

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/segmentio/kafka-go/protocol"
)

// partitionID names one partition.
type partitionID struct {
	topic     string
	partition int32
}

// exchange is one request and answer over a connection of the transport, in an
// encoding of our own. It tracks who may touch the memory of the request: the
// transport may return early, when the context ends, while its connection is
// still writing or reading.
type exchange struct {
	key        protocol.ApiKey
	version    int16
	minVersion int16
	state      atomic.Int32
}

const (
	exchangeIdle int32 = iota
	exchangeRunning
	exchangeDone
	exchangeRevoked
)

// ApiKey, Required and RawExchange are how the transport asks a message to
// encode itself.

// ApiKey returns the number of the request's kind.
func (e *exchange) ApiKey() protocol.ApiKey { return e.key } //nolint:staticcheck // the transport's interface spells it so

// Required takes note of the negotiated version, and asks for RawExchange.
func (e *exchange) Required(versions map[protocol.ApiKey]int16) bool {
	e.version = versions[e.key]
	return true
}

// begin takes the right to use the memory of the request, unless it was revoked.
func (e *exchange) begin() error {
	if !e.state.CompareAndSwap(exchangeIdle, exchangeRunning) {
		return fmt.Errorf("%s request was abandoned before it was sent", e.key)
	}
	if e.version < e.minVersion {
		e.state.Store(exchangeDone)
		return fmt.Errorf("%s requests: broker offers version %d, want %d or later", e.key, e.version, e.minVersion)
	}
	return nil
}

func (e *exchange) end() { e.state.Store(exchangeDone) }

// revoke is called after the round trip. It reports whether the memory of the
// request is free: not in use now or later.
func (e *exchange) revoke() bool {
	return e.state.CompareAndSwap(exchangeIdle, exchangeRevoked) || e.state.Load() == exchangeDone
}

// leaderOf finds the broker that leads the partition.
func leaderOf(cluster protocol.Cluster, topic string, partition int32) (protocol.Broker, error) {
	t, ok := cluster.Topics[topic]
	if !ok {
		return protocol.Broker{}, &metadataError{topic, partition, "topic is not known"}
	}
	p, ok := t.Partitions[partition]
	if !ok {
		return protocol.Broker{}, &metadataError{topic, partition, "partition is not known"}
	}
	leader, ok := cluster.Brokers[p.Leader]
	if !ok {
		return protocol.Broker{}, &metadataError{topic, partition, "partition has no leader"}
	}
	return leader, nil
}

// metadataError says that the metadata at hand does not allow a request.
type metadataError struct {
	topic     string
	partition int32
	what      string
}

func (e *metadataError) Error() string {
	return fmt.Sprintf("%s/%d: %s", e.topic, e.partition, e.what)
}

// correlations numbers the requests of the process; an answer must carry the
// number of its request.
var correlations atomic.Int32

// Offsets in a request's header.
const (
	headerVersion     = 6
	headerCorrelation = 8
)

// appendHeader starts a request: size, kind, version and correlation id are
// patched by finishHeader.
func appendHeader(b []byte, key protocol.ApiKey, clientID string) []byte {
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint32(b, 0)
	return appendString(b, clientID)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// finishHeader completes the header of an encoded request and returns its
// correlation id.
func finishHeader(request []byte, version int16) int32 {
	correlation := correlations.Add(1)
	binary.BigEndian.PutUint32(request, uint32(len(request)-4))
	binary.BigEndian.PutUint16(request[headerVersion:], uint16(version))
	binary.BigEndian.PutUint32(request[headerCorrelation:], uint32(correlation))
	return correlation
}

// sendRequest writes an encoded request and reads the answer's header. It
// returns the number of bytes of the answer that follow.
func sendRequest(rw io.ReadWriter, request []byte, version int16) (int, error) {
	correlation := finishHeader(request, version)
	if _, err := rw.Write(request); err != nil {
		return 0, err
	}
	var header [8]byte
	if _, err := io.ReadFull(rw, header[:]); err != nil {
		return 0, err
	}
	size := int32(binary.BigEndian.Uint32(header[:4]))
	if got := int32(binary.BigEndian.Uint32(header[4:])); got != correlation {
		return 0, fmt.Errorf("answer has correlation id %d, want %d", got, correlation)
	}
	if size < 4 || size > maxResponse {
		return 0, fmt.Errorf("answer of %d bytes: out of bounds", size)
	}
	return int(size) - 4, nil
}

// maxResponse bounds an answer. A broker may exceed the size that was asked
// for by one record batch.
const maxResponse = 256 << 20

// reader takes big-endian values off the front of b. After a value that is not
// there, bad is set and everything is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// varint reads a zigzag varint.
func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// string reads a string with a 16-bit length; a negative length is empty.
func (r *reader) string() []byte { return r.take(max(int(r.int16()), 0)) }

// bytes reads bytes with a varint length; a negative length is nil.
func (r *reader) varbytes() []byte {
	n := r.varint()
	if n < 0 || r.bad {
		return nil
	}
	if n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	return r.take(int(n))
}

// count reads the length of an array whose elements take at least size bytes
// each; a negative length is 0.
func (r *reader) count(size int) int {
	n := int(r.int32())
	if n > len(r.b)/size {
		r.bad, r.b = true, nil
		return 0
	}
	return max(n, 0)
}
