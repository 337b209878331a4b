package sentry

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry/wire"
)

// keptBytes is how much memory of a buffer is kept between requests, for which
// nothing is claimed.
const keptBytes = 64 << 10

// buffer is memory that grows with a request and is claimed.
type buffer struct {
	b     []byte
	claim func(bytes int) bool
}

// room makes sure that n bytes can be appended.
func (b *buffer) room(n int) bool {
	if cap(b.b)-len(b.b) >= n {
		return true
	}
	grown := max(2*cap(b.b), len(b.b)+n, 1<<10)
	if grown > keptBytes && !b.claim(grown) {
		return false
	}
	b.b = slices.Grow(b.b, grown-len(b.b))
	return true
}

func (b *buffer) append(texts ...[]byte) {
	for _, text := range texts {
		if b.room(len(text)) {
			b.b = append(b.b, text...)
		}
	}
}

func (b *buffer) string(texts ...string) {
	for _, text := range texts {
		if b.room(len(text)) {
			b.b = append(b.b, text...)
		}
	}
}

// clear empties the buffer.
func (b *buffer) clear() {
	if cap(b.b) > keptBytes {
		b.b = nil
	}
	b.b = b.b[:0]
}

// Tags of attributes, by the field numbers of OTLP.
const (
	resourceTag = 1<<3 | wire.LengthType
	recordTag   = 6<<3 | wire.LengthType
)

// attributes is a list of attributes: of a log record, of a span or of a resource.
type attributes interface {
	String(key, value []byte)
	Bool(key []byte, value bool)
	Int(key []byte, value int64)
	Double(key []byte, value float64)
}

// list is a list of attributes, encoded.
type list struct {
	buffer
	tag byte
}

// begin writes an attribute up to its value, an AnyValue of the given size.
func (l *list) begin(key []byte, value int) bool {
	size := fieldLen(len(key)) + fieldLen(value)
	if !l.room(1 + binary.MaxVarintLen64 + size) {
		return false
	}
	l.b = binary.AppendUvarint(append(l.b, l.tag), uint64(size))
	l.b = appendField(l.b, 1<<3|wire.LengthType, key)
	l.b = binary.AppendUvarint(append(l.b, 2<<3|wire.LengthType), uint64(value))
	return true
}

// String adds a text.
func (l *list) String(key, value []byte) {
	if l.begin(key, fieldLen(len(value))) {
		l.b = appendField(l.b, 1<<3|wire.LengthType, value)
	}
}

// Bool adds a boolean.
func (l *list) Bool(key []byte, value bool) {
	if l.begin(key, 2) {
		bit := byte(0)
		if value {
			bit = 1
		}
		l.b = append(l.b, 2<<3|wire.VarintType, bit)
	}
}

// Int adds an integer.
func (l *list) Int(key []byte, value int64) {
	if l.begin(key, 1+wire.UvarintLen(uint64(value))) {
		l.b = binary.AppendUvarint(append(l.b, 3<<3|wire.VarintType), uint64(value))
	}
}

// Double adds a floating point number.
func (l *list) Double(key []byte, value float64) {
	if l.begin(key, 9) {
		l.b = binary.LittleEndian.AppendUint64(append(l.b, 4<<3|wire.Fixed64Type), math.Float64bits(value))
	}
}

// fieldLen is the length of a field with n bytes.
func fieldLen(n int) int { return 1 + wire.UvarintLen(uint64(n)) + n }

func appendField(b []byte, tag byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(b, tag), uint64(len(content))), content...)
}

// logs is a request with log records.
type logs struct {
	records, request buffer
	resource         []byte // of the records
}

// logRecord is a log record; what is zero or empty is left out.
type logRecord struct {
	time                uint64 // Unix nanoseconds
	severity            byte
	severityText, event []byte
	body                []byte
	attributes          []byte // encoded
	traceID             [16]byte
	spanID              [8]byte
}

// add appends a record of a resource, which is encoded.
func (l *logs) add(resource []byte, r *logRecord) {
	if len(l.records.b) > 0 && string(resource) != string(l.resource) {
		l.close()
	}
	if len(l.records.b) == 0 {
		l.resource = append(l.resource[:0], resource...)
	}
	const fixed = 9 + 2 + 18 + 10
	most := fixed + len(r.attributes) + len(r.body) + len(r.severityText) + len(r.event) + 8*binary.MaxVarintLen64
	if !l.records.room(2 * most) {
		return
	}
	// The record is written where there is room, and moved behind its length.
	b := l.records.b
	at := len(b)
	b = append(b, make([]byte, 1+binary.MaxVarintLen32)...)
	start := len(b)
	if r.time != 0 {
		b = binary.LittleEndian.AppendUint64(append(b, 1<<3|wire.Fixed64Type), r.time)
	}
	if r.severity != 0 {
		b = append(b, 2<<3|wire.VarintType, r.severity)
	}
	if len(r.severityText) > 0 {
		b = appendField(b, 3<<3|wire.LengthType, r.severityText)
	}
	if len(r.body) > 0 {
		b = binary.AppendUvarint(append(b, 5<<3|wire.LengthType), uint64(fieldLen(len(r.body))))
		b = appendField(b, 1<<3|wire.LengthType, r.body)
	}
	b = append(b, r.attributes...)
	if r.traceID != [16]byte{} {
		b = appendField(b, 9<<3|wire.LengthType, r.traceID[:])
	}
	if r.spanID != [8]byte{} {
		b = appendField(b, 10<<3|wire.LengthType, r.spanID[:])
	}
	if len(r.event) > 0 {
		b = appendField(b, 12<<3|wire.LengthType, r.event)
	}
	content := b[start:]
	b = binary.AppendUvarint(append(b[:at], 2<<3|wire.LengthType), uint64(len(content)))
	l.records.b = append(b, content...)
}

// close writes the records of a resource into the request.
func (l *logs) close() {
	if len(l.records.b) == 0 {
		return
	}
	scope := fieldLen(len(l.records.b))
	size := fieldLen(len(l.resource)) + scope
	if l.request.room(size + 2*binary.MaxVarintLen64) {
		b := binary.AppendUvarint(append(l.request.b, 1<<3|wire.LengthType), uint64(size))
		b = appendField(b, 1<<3|wire.LengthType, l.resource)
		l.request.b = appendField(b, 2<<3|wire.LengthType, l.records.b)
	}
	l.records.b = l.records.b[:0]
}

// finish returns the request.
func (l *logs) finish() []byte {
	l.close()
	return l.request.b
}

func (l *logs) clear() {
	l.records.clear()
	l.request.clear()
	l.resource = l.resource[:0]
}
