package pipelinetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Behind returns a registration of a processor as it is in a chain, behind those
// that it needs, which have their defaults. What they make is left out of what
// comes out. One that needs no others is returned as it is.
func Behind(t testing.TB, registry *pipeline.Registry, entry pipeline.Registration) pipeline.Registration {
	t.Helper()
	var needed []pipeline.Registration
	for _, name := range entry.After {
		for _, e := range registry.Entries() {
			if e.Name == name {
				needed = append(needed, e)
			}
		}
	}
	if len(needed) != len(entry.After) {
		t.Fatalf("%s needs %q, of which %d are registered", entry.Name, entry.After, len(needed))
	}
	if len(needed) == 0 {
		return entry
	}
	last := entry.New
	entry.New = func(config any) (pipeline.Processor, error) {
		c := &chain{}
		for _, e := range needed {
			p, err := e.New(e.DefaultConfig())
			if err != nil {
				return nil, fmt.Errorf("making processor %s: %w", e.Name, err)
			}
			c.processors = append(c.processors, p)
		}
		p, err := last(config)
		if err != nil {
			return nil, err
		}
		c.processors = append(c.processors, p)
		return c, nil
	}
	return entry
}

// chain is processors one behind the other as one, whose state is that of all.
type chain struct{ processors []pipeline.Processor }

var _ pipeline.Stateful = (*chain)(nil)

// Process implements pipeline.Processor.
func (c *chain) Process(ctx context.Context, b *telemetry.Batch) error {
	for _, p := range c.processors {
		if err := p.Process(ctx, b); err != nil {
			return err
		}
	}
	b.Traces = b.Traces[:0]
	return nil
}

// Snapshot implements pipeline.Stateful.
func (c *chain) Snapshot(dst []byte) []byte {
	for _, p := range c.processors {
		if s, ok := p.(pipeline.Stateful); ok {
			state := s.Snapshot(nil)
			dst = append(binary.AppendUvarint(dst, uint64(len(state))), state...)
		}
	}
	return dst
}

// Restore implements pipeline.Stateful.
func (c *chain) Restore(src []byte) error {
	r := pipeline.StateReader{Src: src}
	for _, p := range c.processors {
		s, ok := p.(pipeline.Stateful)
		if !ok {
			continue
		}
		var state []byte
		if len(src) > 0 {
			state = r.Take(r.Number(1 << 40))
		}
		if r.Bad {
			return fmt.Errorf("state of a chain is cut")
		}
		if err := s.Restore(state); err != nil {
			return err
		}
	}
	return nil
}
