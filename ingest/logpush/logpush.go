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
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
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
	decoder Decoder
	cut     *otlp.Splitter
	scope   string

	// Record is filled in for Add.
	Record logbatch.Record

	resource, records, request []byte
	claim                      func(bytes int64) error
	claimed, used              int64
	err                        error

	rejected int64
	byReason []count
	notes    []string
}

var (
	_ gateway.RequestSplitter = (*Splitter)(nil)
	_ gateway.WordedSplitter  = (*Splitter)(nil)
)

// count is a number of records that were refused for a reason.
type count struct {
	code    string
	records int64
}

// New returns a splitter with limits that are valid. Claim hands out memory, and
// scope names the protocol in what is stored.
func New(limits otlp.Limits, claim func(bytes int64) error, scope string, d Decoder) *Splitter {
	return &Splitter{decoder: d, cut: otlp.NewSplitter(limits), scope: scope, claim: claim}
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
	if s.err != nil {
		return s.err
	}
	if err != nil {
		return err
	}
	s.flush()
	if !s.Claim(len(s.request)) { // for the parts, where it has to be cut
		return s.err
	}
	return s.cut.Split(signal, s.request, partitions, received)
}

// chunk is the least memory that is claimed at a time.
const chunk = 64 << 10

// Claim says that the request needs n more bytes of memory. It reports false
// where there are none; the decoder then gives up, and the sender is told.
func (s *Splitter) Claim(n int) bool {
	if s.err != nil {
		return false
	}
	s.used += int64(n)
	if s.used <= s.claimed {
		return true
	}
	more := max(s.used-s.claimed, chunk, s.claimed/4)
	if s.err = s.claim(more); s.err != nil {
		return false
	}
	s.claimed += more
	return true
}

// Stream begins the records of a resource, which is encoded as by
// [logbatch.Resource]. It is kept until the next call.
func (s *Splitter) Stream(resource []byte) {
	if bytes.Equal(resource, s.resource) {
		return
	}
	s.flush()
	s.resource = append(s.resource[:0], resource...)
}

// Add adds the record to the current stream. It reports false where memory ran out.
func (s *Splitter) Add() bool {
	if !s.Claim(2 * logbatch.RecordBound(&s.Record)) { // in records, then in request
		return false
	}
	s.records = logbatch.AppendRecord(s.records, &s.Record)
	return true
}

// flush ends the current stream.
func (s *Splitter) flush() {
	if len(s.records) > 0 && s.Claim(logbatch.LogsBound(s.resource, s.scope)) {
		s.request = logbatch.AppendLogs(s.request, s.resource, s.scope, s.records)
	}
	s.records = s.records[:0]
}

// maxNoted is how many refused records the message names.
const maxNoted = 8

// Reject refuses a record, by its place in the request, for a reason whose code is
// one of otlp's. Nothing of the data should be quoted: it could be secret.
func (s *Splitter) Reject(record int, code, text string) {
	s.rejected++
	if len(s.notes) < maxNoted {
		s.notes = append(s.notes, fmt.Sprintf("record %d: %s", record, text))
	}
	for i := range s.byReason {
		if s.byReason[i].code == code {
			s.byReason[i].records++
			return
		}
	}
	s.byReason = append(s.byReason, count{code, 1})
}

// Parts implements [gateway.Splitter].
func (s *Splitter) Parts() []otlp.Part { return s.cut.Parts() }

// Accepted implements [gateway.Splitter].
func (s *Splitter) Accepted() int64 { return s.cut.Accepted() }

// Rejected implements [gateway.Splitter].
func (s *Splitter) Rejected() int64 { return s.rejected + s.cut.Rejected() }

// RejectedBy implements [gateway.Splitter].
func (s *Splitter) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, c := range s.byReason {
			if !yield(c.code, c.records) {
				return
			}
		}
		for code, n := range s.cut.RejectedBy() {
			if !yield(code, n) {
				return
			}
		}
	}
}

// Message implements [gateway.Splitter].
func (s *Splitter) Message() string {
	parts := append([]string(nil), s.notes...)
	if more := s.rejected - int64(len(s.notes)); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	if limits := s.cut.Message(); limits != "" {
		parts = append(parts, limits)
	}
	return strings.Join(parts, "; ")
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
	s.cut.Reset()
	s.err, s.claimed, s.used = nil, 0, 0
	s.rejected, s.byReason, s.notes = 0, s.byReason[:0], s.notes[:0]
	s.Record = logbatch.Record{Attributes: s.Record.Attributes[:0]}
	for _, buffer := range []*[]byte{&s.resource, &s.records, &s.request, &s.Record.Attributes} {
		if cap(*buffer) > keptBytes {
			*buffer = nil
		}
		*buffer = (*buffer)[:0]
	}
}
