package traceql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

const ms = int64(time.Millisecond)

func id(n byte) telemetry.SpanID { return telemetry.SpanID{7: n} }

// small is a trace of
//
//	1 frontend GET /
//	├─ 2 frontend call ── 3 cart get ─┬─ 4 cart query (error)
//	│                                 └─ 5 cart query
//	└─ 6 frontend render
//	7 mail send, whose parent is not there
func small() *traces.Trace {
	front := &traces.Resource{Attrs: []traces.Attr{{Key: "service.name", Value: traces.Text("frontend")}, {Key: "host", Value: traces.Text("web")}, {Key: "pid", Value: traces.Number(7)}, {Key: "spot", Value: traces.Bool(true)}}}
	cart := &traces.Resource{Attrs: []traces.Attr{{Key: "service.name", Value: traces.Text("cart")}}}
	scope := &traces.Scope{Name: "lib", Version: "2", Attrs: []traces.Attr{{Key: "lang", Value: traces.Text("go")}}}
	span := func(n, parent byte, service, name string, start, length int64, more func(*traces.Span)) traces.Span {
		s := traces.Span{ID: id(n), Parent: id(parent), Service: service, Name: name, Start: 1e18 + start*ms, Duration: length * ms, Scope: scope, Resource: cart}
		if service == "frontend" {
			s.Resource = front
		}
		if more != nil {
			more(&s)
		}
		return s
	}
	return &traces.Trace{ID: telemetry.TraceID{15: 1}, Spans: []traces.Span{
		span(1, 0, "frontend", "GET /", 0, 100, func(s *traces.Span) {
			s.Kind = traces.KindServer
			s.Attrs = []traces.Attr{{Key: "code", Value: traces.Number(500)}, {Key: "cached", Value: traces.Text("true")}, {Key: "empty", Value: traces.Text("")}, {Key: "host", Value: traces.Text("own")}}
		}),
		span(2, 1, "frontend", "call", 10, 80, func(s *traces.Span) {
			s.Kind = traces.KindClient
			s.Links = []traces.Link{{Trace: telemetry.TraceID{15: 9}, Span: id(9), Attrs: []traces.Attr{{Key: "why", Value: traces.Text("retry")}}}}
		}),
		span(3, 2, "cart", "get", 20, 60, func(s *traces.Span) { s.Kind = traces.KindServer }),
		span(4, 3, "cart", "query", 30, 20, func(s *traces.Span) {
			s.Status, s.StatusMessage, s.Kind = traces.StatusError, "deadlock", traces.KindClient
			s.Attrs = []traces.Attr{{Key: "code", Value: traces.Number(0)}, {Key: "rows", Value: traces.Number(3)}}
			s.Events = []traces.Event{
				{Time: s.Start + 5*ms, Name: "exception", Attrs: []traces.Attr{{Key: "type", Value: traces.Text("Deadlock")}, {Key: "attempt", Value: traces.Text("3")}}},
				{Time: s.Start + 6*ms, Name: "retry"},
			}
		}),
		span(5, 3, "cart", "query", 55, 10, func(s *traces.Span) {
			s.Status, s.Kind = traces.StatusOK, traces.KindClient
			s.Attrs = []traces.Attr{{Key: "rows", Value: traces.Number(5)}}
		}),
		span(6, 1, "frontend", "render", 92, 5, nil),
		span(7, 99, "mail", "send", 200, 50, nil),
	}}
}

// matched shows what a query matches of the trace: the spans of each set by their
// last byte, with the attributes of the set.
func matched(t *testing.T, query string, trace *traces.Trace) string {
	t.Helper()
	q, err := Parse(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var all []string
	for _, set := range q.Match(trace).Sets {
		text := ""
		for _, span := range set.Spans {
			text += fmt.Sprint(trace.Spans[span].ID[7])
		}
		for _, a := range set.Attrs {
			text += " " + a.Key + "=" + a.Value.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// TestMatch evaluates queries on a small trace.
func TestMatch(t *testing.T) {
	t.Parallel()
	trace := small()
	for _, c := range []struct{ query, want string }{
		{`{}`, "1234567"},
		{`{ true }`, "1234567"},
		{`{ false }`, ""},
		// Intrinsics.
		{`{ name = "query" }`, "45"},
		{`{ name != "query" }`, "12367"},
		{`{ name =~ "q.*" }`, "45"},
		{`{ name =~ "uer" }`, ""},
		{`{ name !~ "q.*|get" }`, "1267"},
		{`{ name > "q" }`, "4567"},
		{`{ duration > 50ms }`, "123"},
		{`{ duration >= 50ms }`, "1237"},
		{`{ 50ms < duration }`, "123"},
		{`{ duration = 0.1s }`, "1"},
		{`{ duration > 50000000 }`, "123"},
		{`{ status = error }`, "4"},
		{`{ status != error }`, "123567"},
		{`{ status = ok }`, "5"},
		{`{ status = unset }`, "12367"},
		{`{ statusMessage = "deadlock" }`, "4"},
		{`{ kind = server }`, "13"},
		{`{ kind = unspecified }`, "67"},
		{`{ span:kind = client }`, "245"},
		{`{ childCount = 2 }`, "13"},
		{`{ childCount > 0 }`, "123"},
		{`{ rootName = "GET /" }`, "1234567"},
		{`{ rootServiceName = "cart" }`, ""},
		{`{ traceDuration = 250ms }`, "1234567"},
		{`{ trace:duration > 1s }`, ""},
		{`{ parent = nil }`, "1"},
		{`{ parent != nil }`, "234567"},
		{`{ nestedSetParent < 0 }`, "1"},
		{`{ nestedSetParent = 0 }`, "7"},
		{`{ nestedSetLeft = 2 }`, "2"},
		{`{ nestedSetParent = 3 }`, "45"},
		{`{ span:id = "0000000000000004" }`, "4"},
		{`{ span:parentID = "0000000000000003" }`, "45"},
		{`{ trace:id = "00000000000000000000000000000001" }`, "1234567"},
		// Attributes.
		{`{ .code = 500 }`, "1"},
		{`{ .code != 500 }`, "4"},
		{`{ .code = "500" }`, ""},
		{`{ .code = 0 }`, "4"},
		{`{ span.code >= 0 }`, "14"},
		{`{ resource.code = 500 }`, ""},
		{`{ .cached = true }`, "1"},
		{`{ .cached != true }`, ""},
		{`{ .cached = false }`, ""},
		{`{ .cached }`, "1"},
		{`{ !.cached }`, ""},
		{`{ .cached = "true" }`, "1"},
		{`{ .host = "web" }`, "26"},
		{`{ .host = "own" }`, "1"},
		{`{ resource.host = "web" }`, "126"},
		{`{ span.host = "web" }`, ""},
		{`{ resource.pid = 7 }`, "126"},
		{`{ .pid > 6.5 }`, "126"},
		{`{ resource.spot }`, "126"},
		{`{ resource.service.name = "cart" }`, "345"},
		{`{ .service.name =~ "c.*|mail" }`, "3457"},
		{`{ .empty = "" }`, "1"},
		{`{ .empty != "x" }`, "1"},
		{`{ .none = "" }`, ""},
		{`{ .none != "x" }`, ""},
		{`{ .none !~ "x" }`, ""},
		{`{ .none = nil }`, "1234567"},
		{`{ .code != nil }`, "14"},
		{`{ span.code = nil }`, "23567"},
		{`{ parent.code = 500 }`, "26"},
		{`{ parent.resource.host = "web" }`, "236"},
		{`{ parent.span.host = "own" }`, "26"},
		{`{ event.type = "Deadlock" }`, "4"},
		{`{ event.attempt > 2 }`, "4"},
		{`{ event:name = "retry" }`, "4"},
		{`{ event:name != "retry" }`, "4"},
		{`{ event:timeSinceStart > 5ms }`, "4"},
		{`{ link.why = "retry" }`, "2"},
		{`{ link:traceID = "00000000000000000000000000000009" }`, "2"},
		{`{ link:spanID != "x" }`, "2"},
		{`{ instrumentation:name = "lib" && instrumentation:version = "2" && instrumentation.lang = "go" }`, "1234567"},
		// Operators.
		{`{ .code = 500 || .rows = 5 && .rows = 3 }`, ""}, // as in Tempo, from left to right
		{`{ .code = 500 || (.rows = 5 && .rows = 3) }`, "1"},
		{`{ .rows + 2 * 3 = 9 }`, "4"},
		{`{ .rows ^ 2 ^ 0 = 3 }`, "4"},
		{`{ -.rows = -5 }`, "5"},
		{`{ .rows % 2 = 1 }`, "45"},
		{`{ .rows / 2 = 1.5 }`, "4"},
		{`{ duration / 2 = 10ms }`, "4"},
		{`{ duration - 10ms = .rows * 0 }`, "5"},
		{`{ !(status = error) }`, "123567"},
		{`{ !.a = .b }`, ""},
		{`{ .code = .code }`, "14"},
		// Structure.
		{`{ .code = 500 } > {}`, "26"},
		{`{ .code = 500 } >> {}`, "23456"},
		{`{ status = error } < {}`, "3"},
		{`{ status = error } << {}`, "123"},
		{`{ status = error } ~ {}`, "5"},
		{`{ name = "query" } ~ {}`, "45"},
		{`{} > { status = error }`, "4"},
		{`{ name = "call" } >> { status = error }`, "4"},
		{`{ status = error } >> {}`, ""},
		{`{} ~ { name = "call" }`, "2"},
		{`{ name = "get" } !> {}`, "12367"},
		{`{ name = "get" } !>> {}`, "12367"},
		{`{ name = "query" } !< {}`, "124567"},
		{`{ name = "query" } !<< {}`, "4567"},
		{`{ status = error } !~ {}`, "123467"},
		{`{ name = "none" } !> { name = "get" }`, "3"},
		{`{ name = "call" } &>> { status = error }`, "24"},
		{`{ name = "get" } &> {}`, "345"},
		{`{ status = error } &< {}`, "34"},
		{`{ status = error } &<< { kind = server }`, "134"},
		{`{ status = error } &~ {}`, "45"},
		{`{ name = "call" } && { status = error }`, "24"},
		{`{ name = "call" } && { name = "none" }`, ""},
		{`{ name = "call" } || { name = "none" }`, "2"},
		{`{ name = "none" } || { status = ok } && {}`, "1234567"},
		{`({ name = "GET /" } > { name = "call" }) > {}`, "3"},
		{`{ name = "GET /" } > { name = "call" } > {}`, "3"},
		// Pipelines.
		{`{ name = "query" } | count() > 1`, "45 count()=2"},
		{`{ name = "query" } | count() > 2`, ""},
		{`{} | count() = 7`, "1234567 count()=7"},
		{`{} | 7 = count()`, "1234567 count()=7"},
		{`{} | avg(duration) > 40ms`, "1234567 avg(duration)=46.428571ms"},
		{`{} | max(.rows) = 5`, "1234567 max(.rows)=5"},
		{`{} | min(.rows) = 3`, "1234567 min(.rows)=3"},
		{`{} | sum(.rows) = 8`, "1234567 sum(.rows)=8"},
		{`{} | avg(.none) >= 0`, ""},
		{`{} | max(duration) - min(duration) = 95ms`, "1234567"},
		{`{} | (count() + 1) * 2 = 16`, "1234567"},
		{`{} | -count() < 0`, "1234567"},
		{`{} | by(resource.service.name)`, "126 by(resource.service.name)=frontend, 345 by(resource.service.name)=cart, 7 by(resource.service.name)=mail"},
		{`{} | by(resource.service.name) | count() = 3`, "126 by(resource.service.name)=frontend count()=3, 345 by(resource.service.name)=cart count()=3"},
		{`{} | by(status = error) | count() = 1`, "4 by(status = error)=true count()=1"},
		{`{} | by(.rows) | count() = 1 | coalesce()`, "45"},
		{`{} | by(kind) | { status = error }`, "4 by(kind)=client"},
		{`{ kind = client } | { .rows > 0 } | count() = 2`, "45 count()=2"},
		{`{} | {} > { status = error }`, "4"},
		{`({ status = error } | count() = 1) && ({ status = ok } | count() = 1)`, "45"},
		{`({ status = error } | count() = 2) || { status = ok }`, "5"},
		{`{ status = error } | select(.rows, resource.service.name)`, "4"},
		{`count() = 7`, "1234567 count()=7"},
	} {
		if got := matched(t, c.query, trace); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

// TestShown are the attributes that an answer has of a span.
func TestShown(t *testing.T) {
	t.Parallel()
	q, err := Parse(`{ status = error && duration > 1ms && .none != 3 || name = "query" && span.rows > 1 } | select(resource.service.name, event.type) | by(kind)`)
	if err != nil {
		t.Fatal(err)
	}
	trace := small()
	m := q.Match(trace)
	var all []string
	for _, a := range m.Shown(3) {
		all = append(all, a.Key+"="+a.Value.String())
	}
	if got, want := strings.Join(all, " "), "status=error duration=20ms rows=3 service.name=cart type=Deadlock kind=client"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestStrangeTrees are traces whose parents make no tree.
func TestStrangeTrees(t *testing.T) {
	t.Parallel()
	trace := func(parents ...byte) *traces.Trace {
		all := &traces.Trace{}
		for i, parent := range parents {
			all.Spans = append(all.Spans, traces.Span{ID: id(byte(i + 1)), Parent: id(parent)})
		}
		return all
	}
	queries := []string{`{} > {}`, `{} >> {}`, `{} << {}`, `{} ~ {}`, `{ childCount > 0 }`, `{ nestedSetLeft > 0 }`, `{} !>> {}`, `{} &>> {}`}
	for name, c := range map[string]struct {
		trace *traces.Trace
		want  []string
	}{
		"own parent":    {trace(1), []string{"", "", "", "", "", "", "1", ""}},
		"circle of two": {trace(2, 1), []string{"1", "1", "2", "", "2", "", "2", "12"}},
		"circle below":  {trace(0, 3, 4, 2), []string{"23", "23", "34", "", "34", "1", "14", "234"}},
	} {
		for i, query := range queries {
			if got := matched(t, query, c.trace); got != c.want[i] {
				t.Errorf("%s: %s: got %q, want %q", name, query, got, c.want[i])
			}
		}
	}
	// The server span shares the id of its client, as Zipkin's do: it is its child,
	// and the parent of what it calls.
	shared := &traces.Trace{Spans: []traces.Span{
		{ID: id(1), Name: "root"},
		{ID: id(2), Parent: id(1), Kind: traces.KindClient, Name: "client"},
		{ID: id(2), Parent: id(1), Kind: traces.KindServer, Name: "server"},
		{ID: id(3), Parent: id(2), Name: "below"},
	}}
	for _, query := range []string{`{ name = "client" } > { name = "server" }`, `{ name = "server" } > { name = "below" }`, `{ name = "root" } >> { name = "below" }`} {
		if matched(t, query, shared) == "" {
			t.Errorf("%s matches nothing", query)
		}
	}
	// A chain that is long.
	long := &traces.Trace{}
	for i := range 100_000 {
		s := traces.Span{ID: telemetry.SpanID{1, 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)}, Name: "x"}
		if i > 0 {
			s.Parent = long.Spans[i-1].ID
		}
		long.Spans = append(long.Spans, s)
	}
	slices.Reverse(long.Spans)
	for _, query := range []string{`{ parent = nil } >> {}`, `{ nestedSetLeft = 1 } << {}`, `{} >> {} >> {}`, `{ childCount = 0 } << {}`, `{} ~ {} || { parent = nil }`} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		q.Match(long)
	}
}
