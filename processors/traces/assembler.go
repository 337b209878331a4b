package traces

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// assembler makes rows of closed traces. It keeps memory from one to the next and
// nothing else.
type assembler struct {
	p     *Processor
	b     *telemetry.Batch
	round uint32
	// record is the one after which traces are closed.
	record uint32

	members []span
	lookup  lookup
	tree    tree
	path    path
	texts   []string
}

// begin starts the rows of a batch.
func (a *assembler) begin(p *Processor, b *telemetry.Batch) {
	a.p, a.b = p, b
	a.round++
}

// room makes room for traces that are about to be closed: after a silence they may
// be all that there are.
func (a *assembler) room(traces, spans int) {
	a.b.Traces = slices.Grow(a.b.Traces, traces)
	a.b.TraceServices = slices.Grow(a.b.TraceServices, spans/2)
	a.b.TracePath = slices.Grow(a.b.TracePath, spans)
	a.b.TraceSpans = slices.Grow(a.b.TraceSpans, spans)
}

// end lets go of the batch.
func (a *assembler) end() { a.b = nil }

// word returns the place of a name among the words of the batch.
func (a *assembler) word(n uint32) uint32 {
	e := &a.p.names.all[n]
	if e.round != a.round {
		e.round, e.word = a.round, uint32(len(a.b.Words))
		a.b.Words = append(a.b.Words, e.text)
	}
	return e.word
}

// distinct puts spans in the order in which they began and leaves each out that
// has the span id and kind of an earlier one. It reorders its argument. The order
// is the same in whatever order the spans came.
func (a *assembler) distinct(members []span) []span {
	slices.SortFunc(members, func(x, y span) int { return compareSpans(&x, &y, &a.p.names) })
	a.lookup.reset(len(members))
	kept := members[:0]
	for i := range members {
		m := &members[i]
		again := false
		a.lookup.values(m.key(), func(j uint32) bool {
			again = kept[j].kind == m.kind
			return !again
		})
		if !again {
			a.lookup.add(m.key(), uint32(len(kept)))
			kept = append(kept, *m)
		}
	}
	return kept
}

// compareSpans is an order of spans in which only equal ones are equal.
func compareSpans(x, y *span, n *names) int {
	switch {
	case x.start != y.start:
		return cmp.Compare(x.start, y.start)
	case x.end != y.end:
		return cmp.Compare(y.end, x.end) // what lasts longer is rather the parent
	case x.id != y.id:
		return bytes.Compare(x.id[:], y.id[:])
	case x.kind != y.kind:
		return cmp.Compare(x.kind, y.kind)
	case x.parent != y.parent:
		return bytes.Compare(x.parent[:], y.parent[:])
	case x.status != y.status:
		return cmp.Compare(x.status, y.status)
	case x.service != y.service:
		return cmp.Compare(n.text(x.service), n.text(y.service))
	case x.name != y.name:
		return cmp.Compare(n.text(x.name), n.text(y.name))
	case x.host != y.host:
		return cmp.Compare(n.text(x.host), n.text(y.host))
	case x.peer != y.peer:
		return cmp.Compare(n.text(x.peer), n.text(y.peer))
	}
	return cmp.Compare(x.peerKind, y.peerKind)
}

// trace makes the row of a trace from its spans, in whatever order they came.
func (a *assembler) trace(open *openTrace, members []span, why telemetry.TraceClosed) {
	n, t := &a.p.names, &a.tree
	members = a.distinct(members)
	t.build(members, &a.lookup)
	row := telemetry.Trace{
		Tenant: n.text(open.tenant), TraceID: open.id, Record: a.record, Closed: why, Spans: uint32(len(members)),
		Orphans: t.orphans, Depth: t.depth, Cyclic: t.cyclic, Start: members[0].start,
	}
	row.Members.Start = uint32(len(a.b.TraceSpans))
	a.b.TraceSpans = slices.Grow(a.b.TraceSpans, len(members))
	root, top, failed := -1, -1, -1
	a.lookup.reset(len(members))
	for i := range members {
		s := &members[i]
		row.End = max(row.End, s.start, s.end)
		if t.parent[i] < 0 {
			if top < 0 {
				top = i
			}
			if root < 0 && s.parent.IsZero() {
				root, top = i, i
			}
		}
		if s.status == telemetry.SpanFailed {
			row.Errors++
			if failed < 0 || t.level[i] > t.level[failed] {
				failed = i
			}
		}
		if a.lookup.addOnce(uint64(s.service)<<32 | uint64(s.name)) {
			row.Operations++
		}
		a.b.TraceSpans = append(a.b.TraceSpans, telemetry.TraceSpan{
			ID: s.id, ParentID: s.parent, Start: s.start, End: s.end, Self: t.self[i],
			Service: a.word(s.service), Name: a.word(s.name), Host: a.word(s.host),
			Peer: a.word(s.peer), PeerKind: s.peerKind, Parent: t.parent[i], Kind: s.kind, Status: s.status,
		})
	}
	row.Members.End = uint32(len(a.b.TraceSpans))
	if root >= 0 {
		s := &members[root]
		row.RootID, row.RootService, row.RootName, row.RootKind = s.id, n.text(s.service), n.text(s.name), s.kind
	}
	if failed >= 0 {
		s := &members[failed]
		row.ErrorService, row.ErrorName = n.text(s.service), n.text(s.name)
	}
	row.Services = a.services(members)
	row.Path = a.criticalPath(members, top)
	a.b.Traces = append(a.b.Traces, row)
}

// services adds the names of the services to the batch, sorted.
func (a *assembler) services(members []span) telemetry.Range {
	a.texts = a.texts[:0]
	a.lookup.reset(len(members))
	last := ^uint32(0)
	for i := range members {
		if s := members[i].service; s != last {
			last = s
			if a.lookup.addOnce(uint64(s)) {
				a.texts = append(a.texts, a.p.names.text(s))
			}
		}
	}
	slices.Sort(a.texts)
	return a.addServices(a.texts)
}

func (a *assembler) addServices(sorted []string) telemetry.Range {
	r := telemetry.Range{Start: uint32(len(a.b.TraceServices))}
	a.b.TraceServices = append(a.b.TraceServices, sorted[:min(len(sorted), maxServices)]...)
	r.End = uint32(len(a.b.TraceServices))
	return r
}

// criticalPath adds the critical path below a span to the batch.
func (a *assembler) criticalPath(members []span, from int) telemetry.Range {
	r := telemetry.Range{Start: uint32(len(a.b.TracePath))}
	for _, i := range a.path.find(members, &a.tree, uint32(from), a.p.cfg.MaxPath) {
		s := &members[i]
		a.b.TracePath = append(a.b.TracePath, telemetry.PathSpan{
			ID: s.id, Service: a.p.names.text(s.service), Name: a.p.names.text(s.name), Share: a.path.share[i],
		})
	}
	r.End = uint32(len(a.b.TracePath))
	return r
}

// large makes the row of an oversized trace.
func (a *assembler) large(open *openTrace, why telemetry.TraceClosed) {
	n, l := &a.p.names, open.large
	row := telemetry.Trace{
		Tenant: n.text(open.tenant), TraceID: open.id, Record: a.record, Closed: why, Oversized: true,
		Start: l.start, End: l.end, Spans: l.spans, Errors: l.errors, Operations: uint32(len(l.operations)),
	}
	if l.root.known {
		row.RootID, row.RootService, row.RootName, row.RootKind = l.root.id, n.text(l.root.service), n.text(l.root.name), l.root.kind
	}
	if l.failed.known {
		row.ErrorService, row.ErrorName = n.text(l.failed.service), n.text(l.failed.name)
	}
	a.texts = a.texts[:0]
	for _, s := range l.services {
		a.texts = append(a.texts, n.text(s))
	}
	row.Services = a.addServices(a.texts)
	row.Members = telemetry.Range{Start: uint32(len(a.b.TraceSpans)), End: uint32(len(a.b.TraceSpans))}
	row.Path = telemetry.Range{Start: uint32(len(a.b.TracePath)), End: uint32(len(a.b.TracePath))}
	a.b.Traces = append(a.b.Traces, row)
}
