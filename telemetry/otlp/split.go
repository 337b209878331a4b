package otlp

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// ErrMalformed is what Split's error wraps where a body is not a request.
var ErrMalformed = errors.New("malformed protobuf")

// Splitter checks requests and cuts them into parts by partition. It is used by
// one goroutine at a time and keeps its memory from one request to the next.
//
// Apart from the rule about time, its parts depend on nothing but the signal,
// the body and the number of partitions: a request that is sent again gives the
// same parts.
type Splitter struct {
	lim   Limits
	w     walker
	cut   cutter
	batch telemetry.Batch // for the row that is being checked
	parts []Part
}

// Part is a request that holds the rows of another that belong to a partition.
type Part struct {
	Partition int
	// Events is the number of log records, spans or data points in it.
	Events int64
	// Value is the encoded request, at most Limits.MaxRecordBytes long. It may be
	// a view of the body and is valid until the next Split.
	Value []byte
}

// NewSplitter returns a splitter with limits that are valid.
func NewSplitter(lim Limits) *Splitter {
	s := &Splitter{lim: lim}
	s.lim.MaxRecordBytes = min(max(lim.MaxRecordBytes, minRecordBytes), maxRequestBytes)
	s.w.limit(&s.lim)
	s.cut.limit = int(s.lim.MaxRecordBytes)
	return s
}

// keptBytes is how much memory for output is kept between requests.
const keptBytes = 8 << 20

// Split checks the body, the encoding of a request of the given signal that was
// received at the given time (Unix nanoseconds), and cuts it into parts for that
// many partitions. What it finds is in Parts, Accepted, Rejected and Message
// until the next Split.
//
// It returns an error, which wraps ErrMalformed, only where the body is not a
// request at all; then nothing of it is accepted.
//
// The spans of a trace go to the partition of [PartitionOfTrace], logs and
// metrics to one that depends on the attributes of their resource, in any order.
// Where all rows belong to one partition and fit into one record, the part is
// the body itself. Where not, resource and scope with all their fields are
// copied into every part that has rows of theirs; fields of the request that the
// splitter does not know are not, nor are wrappers without rows.
func (s *Splitter) Split(signal telemetry.Signal, body []byte, partitions int, received int64) error {
	s.reset()
	w := &s.w
	w.signal, w.partitions = signal, max(1, partitions)
	w.receivedAt(received, &s.lim)
	if !w.request(body) {
		err := fmt.Errorf("%w: %s", ErrMalformed, w.badText())
		s.reset()
		return err
	}
	items := s.cut.items
	switch {
	case len(items) == 0:
	case w.rejected == 0 && len(body) <= s.cut.limit && uniform(items):
		s.parts = append(s.parts, Part{Partition: int(items[0].key), Events: w.events, Value: body})
	default:
		s.cut.pack(body, w.partitions, s.refuse)
		for i := range s.cut.pieces {
			p := &s.cut.pieces[i]
			s.parts = append(s.parts, Part{Partition: int(p.key), Events: p.events, Value: p.value})
		}
	}
	return nil
}

// Reset lets go of the last request, of which a splitter otherwise holds views
// until the next one.
func (s *Splitter) Reset() {
	s.reset()
	s.batch = telemetry.Batch{}
}

func (s *Splitter) reset() {
	if cap(s.cut.buffer) > keptBytes {
		s.cut.buffer = nil
	}
	const kept = keptBytes / 64 // entries of the lists, none is larger
	if cap(s.cut.items) > kept || cap(s.cut.nodes) > kept || cap(s.cut.heads) > kept {
		s.cut = cutter{limit: s.cut.limit, buffer: s.cut.buffer}
	}
	s.cut.reset()
	clear(s.parts)
	s.parts = s.parts[:0]
	s.batch.Reset()
	w := &s.w
	w.b, w.cut, w.check = &s.batch, &s.cut, true
	w.events, w.rejected, w.byReason = 0, 0, [reasons]int64{}
	w.rejects = w.rejects[:0]
}

// refuse rejects rows that were good but cannot be put into any part.
func (s *Splitter) refuse(it item, r reason, n int) {
	s.w.events -= it.events
	s.w.reject(reject{
		extent:  it.extent,
		place:   place{resource: -1},
		problem: problem{reason: r, n: int64(n), limit: int64(s.cut.limit)},
		events:  it.events,
	})
}

// Parts returns the parts of the last request, by partition and then in the
// order of its rows. They are valid until the next Split.
func (s *Splitter) Parts() []Part { return s.parts }

// Accepted returns how many events are in the parts.
func (s *Splitter) Accepted() int64 { return s.w.events }

// Rejected returns how many events of the last request are not in the parts.
func (s *Splitter) Rejected() int64 { return s.w.rejected }

// RejectedBy yields the reason codes for which events of the last request were
// rejected, with how many.
func (s *Splitter) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for r, n := range s.w.byReason {
			if n > 0 && !yield(reasonCodes[r], n) {
				return
			}
		}
	}
}

// Message says for a person which events were rejected and why, the first few of
// them; it is empty where none were. Nothing of the data is quoted in it.
func (s *Splitter) Message() string {
	if s.w.rejected == 0 {
		return ""
	}
	var text strings.Builder
	named := int64(0)
	for i := range s.w.rejects {
		r := &s.w.rejects[i]
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(s.w.rejectText(r))
		if r.events > 1 {
			fmt.Fprintf(&text, " (%d events)", r.events)
		}
		named += r.events
	}
	if more := s.w.rejected - named; more > 0 {
		fmt.Fprintf(&text, "; and %d more", more)
	}
	return text.String()
}
