package traceql

import (
	"encoding/hex"
	"strings"

	"github.com/goshawk-observability/goshawk/query/traces"
)

func (l *literal) eval(*tree, int) value { return l.value }
func (l *literal) kind() valueKind       { return l.value.kind }
func (l *literal) of(*tree, *set) value  { return l.value }

func (u *unary) kind() valueKind {
	if u.op == "!" {
		return truths
	}
	return u.of.kind()
}

func (u *unary) eval(t *tree, span int) value {
	v := u.of.eval(t, span)
	switch {
	case u.op == "-" && v.numeric():
		v.n = -v.n
		return v
	case u.op == "!" && (v.kind == truths || v.kind == texts && (v.text == "true" || v.text == "false")):
		return truth(!v.holds())
	}
	return value{}
}

func (o *operation) kind() valueKind {
	switch strengthOf(&token{kind: operator, text: o.op}) {
	case 1, 2:
		return truths
	}
	a, b := o.left.kind(), o.right.kind()
	switch {
	case a == anything || b == anything:
		return anything
	case o.op == "/" && b == durations:
		return numbers
	case a == durations || b == durations:
		return durations
	}
	return numbers
}

func (o *operation) eval(t *tree, span int) value {
	switch o.op {
	case "&&":
		return truth(o.left.eval(t, span).holds() && o.right.eval(t, span).holds())
	case "||":
		return truth(o.left.eval(t, span).holds() || o.right.eval(t, span).holds())
	case "+", "-", "*", "/", "%", "^":
		return calculate(o.op, o.left.eval(t, span), o.right.eval(t, span))
	}
	for _, a := range several(o.left, t, span) {
		for _, b := range several(o.right, t, span) {
			if o.compare(a, b) {
				return truth(true)
			}
		}
	}
	return truth(false)
}

func (o *operation) compare(a, b value) bool {
	switch {
	case o.pattern != nil:
		return a.kind == texts && o.pattern.MatchString(a.text) == (o.op == "=~")
	case isNil(o.left) || isNil(o.right):
		return (a.kind == b.kind) == (o.op == "=")
	}
	return compare(o.op, a, b)
}

func isNil(f field) bool {
	l, ok := f.(*literal)
	return ok && l.value.kind == nothing
}

// several are the values of an operand. Attributes of events and links have one
// for each of them, and a comparison holds where it does for one.
func several(f field, t *tree, span int) []value {
	if r, ok := f.(*reference); ok {
		if all := r.all(t, span); len(all) > 0 {
			return all
		}
	}
	return []value{f.eval(t, span)}
}

// intrinsicField is what a span has beside attributes.
type intrinsicField uint8

const (
	noIntrinsic intrinsicField = iota
	byDuration
	byName
	byStatus
	byStatusMessage
	byKind
	byParent
	byChildCount
	byRootName
	byRootService
	byTraceDuration
	byTraceID
	bySpanID
	byParentID
	byNestedParent
	byNestedLeft
	byNestedRight
	byEventName
	byEventTime
	byLinkTrace
	byLinkSpan
	byScopeName
	byScopeVersion
)

// intrinsicName are the names of an intrinsic, the one that answers show first.
type intrinsicName struct {
	names []string
	kind  valueKind
}

var intrinsics = [...]intrinsicName{
	byDuration:      {[]string{"duration", "span:duration"}, durations},
	byName:          {[]string{"name", "span:name"}, texts},
	byStatus:        {[]string{"status", "span:status"}, statuses},
	byStatusMessage: {[]string{"statusMessage", "span:statusMessage"}, texts},
	byKind:          {[]string{"kind", "span:kind"}, kinds},
	byParent:        {[]string{"parent"}, anything},
	byChildCount:    {[]string{"childCount", "span:childCount"}, numbers},
	byRootName:      {[]string{"rootName", "trace:rootName"}, texts},
	byRootService:   {[]string{"rootServiceName", "trace:rootService"}, texts},
	byTraceDuration: {[]string{"traceDuration", "trace:duration"}, durations},
	byTraceID:       {[]string{"trace:id"}, texts},
	bySpanID:        {[]string{"span:id"}, texts},
	byParentID:      {[]string{"span:parentID"}, texts},
	byNestedParent:  {[]string{"nestedSetParent"}, numbers},
	byNestedLeft:    {[]string{"nestedSetLeft"}, numbers},
	byNestedRight:   {[]string{"nestedSetRight"}, numbers},
	byEventName:     {[]string{"event:name"}, texts},
	byEventTime:     {[]string{"event:timeSinceStart"}, durations},
	byLinkTrace:     {[]string{"link:traceID"}, texts},
	byLinkSpan:      {[]string{"link:spanID"}, texts},
	byScopeName:     {[]string{"instrumentation:name"}, texts},
	byScopeVersion:  {[]string{"instrumentation:version"}, texts},
}

func (r *reference) kind() valueKind {
	if r.intrinsic == noIntrinsic {
		return anything
	}
	return intrinsics[r.intrinsic].kind
}

// label is what answers call the attribute: its key, as Tempo does.
func (r *reference) label() string {
	if r.intrinsic != noIntrinsic {
		return r.written
	}
	return r.key
}

// all are the values of an attribute or intrinsic of events and links.
func (r *reference) all(t *tree, span int) []value {
	s := &t.Spans[span]
	var all []value
	switch {
	case r.scope == "event" || r.intrinsic == byEventName || r.intrinsic == byEventTime:
		for i := range s.Events {
			e := &s.Events[i]
			switch r.intrinsic {
			case byEventName:
				all = append(all, value{kind: texts, text: e.Name})
			case byEventTime:
				all = append(all, value{kind: durations, n: float64(e.Time - s.Start)})
			default:
				all = append(all, loose(e.Attrs, r.key))
			}
		}
	case r.scope == "link" || r.intrinsic == byLinkTrace || r.intrinsic == byLinkSpan:
		for i := range s.Links {
			l := &s.Links[i]
			switch r.intrinsic {
			case byLinkTrace:
				all = append(all, value{kind: texts, text: hex.EncodeToString(l.Trace[:])})
			case byLinkSpan:
				all = append(all, value{kind: texts, text: hex.EncodeToString(l.Span[:])})
			default:
				all = append(all, loose(l.Attrs, r.key))
			}
		}
	}
	return all
}

func loose(attrs []traces.Attr, key string) value {
	v, ok := traces.Find(attrs, key)
	if !ok {
		return value{}
	}
	out := of(v)
	out.loose = true
	return out
}

func (r *reference) eval(t *tree, span int) value {
	if r.intrinsic != noIntrinsic {
		return r.intrinsicOf(t, span)
	}
	scope := r.scope
	if inner, ok := strings.CutPrefix(scope, "parent"); ok {
		if span = t.parent(span); span < 0 {
			return value{}
		}
		scope = strings.TrimPrefix(inner, ".")
	}
	s := &t.Spans[span]
	switch scope {
	case "span":
		return attr(s.Attrs, r.key)
	case "resource":
		return ofResource(s, r.key)
	case "instrumentation":
		if s.Scope == nil {
			return value{}
		}
		return attr(s.Scope.Attrs, r.key)
	case "event", "link":
		for _, v := range r.all(t, span) {
			if v.kind != nothing {
				return v
			}
		}
		return value{}
	}
	if v := attr(s.Attrs, r.key); v.kind != nothing {
		return v
	}
	return ofResource(s, r.key)
}

func attr(attrs []traces.Attr, key string) value {
	v, ok := traces.Find(attrs, key)
	if !ok {
		return value{}
	}
	return of(v)
}

const serviceName = "service.name"

func ofResource(s *traces.Span, key string) value {
	if key == serviceName && s.Service != "" {
		return value{kind: texts, text: s.Service}
	}
	if s.Resource == nil {
		return value{}
	}
	return attr(s.Resource.Attrs, key)
}

func (r *reference) intrinsicOf(t *tree, span int) value {
	s := &t.Spans[span]
	switch r.intrinsic {
	case byDuration:
		return value{kind: durations, n: float64(s.Duration)}
	case byName:
		return value{kind: texts, text: s.Name}
	case byStatus:
		return value{kind: statuses, n: float64(s.Status)}
	case byStatusMessage:
		return value{kind: texts, text: s.StatusMessage}
	case byKind:
		return value{kind: kinds, n: float64(s.Kind)}
	case byParent, byParentID:
		if s.Root() {
			return value{}
		}
		return value{kind: texts, text: hex.EncodeToString(s.Parent[:])}
	case byChildCount:
		t.link()
		return value{kind: numbers, n: float64(t.children[span])}
	case byRootName, byRootService:
		if t.root < 0 {
			return value{}
		}
		root := &t.Spans[t.root]
		if r.intrinsic == byRootName {
			return value{kind: texts, text: root.Name}
		}
		return value{kind: texts, text: root.Service}
	case byTraceDuration:
		return value{kind: durations, n: float64(t.end - t.start)}
	case byTraceID:
		return value{kind: texts, text: hex.EncodeToString(t.ID[:])}
	case bySpanID:
		return value{kind: texts, text: hex.EncodeToString(s.ID[:])}
	case byNestedParent, byNestedLeft, byNestedRight:
		return value{kind: numbers, n: float64(t.nested(r.intrinsic, span))}
	case byScopeName, byScopeVersion:
		if s.Scope == nil {
			return value{}
		}
		if r.intrinsic == byScopeName {
			return value{kind: texts, text: s.Scope.Name}
		}
		return value{kind: texts, text: s.Scope.Version}
	case byEventName, byEventTime, byLinkTrace, byLinkSpan:
		if all := r.all(t, span); len(all) > 0 {
			return all[0]
		}
	case noIntrinsic:
	}
	return value{}
}

// nested is one of the numbers of the walk. The parent of a root is -1, one that
// was not read is 0.
func (t *tree) nested(which intrinsicField, span int) int {
	t.number()
	switch which {
	case byNestedLeft:
		return t.left[span]
	case byNestedRight:
		return t.right[span]
	}
	switch at := t.parents[span]; at {
	case none:
		return -1
	case lost:
		return 0
	default:
		return t.left[at]
	}
}
