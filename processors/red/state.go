package red

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// The state as bytes: the version, the clock, the totals, and the open minutes
// with their services and operations. Numbers are varints.

// stateVersion is the first byte.
const stateVersion = 1

var errState = errors.New("state of red is damaged")

// Snapshot implements pipeline.Stateful.
func (p *Processor) Snapshot(dst []byte) []byte {
	dst = append(dst, stateVersion)
	dst = p.clock.Append(dst)
	dst = p.totals.AppendState(dst)
	dst = binary.AppendUvarint(dst, uint64(len(p.minutes)))
	var buckets []sketch.Bucket
	for _, m := range p.minutes {
		dst = binary.AppendUvarint(dst, uint64(m.start))
		dst = binary.AppendUvarint(dst, uint64(m.due))
		dst = binary.AppendUvarint(dst, uint64(len(m.services)))
		for _, s := range m.services {
			dst = appendText(appendText(appendText(dst, s.tenant), s.service), s.version)
			dst = binary.AppendUvarint(dst, uint64(len(s.operations)))
			for _, o := range s.operations {
				buckets = o.durations.Append(buckets[:0])
				dst = appendOperation(dst, o, buckets)
			}
		}
	}
	return dst
}

func appendOperation(dst []byte, o *operation, buckets []sketch.Bucket) []byte {
	dst = append(appendText(dst, o.name), o.kind)
	for _, n := range [...]uint64{o.calls, o.errors, o.satisfied, o.tolerating, uint64(o.slowest)} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = append(dst, o.slow[:]...)
	if o.errors > 0 {
		dst = append(dst, o.failed[:]...)
		dst = binary.AppendUvarint(dst, uint64(o.failedAt))
	}
	dst = binary.AppendVarint(dst, o.durations.Sum())
	dst = binary.AppendUvarint(dst, uint64(len(buckets)))
	for _, b := range buckets {
		dst = binary.AppendVarint(dst, int64(b.Index))
		dst = binary.AppendUvarint(dst, b.Count)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Restore implements pipeline.Stateful. After an error the state is empty.
func (p *Processor) Restore(src []byte) error {
	p.reset()
	if len(src) == 0 {
		return nil
	}
	if src[0] != stateVersion {
		return fmt.Errorf("state of red has version %d, this program reads %d", src[0], stateVersion)
	}
	r := &pipeline.StateReader{Src: src[1:]}
	if err := p.restore(r); err != nil {
		p.reset()
		return err
	}
	return nil
}

func (p *Processor) restore(r *pipeline.StateReader) error {
	p.clock = r.Watermark()
	if r.Bad {
		return errState
	}
	rest, ok := p.totals.ReadState(r.Src)
	if !ok {
		return fmt.Errorf("%w: its totals are", errState)
	}
	if r.Src = rest; !p.cfg.Metrics.Enabled {
		p.totals.Reset()
	}
	before := int64(-1)
	for range r.Count(3) {
		m := newMinute(r.Time(), r.Time())
		if r.Bad || m.start <= before || m.start%int64(time.Minute) != 0 || m.start > latest {
			return fmt.Errorf("%w: minutes are not in their order", errState)
		}
		before = m.start
		p.minutes = append(p.minutes, m)
		p.due = min(p.due, m.due)
		for range r.Count(4) {
			if err := p.restoreService(r, m); err != nil {
				return err
			}
		}
	}
	if r.Bad || len(r.Src) > 0 {
		return fmt.Errorf("%w: %d bytes are left", errState, len(r.Src))
	}
	return nil
}

// maxTenant bounds the name of a tenant in a state.
const maxTenant = 1 << 16

func (p *Processor) restoreService(r *pipeline.StateReader, m *minute) error {
	id := identity{r.Text(maxTenant), r.Text(maxName), r.Text(maxName)}
	if r.Bad || m.index[id] != nil {
		return fmt.Errorf("%w: service %.40q of minute %d", errState, id.service, m.start)
	}
	s := p.newService(m, id)
	for range r.Count(leastOperation) {
		if err := p.restoreOperation(r, s); err != nil {
			return err
		}
	}
	return nil
}

// leastOperation is the least size of an operation's state.
const leastOperation = 25

func (p *Processor) restoreOperation(r *pipeline.StateReader, s *service) error {
	name, kind := r.Text(maxName), r.Take(1)
	if r.Bad || kind[0] >= kinds || s.index[kind[0]][name] != nil {
		return fmt.Errorf("%w: operation %.40q of %.40q", errState, name, s.service)
	}
	o := p.newOperation(s, name, kind[0])
	for _, n := range [...]*uint64{&o.calls, &o.errors, &o.satisfied, &o.tolerating} {
		*n = r.Number(math.MaxInt64)
	}
	o.slowest = r.Time()
	copy(o.slow[:], r.Take(uint64(len(o.slow))))
	if o.errors > 0 {
		copy(o.failed[:], r.Take(uint64(len(o.failed))))
		o.failedAt = r.Time()
	}
	sum := r.Signed()
	var buckets []sketch.Bucket
	for range r.Count(2) {
		index := r.Signed()
		if index < math.MinInt16 || index > math.MaxInt16 {
			return errState
		}
		buckets = append(buckets, sketch.Bucket{Index: int16(index), Count: r.Number(math.MaxInt64)})
	}
	o.durations.Merge(buckets, sum)
	if r.Bad || o.calls == 0 || o.durations.Count() != o.calls || o.errors > o.calls {
		return fmt.Errorf("%w: counts of operation %.40q", errState, name)
	}
	return nil
}
