package traces_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// tempoAnswer is what Grafana reads of a search.
type tempoAnswer struct {
	Traces []struct {
		TraceID, RootServiceName, RootTraceName, StartTimeUnixNano string
		DurationMs                                                 uint32
		SpanSet                                                    spanSet
		SpanSets                                                   []spanSet
		ServiceStats                                               map[string]struct{ SpanCount, ErrorCount int }
	}
	Metrics struct {
		InspectedTraces int
		InspectedBytes  string
	}
}

type spanSet struct {
	Spans []struct {
		SpanID, Name, StartTimeUnixNano, DurationNanos string
		Attributes                                     []keyValue
	}
	Matched    int
	Attributes []keyValue
}

type keyValue struct {
	Key   string
	Value map[string]any
}

func (s *server) tempo(t *testing.T, tenant, query string) tempoAnswer {
	t.Helper()
	a := s.get(t, tenant, "/tempo/api/search?"+query)
	var out tempoAnswer
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
		t.Fatalf("%s: %d %v: %.500s", query, a.status, err, a.body)
	}
	if a.header.Get("X-Goshawk-Rows-Read") == "" {
		t.Errorf("%s: no count of rows", query)
	}
	return out
}

// ids are the numbers of the traces of an answer, in their order.
func (a *tempoAnswer) ids() string {
	var all []string
	for _, one := range a.Traces {
		n, _ := strconv.ParseUint(one.TraceID[28:], 16, 64)
		all = append(all, strconv.FormatUint(n, 10))
	}
	return strings.Join(all, " ")
}

func testTempo(t *testing.T, f *fixture) {
	f.send(t, "tempo", order(170, 0))
	s := f.serve(t, nil)
	all := s.tempo(t, "tempo", "spss=2&q="+url.QueryEscape(`{ resource.service.name = "cart" && span.db.system.name != nil || kind = server } | by(resource.service.name) | count() > 0`))
	if len(all.Traces) != 1 {
		t.Fatalf("%+v", all)
	}
	one := all.Traces[0]
	if one.RootServiceName != "frontend" || one.RootTraceName != "GET /cart" || one.StartTimeUnixNano != strconv.FormatInt(noon.UnixNano(), 10) || one.DurationMs != 230 {
		t.Errorf("%+v", one)
	}
	if len(one.SpanSets) != 2 || one.SpanSet.Matched != 1 || one.SpanSets[1].Matched != 2 || one.SpanSets[1].Attributes[0].Key != "by(resource.service.name)" || one.SpanSets[1].Attributes[0].Value["stringValue"] != "cart" ||
		one.SpanSets[1].Attributes[1].Value["intValue"] != "2" {
		t.Errorf("sets: %+v", one.SpanSets)
	}
	last := one.SpanSets[1].Spans[1]
	if last.SpanID != spanID(4).String() || last.Name != "SELECT carts" || last.DurationNanos != "50000000" || len(last.Attributes) != 3 || last.Attributes[1].Key != "db.system.name" || last.Attributes[1].Value["stringValue"] != "postgresql" {
		t.Errorf("span: %+v", last)
	}
	if st := one.ServiceStats["cart"]; st.SpanCount != 3 || st.ErrorCount != 1 || len(one.ServiceStats) != 3 {
		t.Errorf("services: %+v", one.ServiceStats)
	}
	// A set shows as many spans as are asked for, and says how many there are.
	if set := s.tempo(t, "tempo", "spss=2").Traces[0].SpanSet; len(set.Spans) != 2 || set.Matched != 7 {
		t.Errorf("set: %+v", set)
	}
	if set := s.tempo(t, "tempo", "").Traces[0].SpanSet; len(set.Spans) != 3 {
		t.Errorf("set: %+v", set)
	}
}

func testTempoSearch(t *testing.T, f *fixture) {
	for i := range 5 {
		f.send(t, "tsearch", order(180+i, time.Duration(i)*20*time.Minute))
	}
	td := ptrace.NewTraces()
	slow := addSpan(addService(td, "batch", map[string]any{"env": "test", "shards": 3, "fast": false}), 190, 1, 0, "run", ptrace.SpanKindInternal, time.Minute, 3*time.Second)
	slow.Attributes().PutStr("job", "nightly")
	slow.Attributes().PutInt("zero", 0)
	f.send(t, "tsearch", td)
	s := f.serve(t, nil)
	sec := func(d time.Duration) string { return strconv.FormatInt(noon.Add(d).Unix(), 10) }
	q := func(text string) string { return "q=" + url.QueryEscape(text) }
	tags := func(text string) string { return "tags=" + url.QueryEscape(text) }
	for _, c := range []struct{ query, want string }{
		{"", "184 183 182 181 190 180"},
		{"limit=2", "184 183"},
		{q(`{}`) + "&limit=1", "184"},
		{"start=" + sec(time.Minute) + "&end=" + sec(45*time.Minute), "182 181 190"},
		{"start=" + sec(0) + "&end=" + sec(0), "180"},
		{tags("service.name=batch"), "190"},
		{tags(`service.name="batch" job=nightly`), "190"},
		{tags("job=nightly env=prod"), ""},
		{tags("shards=3"), "190"},
		{tags("zero=0 name=run"), "190"},
		{tags("status=error") + "&limit=1", "184"},
		{tags("error=true service.name=mail"), ""},
		{tags("root.service.name=batch"), "190"},
		{tags("root.name=run"), "190"},
		{"minDuration=1s", "190"},
		{"maxDuration=500ms&limit=1", "184"},
		{"minDuration=1s&maxDuration=2s", ""},
		{tags("kind=internal name=run"), "190"},
		{q(`{ .job = "nightly" }`), "190"},
		{q(`{ resource.shards = 3 && resource.fast = false }`), "190"},
		{q(`{ span.zero = 0 }`), "190"},
		{q(`{ span.zero >= 0 && name =~ "r.n" }`), "190"},
		{q(`{ resource.service.name = "frontend" } >> { status = error }`) + "&limit=3", "184 183 182"},
		{q(`{ resource.service.name = "mail" } >> { status = error }`), ""},
		{q(`{ name = "GET /cart" } && { .job = "nightly" }`), ""},
		{q(`{ name = "GET /cart" } || { .job = "nightly" }`), "184 183 182 181 190 180"},
		{q(`{ kind = server } | count() > 1`) + "&limit=1", "184"},
		{q(`{} | avg(duration) > 1s`), "190"},
		{q(`{} | max(span.http.response.status_code) >= 500`) + "&limit=2", "184 183"},
		{q(`{ rootServiceName = "batch" }`), "190"},
		{q(`{ traceDuration > 1s }`), "190"},
		{q(`{ event:name = "exception" && event.attempt = 3 }`) + "&limit=1", "184"},
		{q(`{ link.why = "retry" }`) + "&limit=1", "184"},
		{q(`{ instrumentation:name = "shop.instrumentation" && nestedSetParent < 0 && .job != nil }`), "190"},
		{q(`{ span."quoted \"key\"" = "it's \\ \"so\"" }`) + "&limit=1", ""},
		{q(`{ parent.http.route = "/cart" && kind = client }`) + "&limit=1", "184"},
		{q(`{ trace:id = "` + hexOf(traceID(182)) + `" }`), "182"},
	} {
		a := s.tempo(t, "tsearch", c.query)
		want := c.want
		if strings.Contains(c.query, "quoted") {
			want = "184" // what is in quotes is the key itself
		}
		if got := a.ids(); got != want {
			t.Errorf("%s: got %s, want %s", c.query, got, want)
		}
	}
	// What is not there says so.
	for path, want := range map[string]string{
		"/tempo/api/search?" + q(`{} | rate()`):                                               "invalid TraceQL query: parse error at line 1, col 6: rate() is not supported",
		"/tempo/api/search?" + q("{\n .a = }"):                                                "line 2, col 7",
		"/tempo/api/metrics/query_range?query=" + url.QueryEscape("{} | rate()"):              "TraceQL metrics (/api/metrics/query_range) are not supported",
		"/tempo/api/metrics/summary?q={}":                                                     "not supported",
		"/tempo/api/search?" + tags("a"):                                                      "tags: want key=value",
		"/tempo/api/search?" + tags(`a="b`):                                                   "does not end",
		"/tempo/api/search?" + q("{}") + "&" + tags("a=b"):                                    "either q or tags",
		"/tempo/api/search?minDuration=soon":                                                  "minDuration",
		"/tempo/api/search/tag/%7B/values":                                                    "",
		"/tempo/api/v2/search/tag/parent.a/values":                                            "cannot be listed",
		"/tempo/api/v2/search/tags?scope=x":                                                   "scope",
		"/tempo/api/search?start=" + sec(time.Hour) + "&end=" + sec(0):                        "the time ends before it starts",
		"/tempo/api/v2/search/tag/" + url.PathEscape(".a = 1") + "/values":                    "attribute or an intrinsic",
		"/tempo/api/v2/search/tag/" + url.PathEscape(strings.Repeat("(", 99)+")") + "/values": "unexpected",
		"/tempo/api/v2/search/tag/" + url.PathEscape("span:none") + "/values":                 "not supported",
		"/tempo/api/v2/search/tag/.a/values?start=x":                                          "start",
		"/tempo/api/search?q=%7B%7D&limit=1&spss=100000":                                      "spss",
		"/tempo/api/search?" + q("{ .a =~ \"(((((a{50}){50}){50}){50}){50}){50}\" }"):         "regular expression",
		"/tempo/api/search?" + q(strings.Repeat("x", 70_000)):                                 "bytes, more than",
		"/tempo/api/search?" + q("{"+strings.Repeat("!", 500)+".a}"):                          "nested",
		"/tempo/api/search?" + q("{"+strings.Repeat(".a=1||", 400)+".a}"):                     "operators",
		"/tempo/api/search?limit=100000000":                                                   "query.traces.max_traces",
		"/tempo/api/search?limit=99999999999999999999":                                        "limit",
		"/tempo/api/search?%zz":                                                               "parameters",
	} {
		a := s.get(t, "tsearch", path)
		if want == "" {
			if a.status != 200 {
				t.Errorf("%.100s: %d %.200s", path, a.status, a.body)
			}
		} else if a.status != 400 || !strings.Contains(a.body, want) {
			t.Errorf("%.100s: %d %.300s\nwant 400 %s", path, a.status, a.body, want)
		}
	}
}

func testNames(t *testing.T, f *fixture) {
	f.send(t, "names", order(200, 0))
	f.send(t, "names", order(201, 30*24*time.Hour))
	s := f.serve(t, nil)
	sec := func(d time.Duration) string { return strconv.FormatInt(noon.Add(d).Unix(), 10) }
	bounds := "start=" + sec(-time.Hour) + "&end=" + sec(time.Hour)
	spanKeys := []string{"big", "cached", "client.address", "db.system.name", "empty", "error", "http.request.method", "http.response.status_code", "http.route", "list", "messaging.system", `quoted "key"`, "ratio", "server.address", "server.port"}
	resourceKeys := []string{"cloud.spot", "host.name", "process.command_args", "process.pid", "service.name"}
	text := func(v any) string { return jsonOf(t, v) }
	first := append(slices.Concat(spanKeys, resourceKeys), "kind", "name", "status")
	slices.Sort(first)
	for path, want := range map[string]string{
		"/api/services":                                              `{"data":["cart","frontend","mail"],"total":3,"limit":0,"offset":0,"errors":null}`,
		"/api/services/cart/operations":                              `"data":["SELECT carts","cart.get","carts publish"],"total":3`,
		"/api/services/no%2Fne/operations":                           `"data":[],"total":0`,
		"/api/operations?service=cart":                               `"data":[{"name":"SELECT carts","spanKind":"client"},{"name":"cart.get","spanKind":"server"},{"name":"carts publish","spanKind":"producer"}]`,
		"/api/operations?service=cart&spanKind=server":               `"data":[{"name":"cart.get","spanKind":"server"}]`,
		"/api/v2/services":                                           `["cart","frontend","mail"]`,
		"/api/v2/spans?serviceName=mail":                             `["carts process","render"]`,
		"/api/v2/remoteServices?serviceName=cart":                    `["kafka","postgresql"]`,
		"/api/v2/autocompleteKeys":                                   text(spanKeys),
		"/api/v2/autocompleteValues?key=http.response.status_code":   `["500"]`,
		"/api/v2/autocompleteValues?key=none":                        `[]`,
		"/tempo/api/search/tags":                                     `{"tagNames":` + text(first) + `}`,
		"/tempo/api/search/tags?" + bounds:                           `{"tagNames":` + text(first) + `}`,
		"/tempo/api/search/tags?start=1&end=2":                       `{"tagNames":["kind","name","status"]}`,
		"/tempo/api/v2/search/tags?scope=span":                       `{"scopes":[{"name":"span","tags":` + text(spanKeys) + `}]}`,
		"/tempo/api/v2/search/tags?scope=resource":                   `{"scopes":[{"name":"resource","tags":` + text(resourceKeys) + `}]}`,
		"/tempo/api/v2/search/tags?scope=event":                      `{"scopes":[{"name":"event","tags":["attempt","exception.escaped","exception.type"]}]}`,
		"/tempo/api/v2/search/tags":                                  `{"name":"link","tags":["why"]},{"name":"intrinsic","tags":["duration"`,
		"/tempo/api/search/tag/service.name/values":                  `{"tagValues":["cart","frontend","mail"]}`,
		"/tempo/api/search/tag/name/values":                          `{"tagValues":["GET /cart","SELECT carts","cart.get","carts process","carts publish","render"]}`,
		"/tempo/api/search/tag/status/values":                        `{"tagValues":["error","ok","unset"]}`,
		"/tempo/api/search/tag/http.route/values":                    `{"tagValues":["/cart"]}`,
		"/tempo/api/search/tag/http.response.status_code/values":     `{"tagValues":["500"]}`,
		"/tempo/api/search/tag/none/values":                          `{"tagValues":[]}`,
		"/tempo/api/v2/search/tag/resource.service.name/values":      `{"tagValues":[{"type":"string","value":"cart"},{"type":"string","value":"frontend"},{"type":"string","value":"mail"}]}`,
		"/tempo/api/v2/search/tag/.http.response.status_code/values": `{"tagValues":[{"type":"int","value":"500"}]}`,
		"/tempo/api/v2/search/tag/span.ratio/values":                 `{"tagValues":[{"type":"float","value":"0.25"}]}`,
		"/tempo/api/v2/search/tag/resource.process.pid/values":       `{"tagValues":[{"type":"int","value":"4711"}]}`,
		"/tempo/api/v2/search/tag/resource.cloud.spot/values":        `{"tagValues":[{"type":"string","value":"true"}]}`,
		"/tempo/api/v2/search/tag/status/values":                     `{"tagValues":[{"type":"keyword","value":"error"},{"type":"keyword","value":"ok"},{"type":"keyword","value":"unset"}]}`,
		"/tempo/api/v2/search/tag/kind/values":                       `{"type":"keyword","value":"client"}`,
		"/tempo/api/v2/search/tag/rootServiceName/values":            `{"tagValues":[{"type":"string","value":"frontend"}]}`,
		"/tempo/api/v2/search/tag/event.exception.type/values":       `{"tagValues":[{"type":"string","value":"Deadlock"}]}`,
		"/tempo/api/v2/search/tag/event:name/values":                 `{"tagValues":[{"type":"string","value":"exception"}]}`,
		"/tempo/api/v2/search/tag/instrumentation:name/values":       `{"tagValues":[{"type":"string","value":"shop.instrumentation"}]}`,
		"/tempo/api/v2/search/tag/duration/values":                   `{"tagValues":[]}`,
		"/tempo/api/v2/search/tag/name/values?q=" + url.QueryEscape(`{ resource.service.name = "mail" }`):                    `{"tagValues":[{"type":"string","value":"carts process"},{"type":"string","value":"render"}]}`,
		"/tempo/api/v2/search/tag/name/values?q=" + url.QueryEscape(`{ resource.service.name = "mail" && kind = internal }`): `{"tagValues":[{"type":"string","value":"render"}]}`,
		"/tempo/api/v2/search/tag/name/values?q=" + url.QueryEscape(`{ resource.service.name = `):                            `{"type":"string","value":"GET /cart"}`,
		"/tempo/api/v2/search/tag/name/values?" + bounds:                                                                     `{"type":"string","value":"GET /cart"}`,
		"/tempo/api/v2/search/tag/name/values?start=1&end=2":                                                                 `{"tagValues":[]}`,
	} {
		a := s.get(t, "names", path)
		if a.status != 200 || !strings.Contains(strings.TrimSpace(a.body), want) || strings.HasPrefix(want, "[") && strings.TrimSpace(a.body) != want {
			t.Errorf("%s: %d %s\nwant %s", path, a.status, a.body, want)
		}
	}
}
