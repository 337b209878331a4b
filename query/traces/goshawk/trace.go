package goshawk

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// traceAnswer is the answer about a trace but for its spans.
type traceAnswer struct {
	TraceID    string    `json:"trace_id"`
	Start      time.Time `json:"start"`
	DurationNS int64     `json:"duration_ns"`
	// Root is nil where no span without a parent was found.
	Root        *spanRef `json:"root"`
	ErrorOrigin *spanRef `json:"error_origin"`
	SpanCount   int      `json:"span_count"`
	Errors      int      `json:"errors"`
	Orphans     int      `json:"orphans"`
	Depth       int      `json:"depth"`
	Cyclic      bool     `json:"cyclic"`
	// Note says what is not complete, as the header does.
	Note         string         `json:"note,omitempty"`
	Services     []serviceShare `json:"services"`
	CriticalPath criticalPath   `json:"critical_path"`
	Hosts        []hostPair     `json:"hosts"`
}

// spanRef names a span.
type spanRef struct {
	SpanID  string `json:"span_id"`
	Service string `json:"service"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
}

type serviceShare struct {
	Service           string  `json:"service"`
	Spans             int     `json:"spans"`
	Errors            int     `json:"errors"`
	ExclusiveNS       int64   `json:"exclusive_ns"`
	CriticalPathNS    int64   `json:"critical_path_ns"`
	CriticalPathShare float64 `json:"critical_path_share"`
}

// criticalPath is below the top: the root, or the earliest orphan without one.
type criticalPath struct {
	Top        string `json:"top_span_id"`
	DurationNS int64  `json:"duration_ns"`
	// Spans are those on the path, in the order in which they began.
	Spans []string `json:"span_ids"`
}

// hostPair is what is known of the clocks of two hosts when one called the other.
type hostPair struct {
	Caller string `json:"caller_host"`
	Callee string `json:"callee_host"`
	// Calls are those of the trace.
	Calls  int    `json:"calls"`
	Offset offset `json:"offset"`
}

// span is a span of the answer.
type span struct {
	SpanID string `json:"span_id"`
	// ParentID is as it was sent, Parent where the span is in the tree: the place
	// of its parent among the spans, -1 at the top.
	ParentID          string    `json:"parent_span_id"`
	Parent            int       `json:"parent"`
	Level             int       `json:"level"`
	Service           string    `json:"service"`
	Name              string    `json:"name"`
	Kind              string    `json:"kind"`
	Host              string    `json:"host,omitempty"`
	Start             time.Time `json:"start"`
	OffsetNS          int64     `json:"offset_ns"`
	DurationNS        int64     `json:"duration_ns"`
	ExclusiveNS       int64     `json:"exclusive_ns"`
	OnCriticalPath    bool      `json:"on_critical_path"`
	CriticalPathNS    int64     `json:"critical_path_ns"`
	CriticalPathShare float64   `json:"critical_path_share"`
	Status            string    `json:"status"`
	StatusMessage     string    `json:"status_message,omitempty"`
	// NetworkNS is the client's duration minus the server's, on the server's span.
	NetworkNS *int64 `json:"network_ns,omitempty"`

	*details
}

// details are the parts of a span that are there with full=1.
type details struct {
	Attributes attributes `json:"attributes"`
	Resource   attributes `json:"resource"`
	Scope      string     `json:"scope"`
	Events     []event    `json:"events"`
	Links      []link     `json:"links"`
}

type event struct {
	Time       time.Time  `json:"time"`
	Name       string     `json:"name"`
	Attributes attributes `json:"attributes"`
}

type link struct {
	TraceID    string     `json:"trace_id"`
	SpanID     string     `json:"span_id"`
	Attributes attributes `json:"attributes"`
}

// attributes are an object in JSON.
type attributes []traces.Attr

// MarshalJSON implements [json.Marshaler].
func (a attributes) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i := range a {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(traces.AppendString(b, a[i].Key), ':')
		switch v := &a[i].Value; v.Type {
		case traces.NumberValue:
			b = traces.AppendNumber(b, v.Number)
		case traces.BoolValue:
			b = append(b, v.String()...)
		case traces.TextValue:
			b = traces.AppendString(b, v.Text)
		}
	}
	return append(b, '}'), nil
}

// trace answers a trace by its id.
func (q *query) trace(ctx context.Context, text string) (traces.Answer, error) {
	q.Known("full", "start", "end")
	id, err := traces.TraceIDOf(text)
	if err != nil {
		return traces.Answer{}, err
	}
	full := q.Flag("full")
	var hint *traces.Range
	if q.Get("start") != "" || q.Get("end") != "" {
		r := q.Between(q.now, lookback)
		hint = &r
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	columns := traces.WithResource
	if full {
		columns = traces.All
	}
	read, err := q.FoundWith(ctx, id, hint, columns)
	if err != nil {
		return traces.Answer{}, err
	}
	t := newTree(read)
	a := summary(id, t)
	a.Note = q.Note
	if a.Hosts, err = q.hosts(ctx, t); err != nil {
		return traces.Answer{}, err
	}
	head, err := appendJSON(nil, a)
	if err != nil {
		return traces.Answer{}, err
	}
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) { writeTrace(o, head, a, t, full) }}, nil
}

// writeTrace writes the spans one by one into the answer.
func writeTrace(o *traces.Out, head []byte, a *traceAnswer, t *tree, full bool) {
	o.B = append(append(o.B, head[:len(head)-2]...), `,"spans":[`...) // without the bracket that ends it
	calls := t.calls()
	for i := range t.spans {
		if i > 0 {
			o.B = append(o.B, ',')
		}
		s := spanOf(a, t, i, calls)
		if full {
			s.details = detailsOf(&t.spans[i])
		}
		o.B, _ = appendJSON(o.B, s) // texts, numbers and times all have a form
		o.Flush()
	}
	o.B = append(o.B, "]}\n"...)
}

func summary(id telemetry.TraceID, t *tree) *traceAnswer {
	first, end := t.spans[0].Start, t.spans[0].End()
	top := &t.spans[t.top]
	a := &traceAnswer{
		TraceID: hex.EncodeToString(id[:]), Start: timeOf(first), SpanCount: len(t.spans), Orphans: t.orphans, Cyclic: t.cyclic, Root: t.ref(t.root), ErrorOrigin: t.ref(t.failed),
		CriticalPath: criticalPath{Top: hex.EncodeToString(top.ID[:]), DurationNS: max(top.Duration, 0), Spans: []string{}},
	}
	services := map[string]*serviceShare{}
	for i := range t.spans {
		s := &t.spans[i]
		end = max(end, s.End())
		a.Depth = max(a.Depth, t.level[i])
		of := services[s.Service]
		if of == nil {
			of = &serviceShare{Service: s.Service}
			services[s.Service] = of
		}
		of.Spans++
		if s.Status == traces.StatusError {
			of.Errors++
			a.Errors++
		}
		of.ExclusiveNS += t.exclusive[i]
		of.CriticalPathNS += t.share[i]
		if t.share[i] > 0 {
			a.CriticalPath.Spans = append(a.CriticalPath.Spans, hex.EncodeToString(s.ID[:]))
		}
	}
	a.DurationNS = end - first
	for _, of := range services {
		of.CriticalPathShare = ratio(of.CriticalPathNS, a.CriticalPath.DurationNS)
		a.Services = append(a.Services, *of)
	}
	slices.SortFunc(a.Services, func(x, y serviceShare) int {
		return cmp.Or(cmp.Compare(y.CriticalPathNS, x.CriticalPathNS), cmp.Compare(y.ExclusiveNS, x.ExclusiveNS), cmp.Compare(x.Service, y.Service))
	})
	return a
}

// ratio is a part of a whole, 0 where there is none.
func ratio[N int64 | uint64](part, whole N) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func (t *tree) ref(i int) *spanRef {
	if i < 0 {
		return nil
	}
	s := &t.spans[i]
	return &spanRef{hex.EncodeToString(s.ID[:]), s.Service, s.Name, s.Kind.String()}
}

func spanOf(a *traceAnswer, t *tree, i int, calls map[int]int) *span {
	s := &t.spans[i]
	out := &span{
		SpanID: hex.EncodeToString(s.ID[:]), Parent: t.parent[i], Level: t.level[i], Service: s.Service, Name: s.Name, Kind: s.Kind.String(), Host: hostOf(s),
		Start: timeOf(s.Start), OffsetNS: s.Start - t.spans[0].Start, DurationNS: s.Duration, ExclusiveNS: t.exclusive[i],
		OnCriticalPath: t.share[i] > 0, CriticalPathNS: t.share[i], CriticalPathShare: ratio(t.share[i], a.CriticalPath.DurationNS),
		Status: s.Status.String(), StatusMessage: s.StatusMessage,
	}
	if !s.Root() {
		out.ParentID = hex.EncodeToString(s.Parent[:])
	}
	if client, ok := calls[i]; ok {
		network := t.spans[client].Duration - s.Duration
		out.NetworkNS = &network
	}
	return out
}

func detailsOf(s *traces.Span) *details {
	d := &details{Attributes: s.Attrs, Resource: s.Resource.Attrs, Scope: s.Scope.Name, Events: []event{}, Links: []link{}}
	for i := range s.Events {
		e := &s.Events[i]
		d.Events = append(d.Events, event{timeOf(e.Time), e.Name, e.Attrs})
	}
	for i := range s.Links {
		l := &s.Links[i]
		d.Links = append(d.Links, link{hex.EncodeToString(l.Trace[:]), hex.EncodeToString(l.Span[:]), l.Attrs})
	}
	return d
}

// hostOf is where a span was made, empty where its resource does not say.
func hostOf(s *traces.Span) string {
	if s.Resource == nil {
		return ""
	}
	v, _ := traces.Find(s.Resource.Attrs, "host.name")
	return v.Text
}

// maxTraceHosts bounds the hosts whose clocks are looked up.
const maxTraceHosts = 500

// around is how far from a trace bounds of clock offsets are looked for.
const around = 5 * time.Minute

// hosts returns the pairs of hosts that call each other in a trace, and by how much
// their clocks differed.
func (q *query) hosts(ctx context.Context, t *tree) ([]hostPair, error) {
	calls := map[[2]string]int{}
	names := map[string]bool{}
	from, to := t.spans[0].Start, t.spans[0].End()
	for i := range t.spans {
		s := &t.spans[i]
		to = max(to, s.End())
		if t.parent[i] < 0 || !answers(s.Kind) || !asks(t.spans[t.parent[i]].Kind) {
			continue
		}
		caller, callee := hostOf(&t.spans[t.parent[i]]), hostOf(s)
		if caller != "" && callee != "" && caller != callee && len(names) < maxTraceHosts {
			calls[[2]string{caller, callee}]++
			names[caller], names[callee] = true, true
		}
	}
	pairs := []hostPair{}
	if len(calls) == 0 {
		return pairs, nil
	}
	hosts := make([]string, 0, len(names))
	for host := range names {
		hosts = append(hosts, host)
	}
	// A long trace has offsets of its start.
	rows, err := q.Offsets(ctx, traces.Range{From: from - int64(around), To: min(to, from+int64(time.Hour)) + int64(around)}, "", hosts)
	if err != nil {
		return nil, err
	}
	known := newClocks(rows)
	for pair, n := range calls {
		pairs = append(pairs, hostPair{pair[0], pair[1], n, offsetOf(known.at(pair[0], pair[1], from, to))})
	}
	slices.SortFunc(pairs, func(a, b hostPair) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Callee, b.Callee))
	})
	return pairs, nil
}
