package servicegraph

import (
	"cmp"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// edgeKey is what a row of edges is about. It has no gaps, so that it is hashed
// as one piece of memory.
type edgeKey struct {
	minute                            int32 // since 1970
	tenant, caller, callee, operation uint32
	kind                              uint32
}

// edge is a row of edges in the making.
type edge struct {
	edgeKey
	calls, errors           uint64
	client, server, network latency
	slow                    slowest
	// failed is the last call that failed, which ended at failedAt.
	failed   telemetry.TraceID
	failedAt int64
	// series is nil until it was looked for.
	series *pointwriter.Series
}

// slowest is the slowest call.
type slowest struct {
	trace       telemetry.TraceID
	nanoseconds int64
}

// take takes a call that is slower. Of several the trace id decides, not which
// came first.
func (s *slowest) take(nanoseconds int64, trace *telemetry.TraceID) {
	if s.trace.IsZero() || nanoseconds > s.nanoseconds || nanoseconds == s.nanoseconds && slices.Compare(trace[:], s.trace[:]) < 0 {
		s.trace, s.nanoseconds = *trace, nanoseconds
	}
}

// fail takes a call that failed later.
func (e *edge) fail(at int64, trace *telemetry.TraceID) {
	e.errors++
	if e.failed.IsZero() || at > e.failedAt || at == e.failedAt && slices.Compare(trace[:], e.failed[:]) < 0 {
		e.failed, e.failedAt = *trace, at
	}
}

// group is what is to be written at one time.
type group struct {
	due    int64
	edges  []*edge
	clocks []*clock
}

// open is what is counted and has not been written.
type open struct {
	edges  map[edgeKey]*edge
	clocks map[clockKey]*clock
	// operations counts the operations of the edges with the same key but for
	// that.
	operations map[edgeKey]int
	// groups are in the order of their times, each of which is there once.
	groups []group
	// places is the room for buckets of all edges.
	places int

	// idleEdges and idleClocks are to be used again.
	idleEdges  []*edge
	idleClocks []*clock
}

const (
	// placesPerEdge is how much room for buckets, of 4 bytes each, an edge may have
	// on average.
	placesPerEdge = 400
	// maxIdle bounds the memory that waits to be used again.
	maxIdle = 10_000
	// step is what times of writing are multiples of, so that there are few.
	step = int64(time.Second)
)

func newOpen() open {
	return open{edges: make(map[edgeKey]*edge), clocks: make(map[clockKey]*clock), operations: make(map[edgeKey]int)}
}

// count returns the number of edges and clocks.
func (o *open) count() int { return len(o.edges) + len(o.clocks) }

// full reports whether something must be written early.
func (o *open) full(most int) bool { return o.count() > most || o.places > most*placesPerEdge }

// dueAt returns when to write what is about a time up to end: a delay after that,
// or after now where it is over.
func dueAt(end, now int64, delay time.Duration) int64 {
	at := max(end, now) + int64(delay)
	return (at + step - 1) / step * step
}

// groupAt returns the group of a time.
func (o *open) groupAt(due int64) *group {
	at, found := slices.BinarySearchFunc(o.groups, due, func(g group, due int64) int { return cmp.Compare(g.due, due) })
	if !found {
		o.groups = slices.Insert(o.groups, at, group{due: due})
	}
	return &o.groups[at]
}

// edge returns the edge of a key, or that of the empty operation where there are too
// many.
func (o *open) edge(key edgeKey, now int64, cfg *Config) *edge {
	if e := o.edges[key]; e != nil {
		return e
	}
	if key.operation != noName && o.operations[key.all()] >= cfg.MaxOperations {
		key.operation = noName
		if e := o.edges[key]; e != nil {
			return e
		}
	}
	return o.newEdge(key, dueAt((int64(key.minute)+1)*minute, now, cfg.Delay))
}

// all is the key of all operations together.
func (k edgeKey) all() edgeKey {
	k.operation = noName
	return k
}

func (o *open) newEdge(key edgeKey, due int64) *edge {
	var e *edge
	if last := len(o.idleEdges) - 1; last >= 0 {
		e, o.idleEdges = o.idleEdges[last], o.idleEdges[:last]
	} else {
		e = new(edge)
	}
	e.edgeKey = key
	o.edges[key] = e
	if key.operation != noName {
		o.operations[key.all()]++
	}
	g := o.groupAt(due)
	g.edges = append(g.edges, e)
	return e
}

// drop forgets an edge that was written.
func (o *open) drop(e *edge) {
	delete(o.edges, e.edgeKey)
	if all := e.all(); e.operation != noName {
		if o.operations[all]--; o.operations[all] == 0 {
			delete(o.operations, all)
		}
	}
	o.places -= e.places()
	if len(o.idleEdges) < maxIdle {
		for _, l := range []*latency{&e.client, &e.server, &e.network} {
			l.reset()
		}
		*e = edge{client: e.client, server: e.server, network: e.network}
		o.idleEdges = append(o.idleEdges, e)
	}
}

// places is the room for buckets of the edge.
func (e *edge) places() int {
	return len(e.client.counts) + len(e.server.counts) + len(e.network.counts)
}

// flush writes the group that comes first, in an order that depends on nothing
// but the rows.
func (p *Processor) flush(b *telemetry.Batch) {
	g := p.open.groups[0]
	slices.SortFunc(g.edges, p.compareEdges)
	for _, e := range g.edges {
		b.Edges = append(b.Edges, telemetry.Edge{
			Tenant: p.names.text(e.tenant), Time: int64(e.minute) * minute,
			Caller: p.names.text(e.caller), Callee: p.names.text(e.callee), Operation: p.names.text(e.operation),
			Kind: telemetry.EdgeKind(e.kind), Calls: e.calls, Errors: e.errors, //nolint:gosec // one of few
			Client: e.client.row(b), Server: e.server.row(b), Network: e.network.row(b),
			SlowTrace: e.slow.trace, SlowNanoseconds: e.slow.nanoseconds, ErrorTrace: e.failed,
		})
		p.open.drop(e)
	}
	slices.SortFunc(g.clocks, p.compareClocks)
	for _, c := range g.clocks {
		p.flushClock(b, c)
	}
	p.open.groups = slices.Delete(p.open.groups, 0, 1)
}

func (p *Processor) compareEdges(x, y *edge) int {
	return cmp.Or(p.names.compare(x.tenant, y.tenant), cmp.Compare(x.minute, y.minute), p.names.compare(x.caller, y.caller),
		p.names.compare(x.callee, y.callee), p.names.compare(x.operation, y.operation), cmp.Compare(x.kind, y.kind))
}

// compare puts names in the order of their texts.
func (n *names) compare(x, y uint32) int {
	if x == y {
		return 0
	}
	return cmp.Compare(n.texts[x], n.texts[y])
}
