package servicegraph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// The state as bytes: the version, the watermark, the names in use, the groups of
// edges and clocks, and the metrics, which are left out where there are none.
// Numbers are varints, names are places in the list.

// stateVersion is the first byte.
const stateVersion = 1

// maxName bounds a name: a word of a trace, or a tenant.
const maxName = 1 << 16

var errState = errors.New("state of servicegraph is damaged")

// Snapshot implements pipeline.Stateful.
func (p *Processor) Snapshot(dst []byte) []byte {
	dst = append(dst, stateVersion)
	dst = p.clock.Append(dst)
	w := writer{dst: dst, places: make([]uint32, len(p.names.texts))}
	w.names(p)
	w.number(uint64(len(p.open.groups)))
	for i := range p.open.groups {
		w.group(&p.open.groups[i])
	}
	if p.metrics == nil {
		return append(w.dst, 0)
	}
	w.dst = append(w.dst, 1)
	w.offsets(&p.metrics.offsets, &p.names)
	return p.metrics.totals.AppendState(w.dst)
}

// writer appends to a state.
type writer struct {
	dst    []byte
	places []uint32 // of names
}

func (w *writer) number(n uint64) { w.dst = binary.AppendUvarint(w.dst, n) }

func (w *writer) signed(n int64) { w.dst = binary.AppendVarint(w.dst, n) }

func (w *writer) name(n uint32) { w.number(uint64(w.places[n])) }

// names appends the names in use. The first are the same everywhere.
func (w *writer) names(p *Processor) {
	used, count := p.used(), uint32(0)
	for i := range used {
		if used[i] {
			w.places[i] = count
			count++
		}
	}
	w.number(uint64(count - fixedNames))
	for i := fixedNames; int(i) < len(used); i++ {
		if used[i] {
			w.number(uint64(len(p.names.texts[i])))
			w.dst = append(w.dst, p.names.texts[i]...)
		}
	}
}

func (w *writer) group(g *group) {
	w.number(uint64(g.due)) //nolint:gosec // not negative
	w.number(uint64(len(g.edges)))
	for _, e := range g.edges {
		w.edge(e)
	}
	w.number(uint64(len(g.clocks)))
	for _, c := range g.clocks {
		w.number(uint64(c.slot)) //nolint:gosec // not negative
		w.name(c.tenant)
		w.name(c.caller)
		w.name(c.callee)
		w.number(c.calls)
		w.signed(c.lower)
		w.signed(c.upper)
	}
}

func (w *writer) edge(e *edge) {
	w.number(uint64(e.minute)) //nolint:gosec // not negative
	for _, n := range []uint32{e.tenant, e.caller, e.callee, e.operation} {
		w.name(n)
	}
	w.dst = append(w.dst, byte(e.kind))
	w.number(e.calls)
	w.number(e.errors)
	w.dst = append(w.dst, e.slow.trace[:]...)
	w.number(uint64(e.slow.nanoseconds)) //nolint:gosec // not negative
	w.dst = append(w.dst, e.failed[:]...)
	w.number(uint64(e.failedAt)) //nolint:gosec // not negative
	for _, l := range []*latency{&e.client, &e.server, &e.network} {
		w.signed(l.sum)
		buckets := slices.Collect(l.buckets)
		w.number(uint64(len(buckets)))
		for _, bucket := range buckets {
			w.signed(int64(bucket.Index))
			w.number(bucket.Count)
		}
	}
}

func (w *writer) offsets(o *offsets, n *names) {
	w.number(uint64(o.at)) //nolint:gosec // not negative
	w.number(uint64(len(o.pairs)))
	for _, k := range o.sort(n, func(*pair) bool { return true }) {
		p := o.pairs[k]
		w.name(k.tenant)
		w.name(k.caller)
		w.name(k.callee)
		w.number(uint64(p.slot)) //nolint:gosec // not negative
		w.signed(p.lower)
		w.signed(p.upper)
		w.number(uint64(p.changed)) //nolint:gosec // not negative
		flags := byte(0)
		for i, set := range []bool{p.touched, p.saidLower, p.saidUpper} {
			if set {
				flags |= 1 << i
			}
		}
		w.dst = append(w.dst, flags)
	}
}

// Restore implements pipeline.Stateful. After an error the state is empty.
func (p *Processor) Restore(src []byte) error {
	p.reset()
	if len(src) == 0 {
		return nil
	}
	if src[0] != stateVersion {
		return fmt.Errorf("state of servicegraph has version %d, this program reads %d", src[0], stateVersion)
	}
	r := reader{StateReader: pipeline.StateReader{Src: src[1:]}}
	if !p.restore(&r) || r.Bad || len(r.Src) > 0 {
		p.reset()
		return fmt.Errorf("%w: %d of %d bytes are left", errState, len(r.Src), len(src))
	}
	return nil
}

// restore reports whether the state makes sense.
func (p *Processor) restore(r *reader) bool {
	p.clock = r.Watermark()
	for i := range fixedNames {
		r.names = append(r.names, i)
	}
	for range r.Count(1) {
		n := p.names.intern(r.Text(maxName))
		if r.Bad || int(n) != len(r.names) {
			return false // a name that is there twice
		}
		r.names = append(r.names, n)
	}
	before := int64(-1)
	for range r.Count(3) {
		g := group{due: r.Time()}
		if g.due <= before {
			return false
		}
		before = g.due
		p.open.groups = append(p.open.groups, g)
		if !p.restoreGroup(r, g.due) {
			return false
		}
	}
	switch flag := r.Take(1); {
	case r.Bad || flag[0] > 1:
		return false
	case flag[0] == 0:
		return true
	}
	return p.restoreMetrics(r)
}

func (p *Processor) restoreGroup(r *reader, due int64) bool {
	edges := r.Count(45)
	for range edges {
		if !p.restoreEdge(r, due) {
			return false
		}
	}
	clocks := r.Count(7)
	for range clocks {
		key := clockKey{r.part(slot), r.name(), r.name(), r.name()}
		if r.Bad || p.open.clocks[key] != nil {
			return false
		}
		c := p.open.newClock(key, due)
		c.calls, c.lower, c.upper = r.Number(math.MaxUint64), r.Signed(), r.Signed()
	}
	return !r.Bad && edges+clocks > 0
}

func (p *Processor) restoreEdge(r *reader, due int64) bool {
	key := edgeKey{r.part(minute), r.name(), r.name(), r.name(), r.name(), 0}
	kind := r.Take(1)
	if r.Bad || int(kind[0]) >= len(telemetry.EdgeKinds) {
		return false
	}
	key.kind = uint32(kind[0])
	if p.open.edges[key] != nil {
		return false
	}
	e := p.open.newEdge(key, due)
	e.calls, e.errors = r.Number(math.MaxUint64), r.Number(math.MaxUint64)
	copy(e.slow.trace[:], r.Take(16))
	e.slow.nanoseconds = r.Time()
	copy(e.failed[:], r.Take(16))
	e.failedAt = r.Time()
	for _, l := range []*latency{&e.client, &e.server, &e.network} {
		l.sum = r.Signed()
		before := int64(math.MinInt64)
		for range r.Count(2) {
			index, count := r.Signed(), r.Number(math.MaxUint32)
			if r.Bad || count == 0 || index <= before || index != int64(sketch.Zero) && index < -1 || index > int64(sketch.Index(math.MaxInt64)) {
				return false
			}
			before = index
			if int16(index) == sketch.Zero {
				l.zero = uint32(count)
				continue
			}
			l.reach(int16(index))
			l.counts[len(l.counts)-1] = uint32(count)
		}
	}
	p.open.places += e.places()
	return !r.Bad
}

// restoreMetrics reads the metrics, and leaves them out where none are published.
func (p *Processor) restoreMetrics(r *reader) bool {
	m := p.metrics
	if m == nil {
		m = newMetrics(&p.cfg.Metrics)
	}
	o := &m.offsets
	o.at = r.Time()
	for range r.Count(9) {
		k := pairKey{r.name(), r.name(), r.name()}
		at := &pair{slot: r.part(slot), lower: r.Signed(), upper: r.Signed(), changed: r.Time()}
		flags := r.Take(1)
		if r.Bad || flags[0] > 7 || at.changed > o.at || o.pairs[k] != nil {
			return false
		}
		at.touched, at.saidLower, at.saidUpper = flags[0]&1 != 0, flags[0]&2 != 0, flags[0]&4 != 0
		o.pairs[k] = at
	}
	rest, ok := m.totals.ReadState(r.Src)
	r.Src = rest
	return ok && !r.Bad
}

// reader reads the bytes of a state.
type reader struct {
	pipeline.StateReader
	names []uint32
}

// name reads the place of a name.
func (r *reader) name() uint32 { return r.names[r.Number(uint64(len(r.names)-1))] }

// part reads the number of a minute or of a slot.
func (r *reader) part(length int64) int32 {
	return int32(r.Number(uint64(math.MaxInt64 / length))) //nolint:gosec // bounded
}
