package goshawk

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Kinds of nodes.
const (
	nodeService  = "service"
	nodeDatabase = "database"
	nodeQueue    = "queue"
	nodeHost     = "host"
	nodeEntry    = "entry"
)

// mapAnswer is the service map.
type mapAnswer struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Compared is nil without a comparison.
	Compared *timeRange `json:"compared"`
	Note     string     `json:"note,omitempty"`
	Nodes    []*node    `json:"nodes"`
	Edges    []*edge    `json:"edges"`
}

type timeRange struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// node is a party that calls or is called. What it was asked is from its own spans
// where it is a service, else from those of its callers.
type node struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	nodeFigures
	change[nodeFigures]
}

type nodeFigures struct {
	figures
	Duration *latency  `json:"duration"`
	Apdex    *float64  `json:"apdex"`
	Versions []version `json:"versions"`
	examples
}

type version struct {
	Version string `json:"version"`
	Calls   uint64 `json:"calls"`
	Errors  uint64 `json:"errors"`
}

// edge is who calls whom.
type edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind"`
	edgeFigures
	change[edgeFigures]
}

type edgeFigures struct {
	figures
	Client  *latency `json:"client"`
	Server  *latency `json:"server"`
	Network *latency `json:"network"`
	examples
}

// plane is the map of one range, by the ids of nodes and the ends of edges.
type plane struct {
	nodes map[string]*node
	edges map[[3]string]*edge
}

// seen is what was read of a range.
type seen struct {
	in    traces.Minutes
	edges []traces.Edge
	rates []traces.Rate
}

func (q *query) seen(ctx context.Context, in traces.Minutes) (s seen, err error) {
	s.in = in
	if s.edges, err = q.Edges(ctx, in); err != nil {
		return s, err
	}
	most := q.Config().MaxNames
	var more bool
	if s.rates, more, err = q.Rates(ctx, traces.RateQuery{In: in, Whole: true, Limit: most}); more {
		q.Remark("only the services and versions with the most calls are shown, %d of them (query.traces.max_names)", most)
	}
	return s, err
}

// services are the names of services in some ranges: what has spans of its own, or
// is called one by those that call it, or that it calls.
func services(ranges ...seen) map[string]bool {
	all := map[string]bool{}
	for _, s := range ranges {
		for i := range s.rates {
			all[s.rates[i].Service] = true
		}
		for i := range s.edges {
			e := &s.edges[i]
			if e.Kind != telemetry.EdgeMessaging || len(s.rates) == 0 {
				all[e.Caller] = true
			}
			if e.Kind == telemetry.EdgeService || e.Kind == telemetry.EdgeEntry {
				all[e.Callee] = true
			}
		}
	}
	delete(all, "")
	return all
}

// kindsOf is what kinds of nodes the two ends of an edge are. What sends or gets a
// message and is not known as a service is a queue; a host that is known as one is
// the service.
func kindsOf(e *traces.Edge, known map[string]bool) (from, to string) {
	from, to = nodeService, nodeService
	switch e.Kind {
	case telemetry.EdgeDatabase:
		to = nodeDatabase
	case telemetry.EdgeExternal:
		if !known[e.Callee] {
			to = nodeHost
		}
	case telemetry.EdgeMessaging:
		if !known[e.Caller] {
			from = nodeQueue
		}
		if !known[e.Callee] {
			to = nodeQueue
		}
	case telemetry.EdgeService, telemetry.EdgeEntry:
	}
	if e.Caller == "" {
		from = nodeEntry
	}
	return from, to
}

func idOf(kind, name string) string { return kind + ":" + name }

func (s *seen) plane(known map[string]bool) *plane {
	p := &plane{map[string]*node{}, map[[3]string]*edge{}}
	totals := map[string]*total{}
	visit := func(kind, name string) (*node, *total) {
		id := idOf(kind, name)
		if p.nodes[id] == nil {
			p.nodes[id] = &node{ID: id, Kind: kind, Name: name, nodeFigures: nodeFigures{Versions: []version{}}}
			totals[id] = &total{}
		}
		return p.nodes[id], totals[id]
	}
	for i := range s.edges {
		e := &s.edges[i]
		fromKind, toKind := kindsOf(e, known)
		from, sent := visit(fromKind, e.Caller)
		to, received := visit(toKind, e.Callee)
		if from.Kind == nodeEntry {
			sent.edge(e, &e.Server)
		}
		if to.Kind != nodeService {
			received.edge(e, &e.Client)
		}
		p.edges[[3]string{from.ID, to.ID, e.Kind.String()}] = &edge{From: from.ID, To: to.ID, Kind: e.Kind.String(), edgeFigures: edgeFigures{
			figuresOf(e.Calls, e.Errors, s.in.Seconds()), latencyOf(&e.Client), latencyOf(&e.Server), latencyOf(&e.Network), examplesOf(&e.Examples),
		}}
	}
	for i := range s.rates {
		r := &s.rates[i]
		if r.Service == "" {
			continue
		}
		n, t := visit(nodeService, r.Service)
		if r.Kind == traces.KindServer {
			t.add(r)
		}
		at := slices.IndexFunc(n.Versions, func(v version) bool { return v.Version == r.Version })
		if at < 0 {
			at = len(n.Versions)
			n.Versions = append(n.Versions, version{Version: r.Version})
		}
		if r.Kind == traces.KindServer {
			n.Versions[at].Calls += r.Calls
			n.Versions[at].Errors += r.Errors
		}
	}
	for id, n := range p.nodes {
		t := totals[id]
		n.figures, n.Duration, n.examples = figuresOf(t.calls, t.errors, s.in.Seconds()), latencyOf(&t.duration), examplesOf(&t.examples)
		if n.Kind == nodeService {
			n.Apdex = t.apdex()
		}
		slices.SortFunc(n.Versions, func(a, b version) int { return cmp.Compare(a.Version, b.Version) })
	}
	return p
}

// near keeps what is at most depth calls away from some nodes, whichever way the
// calls go.
func (p *plane) near(seeds map[string]bool, depth int) {
	within, last := maps.Clone(seeds), seeds
	for ; depth > 0 && len(last) > 0; depth-- {
		next := map[string]bool{}
		for ends := range p.edges {
			for i := range 2 {
				if last[ends[i]] && !within[ends[1-i]] {
					next[ends[1-i]] = true
				}
			}
		}
		maps.Copy(within, next)
		last = next
	}
	maps.DeleteFunc(p.nodes, func(id string, _ *node) bool { return !within[id] })
	maps.DeleteFunc(p.edges, func(ends [3]string, _ *edge) bool { return !within[ends[0]] || !within[ends[1]] })
}

// maxDepth bounds how far around a service one can see.
const maxDepth = 20

// serviceMap answers who calls whom.
func (q *query) serviceMap(ctx context.Context) (traces.Answer, error) {
	q.Known("start", "end", "service", "business", "compare", "depth")
	in := q.in()
	earlier := q.Compared(in, q.now)
	depth := q.Number("depth", 1, 0, maxDepth)
	service, business := q.Get("service"), q.Get("business")
	if q.Err == nil && q.Get("depth") != "" && service == "" && business == "" {
		q.Err = store.Invalid("depth needs a service or a business line")
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	now, err := q.seen(ctx, in.Minutes())
	if err != nil {
		return traces.Answer{}, err
	}
	a := mapAnswer{Start: secondsOf(now.in.From), End: secondsOf(now.in.To)}
	ranges := []seen{now}
	if earlier != nil {
		before, err := q.seen(ctx, earlier.Minutes())
		if err != nil {
			return traces.Answer{}, err
		}
		a.Compared = &timeRange{secondsOf(before.in.From), secondsOf(before.in.To)}
		ranges = append(ranges, before)
		if len(before.edges) == 0 && len(before.rates) == 0 {
			q.Remark("nothing is known of the time that is compared with")
		}
	}
	known := services(ranges...)
	p := now.plane(known)
	if earlier != nil {
		compare(p, ranges[1].plane(known))
	}
	if service != "" || business != "" {
		seeds := map[string]bool{}
		if service != "" {
			seeds[idOf(nodeService, service)] = true
		}
		if business != "" {
			members, err := q.members(ctx, business, known, in)
			if err != nil {
				return traces.Answer{}, err
			}
			for _, name := range members {
				seeds[idOf(nodeService, name)] = true
			}
		}
		p.near(seeds, depth)
	}
	a.Note = q.Note
	a.Nodes, a.Edges = p.sorted()
	return answer(a)
}

func (p *plane) sorted() ([]*node, []*edge) {
	nodes, edges := slices.AppendSeq([]*node{}, maps.Values(p.nodes)), slices.AppendSeq([]*edge{}, maps.Values(p.edges))
	slices.SortFunc(nodes, func(a, b *node) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(edges, func(a, b *edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind))
	})
	return nodes, edges
}
