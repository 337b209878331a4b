package traces_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestAPIs asks all APIs over one engine; every part has tenants of its own.
func TestAPIs(t *testing.T) {
	f := newFixture(t)
	for name, part := range map[string]func(*testing.T, *fixture){
		"round trip": testRoundTrip, "ids": testIDs, "jaeger": testJaeger, "jaeger search": testJaegerSearch, "zipkin": testZipkin, "zipkin search": testZipkinSearch,
		"tempo": testTempo, "tempo search": testTempoSearch, "names": testNames, "grafana": testGrafana, "hostile": testHostile, "plans": testPlans,
		"windows": testWindows, "limits": testLimits, "dependencies": testDependencies, "large": testLarge, "injection": testInjection, "tenants": testTenants, "grpc": testGRPC,
		"whole trace": testWholeTrace, "service map": testServiceMap, "operations": testOperations, "clock offsets": testClockOffsets, "business lines": testBusinessLines,
		"counted dependencies": testCountedDependencies, "documented": testDocumented,
	} {
		t.Run(name, func(t *testing.T) { part(t, f) })
	}
}

// kept is what the tables keep of traces: the type of an attribute that is no
// number is forgotten, and of those of events and links altogether.
func kept(td ptrace.Traces) ptrace.Traces {
	out := ptrace.NewTraces()
	td.CopyTo(out)
	for _, rs := range out.ResourceSpans().All() {
		keep(rs.Resource().Attributes(), true, true)
		for _, ss := range rs.ScopeSpans().All() {
			keep(ss.Scope().Attributes(), true, true)
			for _, s := range ss.Spans().All() {
				keep(s.Attributes(), true, false)
				for _, e := range s.Events().All() {
					keep(e.Attributes(), false, false)
				}
				for _, l := range s.Links().All() {
					keep(l.Attributes(), false, false)
				}
			}
		}
	}
	return out
}

func keep(m pcommon.Map, number, bool bool) {
	for key, v := range m.All() {
		switch v.Type() {
		case pcommon.ValueTypeInt:
			if i := v.Int(); number && -1<<53 <= i && i <= 1<<53 {
				continue
			}
		case pcommon.ValueTypeDouble:
			if number {
				continue
			}
		case pcommon.ValueTypeBool:
			if bool || key == "error" || key == "exception.escaped" {
				continue
			}
		default:
		}
		v.SetStr(v.AsString())
	}
}

// byID are the spans of traces with their resource and scope, each as JSON in
// which order does not matter.
func byID(t *testing.T, td ptrace.Traces) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				one := ptrace.NewTraces()
				to := one.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(to.Resource())
				to.SetSchemaUrl(rs.SchemaUrl())
				in := to.ScopeSpans().AppendEmpty()
				ss.Scope().CopyTo(in.Scope())
				in.SetSchemaUrl(ss.SchemaUrl())
				s.CopyTo(in.Spans().AppendEmpty())
				text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(one)
				if err != nil {
					t.Fatal(err)
				}
				var v any
				if err := json.Unmarshal(text, &v); err != nil {
					t.Fatal(err)
				}
				all[s.SpanID().String()+" "+s.Name()] = sorted(v)
			}
		}
	}
	return all
}

// sorted puts lists of attributes in the order of their keys.
func sorted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = sorted(v[key])
		}
	case []any:
		for i := range v {
			v[i] = sorted(v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int {
			x, _ := a.(map[string]any)
			y, _ := b.(map[string]any)
			left, _ := x["key"].(string)
			right, _ := y["key"].(string)
			return strings.Compare(left, right)
		})
	}
	return v
}

// protobuf reads a trace from Tempo's API.
func (s *server) protobuf(t *testing.T, tenant, path string) []byte {
	t.Helper()
	a := s.get(t, tenant, path, "Accept", "application/protobuf")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/protobuf" {
		t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	return []byte(a.body)
}

func testRoundTrip(t *testing.T, f *fixture) {
	sent := order(100, 0)
	rs := sent.ResourceSpans().At(0)
	rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.30.0")
	rs.Resource().SetDroppedAttributesCount(2)
	rs.ScopeSpans().At(0).SetSchemaUrl("https://opentelemetry.io/schemas/1.31.0")
	rs.ScopeSpans().At(0).Scope().Attributes().PutStr("lang", "go")
	rs.ScopeSpans().At(0).Scope().SetDroppedAttributesCount(1)
	root := rs.ScopeSpans().At(0).Spans().At(0)
	root.SetDroppedAttributesCount(3)
	root.SetDroppedEventsCount(4)
	root.SetDroppedLinksCount(5)
	root.Attributes().PutEmptyBytes("raw").FromRaw([]byte{0, 1, 255})
	root.Attributes().PutDouble("huge", 1e300)
	root.Attributes().PutInt("negative", -7)
	call := rs.ScopeSpans().At(0).Spans().At(1)
	call.Links().At(0).SetFlags(0x101)
	call.Links().At(0).SetDroppedAttributesCount(6)
	// Another scope of the same resource, and a resource that says nothing.
	second := rs.ScopeSpans().AppendEmpty()
	addSpan(second.Spans(), 100, 20, 1, "second scope", ptrace.SpanKindUnspecified, 0, 0)
	bare := sent.ResourceSpans().AppendEmpty()
	addSpan(bare.ScopeSpans().AppendEmpty().Spans(), 100, 21, 1, "bare", ptrace.SpanKindUnspecified, time.Millisecond, time.Nanosecond)
	backwards := bare.ScopeSpans().At(0).Spans().AppendEmpty()
	backwards.SetTraceID(traceID(100))
	backwards.SetSpanID(spanID(22))
	backwards.SetStartTimestamp(at(time.Second))
	backwards.SetEndTimestamp(at(0))
	f.send(t, "round", sent)

	s := f.serve(t, nil)
	path := "/tempo/api/traces/" + hexOf(traceID(100))
	body := s.protobuf(t, "round", path)
	got, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byID(t, kept(sent)), byID(t, got)); diff != "" {
		t.Errorf("sent (-) and answered (+):\n%s", diff)
	}
	// The spans of a resource and a scope are together.
	if n := got.ResourceSpans().Len(); n != 4 {
		t.Errorf("%d resources", n)
	}

	// The second version holds the same message.
	n, kind, size := protowire.ConsumeTag(s.protobuf(t, "round", strings.Replace(path, "/api/", "/api/v2/", 1)))
	if n != 1 || kind != protowire.BytesType {
		t.Fatalf("the second version begins with field %d", n)
	}
	inner, rest := protowire.ConsumeBytes(s.protobuf(t, "round", strings.Replace(path, "/api/", "/api/v2/", 1))[size:])
	if rest < 0 {
		t.Fatal(protowire.ParseError(rest))
	}
	var first, v2, text tracepb.TracesData
	if err := proto.Unmarshal(body, &first); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(inner, &v2); err != nil {
		t.Fatal(err)
	}
	byKey := protocmp.SortRepeated(func(a, b *tracepb.Span) bool { return a.StartTimeUnixNano < b.StartTimeUnixNano })
	if diff := cmp.Diff(&first, &v2, protocmp.Transform(), byKey); diff != "" {
		t.Errorf("version 1 (-) and 2 (+):\n%s", diff)
	}
	// JSON says what protobuf says.
	a := s.get(t, "round", path)
	if a.status != http.StatusOK || !strings.HasPrefix(a.body, `{"batches":`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := protojson.Unmarshal([]byte(strings.Replace(a.body, `"batches"`, `"resourceSpans"`, 1)), &text); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if diff := cmp.Diff(&first, &text, protocmp.Transform(), byKey); diff != "" {
		t.Errorf("protobuf (-) and JSON (+):\n%s", diff)
	}
	a = s.get(t, "round", strings.Replace(path, "/api/", "/api/v2/", 1))
	if !strings.HasPrefix(a.body, `{"trace":{"resourceSpans":[`) || !json.Valid([]byte(a.body)) {
		t.Errorf("version 2 as JSON: %.300s", a.body)
	}
}

// testIDs asks for traces by ids of all lengths, and within times.
func testIDs(t *testing.T, f *fixture) {
	td := ptrace.NewTraces()
	short := addSpan(addService(td, "old", nil), 1, 1, 0, "short", ptrace.SpanKindServer, 0, time.Second)
	short.SetTraceID(pcommon.TraceID{14: 0xab, 15: 0xcd})
	f.send(t, "ids", td)
	f.send(t, "ids", order(101, 0))
	s := f.serve(t, nil)
	full := hexOf(traceID(101))
	us := func(d time.Duration) string { return url.QueryEscape(jsonOf(t, noon.Add(d).UnixMicro())) }
	sec := func(d time.Duration) string { return jsonOf(t, noon.Add(d).Unix()) }
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/api/traces/" + full, 200},
		{"/api/traces/" + strings.ToUpper(full), 200},
		{"/jaeger/api/traces/" + full, 200},
		{"/tempo/api/traces/" + full, 200},
		{"/zipkin/api/v2/trace/" + full, 200},
		{"/api/traces/abcd", 200},
		{"/tempo/api/v2/traces/000000000000abcd", 200},
		{"/api/v2/trace/000000000000abcd", 200},
		{"/api/v2/trace/abce", 404},
		{"/api/traces/abce", 404},
		{"/tempo/api/traces/abce", 404},
		{"/api/traces/" + full + "0", 400},
		{"/tempo/api/traces/" + full + "00", 400},
		{"/api/v2/trace/x", 400},
		{"/api/traces/0", 400},
		{"/tempo/api/traces/00000000000000000000000000000000", 400},
		{"/api/v2/trace/" + strings.Repeat("f", 10_000), 400},
		{"/tempo/api/traces/%27%20OR%201", 400},
		// A time is a hint, give or take an hour.
		{"/api/traces/" + full + "?start=" + us(-time.Minute) + "&end=" + us(time.Minute), 200},
		{"/api/traces/" + full + "?start=" + us(30*time.Minute) + "&end=" + us(time.Hour), 200},
		{"/api/traces/" + full + "?start=" + us(2*time.Hour), 404},
		{"/api/traces/" + full + "?end=" + us(-2*time.Hour), 404},
		{"/api/traces/" + full + "?start=" + us(time.Hour) + "&end=" + us(0), 400},
		{"/api/traces/" + full + "?start=x", 400},
		{"/tempo/api/traces/" + full + "?start=" + sec(-time.Minute) + "&end=" + sec(time.Minute), 200},
		{"/tempo/api/traces/" + full + "?start=" + sec(2*time.Hour) + "&end=" + sec(3*time.Hour), 404},
		{"/tempo/api/traces/" + full + "?start=0&end=0", 200},
		{"/tempo/api/traces/" + full + "?start=-1&end=2", 400},
	} {
		if a := s.get(t, "ids", c.path); a.status != c.status {
			t.Errorf("%.100s: %d %.200s, want %d", c.path, a.status, a.body, c.status)
		}
	}
	// The short id is shown short by Zipkin, and padded elsewhere.
	if a := s.get(t, "ids", "/api/v2/trace/abcd"); !strings.Contains(a.body, `"traceId":"000000000000abcd"`) {
		t.Error(a.body)
	}
	if a := s.get(t, "ids", "/api/traces/abcd"); !strings.Contains(a.body, `"traceID":"0000000000000000000000000000abcd"`) {
		t.Error(a.body)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseTraceID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]telemetry.TraceID{
		"1": {15: 1}, "fF": {15: 0xff}, "0102030405060708090a0b0c0d0e0f10": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	} {
		if id, ok := traces.ParseTraceID(text); !ok || id != want {
			t.Errorf("%s: %x %v", text, id, ok)
		}
	}
	for _, text := range []string{"", "0", "g", "-1", " 1", "0x1", strings.Repeat("1", 33), "é"} {
		if id, ok := traces.ParseTraceID(text); ok {
			t.Errorf("%q: %x", text, id)
		}
	}
}
