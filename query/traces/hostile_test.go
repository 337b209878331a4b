package traces_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// testHostile sends what nobody sends by accident. Everything is answered, with a
// reason where it is refused, and the server goes on.
func testHostile(t *testing.T, f *fixture) {
	f.send(t, "hostile", order(310, 0))
	s := f.serve(t, nil)
	long := strings.Repeat("x", 200_000)
	century := "start=0&end=" + strconv.FormatInt(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), 10)
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/api/traces?" + century, 200},
		{"/tempo/api/search?start=1&end=4102444800", 200},
		{"/tempo/api/search?start=1&end=9223372036854775807", 200},
		{"/api/v2/traces?endTs=9223372036854775807&lookback=9223372036854775807", 200},
		{"/api/traces?start=9223372036854775807&end=9223372036854775807", 400},
		{"/api/traces?start=-5", 400},
		{"/api/traces?start=1e9", 400},
		{"/tempo/api/search/tags?start=1&end=9223372036854775807", 200},
		{"/api/dependencies?endTs=9223372036854775807&lookback=9223372036854775807", 200},
		{"/api/traces?limit=-1", 400},
		{"/api/traces?limit=2147483648", 400},
		{"/api/v2/traces?limit=x", 400},
		{"/tempo/api/search?spss=-1", 400},
		{"/api/traces?minDuration=-1s", 400},
		{"/api/traces?maxDuration=1y", 400},
		{"/api/traces?minDuration=99999999999h", 400},
		{"/api/traces?service=" + long, 200},
		{"/api/traces?operation=" + long, 200},
		{"/api/traces?tag=" + long + ":" + long, 200},
		{"/api/services/" + long + "/operations", 200},
		{"/api/v2/spans?serviceName=" + long, 200},
		{"/api/traces?tags=" + url.QueryEscape(`{"a":`), 400},
		{"/api/traces?tags=" + url.QueryEscape(`[]`), 400},
		{"/api/traces?tags=" + url.QueryEscape(`{"a":{"b":1}}`), 400},
		{"/api/traces?tags=" + url.QueryEscape(strings.Repeat("[", 50_000)), 400},
		{"/api/traces?tag=x", 400},
		{"/api/traces?" + strings.Repeat("tag=a:b&", 5000), 200},
		{"/api/traces?" + manyTags(100), 400},
		{"/api/traces?lookback=x", 400},
		{"/api/traces?lookback=99999999999d", 400},
		{"/api/operations", 400},
		{"/api/v2/spans", 400},
		{"/api/v2/traces?annotationQuery=" + url.QueryEscape(strings.Repeat("a and ", 1000)), 400},
		{"/api/v2/traces?annotationQuery=" + url.QueryEscape("=x"), 400},
		{"/api/v2/traceMany", 400},
		{"/api/v2/traceMany?traceIds=" + strings.Repeat("1,", 50_000), 400},
		{"/api/traces?traceID=" + long, 400},
		{"/tempo/api/v2/search/tag/" + url.PathEscape("."+long) + "/values", 200},
		{"/tempo/api/v2/search/tag/." + url.PathEscape("a\x00b") + "/values", 200},
		{"/tempo/api/search/tag/" + url.PathEscape(`"`) + "/values", 200},
		{"/tempo/api/search?q=" + url.QueryEscape(`{ .a =~ "(a*)*(b*)*(c*)*" }`), 200},
		{"/tempo/api/search?q=" + url.QueryEscape(`{ .a =~ "(.*)(.*)(.*)(.*)(.*)(.*)(.*)x{900}" }`), 200},
		{"/tempo/api/search?q=" + url.QueryEscape(`{ .a =~ "(x{999}y{999}z{999}){2}" }`), 400},
		{"/tempo/api/search?q=" + url.QueryEscape(`{ .a =~ "\\C" }`), 400},
		{"/tempo/api/search?q=" + url.QueryEscape(`{ name =~ "\\pZ*\\x{10FFFF}" }`), 200},
		{"/tempo/api/search?q=" + url.QueryEscape(`{ .a = "`+strings.Repeat("y", 60_000)+`" }`), 200},
		{"/tempo/api/search?q=" + long, 400},
		{"/tempo/api/search?q=" + url.QueryEscape("{ "+strings.Repeat(`.a =~ "x.*y" || `, 250)+".a }"), 200},
		{"/tempo/api/search?q=" + url.QueryEscape(strings.Repeat("({ .a = 1 } && ", 30)+"{}"+strings.Repeat(")", 30)), 200},
		{"/tempo/api/search?q=" + url.QueryEscape("{}"+strings.Repeat(" && { .a = 1 } || { .b = 2 }", 40)), 200},
		{"/tempo/api/search?q=" + url.QueryEscape("{.c"+strings.Repeat(" && .a || .b", 250)+"}"), 400},
		{"/tempo/api/search?q=" + url.QueryEscape("{ .a = 1e308 * 10 }"), 200},
		{"/tempo/api/search?q=" + url.QueryEscape("{ .a = 1e999 }"), 400},
		{"/tempo/api/search?q=" + url.QueryEscape("{ .a / 0 > 1 || .a % 0 = 1 }"), 200},
		{"/tempo/api/search?q=%ff%fe", 400},
		{"/tempo/api/search?q=" + url.QueryEscape("{ duration > 99999999999999h }"), 400},
		{"/tempo/api/traces/" + long, 400},
		{"/zipkin/api/v2/trace/" + long, 400},
		{"/jaeger/api/traces/..%2f..%2fetc", 400},
		{"/tempo/api/search?q=" + url.QueryEscape("{ resource."+strconv.Quote("a'b\"c\\d\x00")+" = 1 }"), 200},
		{"/tempo/api/search?minDuration=1s&minDuration=x", 200},
		{"/tempo/api/search?tags=" + url.QueryEscape(strings.Repeat("a=b ", 300)), 400},
	} {
		a := s.get(t, "hostile", c.path)
		if a.status != c.status {
			t.Errorf("%.120s: %d %.300s, want %d", c.path, a.status, a.body, c.status)
		}
		if a.status >= 400 && (len(a.body) == 0 || len(a.body) > 2000) {
			t.Errorf("%.120s: an answer of %d bytes", c.path, len(a.body))
		}
	}
	for path, status := range hostileOwn() {
		a := s.get(t, "hostile", path)
		if a.status != status {
			t.Errorf("%.120s: %d %.300s, want %d", path, a.status, a.body, status)
		}
		if a.status >= 400 && (!strings.HasPrefix(a.body, `{"error":{"message":"`) || len(a.body) > 2000) {
			t.Errorf("%.120s: %.300s", path, a.body)
		}
	}
	// What does not fit into a URL is refused before it is read.
	request, err := http.NewRequest(http.MethodGet, s.URL+"/tempo/api/search?q="+strings.Repeat("a", 10<<20), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		if response.StatusCode < 400 || response.StatusCode > 499 {
			t.Errorf("10 MB: %s", response.Status)
		}
	}
	if a := s.get(t, "hostile", "/api/services"); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

func manyTags(n int) string {
	tags := map[string]string{}
	for i := range n {
		tags[strconv.Itoa(i)] = "x"
	}
	text, _ := json.Marshal(tags)
	return "tags=" + url.QueryEscape(string(text))
}

// testInjection stores names and values that look like parts of statements, and
// finds each by itself.
func testInjection(t *testing.T, f *fixture) {
	texts := []string{
		`'`, `''`, `\`, `\'`, `\\'`, `"`, "`", "a\x00b", "\n", "\r\n", "\t", "\b\f\v\a", "{p0:String}", "{p0", "}", "{{}}", `' OR 1=1 --`,
		`') OR 1 --`, "/*", "--", ";", "%s%d%", "?", "$1", "@p0", `\x27`, `\u0027`, `\0`, `\N`, "NULL", "é", "\U0001F600", "\u2028", "  a ", "a'b\\c\"d", `$.attributes."x"`, `"]['`, `*`,
		strings.Repeat("x", 900) + `'`,
	}
	td := ptrace.NewTraces()
	for i, text := range texts {
		spans := addService(td, "service "+text, map[string]any{"r" + text: text})
		one := addSpan(spans, 400+i, 1, 0, "name "+text, ptrace.SpanKindServer, 0, time.Second)
		one.Attributes().PutStr("plain", text)
		one.Attributes().PutStr("k"+text, "v")
		one.Attributes().PutInt("n"+text, int64(i+1))
		e := one.Events().AppendEmpty()
		e.SetName("event " + text)
		e.Attributes().PutStr("e"+text, text)
	}
	f.send(t, "injection", td)
	s := f.serve(t, nil)
	micro := fmt.Sprintf("&start=%d&end=%d", noon.UnixMicro(), noon.Add(time.Minute).UnixMicro())
	seconds := fmt.Sprintf("&start=%d&end=%d", noon.Unix(), noon.Unix()+60)
	for i, text := range texts {
		want := strconv.Itoa(400 + i)
		escaped := func(text string) string { return url.QueryEscape(text) }
		object, _ := json.Marshal(map[string]string{"plain": text})
		keyed, _ := json.Marshal(map[string]string{"k" + text: "v"})
		resource, _ := json.Marshal(map[string]string{"r" + text: text})
		queries := []string{
			"service=" + escaped("service "+text), "operation=" + escaped("name "+text), "tags=" + escaped(string(object)), "tags=" + escaped(string(keyed)),
		}
		if !strings.ContainsAny(text, "\"\\'`") && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			queries = append(queries, "tags="+escaped(string(resource)))
		}
		for _, query := range queries {
			if got := s.found(t, "injection", query+micro); got != want {
				t.Errorf("%q: %s: found %s", text, query, got)
			}
		}
		quoted := strconv.Quote(text)
		for _, query := range []string{
			fmt.Sprintf(`{ span.plain = %s }`, quoted), fmt.Sprintf(`{ .%s = "v" }`, strconv.Quote("k"+text)), fmt.Sprintf(`{ resource.%s = %s }`, strconv.Quote("r"+text), quoted), fmt.Sprintf(`{ span.%s > 0 }`, strconv.Quote("n"+text)),
			fmt.Sprintf(`{ name = %s && resource.service.name = %s }`, strconv.Quote("name "+text), strconv.Quote("service "+text)), fmt.Sprintf(`{ event:name = %s && event.%s = %s }`, strconv.Quote("event "+text), strconv.Quote("e"+text), quoted),
		} {
			if a := s.tempo(t, "injection", "q="+escaped(query)+seconds); a.ids() != want {
				t.Errorf("%q: %s: found %s", text, query, a.ids())
			}
		}
		if a := s.get(t, "injection", "/api/v2/traces?annotationQuery="+escaped("plain="+strings.TrimSpace(text))+fmt.Sprintf("&endTs=%d&lookback=600000", noon.UnixMilli())); a.status >= 500 {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
		if a := s.get(t, "injection", "/tempo/api/v2/search/tag/"+url.PathEscape("span."+strconv.Quote("k"+text))+"/values?"+seconds[1:]); !strings.Contains(a.body, `"value":"v"`) {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
	}
}

// testTenants asks as others: a tenant sees its own spans and nothing else.
func testTenants(t *testing.T, f *fixture) {
	f.send(t, "acme", order(500, 0))
	td := ptrace.NewTraces()
	addSpan(addService(td, "secret", map[string]any{"of": "zeta"}), 501, 1, 0, "hidden", ptrace.SpanKindServer, 0, time.Second)
	f.send(t, "zeta", td)
	f.edges(t, "zeta", counted{caller: "secret", callee: "hidden", kind: "service", calls: 1})
	f.rates(t, "zeta", counted{service: "secret", operation: "hidden", kind: "server", calls: 1})
	f.bounds(t, "zeta", bound{0, "hidden", "secret", 1, 2})
	s := f.serve(t, nil)
	zeta := hexOf(traceID(501))
	for _, path := range []string{
		"/api/services", "/api/services/secret/operations", "/api/operations?service=secret", "/api/traces?service=secret", "/api/traces", "/api/traces/" + zeta, "/api/traces?traceID=" + zeta, "/api/dependencies",
		"/api/v2/services", "/api/v2/spans?serviceName=secret", "/api/v2/traces", "/api/v2/trace/" + zeta, "/api/v2/traceMany?traceIds=" + zeta, "/api/v2/autocompleteKeys", "/api/v2/autocompleteValues?key=of", "/api/v2/remoteServices?serviceName=secret",
		"/tempo/api/traces/" + zeta, "/tempo/api/v2/traces/" + zeta, "/tempo/api/search", "/tempo/api/search?q=" + url.QueryEscape(`{ name = "hidden" } || {}`), "/tempo/api/search/tags", "/tempo/api/v2/search/tags", "/tempo/api/search/tag/service.name/values", "/tempo/api/v2/search/tag/resource.of/values",
		"/api/v1/traces/" + zeta, "/api/v1/service-map?start=0", "/api/v1/operations?start=0", "/api/v1/clock-offsets?start=0", "/api/v1/business-lines?start=0",
	} {
		for _, tenant := range []string{"acme", "", "zeta' OR 1=1 --", "nobody"} {
			a := s.get(t, tenant, path)
			if a.status >= 500 || strings.Contains(a.body, "hidden") || strings.Contains(a.body, `"zeta"`) || strings.Contains(a.body, `"secret"`) {
				t.Errorf("%q %s: %d %s", tenant, path, a.status, a.body)
			}
		}
	}
	for _, path := range []string{"service-map", "operations", "clock-offsets"} {
		if a := s.get(t, "zeta", "/api/v1/"+path+"?start=2024-05-06T12:00:00Z&end=2024-05-06T13:00:00Z"); !strings.Contains(a.body, "hidden") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := s.get(t, "zeta", "/api/traces/"+zeta); !strings.Contains(a.body, "hidden") {
		t.Error(a.body)
	}
}
