// Package logpush is what protocols that push logs to the gateway have in common,
// where these are not OTLP: a decoder reads one log record after the other, and what
// comes out is checked and cut as any other request.
//
// Nothing is allocated for a record, and all memory that grows with a request is
// claimed from who hands it out. It must not know the protocols.
package logpush

import (
	"bytes"
	"errors"
	"math"
	"net/http"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/convert"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Decoder reads the bodies of one format.
type Decoder interface {
	// Describe is that of [gateway.RequestSplitter].
	Describe(r *http.Request) (identity string, err error)
	// Decode adds the records of a body to the splitter. It returns an error where
	// the body is not in the format; then nothing of it is accepted.
	Decode(s *Splitter, body []byte, received int64) error
	// Answer is that of [gateway.WordedSplitter].
	Answer() []byte
	// Reset lets go of the body.
	Reset()
}

// Splitter is what the gateway takes for such a format. It is used by one
// goroutine at a time.
type Splitter struct {
	// Cutter has the records that are refused, by their places in the request.
	convert.Cutter

	decoder Decoder
	scope   string

	// Record is filled in for Add.
	Record logwriter.Record

	resource, records, request []byte
	memory                     convert.Memory
}

var (
	_ gateway.RequestSplitter = (*Splitter)(nil)
	_ gateway.WordedSplitter  = (*Splitter)(nil)
)

// New returns a splitter with limits that are valid. Claim hands out memory, and
// scope names the protocol in what is stored.
func New(limits otlp.Limits, claim func(bytes int64) error, scope string, d Decoder) *Splitter {
	return &Splitter{decoder: d, Cutter: convert.NewCutter(limits, "record", ""), scope: scope, memory: convert.NewMemory(claim)}
}

// Describe implements [gateway.RequestSplitter].
func (s *Splitter) Describe(r *http.Request) (string, error) { return s.decoder.Describe(r) }

// ErrFull is what a decoder returns where memory ran out; the splitter knows why.
var ErrFull = errors.New("out of memory")

// Split implements [gateway.Splitter].
func (s *Splitter) Split(signal telemetry.Signal, body []byte, partitions int, received int64) error {
	s.clear()
	if len(body) > math.MaxInt32 {
		return errors.New("the request exceeds 2 GiB")
	}
	err := s.decoder.Decode(s, body, received)
	if full := s.memory.Err(); full != nil {
		return full
	}
	if err != nil {
		return err
	}
	s.flush()
	if !s.Claim(len(s.request)) { // for the parts, where it has to be cut
		return s.memory.Err()
	}
	return s.Cutter.Split(signal, s.request, partitions, received)
}

// Claim says that the request needs n more bytes of memory. It reports false
// where there are none; the decoder then gives up, and the sender is told.
func (s *Splitter) Claim(n int) bool { return s.memory.Claim(n) }

// Stream begins the records of a resource, which is encoded as by
// [logwriter.Resource]. It is kept until the next call.
func (s *Splitter) Stream(resource []byte) {
	if bytes.Equal(resource, s.resource) {
		return
	}
	s.flush()
	s.resource = append(s.resource[:0], resource...)
}

// Add adds the record to the current stream. It reports false where memory ran out.
func (s *Splitter) Add() bool {
	if !s.Claim(2 * logwriter.RecordBound(&s.Record)) { // in records, then in request
		return false
	}
	s.records = logwriter.AppendRecord(s.records, &s.Record)
	return true
}

// flush ends the current stream.
func (s *Splitter) flush() {
	if len(s.records) > 0 && s.Claim(logwriter.LogsBound(s.resource, s.scope)) {
		s.request = logwriter.AppendLogs(s.request, s.resource, s.scope, s.records)
	}
	s.records = s.records[:0]
}

// Answer implements [gateway.WordedSplitter].
func (s *Splitter) Answer() []byte { return s.decoder.Answer() }

// keptBytes is how much memory is kept between requests.
const keptBytes = 8 << 20

// Reset implements [gateway.Splitter].
func (s *Splitter) Reset() {
	s.clear()
	s.decoder.Reset()
}

func (s *Splitter) clear() {
	s.Cutter.Reset()
	s.memory.Reset()
	s.Record = logwriter.Record{Attributes: s.Record.Attributes[:0]}
	for _, buffer := range []*[]byte{&s.resource, &s.records, &s.request, &s.Record.Attributes} {
		if cap(*buffer) > keptBytes {
			*buffer = nil
		}
		*buffer = (*buffer)[:0]
	}
}
