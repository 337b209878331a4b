package sentry

import (
	"slices"
	"unsafe"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
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

// logs is a request with log records.
type logs struct {
	records, request buffer
	resource         []byte // of the records
}

// add appends a record of a resource, which is encoded.
func (l *logs) add(resource []byte, r *logwriter.Record) {
	if len(l.records.b) > 0 && string(resource) != string(l.resource) {
		l.close()
	}
	if len(l.records.b) == 0 {
		l.resource = append(l.resource[:0], resource...)
	}
	if l.records.room(logwriter.RecordBound(r)) {
		l.records.b = logwriter.AppendRecord(l.records.b, r)
	}
}

// close writes the records of a resource into the request.
func (l *logs) close() {
	if len(l.records.b) == 0 {
		return
	}
	if l.request.room(len(l.records.b) + logwriter.LogsBound(l.resource, "")) {
		l.request.b = logwriter.AppendLogs(l.request.b, l.resource, "", l.records.b)
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

// view returns the bytes as a string without a copy. The string is valid for as
// long as the bytes are not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
