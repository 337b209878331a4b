package security

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors/security/distinct"
)

// The state as bytes: the version, the clock, the cells of the sketch that are not
// zero, the findings, and the entries of the tables from the one that was used
// longest ago on. Numbers are varints.

// stateVersion is the first byte.
const stateVersion = 1

var errState = errors.New("state of security is damaged")

// Snapshot implements pipeline.Stateful.
func (p *Processor) Snapshot(dst []byte) []byte {
	w := &writer{append(dst, stateVersion)}
	w.b = p.clock.Append(w.b)
	p.counts.write(w)
	w.number(uint64(p.due)) //nolint:gosec // not negative
	w.number(uint64(len(p.findings)))
	for _, f := range p.findings {
		f.write(w)
	}
	w.number(uint64(p.clients.len()))
	p.clients.each(func(key uint64, c *client) { w.fixed(key); c.write(w) })
	w.number(uint64(p.networks.len()))
	p.networks.each(func(key uint64, n *network) { w.fixed(key); n.write(w) })
	w.number(uint64(p.sites.len()))
	p.sites.each(func(key uint64, s *site) {
		w.fixed(key)
		s.all.write(w)
		s.assets.write(w)
		s.logins.write(w)
	})
	w.number(uint64(p.paths.len()))
	p.paths.each(func(key uint64, s *series) { w.fixed(key); s.write(w) })
	return w.b
}

// Restore implements pipeline.Stateful. After an error the state is empty.
func (p *Processor) Restore(src []byte) error {
	p.reset()
	if len(src) == 0 {
		return nil
	}
	if src[0] != stateVersion {
		return fmt.Errorf("state of security has version %d, this program reads %d", src[0], stateVersion)
	}
	r := &reader{pipeline.StateReader{Src: src[1:]}}
	p.restore(r)
	if r.Bad || len(r.Src) > 0 {
		p.reset()
		return fmt.Errorf("%w: %d bytes are left", errState, len(r.Src))
	}
	return nil
}

func (p *Processor) restore(r *reader) {
	p.clock = r.Watermark()
	p.counts.read(r)
	p.due = r.Time()
	for range r.Count(leastFinding) {
		f := &finding{}
		f.read(r)
		if r.Bad || p.byKey[f.key] != nil {
			r.Bad = true
			return
		}
		p.findings = append(p.findings, f)
		p.byKey[f.key] = f
		p.groups[f.group]++
	}
	restoreTable(r, p.clients, func(c *client) { c.read(r) })
	for _, f := range p.findings {
		// Settings may allow fewer clients now: a finding can do without.
		if c := p.clients.peek(f.client); f.client != 0 && c != nil {
			c.findings = append(c.findings, f)
		}
	}
	restoreTable(r, p.networks, func(n *network) { n.read(r) })
	restoreTable(r, p.sites, func(s *site) {
		s.all.read(r)
		s.assets.read(r)
		s.logins.read(r)
	})
	restoreTable(r, p.paths, func(s *series) { s.read(r) })
}

// restoreTable reads the entries of a table. Those that settings do not allow any
// more make room for later ones.
func restoreTable[V any](r *reader, t *table[V], read func(*V)) {
	for range r.Count(leastEntry) {
		key := r.fixed()
		if r.Bad || t.peek(key) != nil {
			r.Bad = true
			return
		}
		read(t.add(key))
	}
}

const (
	// leastFinding and leastEntry are the least sizes of what comes in numbers.
	leastFinding = 60
	leastEntry   = 12
	// maxText bounds a text of a state.
	maxText = 1 << 16
)

// writer appends to a state.
type writer struct{ b []byte }

func (w *writer) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) time(t int64)    { w.number(uint64(max(t, 0))) } //nolint:gosec // not negative
func (w *writer) fixed(n uint64)  { w.b = binary.LittleEndian.AppendUint64(w.b, n) }
func (w *writer) float(f float64) { w.fixed(math.Float64bits(f)) }
func (w *writer) text(s string)   { w.number(uint64(len(s))); w.b = append(w.b, s...) }
func (w *writer) bool(v bool) {
	var b byte
	if v {
		b = 1
	}
	w.b = append(w.b, b)
}

func (w *writer) few(f *distinct.Few) {
	for _, x := range f {
		w.number(x)
	}
}

func (w *writer) many(m *distinct.Many) {
	w.bool(m != nil)
	if m != nil {
		w.b = append(w.b, m[:]...)
	}
}

// reader reads a state.
type reader struct{ pipeline.StateReader }

func (r *reader) fixed() uint64 {
	if b := r.Take(8); !r.Bad {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// float reads a number that is not negative.
func (r *reader) float() float64 {
	f := math.Float64frombits(r.fixed())
	if !(f >= 0 && f < math.MaxFloat64) {
		r.Bad = true
		return 0
	}
	return f
}

func (r *reader) bool() bool {
	b := r.Take(1)
	if r.Bad || b[0] > 1 {
		r.Bad = true
		return false
	}
	return b[0] == 1
}

func (r *reader) count32() uint32 { return uint32(r.Number(math.MaxUint32)) } //nolint:gosec // bounded
func (r *reader) count64() uint64 { return r.Number(math.MaxInt64) }

func (r *reader) few(f *distinct.Few) {
	for i := range f {
		f[i] = r.Number(math.MaxUint64)
	}
}

func (r *reader) many() *distinct.Many {
	if !r.bool() {
		return nil
	}
	m := new(distinct.Many)
	copy(m[:], r.Take(uint64(len(m))))
	for _, rank := range m {
		r.Bad = r.Bad || rank > 57
	}
	return m
}

// write appends the sketch: runs of zeros and the cells between them.
func (r *recent) write(w *writer) {
	w.time(r.minute)
	w.number(r.total)
	zeros := uint64(0)
	for _, cell := range r.cells[:] {
		if cell == 0 {
			zeros++
			continue
		}
		w.number(zeros)
		w.number(uint64(cell))
		zeros = 0
	}
	w.number(rows * width)
}

func (r *recent) read(from *reader) {
	r.minute, r.total, r.used = from.Time(), from.count64(), true
	for at := uint64(0); ; at++ {
		zeros := from.Number(rows * width)
		if from.Bad || zeros == rows*width {
			return
		}
		if at += zeros; at >= rows*width {
			from.Bad = true
			return
		}
		r.cells[at] = uint16(from.Number(maxCell)) //nolint:gosec // bounded
	}
}

func (r *ring) write(w *writer) {
	w.time(r.newest)
	for _, n := range r.counts {
		w.number(uint64(n))
	}
}

func (r *ring) read(from *reader) {
	r.newest = from.Time()
	for i := range r.counts {
		r.counts[i] = from.count32()
	}
}

func (s *series) write(w *writer) {
	s.recent.write(w)
	w.time(s.window)
	w.number(uint64(s.counted))
	w.float(s.baseline)
	w.number(uint64(s.windows))
	w.many(s.now)
	w.many(s.before)
	w.bool(s.crowded)
	w.bool(s.flooding)
}

func (s *series) read(r *reader) {
	s.recent.read(r)
	s.window, s.counted, s.baseline = r.Time(), r.count32(), r.float()
	s.windows = uint32(r.Number(hour)) //nolint:gosec // bounded
	s.now, s.before, s.crowded, s.flooding = r.many(), r.many(), r.bool(), r.bool()
}

func (n *network) write(w *writer) {
	w.time(n.last)
	w.bool(n.accused)
	n.load.write(w)
	w.few(&n.clients)
	w.time(n.since)
}

func (n *network) read(r *reader) {
	n.last, n.accused = r.Time(), r.bool()
	n.load.read(r)
	r.few(&n.clients)
	n.since = r.Time()
}

func (f *finding) write(w *writer) {
	w.b = append(w.b, byte(f.kind))
	for _, s := range [...]string{f.tenant, f.actor, f.site, f.subject, f.detail} {
		w.text(s)
	}
	for _, n := range [...]uint64{f.key, f.group, f.id, f.client} {
		w.fixed(n)
	}
	for _, t := range [...]int64{f.first, f.last, f.active, f.told} {
		w.time(t)
	}
	for _, n := range [...]uint64{f.hits, f.harmless, f.unit, f.toldHits, f.answered[0], f.answered[1], f.answered[2], f.answered[3]} {
		w.number(n)
	}
	w.many(f.clients)
	w.float(f.usual)
	w.float(f.doubt)
	w.number(uint64(len(f.evidence)))
	for _, l := range f.evidence {
		w.text(l.text)
		w.b = append(w.b, l.weight)
	}
}

func (f *finding) read(r *reader) {
	k := r.Take(1)
	if r.Bad || k[0] >= byte(kinds) {
		r.Bad = true
		return
	}
	f.kind = kind(k[0])
	for _, s := range [...]*string{&f.tenant, &f.actor, &f.site, &f.subject, &f.detail} {
		*s = r.Text(maxText)
	}
	for _, n := range [...]*uint64{&f.key, &f.group, &f.id, &f.client} {
		*n = r.fixed()
	}
	for _, t := range [...]*int64{&f.first, &f.last, &f.active, &f.told} {
		*t = r.Time()
	}
	for _, n := range [...]*uint64{&f.hits, &f.harmless, &f.unit, &f.toldHits, &f.answered[0], &f.answered[1], &f.answered[2], &f.answered[3]} {
		*n = r.count64()
	}
	f.clients = r.many()
	f.usual, f.doubt = r.float(), r.float()
	for range r.Count(2) {
		if len(f.evidence) == maxEvidence {
			r.Bad = true
		}
		text, weight := r.Text(maxText), r.Take(1)
		if r.Bad {
			return
		}
		f.evidence = append(f.evidence, line{text, weight[0]})
	}
	r.Bad = r.Bad || f.hits == 0
}

func (c *client) write(w *writer) {
	for _, t := range [...]int64{c.last, c.since, c.crawlSince, c.lastPage} {
		w.time(t)
	}
	w.number(uint64(c.accused))
	w.b = append(w.b, byte(c.trusted))
	c.load.write(w)
	w.fixed(c.path)
	for _, n := range [...]uint32{uint32(c.votes), c.pages, c.assets, c.referred, c.gaps} { //nolint:gosec // not negative
		w.number(uint64(n))
	}
	w.few(&c.paths)
	w.float(c.gapSum)
	w.float(c.gapSquares)
	w.bool(c.scanning != nil)
	if s := c.scanning; s != nil {
		w.time(s.since)
		w.few(&s.probes)
		w.few(&s.missing)
		w.number(uint64(s.requests))
		w.number(uint64(s.probed))
		w.number(uint64(s.lost))
	}
	w.bool(c.logging != nil)
	if l := c.logging; l != nil {
		w.time(l.since)
		l.attempts.write(w)
		w.few(&l.users)
		w.few(&l.failed)
	}
	w.number(uint64(len(c.pending)))
	for i := range c.pending {
		x := &c.pending[i]
		w.b = append(w.b, byte(x.kind))
		w.number(uint64(x.hits))
		w.time(x.first)
		w.time(x.last)
		w.text(x.line)
	}
}

func (c *client) read(r *reader) {
	for _, t := range [...]*int64{&c.last, &c.since, &c.crawlSince, &c.lastPage} {
		*t = r.Time()
	}
	c.accused = set(r.Number(1<<kinds - 1)) //nolint:gosec // bounded
	if t := r.Take(1); !r.Bad {
		c.trusted = trust(t[0])
	}
	c.load.read(r)
	c.path = r.fixed()
	c.votes = int32(r.Number(1 << 20)) //nolint:gosec // bounded
	for _, n := range [...]*uint32{&c.pages, &c.assets, &c.referred, &c.gaps} {
		*n = r.count32()
	}
	r.few(&c.paths)
	c.gapSum, c.gapSquares = r.float(), r.float()
	if r.bool() {
		s := &scanning{since: r.Time()}
		r.few(&s.probes)
		r.few(&s.missing)
		s.requests, s.probed, s.lost = r.count32(), r.count32(), r.count32()
		c.scanning = s
	}
	if r.bool() {
		l := &logging{since: r.Time()}
		l.attempts.read(r)
		r.few(&l.users)
		r.few(&l.failed)
		c.logging = l
	}
	for range r.Count(5) {
		k := r.Take(1)
		if r.Bad || k[0] >= byte(kinds) || len(c.pending) >= int(kinds) {
			r.Bad = true
			return
		}
		c.pending = append(c.pending, pending{kind: kind(k[0]), hits: r.count32(), first: r.Time(), last: r.Time(), line: r.Text(maxText)})
	}
}
