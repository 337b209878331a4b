package traces_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/traceql"
)

// testPlans makes random queries of random traces. What the engine lets through by
// a query's plan must have all that the query matches when every trace is looked at.
func testPlans(t *testing.T, f *fixture) {
	random := rand.New(rand.NewPCG(1, 2))
	td := ptrace.NewTraces()
	const n = 150
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for trace := 1000; trace < 1000+n; trace++ {
		start := time.Duration(random.Int64N(int64(6 * time.Hour)))
		for i := range 1 + random.IntN(6) {
			spans := addService(td, pick("a", "b", "c"), map[string]any{"env": pick("x", "y"), "n": random.IntN(3), "spot": random.IntN(2) == 0, "list": []any{pick("p", "q")}})
			parent := 0
			if i > 0 {
				parent = 1 + random.IntN(i)
			}
			s := addSpan(spans, trace, i+1, parent, pick("get", "set", "run"), ptrace.SpanKind(random.IntN(6)), start+time.Duration(i)*time.Millisecond, time.Duration(random.Int64N(int64(time.Second))))
			s.Status().SetCode(ptrace.StatusCode(random.IntN(3)))
			s.Status().SetMessage(pick("", "bad"))
			for _, key := range []string{"k", "env", "n"} {
				switch random.IntN(6) {
				case 0:
					s.Attributes().PutStr(key, pick("", "x", "y", "true", "1"))
				case 1:
					s.Attributes().PutInt(key, int64(random.IntN(3)-1))
				case 2:
					s.Attributes().PutBool(key, random.IntN(2) == 0)
				}
			}
			if random.IntN(3) == 0 {
				e := s.Events().AppendEmpty()
				e.SetName(pick("e1", "e2"))
				e.Attributes().PutStr("k", pick("x", "1"))
				l := s.Links().AppendEmpty()
				l.SetTraceID(traceID(random.IntN(3)))
				l.SetSpanID(spanID(1))
				l.Attributes().PutInt("k", int64(random.IntN(2)))
			}
		}
	}
	f.send(t, "plans", td)
	reader := f.store(nil).For("plans")
	var all []*traces.Trace
	for trace := 1000; trace < 1000+n; trace++ {
		id, _ := traces.ParseTraceID(hexOf(traceID(trace)))
		one, err := reader.Trace(t.Context(), id, nil)
		if err != nil || one == nil {
			t.Fatal(trace, err)
		}
		all = append(all, one)
	}
	matched, pruned := 0, 0
	day := traces.Range{From: noon.Add(-time.Hour).UnixNano(), To: noon.Add(8 * time.Hour).UnixNano()}
	for range 200 {
		text := randomQuery(random, pick)
		query, err := traceql.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want := map[string]bool{}
		for _, one := range all {
			if len(query.Match(one).Sets) > 0 {
				want[fmt.Sprintf("%x", one.ID)] = true
			}
		}
		plan := query.Plan()
		got := map[string]bool{}
		err = f.store(nil).For("plans").Find(context.Background(), plan.Filter, day, 1000, func(hits []traces.Hit) (bool, error) {
			loaded, _, err := reader.Load(context.Background(), hits, plan.Columns)
			for _, one := range loaded {
				got[fmt.Sprintf("%x", one.ID)] = true
				// The columns that were read are enough to see the same.
				if (len(query.Match(one).Sets) > 0) != want[fmt.Sprintf("%x", one.ID)] {
					t.Errorf("%s: differs on the columns of its plan", text)
				}
			}
			return false, err
		})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for id := range want {
			if !got[id] {
				t.Errorf("%s: the plan loses %s", text, id)
			}
		}
		matched += len(want)
		pruned += n - len(got)
	}
	if matched < 500 || pruned < 500 {
		t.Errorf("%d matched and %d pruned: the queries say nothing", matched, pruned)
	}
}

func randomQuery(random *rand.Rand, pick func(...string) string) string {
	comparison := func() string {
		switch random.IntN(9) {
		case 0:
			return pick(".", "span.", "resource.", "event.", "link.", "parent.") + "k" + pick(" = ", " != ") + pick(`"x"`, `""`, `"1"`, "1", "0", "true", "false", "nil")
		case 1:
			return pick(".", "span.", "resource.", "event.", "link.") + pick("n", "k") + pick(" < ", " <= ", " > ", " >= ", " = ", " != ") + pick("0", "1", "-1", `"x"`, "0.5")
		case 2:
			return pick(".", "span.", "resource.", "event.") + pick("env", "k", "list") + pick(" =~ ", " !~ ") + pick(`"x"`, `"x|y"`, `".*"`, `"[^x]*"`, `".*p.*"`)
		case 3:
			return pick("name", "statusMessage", "rootName", "rootServiceName", "event:name", "resource.service.name", ".service.name") + pick(" = ", " != ", " < ") + pick(`"get"`, `"bad"`, `"a"`, `"e1"`, `""`)
		case 4:
			return pick("name", "statusMessage", "rootName", "rootServiceName", "event:name", "resource.service.name", "instrumentation:name") + pick(" =~ ", " !~ ") + pick(`"get|a"`, `"b.*"`, `"e1"`, `".*"`)
		case 5:
			return pick("duration", "traceDuration") + pick(" < ", " > ") + pick("500ms", "100ms", "900ms")
		case 6:
			return pick("status = ", "status != ") + pick("error", "ok", "unset")
		case 7:
			return pick("kind = server", "kind != client", "parent = nil", "parent != nil", "nestedSetParent < 0", "childCount > 1", ".spot", "resource.spot = false", ".env != nil", "resource.none = nil", "span.k = nil", "name != nil", `.list = "[\"p\"]"`, "1 = span.n", "0 < .n", "!(.spot = true)")
		}
		return pick("true", "false", ".n + 1 = 2", ".k = .env", `link:spanID = "`+spanID(1).String()+`"`, `parent.k = "x"`, "-.n = 1")
	}
	var filter func(depth int) string
	filter = func(depth int) string {
		if depth == 0 || random.IntN(2) == 0 {
			return comparison()
		}
		return "(" + filter(depth-1) + pick(" && ", " || ") + filter(depth-1) + ")"
	}
	one := func() string { return "{ " + filter(2) + " }" }
	query := one()
	for random.IntN(3) == 0 {
		query = "(" + query + ")" + pick(" && ", " || ", " > ", " >> ", " < ", " ~ ", " !> ", " &>> ") + one()
	}
	if random.IntN(4) == 0 {
		query += pick(" | count() > 1", " | avg(duration) > 300ms", " | by(name) | count() > 1", " | "+one())
	}
	return query
}

// testWindows finds traces in all windows once, newest first.
func testWindows(t *testing.T, f *fixture) {
	td := ptrace.NewTraces()
	spans := addService(td, "w", nil)
	const n = 120
	for i := range n {
		// Minutes apart at first, then days; every trace has spans in two buckets.
		start := -time.Duration(i*i) * 7 * time.Minute
		addSpan(spans, 2000+i, 1, 0, "first", ptrace.SpanKindServer, start, time.Second)
		addSpan(spans, 2000+i, 2, 1, "second", ptrace.SpanKindServer, start-40*time.Minute, time.Second)
	}
	f.send(t, "windows", td)
	for _, batch := range []int{1, 7, 1000} {
		reader := f.store(nil).For("windows")
		var times []int64
		seen := map[string]bool{}
		err := reader.Find(t.Context(), traces.Filter{}, traces.Everything(), batch, func(hits []traces.Hit) (bool, error) {
			for _, h := range hits {
				if seen[fmt.Sprintf("%x", h.ID)] {
					t.Errorf("batch %d: %x twice", batch, h.ID)
				}
				seen[fmt.Sprintf("%x", h.ID)] = true
				times = append(times, h.Time)
			}
			return false, nil
		})
		if err != nil || len(seen) != n {
			t.Errorf("batch %d: %d traces, %v", batch, len(seen), err)
		}
		if !slices.IsSortedFunc(times, func(a, b int64) int { return int((b - a) / 1e9) }) {
			t.Errorf("batch %d: not the newest first", batch)
		}
	}
	// Both spans are needed, and lie in different buckets.
	reader := f.store(nil).For("windows")
	query, err := traceql.Parse(`{ name = "first" } && { name = "second" }`)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = reader.Find(t.Context(), query.Plan().Filter, traces.Everything(), 10, func(hits []traces.Hit) (bool, error) {
		found += len(hits)
		return false, nil
	})
	if err != nil || found != n {
		t.Errorf("%d of %d traces with both: %v", found, n, err)
	}
	// Many traces at one time.
	td = ptrace.NewTraces()
	spans = addService(td, "same", nil)
	for i := range 50 {
		addSpan(spans, 2500+i, 1, 0, "x", ptrace.SpanKindServer, 0, time.Second)
	}
	f.send(t, "same", td)
	found = 0
	err = f.store(nil).For("same").Find(t.Context(), traces.Filter{}, traces.Everything(), 7, func(hits []traces.Hit) (bool, error) {
		found += len(hits)
		return false, nil
	})
	if err != nil || found != 50 {
		t.Errorf("%d traces of one time: %v", found, err)
	}
}

// testLimits asks with limits that are reached.
func testLimits(t *testing.T, f *fixture) {
	for i := range 8 {
		f.send(t, "limits", order(210+i, time.Duration(i)*time.Minute))
	}
	id := hexOf(traceID(210))
	s := f.serve(t, func(c *traces.Config) { c.MaxSpans = 3 })
	// The first spans of the trace, and a note.
	a := s.get(t, "limits", "/api/traces/"+id)
	if got := s.jaeger(t, "limits", "/api/traces/"+id).Data[0]; len(got.Spans) != 3 || got.Spans[2].SpanID != spanID(3).String() || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "query.traces.max_spans") {
		t.Errorf("jaeger: %+v", got)
	}
	if !strings.Contains(a.header.Get("X-Goshawk-Note"), "query.traces.max_spans") {
		t.Errorf("%v", a.header)
	}
	a = s.get(t, "limits", "/tempo/api/v2/traces/"+id)
	if !strings.Contains(a.body, `"status":"PARTIAL","message":"not all spans`) {
		t.Errorf("tempo: %s", a.body)
	}
	got, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(s.protobuf(t, "limits", "/tempo/api/traces/"+id))
	if err != nil || got.SpanCount() != 3 {
		t.Errorf("tempo: %v %v", got, err)
	}
	if a = s.get(t, "limits", "/api/v2/trace/"+id); strings.Count(a.body, `"traceId"`) != 3 || a.header.Get("X-Goshawk-Note") == "" {
		t.Errorf("zipkin: %s", a.body)
	}
	// A search reads as many traces as it may.
	s = f.serve(t, func(c *traces.Config) { c.MaxCandidates = 3 })
	a = s.get(t, "limits", "/tempo/api/search?q="+url.QueryEscape("{} | count() > 100"))
	if a.status != 200 || !strings.Contains(a.header.Get("X-Goshawk-Note"), "query.traces.max_candidates") {
		t.Errorf("%d %v", a.status, a.header)
	}
	s = f.serve(t, func(c *traces.Config) { c.MaxTraces = 4 })
	for path, want := range map[string]string{
		"/api/traces?limit=5": "limit: 5 is above the highest, 4 (query.traces.max_traces)", "/api/v2/traces?limit=5": "max_traces", "/tempo/api/search?limit=5": "max_traces",
		"/api/traces?" + strings.Repeat("traceID=1&", 5): "max_traces", "/api/v2/traceMany?traceIds=1,2,3,4,5": "max_traces",
	} {
		if a = s.get(t, "limits", path); a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if got := s.found(t, "limits", ""); got != "217 216 215 214" {
		t.Errorf("without a limit: %s", got)
	}
	s = f.serve(t, func(c *traces.Config) { c.MaxNames = 2 })
	if a = s.get(t, "limits", "/api/services"); !strings.Contains(a.body, `["cart","frontend"]`) {
		t.Error(a.body)
	}
	if a = s.get(t, "limits", "/tempo/api/v2/search/tags?scope=span"); !strings.Contains(a.body, `"tags":["big","cached"]`) {
		t.Error(a.body)
	}
	// Rows and time are bounded by the engine.
	s = f.serve(t, func(c *traces.Config) { c.MaxRows = 10 })
	for _, path := range []string{"/api/services", "/api/traces?service=cart", "/tempo/api/search", "/api/v2/traces", "/api/dependencies"} {
		if a = s.get(t, "limits", path); a.status != 422 || !strings.Contains(a.body, "query.traces.max_rows allows (10)") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s = f.serve(t, func(c *traces.Config) { c.Timeout = time.Nanosecond })
	if a = s.get(t, "limits", "/api/services"); a.status != 503 && a.status != 504 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func testDependencies(t *testing.T, f *fixture) {
	for i := range 40 {
		f.send(t, "calls", order(220+i, time.Duration(i)*time.Minute))
	}
	s := f.serve(t, nil)
	end := strconv.FormatInt(noon.Add(2*time.Hour).UnixMilli(), 10)
	want := `[{"parent":"cart","child":"mail","callCount":40},{"parent":"frontend","child":"cart","callCount":40}]`
	if a := s.get(t, "calls", "/api/dependencies?endTs="+end+"&lookback=86400000"); !strings.Contains(a.body, `"data":`+want) || !strings.Contains(a.header.Get("X-Goshawk-Note"), "counted from spans") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get(t, "calls", "/api/v2/dependencies?endTs="+end+"&lookback=86400000"); strings.TrimSpace(a.body) != want {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get(t, "calls", "/api/v2/dependencies?endTs="+end+"&lookback=1"); strings.TrimSpace(a.body) != "[]" || a.header.Get("X-Goshawk-Note") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get(t, "calls", "/api/v2/dependencies"); a.status != 400 || !strings.Contains(a.body, "endTs is required") {
		t.Errorf("%d %s", a.status, a.body)
	}
	// Of many spans a share of the traces stands for all.
	s = f.serve(t, func(c *traces.Config) { c.DependencySpans = 100 })
	a := s.get(t, "calls", "/api/dependencies?endTs="+end+"&lookback=86400000")
	if !strings.Contains(a.header.Get("X-Goshawk-Note"), "estimates from one of 3 traces") || a.status != 200 {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

// testLarge asks for a trace of 100,000 spans.
func testLarge(t *testing.T, f *fixture) {
	const n = 100_000
	for from := 0; from < n; from += 20_000 {
		td := ptrace.NewTraces()
		spans := addService(td, "large", map[string]any{"host.name": "h"})
		for i := from; i < from+20_000; i++ {
			s := addSpan(spans, 300, i+1, i, "span "+strconv.Itoa(i%50), ptrace.SpanKindInternal, time.Duration(i)*time.Microsecond, time.Millisecond)
			s.Attributes().PutStr("key", strings.Repeat("v", 50))
			s.Attributes().PutInt("n", int64(i))
		}
		f.send(t, "large", td)
	}
	s := f.serve(t, nil)
	id := hexOf(traceID(300))
	got, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(s.protobuf(t, "large", "/tempo/api/traces/"+id))
	if err != nil || got.SpanCount() != n {
		t.Errorf("%v: %d spans", err, got.SpanCount())
	}
	if one := s.jaeger(t, "large", "/api/traces/"+id).Data[0]; len(one.Spans) != n || one.Warnings != nil {
		t.Errorf("%d spans, %v", len(one.Spans), one.Warnings)
	}
	if a := s.get(t, "large", "/api/v2/trace/"+id); strings.Count(a.body, `"traceId"`) != n {
		t.Errorf("%d %.100s", a.status, a.body)
	}
	if one := s.tempo(t, "large", "q="+url.QueryEscape("{ nestedSetParent < 0 } >> { span.n = 99999 } | count() = 1")); one.ids() != "300" || one.Traces[0].SpanSet.Matched != 1 {
		t.Errorf("%+v", one)
	}
	// One more is too many, and so are too many bytes.
	td := ptrace.NewTraces()
	addSpan(addService(td, "large", nil), 300, n+1, 0, "last", ptrace.SpanKindInternal, time.Hour/2, time.Millisecond)
	f.send(t, "large", td)
	a := s.get(t, "large", "/api/v2/trace/"+id)
	if strings.Count(a.body, `"traceId"`) != n || strings.Contains(a.body, `"name":"last"`) || !strings.Contains(a.header.Get("X-Goshawk-Note"), "query.traces.max_spans") {
		t.Errorf("%d %v", a.status, a.header)
	}
	s = f.serve(t, func(c *traces.Config) { c.MaxSpanBytes = 1 << 20 })
	a = s.get(t, "large", "/api/v2/trace/"+id)
	if got := strings.Count(a.body, `"traceId"`); got == 0 || got > n/5 || !strings.Contains(a.header.Get("X-Goshawk-Note"), "query.traces.max_span_bytes") {
		t.Errorf("%d %d %v", a.status, got, a.header)
	}
	runtime.GC() // what was read does not count against other tests
}
