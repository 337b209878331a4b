package sentry

import (
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter"
)

// splitter makes logs, spans and points of an envelope.
type splitter struct {
	*spanwriter.Splitter // of spans; it has the envelope read, too
	decoder              *decoder
	logs, points         *otlp.Splitter
	parts                []otlp.Part
	ends                 [len(telemetry.Signals)]int // of the parts of a signal
}

var (
	_ gateway.MixedSplitter      = (*splitter)(nil)
	_ gateway.RequestSplitter    = (*splitter)(nil)
	_ gateway.WordedSplitter     = (*splitter)(nil)
	_ gateway.IdentifiedSplitter = (*splitter)(nil)
)

func newSplitter(cfg Config, limits otlp.Limits, claim func(int64) error, maxDepth int, single bool) *splitter {
	d := &decoder{cfg: cfg, maxDepth: maxDepth, single: single}
	s := &splitter{decoder: d, logs: otlp.NewSplitter(limits), points: otlp.NewSplitter(limits)}
	s.Splitter = spanwriter.New(limits, claim, d)
	d.out = s.Splitter
	d.record, d.resource = s.NewList(logwriter.RecordTag), s.NewList(logwriter.ResourceTag)
	for _, b := range []*buffer{&d.logs.records, &d.logs.request, &d.text, &d.stack} {
		b.claim = s.Claim
	}
	return s
}

// Describe implements [gateway.RequestSplitter].
func (s *splitter) Describe(r *http.Request) (string, error) {
	project := r.PathValue("project")
	if len(project) > maxProject {
		return "", fmt.Errorf("the name of the project has more than %d bytes", maxProject)
	}
	s.decoder.project = project
	return project, nil
}

const maxProject = 128

// Identity is the envelope without its header, which says when it was sent.
func (s *splitter) Identity() []byte { return s.decoder.items }

// SplitMixed implements [gateway.MixedSplitter].
func (s *splitter) SplitMixed(body []byte, partitions [len(telemetry.Signals)]int, received int64) error {
	project := s.decoder.project
	s.Reset()
	s.decoder.project = project
	if err := s.Split(telemetry.Spans, body, partitions[telemetry.Spans], received); err != nil {
		return err
	}
	d := s.decoder
	for _, one := range []struct {
		cut     *otlp.Splitter
		signal  telemetry.Signal
		request []byte
	}{{s.logs, telemetry.Logs, d.logs.finish()}, {s.points, telemetry.Metrics, d.points}} {
		if !s.Claim(len(one.request)) { // for the parts, where it has to be cut
			return s.Err()
		}
		if err := one.cut.Split(one.signal, one.request, partitions[one.signal], received); err != nil {
			return err
		}
	}
	s.parts = append(s.parts[:0], s.logs.Parts()...)
	s.ends[telemetry.Logs] = len(s.parts)
	s.parts = append(s.parts, s.Splitter.Parts()...)
	s.ends[telemetry.Spans] = len(s.parts)
	s.parts = append(s.parts, s.points.Parts()...)
	return nil
}

// Parts implements [gateway.Splitter], and so do the methods below.
func (s *splitter) Parts() []otlp.Part { return s.parts }

// SignalOf returns the signal of a part.
func (s *splitter) SignalOf(part int) telemetry.Signal {
	switch {
	case part < s.ends[telemetry.Logs]:
		return telemetry.Logs
	case part < s.ends[telemetry.Spans]:
		return telemetry.Spans
	}
	return telemetry.Metrics
}

// AcceptedOf returns how many events of a signal are in the parts.
func (s *splitter) AcceptedOf(signal telemetry.Signal) int64 {
	switch signal {
	case telemetry.Logs:
		return s.logs.Accepted()
	case telemetry.Spans:
		return s.Splitter.Accepted()
	case telemetry.Metrics:
		return s.points.Accepted()
	}
	return 0
}

// Accepted returns how many events are in the parts.
func (s *splitter) Accepted() int64 {
	return s.logs.Accepted() + s.Splitter.Accepted() + s.points.Accepted()
}

// Rejected returns how many events were refused.
func (s *splitter) Rejected() int64 {
	return s.logs.Rejected() + s.Splitter.Rejected() + s.points.Rejected()
}

// RejectedBy yields the codes of the reasons.
func (s *splitter) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, all := range []iter.Seq2[string, int64]{s.logs.RejectedBy(), s.Splitter.RejectedBy(), s.points.RejectedBy()} {
			for code, n := range all {
				if !yield(code, n) {
					return
				}
			}
		}
	}
}

// Message says what was refused and why.
func (s *splitter) Message() string {
	var all []string
	for _, text := range []string{s.logs.Message(), s.Splitter.Message(), s.points.Message()} {
		if text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// Answer is the id of the event, as Sentry words it.
func (s *splitter) Answer() []byte {
	id, ok := hexOf(s.decoder.eventID, 32)
	if !ok {
		return []byte("{}")
	}
	return append(append([]byte(`{"id":"`), id...), `"}`...)
}

// Reset lets go of the body.
func (s *splitter) Reset() {
	s.Splitter.Reset()
	s.logs.Reset()
	s.points.Reset()
	clear(s.parts)
	s.parts, s.ends = s.parts[:0], [len(telemetry.Signals)]int{}
	s.decoder.project = ""
}
