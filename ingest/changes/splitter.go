package changes

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// report is a request to report changes.
type report struct {
	header   http.Header
	body     []byte
	received time.Time
}

// splitter makes events of a report.
type splitter struct {
	*otlp.Splitter
	cfg     Config
	secrets *secrets
	format  format
	claim   func(int64) error

	header   http.Header
	identity []byte
	found    int
}

var (
	_ gateway.RequestSplitter    = (*splitter)(nil)
	_ gateway.WordedSplitter     = (*splitter)(nil)
	_ gateway.IdentifiedSplitter = (*splitter)(nil)
)

// Describe implements [gateway.RequestSplitter].
func (s *splitter) Describe(r *http.Request) (string, error) {
	s.header = r.Header
	return r.URL.Path, nil
}

// Identity is the id of the delivery, where there is one. Without one it is the body;
// and where that says neither ids nor times, the minute in which it came, too: the same
// can be done again.
func (s *splitter) Identity() []byte { return s.identity }

// decoded is how much larger a body is in memory, at most, when its JSON is read.
const decoded = 16

// Split implements [gateway.Splitter].
func (s *splitter) Split(signal telemetry.Signal, body []byte, partitions int, received int64) error {
	header := s.header
	s.Reset()
	if err := s.claim(decoded * int64(len(body))); err != nil {
		return err
	}
	r := &report{header: header, body: body, received: time.Unix(0, received)}
	if s.format.check != nil {
		if err := s.format.check(s.secrets, r); err != nil {
			return err
		}
	}
	all, err := s.format.read(r)
	if err != nil {
		return err
	}
	if len(all) > s.cfg.MaxChanges {
		return fmt.Errorf("the report has more than %d changes (changes.max_changes)", s.cfg.MaxChanges)
	}
	s.found = len(all)
	dated := true
	var request []byte
	for i := range all {
		c := &all[i]
		dated = dated && (c.ID != "" || !c.Time.IsZero())
		if c.Source == "" {
			c.Source = s.format.name
		}
		request = c.append(request)
	}
	switch delivery := header.Get(s.format.delivery); {
	case delivery != "":
		s.identity = []byte(delivery)
	case dated:
		s.identity = body
	default:
		s.identity = strconv.AppendInt([]byte(nil), received/int64(time.Minute), 10)
		s.identity = append(append(s.identity, ' '), body...)
	}
	if err := s.claim(int64(len(request))); err != nil {
		return err
	}
	return s.Splitter.Split(signal, request, partitions, received)
}

// Answer says how many changes were found.
func (s *splitter) Answer() []byte {
	return fmt.Appendf(nil, `{"changes":%d,"rejected":%d}`, s.found, s.Rejected())
}

// Reset lets go of the body.
func (s *splitter) Reset() {
	s.Splitter.Reset()
	s.header, s.identity, s.found = nil, nil, 0
}
