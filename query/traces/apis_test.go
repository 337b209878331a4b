package traces_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// jaegerAnswer is what Jaeger's clients read.
type jaegerAnswer struct {
	Data []struct {
		TraceID string
		Spans   []struct {
			TraceID, SpanID, OperationName, ProcessID string
			Flags                                     int
			References                                []struct{ RefType, TraceID, SpanID string }
			StartTime, Duration                       int64
			Tags                                      []tag
			Logs                                      []struct {
				Timestamp int64
				Fields    []tag
			}
			Warnings []string
		}
		Processes map[string]struct {
			ServiceName string
			Tags        []tag
		}
		Warnings []string
	}
	Total  int
	Errors []struct {
		Code         int
		Msg, TraceID string
	}
}

type tag struct {
	Key, Type string
	Value     any
}

func tagsOf(tags []tag) string {
	var all []string
	for _, one := range tags {
		value, _ := json.Marshal(one.Value)
		all = append(all, one.Key+":"+one.Type+"="+string(value))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (s *server) jaeger(t *testing.T, tenant, path string) jaegerAnswer {
	t.Helper()
	a := s.get(t, tenant, path)
	var out jaegerAnswer
	decoder := json.NewDecoder(strings.NewReader(a.body))
	if err := decoder.Decode(&out); err != nil || a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %v: %.500s", path, a.status, err, a.body)
	}
	return out
}

func testJaeger(t *testing.T, f *fixture) {
	f.send(t, "jaeger", order(110, 0))
	s := f.serve(t, nil)
	one := s.jaeger(t, "jaeger", "/api/traces/"+hexOf(traceID(110))).Data[0]
	if one.TraceID != hexOf(traceID(110)) || len(one.Spans) != 7 || len(one.Processes) != 3 || one.Warnings != nil {
		t.Errorf("%+v", one)
	}
	start := noon.UnixMicro()
	library := "otel.scope.name:string=\"shop.instrumentation\" otel.scope.version:string=\"1.4\""
	for i, want := range []string{
		`GET /cart frontend 0 100000 flags 1 refs [] tags big:string="1152921504606846976" cached:string="true" empty:string="" error:bool=true http.request.method:string="GET" http.response.status_code:int64=500 http.route:string="/cart" list:string="[\"x\",1]" ` + library + ` quoted "key":string="it's \\ \"so\"" ratio:float64=0.25 span.kind:string="server" w3c.tracestate:string="vendor=x" logs`,
		`cart.get frontend 10000 80000 flags 0 refs [CHILD_OF 1 FOLLOWS_FROM 77] tags ` + library + ` server.address:string="10.0.0.7" server.port:int64=8080 span.kind:string="client" logs`,
		`cart.get cart 15000 70000 flags 0 refs [CHILD_OF 2] tags client.address:string="2001:db8::1" ` + library + ` span.kind:string="server" logs`,
		`SELECT carts cart 20000 50000 flags 0 refs [CHILD_OF 3] tags db.system.name:string="postgresql" error:bool=true ` + library + ` otel.status_code:string="ERROR" otel.status_description:string="deadlock" span.kind:string="client" logs 60000 attempt:string="3" event:string="exception" exception.escaped:bool=false exception.type:string="Deadlock" 65000 `,
		`carts publish cart 75000 2000 flags 0 refs [CHILD_OF 3] tags messaging.system:string="kafka" ` + library + ` otel.status_code:string="OK" span.kind:string="producer" logs`,
		`carts process mail 200000 30000 flags 0 refs [CHILD_OF 5] tags ` + library + ` span.kind:string="consumer" logs`,
		`render mail 205000 10000 flags 0 refs [CHILD_OF 6] tags ` + library + ` span.kind:string="internal" logs`,
	} {
		sp := one.Spans[i]
		var refs []string
		for _, r := range sp.References {
			n, _ := strconv.ParseUint(r.SpanID[10:], 16, 64)
			refs = append(refs, r.RefType+" "+strconv.FormatUint(n, 10))
		}
		got := sp.OperationName + " " + one.Processes[sp.ProcessID].ServiceName + " " + strconv.FormatInt(sp.StartTime-start, 10) + " " + strconv.FormatInt(sp.Duration, 10) +
			" flags " + strconv.Itoa(sp.Flags) + " refs [" + strings.Join(refs, " ") + "] tags " + tagsOf(sp.Tags) + " logs"
		for _, l := range sp.Logs {
			got += " " + strconv.FormatInt(l.Timestamp-start, 10) + " " + tagsOf(l.Fields)
		}
		if got != want {
			t.Errorf("span %d\n got %s\nwant %s", i+1, got, want)
		}
	}
	if got, want := tagsOf(one.Processes[one.Spans[0].ProcessID].Tags), `cloud.spot:bool=true host.name:string="web-1" process.command_args:string="[\"a\",\"b\"]" process.pid:int64=4711`; got != want {
		t.Errorf("process: %s", got)
	}
	// Several by their ids, one of which is not there.
	several := s.jaeger(t, "jaeger", "/api/traces?traceID="+hexOf(traceID(110))+"&traceID=abc")
	if len(several.Data) != 1 || len(several.Errors) != 1 || several.Errors[0].Code != 404 || several.Errors[0].TraceID != "abc" {
		t.Errorf("several: %+v", several.Errors)
	}
}

// found are the numbers of the traces of Jaeger's answers, in their order.
func (s *server) found(t *testing.T, tenant, query string) string {
	t.Helper()
	var all []string
	for _, one := range s.jaeger(t, tenant, "/api/traces?"+query).Data {
		n, _ := strconv.ParseUint(one.TraceID[28:], 16, 64)
		all = append(all, strconv.FormatUint(n, 10))
	}
	return strings.Join(all, " ")
}

func testJaegerSearch(t *testing.T, f *fixture) {
	for i := range 5 {
		f.send(t, "search", order(120+i, time.Duration(i)*20*time.Minute))
	}
	td := ptrace.NewTraces()
	slow := addSpan(addService(td, "batch", map[string]any{"env": "test", "shards": 3}), 130, 1, 0, "run", ptrace.SpanKindInternal, time.Minute, 3*time.Second)
	slow.Attributes().PutStr("job", "nightly")
	slow.Attributes().PutInt("zero", 0)
	slow.Attributes().PutDouble("load", 1.5)
	slow.Attributes().PutBool("forced", false)
	f.send(t, "search", td)
	s := f.serve(t, nil)
	us := func(d time.Duration) string { return strconv.FormatInt(noon.Add(d).UnixMicro(), 10) }
	tags := func(text string) string { return "tags=" + url.QueryEscape(text) }
	for _, c := range []struct{ query, want string }{
		{"service=cart", "124 123 122 121 120"},
		{"service=cart&limit=2", "124 123"},
		{"service=cart&limit=0", "124 123 122 121 120"},
		{"service=none", ""},
		{"", "124 123 122 121 130 120"},
		{"service=cart&operation=SELECT+carts&limit=1", "124"},
		{"service=frontend&operation=SELECT+carts", ""},
		{"service=cart&operation=all&limit=1", "124"},
		{"service=cart&start=" + us(time.Minute) + "&end=" + us(45*time.Minute), "122 121"},
		{"service=cart&end=" + us(time.Minute), "120"},
		{"service=cart&start=" + us(70*time.Minute), "124"},
		{"service=cart&lookback=custom&start=" + us(0) + "&end=" + us(time.Minute), "120"},
		{"service=cart&lookback=10000d&limit=1", "124"},
		{"service=cart&lookback=1h", ""},
		{"minDuration=1s", "130"},
		{"minDuration=100ms&maxDuration=150ms&limit=1", "124"},
		{"service=mail&maxDuration=11ms&limit=1", "124"},
		{"minDuration=3000000", "130"},
		{"minDuration=3.1s", ""},
		{tags(`{"job":"nightly"}`), "130"},
		{"tag=job:nightly", "130"},
		{"tag=job:nightly&tag=env:test", "130"},
		{tags(`{"job":"nightly","env":"prod"}`), ""},
		{tags(`{"shards":"3"}`), "130"},
		{tags(`{"shards":3}`), "130"},
		{tags(`{"zero":"0"}`), "130"},
		{tags(`{"zero":"1"}`), ""},
		{tags(`{"none":"0"}`), ""},
		{tags(`{"load":"1.5"}`), "130"},
		{tags(`{"load":"1.50"}`), "130"},
		{tags(`{"forced":"false"}`), "130"},
		{tags(`{"forced":false}`), "130"},
		{"service=cart&limit=1&" + tags(`{"error":"true"}`), "124"},
		{"service=mail&" + tags(`{"error":"true"}`), ""},
		{tags(`{"error":"false","job":"nightly"}`), "130"},
		{"limit=1&" + tags(`{"span.kind":"producer"}`), "124"},
		{"limit=1&" + tags(`{"otel.status_code":"OK"}`), "124"},
		{"limit=1&" + tags(`{"otel.status_description":"deadlock"}`), "124"},
		{"limit=2&" + tags(`{"http.response.status_code":"500","http.route":"/cart","host.name":"web-1"}`), "124 123"},
		{"limit=1&" + tags(`{"otel.scope.name":"shop.instrumentation"}`), "124"},
		{"limit=1&" + tags(`{"w3c.tracestate":"vendor=x"}`), "124"},
		{"limit=1&" + tags(`{"empty":""}`), "124"},
		{tags(`{"none":""}`), ""},
		{"limit=1&" + tags(`{"cloud.spot":"true"}`), "124"},
		{"limit=1&" + tags(`{"service.name":"mail"}`), "124"},
		{"limit=1&" + tags(`{"quoted \"key\"":"it's \\ \"so\""}`), "124"},
		{"limit=1&" + tags(`{"big":"1152921504606846976"}`), "124"},
		{"service=cart&" + tags(`{"http.route":"/cart"}`), ""}, // all on one span
	} {
		if got := s.found(t, "search", c.query); got != c.want {
			t.Errorf("%s: got %s, want %s", c.query, got, c.want)
		}
	}
}

type zipkinSpan struct {
	TraceID, ID, ParentID, Kind, Name string
	Timestamp, Duration               int64
	LocalEndpoint, RemoteEndpoint     map[string]any
	Annotations                       []struct {
		Timestamp int64
		Value     string
	}
	Tags          map[string]string
	Shared, Debug bool
}

func testZipkin(t *testing.T, f *fixture) {
	td := order(140, 0)
	shared := td.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0)
	shared.SetSpanID(spanID(2))
	shared.SetParentSpanID(spanID(1))
	shared.Attributes().PutBool("zipkin.shared", true)
	f.send(t, "zipkin", td)
	s := f.serve(t, nil)
	a := s.get(t, "zipkin", "/api/v2/trace/"+hexOf(traceID(140)))
	var all []zipkinSpan
	if err := json.Unmarshal([]byte(a.body), &all); err != nil || len(all) != 7 {
		t.Fatalf("%d %v %s", a.status, err, a.body)
	}
	base := noon.UnixMicro()
	lib := map[string]string{"otel.scope.name": "shop.instrumentation", "otel.scope.version": "1.4"}
	with := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for k, v := range lib {
			m[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	trace := hexOf(traceID(140))
	hex := func(n int) string { return spanID(n).String() }
	front := []string{"host.name", "web-1", "process.pid", "4711", "cloud.spot", "true", "process.command_args", `["a","b"]`}
	want := []zipkinSpan{
		{TraceID: trace, ID: hex(1), Kind: "SERVER", Name: "GET /cart", Timestamp: base, Duration: 100_000, LocalEndpoint: map[string]any{"serviceName": "frontend"}, Tags: with(append([]string{
			"big", "1152921504606846976", "cached", "true", "error", "true", "empty", "", "quoted \"key\"", "it's \\ \"so\"", "list", `["x",1]`, "http.request.method", "GET", "http.response.status_code", "500", "http.route", "/cart", "ratio", "0.25", "w3c.tracestate", "vendor=x",
		}, front...)...)},
		{TraceID: trace, ID: hex(2), ParentID: hex(1), Kind: "CLIENT", Name: "cart.get", Timestamp: base + 10_000, Duration: 80_000, LocalEndpoint: map[string]any{"serviceName": "frontend"}, RemoteEndpoint: map[string]any{"serviceName": "10.0.0.7", "ipv4": "10.0.0.7", "port": 8080.}, Tags: with(append([]string{"server.address", "10.0.0.7", "server.port", "8080"}, front...)...)},
		{TraceID: trace, ID: hex(2), ParentID: hex(1), Kind: "SERVER", Name: "cart.get", Timestamp: base + 15_000, Duration: 70_000, LocalEndpoint: map[string]any{"serviceName": "cart"}, RemoteEndpoint: map[string]any{"ipv6": "2001:db8::1"}, Tags: with("client.address", "2001:db8::1", "host.name", "app-1"), Shared: true},
		{TraceID: trace, ID: hex(4), ParentID: hex(3), Kind: "CLIENT", Name: "SELECT carts", Timestamp: base + 20_000, Duration: 50_000, LocalEndpoint: map[string]any{"serviceName": "cart"}, RemoteEndpoint: map[string]any{"serviceName": "postgresql"}, Tags: with("db.system.name", "postgresql", "otel.status_code", "ERROR", "error", "deadlock", "host.name", "app-1"), Annotations: []struct {
			Timestamp int64
			Value     string
		}{{base + 60_000, `{"exception":{"exception.type":"Deadlock","attempt":"3","exception.escaped":"false"}}`}, {base + 65_000, ""}}},
		{TraceID: trace, ID: hex(5), ParentID: hex(3), Kind: "PRODUCER", Name: "carts publish", Timestamp: base + 75_000, Duration: 2000, LocalEndpoint: map[string]any{"serviceName": "cart"}, RemoteEndpoint: map[string]any{"serviceName": "kafka"}, Tags: with("messaging.system", "kafka", "otel.status_code", "OK", "host.name", "app-1")},
		{TraceID: trace, ID: hex(6), ParentID: hex(5), Kind: "CONSUMER", Name: "carts process", Timestamp: base + 200_000, Duration: 30_000, LocalEndpoint: map[string]any{"serviceName": "mail"}, Tags: with()},
		{TraceID: trace, ID: hex(7), ParentID: hex(6), Name: "render", Timestamp: base + 205_000, Duration: 10_000, LocalEndpoint: map[string]any{"serviceName": "mail"}, Tags: with()},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	// Many, by their ids.
	a = s.get(t, "zipkin", "/api/v2/traceMany?traceIds="+trace+",abc")
	var many [][]zipkinSpan
	if err := json.Unmarshal([]byte(a.body), &many); err != nil || len(many) != 1 || len(many[0]) != 7 {
		t.Errorf("many: %d %v %.200s", a.status, err, a.body)
	}
}

func testZipkinSearch(t *testing.T, f *fixture) {
	for i := range 3 {
		f.send(t, "zsearch", order(150+i, time.Duration(i)*time.Hour))
	}
	// A trace whose root was not sent.
	td := ptrace.NewTraces()
	late := addService(td, "late", nil)
	addSpan(late, 160, 2, 9, "orphan", ptrace.SpanKindServer, time.Millisecond, time.Second)
	addSpan(late, 160, 3, 2, "child", ptrace.SpanKindInternal, 2*time.Millisecond, time.Second)
	f.send(t, "zsearch", td)
	s := f.serve(t, nil)
	end := "&endTs=" + strconv.FormatInt(noon.Add(3*time.Hour).UnixMilli(), 10)
	for _, c := range []struct{ query, want string }{
		{"serviceName=mail", "152 151 150"},
		{"serviceName=mail&limit=1", "152"},
		{"serviceName=mail&spanName=render&limit=1", "152"},
		{"serviceName=mail&spanName=all&limit=1", "152"},
		{"serviceName=mail&spanName=none", ""},
		{"serviceName=mail&lookback=7300000", "152 151"},
		{"serviceName=mail&lookback=600000", ""},
		{"minDuration=1000000", "160"},
		{"serviceName=late&maxDuration=999999", ""},
		{"serviceName=frontend&remoteServiceName=10.0.0.7&limit=1", "152"},
		{"serviceName=cart&remoteServiceName=kafka&limit=1", "152"},
		{"serviceName=cart&remoteServiceName=mail", ""},
		{"annotationQuery=error&limit=1", "152"},
		{"annotationQuery=http.route&limit=1", "152"},
		{"annotationQuery=exception&limit=1", "152"},
		{"annotationQuery=http.route%3D/cart+and+http.response.status_code%3D500&limit=1", "152"},
		{"annotationQuery=http.route%3D/x", ""},
		{"annotationQuery=error%3Ddeadlock&limit=1", "152"},
		{"annotationQuery=otel.status_code%3DOK&limit=1", "152"},
		{"annotationQuery=ratio&limit=1", "152"},
		{"serviceName=late", "160"},
	} {
		a := s.get(t, "zsearch", "/zipkin/api/v2/traces?"+c.query+end)
		var all [][]zipkinSpan
		if err := json.Unmarshal([]byte(a.body), &all); err != nil {
			t.Fatalf("%s: %d %v %.300s", c.query, a.status, err, a.body)
		}
		var got []string
		for _, one := range all {
			n, _ := strconv.ParseUint(one[0].TraceID[28:], 16, 64)
			got = append(got, strconv.FormatUint(n, 10))
			if !slices.ContainsFunc(one, func(s zipkinSpan) bool { return s.ParentID == "" }) {
				t.Errorf("%s: trace %d has no root", c.query, n)
			}
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: got %s, want %s", c.query, text, c.want)
		}
	}
	// By its id a trace is shown as it is.
	if a := s.get(t, "zsearch", "/api/v2/trace/"+hexOf(traceID(160))); strings.Count(a.body, "parentId") != 2 {
		t.Error(a.body)
	}
}
