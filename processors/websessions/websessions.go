// Package websessions is a processor that makes sessions of the requests to web
// servers: those of a visitor to a site without a long pause between them.
//
// Its clock is the watermark, and it decides after every record: the same records
// give the same rows however they are cut into blocks, and state that is restored
// from a snapshot goes on as if nothing had happened.
//
// It must not know what becomes of its rows.
package websessions

import (
	"context"
	"errors"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/session"
)

// Config says when a session is over and how much is kept until then. All times
// are event time.
type Config struct {
	session.Config `yaml:",inline"`
}

// DefaultConfig ends a session after half an hour.
func DefaultConfig() Config { return Config{session.DefaultConfig()} }

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "websessions",
		Summary:       "Makes sessions of requests to web servers: by visitor, with a pause of half an hour between two of them.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor makes the sessions of one partition.
type Processor struct {
	clock   pipeline.Watermark
	tracker *session.Tracker
}

var (
	_ pipeline.Stateful = (*Processor)(nil)
	_ pipeline.Measured = (*Processor)(nil)
)

// New returns a processor without sessions.
func New(cfg Config) (*Processor, error) {
	tracker, err := session.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Processor{tracker: tracker}, nil
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	emit := func(s *telemetry.WebSession) { b.WebSessions = append(b.WebSessions, *s) }
	pipeline.EachVisits(b, func(record uint32, visits []telemetry.WebHit) {
		r := &b.Records[record]
		if p.clock.AdvanceVisits(r, visits) {
			// The list of sessions is by a clock that does not go back.
			p.tracker.CloseAll(emit)
		}
		for i := range visits {
			p.tracker.Add(r.Tenant, &visits[i], p.clock.Now)
		}
		p.tracker.Close(p.clock.Now, emit)
	})
	return nil
}

// Held implements pipeline.Measured: the open sessions, and the memory for them.
func (p *Processor) Held() (items, bytes int64) {
	return int64(p.tracker.Len()), p.tracker.Bytes()
}

// Snapshot implements pipeline.Stateful.
func (p *Processor) Snapshot(dst []byte) []byte {
	return p.tracker.Append(p.clock.Append(dst))
}

// Restore implements pipeline.Stateful.
func (p *Processor) Restore(src []byte) error {
	p.clock = pipeline.Watermark{}
	p.tracker.Reset()
	if len(src) == 0 {
		return nil
	}
	r := pipeline.StateReader{Src: src}
	clock := r.Watermark()
	if r.Bad || len(r.Src) == 0 {
		return errors.New("the state of the clock is damaged")
	}
	if err := p.tracker.Restore(r.Src); err != nil {
		return err
	}
	p.clock = clock
	return nil
}
