package spanwriter

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Decoder reads the bodies of one format.
type Decoder interface {
	// Decode writes the spans of a body to the splitter's writer. It returns an
	// error where the body is not in the format; then nothing of it is accepted.
	Decode(s *Splitter, body []byte) error
	// Reset lets go of the body.
	Reset()
}

// Splitter has a decoder convert bodies, and the result checked and cut. It is
// what the gateway takes for a format that is not OTLP. It is used by one
// goroutine at a time.
type Splitter struct {
	Writer

	decoder  Decoder
	cut      *otlp.Splitter
	rejected int64
	byReason []count
	notes    []string
}

// count is a number of spans that were refused for a reason.
type count struct {
	code  string
	spans int64
}

// New returns a splitter with limits that are valid. Claim hands out memory.
func New(limits otlp.Limits, claim func(bytes int64) error, d Decoder) *Splitter {
	s := &Splitter{decoder: d, cut: otlp.NewSplitter(limits)}
	s.init(claim)
	return s
}

// Split converts, checks and cuts a body. The parts depend on nothing but body
// and partitions, apart from the rule about time.
func (s *Splitter) Split(signal telemetry.Signal, body []byte, partitions int, received int64) error {
	s.Reset()
	if len(body) > math.MaxInt32 {
		return errors.New("the request exceeds 2 GiB")
	}
	err := s.decoder.Decode(s, body)
	if s.err != nil {
		return s.err
	}
	if err != nil {
		return err
	}
	request := s.finish()
	if !s.Claim(len(request)) { // for the parts, where it has to be cut
		return s.err
	}
	return s.cut.Split(signal, request, partitions, received)
}

// Reset lets go of the body.
func (s *Splitter) Reset() {
	s.reset()
	s.decoder.Reset()
	s.cut.Reset()
	s.rejected, s.byReason, s.notes = 0, s.byReason[:0], s.notes[:0]
}

// maxNoted is how many refused spans the message names.
const maxNoted = 8

// Reject refuses a span, by its place in the request, for a reason whose code is
// one of otlp's. Nothing of the data should be quoted: it could be secret.
func (s *Splitter) Reject(span int, code, text string) {
	s.rejected++
	if len(s.notes) < maxNoted {
		s.notes = append(s.notes, fmt.Sprintf("span %d: %s", span, text))
	}
	for i := range s.byReason {
		if s.byReason[i].code == code {
			s.byReason[i].spans++
			return
		}
	}
	s.byReason = append(s.byReason, count{code, 1})
}

// Parts returns what has to be produced.
func (s *Splitter) Parts() []otlp.Part { return s.cut.Parts() }

// Accepted returns how many spans are in the parts.
func (s *Splitter) Accepted() int64 { return s.cut.Accepted() }

// Rejected returns how many spans were refused.
func (s *Splitter) Rejected() int64 { return s.rejected + s.cut.Rejected() }

// RejectedBy yields the codes of the reasons with the numbers of spans.
func (s *Splitter) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, c := range s.byReason {
			if !yield(c.code, c.spans) {
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

// Message says which spans were refused and why, the first few of them.
func (s *Splitter) Message() string {
	var text strings.Builder
	text.WriteString(strings.Join(s.notes, "; "))
	if more := s.rejected - int64(len(s.notes)); more > 0 {
		fmt.Fprintf(&text, "; and %d more", more)
	}
	if limits := s.cut.Message(); limits != "" {
		if text.Len() > 0 {
			text.WriteString("; ")
		}
		text.WriteString("as OTLP, " + limits)
	}
	return text.String()
}
