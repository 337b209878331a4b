package spanwriter

import (
	"errors"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/convert"
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
	// Cutter has the spans that are refused, by their places in the body.
	convert.Cutter

	decoder Decoder
}

// New returns a splitter with limits that are valid. Claim hands out memory.
func New(limits otlp.Limits, claim func(bytes int64) error, d Decoder) *Splitter {
	s := &Splitter{decoder: d, Cutter: convert.NewCutter(limits, "span", "as OTLP, ")}
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
	if full := s.Err(); full != nil {
		return full
	}
	if err != nil {
		return err
	}
	request := s.finish()
	if !s.Claim(len(request)) { // for the parts, where it has to be cut
		return s.Err()
	}
	return s.Cutter.Split(signal, request, partitions, received)
}

// Reset lets go of the body.
func (s *Splitter) Reset() {
	s.reset()
	s.decoder.Reset()
	s.Cutter.Reset()
}
