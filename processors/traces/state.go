package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// The state as bytes: the version, the clock, the names that are held, and the
// open traces in the order in which they were touched, each with its spans or its
// counts. Numbers are varints, times are differences, names are places in the
// list, from 1; 0 is the empty name.

// stateVersion is the first byte.
const stateVersion = 2

// About what a trace and a span take.
const (
	traceBytes = 30
	spanBytes  = 32
)

var errState = errors.New("state of traces is damaged")

// Snapshot implements pipeline.Stateful.
func (p *Processor) Snapshot(dst []byte) []byte {
	dst = slices.Grow(dst, p.open.count*traceBytes+p.held*spanBytes)
	dst = append(dst, stateVersion)
	dst = p.clock.Append(dst)
	places := make([]uint32, len(p.names.all))
	count := uint32(0)
	for i := 1; i < len(p.names.all); i++ {
		if p.names.all[i].refs > 0 {
			count++
			places[i] = count
		}
	}
	dst = binary.AppendUvarint(dst, uint64(count))
	for i := 1; i < len(p.names.all); i++ {
		if n := &p.names.all[i]; n.refs > 0 {
			dst = binary.AppendUvarint(dst, uint64(len(n.text)))
			dst = append(dst, n.text...)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(p.open.count))
	for t := p.open.head; t != 0; t = p.open.at(t).newer {
		dst = p.appendTrace(dst, p.open.at(t), places)
	}
	return dst
}

func (p *Processor) appendTrace(dst []byte, t *openTrace, places []uint32) []byte {
	dst = append(dst, t.id[:]...)
	dst = binary.AppendUvarint(dst, uint64(places[t.tenant]))
	dst = binary.AppendUvarint(dst, uint64(p.clock.Now-t.touched))
	dst = binary.AppendUvarint(dst, uint64(t.touched-t.opened))
	dst = binary.AppendUvarint(dst, uint64(t.count)) // 0 for counts only
	if t.large != nil {
		return appendLarge(dst, t.large, places)
	}
	base := t.opened
	for at := t.first; at != 0; {
		s := p.spans.at(at)
		dst = append(dst, s.id[:]...)
		dst = append(dst, s.parent[:]...)
		dst = binary.AppendVarint(dst, s.start-base)
		dst = binary.AppendVarint(dst, s.end-s.start)
		dst = binary.AppendUvarint(dst, uint64(places[s.service]))
		dst = binary.AppendUvarint(dst, uint64(places[s.name]))
		dst = binary.AppendUvarint(dst, uint64(places[s.host]))
		dst = binary.AppendUvarint(dst, uint64(places[s.peer]))
		dst = append(dst, s.kind, s.status, byte(s.peerKind))
		base, at = s.start, s.next
	}
	return dst
}

func appendLarge(dst []byte, l *largeTrace, places []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(l.start))
	dst = binary.AppendUvarint(dst, uint64(l.end))
	dst = binary.AppendUvarint(dst, uint64(l.spans))
	dst = binary.AppendUvarint(dst, uint64(l.errors))
	for _, one := range []*leader{&l.root, &l.failed} {
		if !one.known {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 1)
		dst = append(dst, one.id[:]...)
		dst = binary.AppendUvarint(dst, uint64(one.start))
		dst = binary.AppendUvarint(dst, uint64(places[one.service]))
		dst = binary.AppendUvarint(dst, uint64(places[one.name]))
		dst = append(dst, one.kind)
	}
	dst = binary.AppendUvarint(dst, uint64(len(l.services)))
	for _, s := range l.services {
		dst = binary.AppendUvarint(dst, uint64(places[s]))
	}
	dst = binary.AppendUvarint(dst, uint64(len(l.operations)))
	for _, h := range l.operations {
		dst = binary.LittleEndian.AppendUint64(dst, h)
	}
	return dst
}

// Restore implements pipeline.Stateful. After an error the state is empty.
func (p *Processor) Restore(src []byte) error {
	p.reset()
	if len(src) == 0 {
		return nil
	}
	if src[0] != stateVersion {
		return fmt.Errorf("state of traces has version %d, this program reads %d", src[0], stateVersion)
	}
	r := reader{StateReader: pipeline.StateReader{Src: src[1:]}}
	if err := p.restore(&r); err != nil {
		p.reset()
		return err
	}
	return nil
}

func (p *Processor) restore(r *reader) error {
	p.clock = r.Watermark()
	count := r.Count(1)
	for range count {
		text := r.Take(r.Number(maxName))
		if r.Bad {
			return errState
		}
		if _, twice := p.names.numbers[string(text)]; twice {
			return fmt.Errorf("%w: name %.40q is there twice", errState, text)
		}
		p.names.add(string(text))
	}
	r.names = uint64(count) + 1
	before := int64(0)
	for range r.Count(20) {
		touched, err := p.restoreTrace(r)
		if err != nil {
			return err
		}
		if touched < before {
			return fmt.Errorf("%w: traces are not in their order", errState)
		}
		before = touched
	}
	if r.Bad || len(r.Src) > 0 {
		return fmt.Errorf("%w: %d bytes are left", errState, len(r.Src))
	}
	return nil
}

func (p *Processor) restoreTrace(r *reader) (touched int64, err error) {
	var id telemetry.TraceID
	copy(id[:], r.Take(uint64(len(id))))
	tenant := r.name()
	touched = p.clock.Now - int64(r.Number(uint64(p.clock.Now)))
	if r.Bad {
		return 0, errState
	}
	opened := touched - int64(r.Number(uint64(touched)))
	n := r.Count(0)
	if r.Bad {
		return 0, errState
	}
	at, fresh := p.open.find(tenant, id)
	if !fresh {
		return 0, fmt.Errorf("%w: trace %x is there twice", errState, id)
	}
	t := p.open.at(at)
	p.names.hold(tenant)
	t.touched, t.opened, t.count = touched, opened, uint32(n)
	if n == 0 {
		p.held += p.largeWeight()
		t.large = new(largeTrace)
		return touched, p.restoreLarge(r, t.large)
	}
	base, link := opened, &t.first
	for range n {
		var s span
		copy(s.id[:], r.Take(8))
		copy(s.parent[:], r.Take(8))
		s.start = base + r.Signed()
		s.end = s.start + r.Signed()
		s.service, s.name, s.host, s.peer = r.name(), r.name(), r.name(), r.name()
		kind := r.Take(3)
		if r.Bad || s.start < 0 || s.end < 0 {
			return 0, errState
		}
		s.kind, s.status, s.peerKind = kind[0], kind[1], telemetry.EdgeKind(kind[2])
		p.names.hold(s.service)
		p.names.hold(s.name)
		p.names.hold(s.host)
		p.names.hold(s.peer)
		p.held++
		place := p.spans.take()
		*p.spans.at(place) = s
		*link = place
		base, link = s.start, &p.spans.at(place).next
	}
	return touched, nil
}

func (p *Processor) restoreLarge(r *reader, l *largeTrace) error {
	l.start, l.end = r.Time(), r.Time()
	l.spans, l.errors = uint32(r.Number(1<<32-1)), uint32(r.Number(1<<32-1))
	for _, one := range []*leader{&l.root, &l.failed} {
		known := r.Take(1)
		if r.Bad || known[0] > 1 {
			return errState
		}
		if known[0] == 0 {
			continue
		}
		one.known = true
		copy(one.id[:], r.Take(8))
		one.start, one.service, one.name = r.Time(), r.name(), r.name()
		kind := r.Take(1)
		if r.Bad {
			return errState
		}
		one.kind = kind[0]
		p.names.hold(one.service)
		p.names.hold(one.name)
	}
	for range r.Number(maxServices) {
		s := r.name()
		if r.Bad || len(l.services) > 0 && p.names.text(s) <= p.names.text(l.services[len(l.services)-1]) {
			return errState
		}
		p.names.hold(s)
		l.services = append(l.services, s)
	}
	for range r.Number(maxOperations) {
		h := r.Take(8)
		if r.Bad {
			return errState
		}
		operation := binary.LittleEndian.Uint64(h)
		if n := len(l.operations); n > 0 && operation <= l.operations[n-1] {
			return errState
		}
		l.operations = append(l.operations, operation)
	}
	if r.Bad || l.spans == 0 {
		return errState
	}
	return nil
}

// reader reads the bytes of a state.
type reader struct {
	pipeline.StateReader
	names uint64
}

// name reads the place of a name.
func (r *reader) name() uint32 {
	return uint32(r.Number(r.names - 1))
}
