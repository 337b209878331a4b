package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// The record batch of the protocol, format 2.
const (
	batchLengthAt     = 8  // bytes after this field
	batchEpochAt      = 12 // partition leader epoch
	batchMagicAt      = 16
	batchCRCAt        = 17 // of everything after it
	batchAttributesAt = 21
	batchLastDeltaAt  = 23
	batchBaseTimeAt   = 27
	batchMaxTimeAt    = 35
	batchProducerAt   = 43
	batchCountAt      = 57
	batchHeaderSize   = 61

	attributeTransactional = 1 << 4
	attributeControl       = 1 << 5
	attributeCodec         = 7
	attributeAppendTime    = 1 << 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// minCompressed is the size below which compression gains nothing.
const minCompressed = 256

// appendBatch appends one record batch of the records to dst. Scratch is memory
// to work in; it is returned for the next call.
func appendBatch(dst []byte, records iter.Seq2[int, *Record], codec Compression, scratch []byte) (batch, scratchOut []byte, err error) {
	start := len(dst)
	dst = grow(dst, batchHeaderSize)
	header := dst[start:]
	clear(header)

	body := dst
	if codec != None {
		body = scratch[:0]
	}
	bodyStart := len(body)
	count := 0
	var baseTime, maxTime int64
	for i, r := range records {
		if i == 0 {
			baseTime, maxTime = r.Timestamp, r.Timestamp
		}
		maxTime = max(maxTime, r.Timestamp)
		body = appendRecord(body, r, i, r.Timestamp-baseTime)
		count++
	}
	if count == 0 {
		return dst[:start], scratch, errors.New("encoding a record batch: no records")
	}
	if codec != None {
		scratch = body
		if len(body) < minCompressed {
			codec = None
		}
		head := len(dst)
		if dst, err = shared.compress(codec, dst, body); err != nil {
			return dst[:start], scratch, err
		}
		if len(dst)-head > len(body) {
			codec, dst = None, append(dst[:head], body...)
		}
	} else {
		dst = body
	}
	if len(body)-bodyStart > math.MaxInt32 {
		return dst[:start], scratch, errors.New("encoding a record batch: too large")
	}
	b := dst[start:]
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchEpochAt))
	binary.BigEndian.PutUint32(b[batchEpochAt:], math.MaxUint32)
	b[batchMagicAt] = 2
	binary.BigEndian.PutUint16(b[batchAttributesAt:], uint16(codec))
	binary.BigEndian.PutUint32(b[batchLastDeltaAt:], uint32(count-1))
	binary.BigEndian.PutUint64(b[batchBaseTimeAt:], uint64(baseTime))
	binary.BigEndian.PutUint64(b[batchMaxTimeAt:], uint64(maxTime))
	binary.BigEndian.PutUint64(b[batchProducerAt:], math.MaxUint64)
	binary.BigEndian.PutUint16(b[batchProducerAt+8:], math.MaxUint16)
	binary.BigEndian.PutUint32(b[batchProducerAt+10:], math.MaxUint32)
	binary.BigEndian.PutUint32(b[batchCountAt:], uint32(count))
	binary.BigEndian.PutUint32(b[batchCRCAt:], crc32.Checksum(b[batchAttributesAt:], castagnoli))
	return dst, scratch, nil
}

func appendRecord(b []byte, r *Record, delta int, timeDelta int64) []byte {
	size := 1 + varintSize(timeDelta) + varintSize(int64(delta)) + varbytesSize(r.Key) + varbytesSize(r.Value) +
		varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		size += varintSize(int64(len(h.Key))) + len(h.Key) + varbytesSize(h.Value)
	}
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0)
	b = binary.AppendVarint(b, timeDelta)
	b = binary.AppendVarint(b, int64(delta))
	b = appendVarbytes(b, r.Key)
	b = appendVarbytes(b, r.Value)
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendVarbytes(b, h.Value)
	}
	return b
}

func appendVarbytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 1) // -1: null
	}
	b = binary.AppendVarint(b, int64(len(v)))
	return append(b, v...)
}

func varbytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + len(v)
}

func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}

// Batch is a record batch as it came from a broker.
type Batch struct {
	// Base is the offset of the first record, Next the one after the last.
	Base, Next int64
	// Control marks a batch of transaction markers, which holds no records.
	Control bool

	attributes int16
	producer   int64
	baseTime   int64
	maxTime    int64
	count      int32
	body       []byte
}

var errTruncated = errors.New("record batch is cut off")

// nextBatch takes one record batch off the front of raw. It returns errTruncated
// where raw ends within a batch, which is how brokers fill an answer up.
func nextBatch(raw []byte) (batch Batch, rest []byte, err error) {
	if len(raw) < batchMagicAt+1 {
		return batch, nil, errTruncated
	}
	batch.Base = int64(binary.BigEndian.Uint64(raw))
	batch.Next = batch.Base + 1
	length := int64(int32(binary.BigEndian.Uint32(raw[batchLengthAt:])))
	if length < batchMagicAt+1-batchEpochAt {
		return batch, nil, fmt.Errorf("record batch at offset %d: length %d is out of bounds", batch.Base, length)
	}
	end := batchEpochAt + length
	if end > int64(len(raw)) {
		return batch, nil, errTruncated
	}
	raw, rest = raw[:end], raw[end:]
	if magic := raw[batchMagicAt]; magic != 2 {
		return batch, rest, fmt.Errorf("record batch at offset %d: format %d, want 2", batch.Base, magic)
	}
	if len(raw) < batchHeaderSize {
		return batch, rest, fmt.Errorf("record batch at offset %d: length %d is out of bounds", batch.Base, length)
	}
	lastDelta := int32(binary.BigEndian.Uint32(raw[batchLastDeltaAt:]))
	if lastDelta >= 0 {
		batch.Next = batch.Base + int64(lastDelta) + 1
	}
	if want, got := binary.BigEndian.Uint32(raw[batchCRCAt:]), crc32.Checksum(raw[batchAttributesAt:], castagnoli); want != got {
		return batch, rest, fmt.Errorf("record batch at offset %d: checksum %08x, want %08x", batch.Base, got, want)
	}
	batch.attributes = int16(binary.BigEndian.Uint16(raw[batchAttributesAt:]))
	if lastDelta < 0 {
		return batch, rest, fmt.Errorf("record batch at offset %d: last offset delta %d", batch.Base, lastDelta)
	}
	batch.Control = batch.attributes&attributeControl != 0
	batch.baseTime = int64(binary.BigEndian.Uint64(raw[batchBaseTimeAt:]))
	batch.maxTime = int64(binary.BigEndian.Uint64(raw[batchMaxTimeAt:]))
	batch.producer = int64(binary.BigEndian.Uint64(raw[batchProducerAt:]))
	batch.count = int32(binary.BigEndian.Uint32(raw[batchCountAt:]))
	batch.body = raw[batchHeaderSize:]
	return batch, rest, nil
}

// FetchedRecord is one record of a fetched batch. Its memory is the batch's.
type FetchedRecord struct {
	Offset int64
	// Timestamp is in milliseconds since 1970.
	Timestamp  int64
	Key, Value []byte
	headers    []byte
	count      int
}

// Headers yields the record's headers.
func (r *FetchedRecord) Headers(yield func(key, value []byte) bool) {
	h := reader{b: r.headers}
	for range r.count {
		key := h.varbytes()
		value := h.varbytes()
		if h.bad || !yield(key, value) {
			return
		}
	}
}

// records visits the batch's records. Body is the decompressed body. It returns
// an error where the batch is not what its header says.
func (batch *Batch) records(body []byte, visit func(*FetchedRecord)) error {
	r := reader{b: body}
	var rec FetchedRecord
	for range batch.count {
		length := r.varint()
		if r.bad || length < 0 || length > int64(len(r.b)) {
			return batch.corrupt()
		}
		f := reader{b: r.take(int(length))}
		f.int8()
		rec.Timestamp = batch.baseTime + f.varint()
		if batch.attributes&attributeAppendTime != 0 {
			rec.Timestamp = batch.maxTime
		}
		rec.Offset = batch.Base + f.varint()
		rec.Key = f.varbytes()
		rec.Value = f.varbytes()
		n := f.varint()
		if f.bad || n < 0 || n > int64(len(f.b)) || rec.Offset < batch.Base || rec.Offset >= batch.Next {
			return batch.corrupt()
		}
		rec.count, rec.headers = int(n), f.b
		visit(&rec)
	}
	return nil
}

func (batch *Batch) corrupt() error {
	return fmt.Errorf("record batch at offset %d: records do not fit the batch", batch.Base)
}
