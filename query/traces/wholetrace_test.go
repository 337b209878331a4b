package traces_test

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/goshawk"
)

type refJSON struct {
	SpanID  string `json:"span_id"`
	Service string
	Name    string
	Kind    string
}

type wholeJSON struct {
	TraceID     string `json:"trace_id"`
	Start       time.Time
	Duration    int64    `json:"duration_ns"`
	Root        *refJSON `json:"root"`
	ErrorOrigin *refJSON `json:"error_origin"`
	SpanCount   int      `json:"span_count"`
	Errors      int
	Orphans     int
	Depth       int
	Note        string
	Services    []struct {
		Service       string
		Spans, Errors int
		Exclusive     int64   `json:"exclusive_ns"`
		Critical      int64   `json:"critical_path_ns"`
		Share         float64 `json:"critical_path_share"`
	}
	CriticalPath struct {
		Top      string   `json:"top_span_id"`
		Duration int64    `json:"duration_ns"`
		Spans    []string `json:"span_ids"`
	} `json:"critical_path"`
	Hosts []struct {
		Caller string `json:"caller_host"`
		Callee string `json:"callee_host"`
		Calls  int
		Offset offsetJSON
	}
	Spans []struct {
		SpanID     string `json:"span_id"`
		ParentID   string `json:"parent_span_id"`
		Parent     int
		Level      int
		Service    string
		Name       string
		Kind       string
		Host       string
		Start      time.Time
		Offset     int64   `json:"offset_ns"`
		Duration   int64   `json:"duration_ns"`
		Exclusive  int64   `json:"exclusive_ns"`
		On         bool    `json:"on_critical_path"`
		Critical   int64   `json:"critical_path_ns"`
		Share      float64 `json:"critical_path_share"`
		Status     string
		Message    string `json:"status_message"`
		Network    *int64 `json:"network_ns"`
		Attributes map[string]any
		Resource   map[string]any
		Events     []struct{ Name string }
		Links      []struct {
			TraceID string `json:"trace_id"`
		}
	}
}

func testWholeTrace(t *testing.T, f *fixture) {
	f.send(t, "whole", order(750, 0))
	f.send(t, "whole", order(750, 0)) // what is there twice counts once
	f.bounds(
		t, "whole",
		bound{0, "web-1", "app-1", -1_000_000, 3_000_000}, bound{0, "app-1", "web-1", -2_500_000, 5_000_000},
		bound{4 * time.Minute, "web-1", "app-1", 90_000_000, 91_000_000},
	)
	s := f.serve(t, nil)
	path := "/api/v1/traces/" + hexOf(traceID(750))
	var w wholeJSON
	a := s.read(t, "whole", path, &w)
	const ms = int64(time.Millisecond)
	id := func(n int) string { return spanID(n).String() }
	if w.TraceID != hexOf(traceID(750)) || !w.Start.Equal(noon) || w.Duration != 230*ms || w.SpanCount != 7 || w.Errors != 1 || w.Orphans != 0 || w.Depth != 6 || w.Note != "" {
		t.Errorf("%+v", w)
	}
	if diff := cmp.Diff(&refJSON{id(1), "frontend", "GET /cart", "server"}, w.Root); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&refJSON{id(4), "cart", "SELECT carts", "client"}, w.ErrorOrigin); diff != "" {
		t.Error(diff)
	}
	// 100 ms: 20 of the root, 10 of the call, 18 of the server, 50 of the query, 2 of publishing.
	var got []string
	for _, one := range w.Spans {
		got = append(got, strings.Join([]string{
			strconv.Itoa(one.Parent), strconv.Itoa(one.Level), one.Name, strconv.FormatInt(one.Exclusive/ms, 10), strconv.FormatInt(one.Critical/ms, 10), strconv.FormatFloat(one.Share, 'g', -1, 64), strconv.FormatBool(one.On),
		}, " "))
	}
	want := []string{
		"-1 1 GET /cart 20 20 0.2 true", "0 2 cart.get 10 10 0.1 true", "1 3 cart.get 18 18 0.18 true", "2 4 SELECT carts 50 50 0.5 true", "2 4 carts publish 2 2 0.02 true",
		"4 5 carts process 20 0 0 false", "5 6 render 10 0 0 false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w.CriticalPath.Top != id(1) || w.CriticalPath.Duration != 100*ms || !slices.Equal(w.CriticalPath.Spans, []string{id(1), id(2), id(3), id(4), id(5)}) {
		t.Errorf("%+v", w.CriticalPath)
	}
	if len(w.Services) != 3 || w.Services[0].Service != "cart" || w.Services[0].Critical != 70*ms || w.Services[0].Share != 0.7 || w.Services[0].Errors != 1 || w.Services[1].Exclusive != 30*ms || w.Services[2].Exclusive != 30*ms || w.Services[2].Spans != 2 {
		t.Errorf("%+v", w.Services)
	}
	server := w.Spans[2]
	if server.Network == nil || *server.Network != 10*ms || w.Spans[1].Network != nil || server.Host != "app-1" || server.Offset != 15*ms || !server.Start.Equal(noon.Add(15*time.Millisecond)) || server.ParentID != id(2) || server.Kind != "server" {
		t.Errorf("%+v", server)
	}
	if query := w.Spans[3]; query.Status != "error" || query.Message != "deadlock" || query.Attributes != nil || strings.Contains(a.body, "postgresql") {
		t.Errorf("%+v", query)
	}
	if len(w.Hosts) != 1 || w.Hosts[0].Caller != "web-1" || w.Hosts[0].Callee != "app-1" || w.Hosts[0].Calls != 1 || !w.Hosts[0].Offset.Known || *w.Hosts[0].Offset.Lower != -ms || *w.Hosts[0].Offset.Upper != 5*ms/2 {
		t.Errorf("%s", a.body)
	}
	w = wholeJSON{}
	s.read(t, "whole", path+"?full=1&start=2024-05-06T12:00:00Z&end=2024-05-06T13:00:00Z", &w)
	failed, _ := w.Spans[0].Attributes["error"].(bool)
	if root := w.Spans[0]; root.Attributes["http.response.status_code"] != 500.0 || !failed || root.Attributes[`quoted "key"`] != `it's \ "so"` || root.Resource["process.pid"] != 4711.0 {
		t.Errorf("%+v", root)
	}
	if len(w.Spans[1].Links) != 1 || w.Spans[1].Links[0].TraceID != hexOf(traceID(999)) || len(w.Spans[3].Events) != 2 || w.Spans[3].Events[0].Name != "exception" {
		t.Errorf("%+v", w.Spans)
	}
	for query, status := range map[string]int{
		"?start=2024-05-06T15:00:00Z&end=2024-05-06T16:00:00Z": 404, "?start=2024-05-06T15:00:00Z&end=2024-05-06T14:00:00Z": 400, "?full=2": 400, "?x=1": 400,
	} {
		if a := s.get(t, "whole", path+query); a.status != status || !strings.HasPrefix(a.body, `{"error":{"message":"`) {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if a := s.get(t, "other", path); a.status != 404 || !strings.Contains(a.body, "trace not found") {
		t.Errorf("%d %s", a.status, a.body)
	}
	// Only the first spans.
	s = f.serve(t, func(c *traces.Config) { c.MaxSpans = 3 })
	w = wholeJSON{}
	if a := s.read(t, "whole", path, &w); len(w.Spans) > 3 || !strings.Contains(w.Note, "query.traces.max_spans") || a.header.Get("X-Goshawk-Note") != w.Note {
		t.Errorf("%v %+v", a.header, w)
	}
	// An orphan, one in a circle, and one that ends before it begins.
	td := ptrace.NewTraces()
	spans := addService(td, "odd", nil)
	addSpan(spans, 751, 1, 9, "orphan", ptrace.SpanKindInternal, time.Second, time.Second)
	addSpan(spans, 751, 2, 3, "round", ptrace.SpanKindInternal, 2*time.Second, time.Second)
	addSpan(spans, 751, 3, 2, "and round", ptrace.SpanKindInternal, 3*time.Second, time.Second)
	addSpan(spans, 751, 4, 4, "its own", ptrace.SpanKindInternal, 4*time.Second, -time.Second)
	f.send(t, "whole", td)
	w = wholeJSON{}
	a = f.serve(t, nil).read(t, "whole", "/api/v1/traces/"+hexOf(traceID(751)), &w)
	if w.Root != nil || w.ErrorOrigin != nil || w.Orphans != 3 || w.Spans[2].Parent != 1 || w.CriticalPath.Top != id(1) || w.Duration != 3*int64(time.Second) || !strings.Contains(a.body, `"cyclic":true`) || len(w.Hosts) != 0 {
		t.Errorf("%s", a.body)
	}
}

// testDocumented asks what docs/api.md asks, and is answered what it says.
func testDocumented(t *testing.T, f *fixture) {
	const ms = time.Millisecond
	td := ptrace.NewTraces()
	web := addService(td, "web", map[string]any{"host.name": "web-1"})
	addSpan(web, 770, 1, 0, "GET /cart", ptrace.SpanKindServer, 0, 100*ms)
	addSpan(web, 770, 2, 1, "cart.get", ptrace.SpanKindClient, 10*ms, 80*ms)
	cart := addSpan(addService(td, "cart", map[string]any{"host.name": "app-1"}), 770, 3, 2, "cart.get", ptrace.SpanKindServer, 15*ms, 70*ms)
	cart.Status().SetCode(ptrace.StatusCodeError)
	cart.Status().SetMessage("deadlock")
	f.send(t, "docs", td)
	f.bounds(t, "docs", bound{0, "web-1", "app-1", -5_000_000, 5_000_000}, bound{20 * time.Minute, "web-1", "app-1", -5_000_000, 6_000_000}, bound{20 * time.Minute, "app-1", "web-1", -5_500_000, 5_200_000})
	for _, at := range []time.Duration{0, 24 * time.Hour} {
		n := 1 + int(at/(24*time.Hour))
		f.edges(t, "docs", counted{at: at, caller: "web", callee: "cart", kind: "service", operation: "cart.get", calls: uint64(100 * n), errors: 5, client: times(100*n, 80*ms), server: times(100*n, 70*ms), network: times(100*n, 10*ms), slow: 770, failed: 770})
		f.rates(
			t, "docs",
			counted{at: at, service: "cart", version: "1.4.2", operation: "cart.get", kind: "server", calls: uint64(100 * n), errors: 5, well: uint64(100*n - 5), server: times(100*n, 70*ms), slow: 770, failed: 770},
		)
	}
	s := f.serveLines(t, goshawk.Config{BusinessLines: []goshawk.BusinessLine{{Name: "checkout", Services: []string{"cart", "payment*"}}}}, nil)
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```http\nGET (/api/v1/[^\n]*)\n```\n\n```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(found) != 5 {
		t.Fatalf("docs/api.md has %d examples", len(found))
	}
	for _, example := range found {
		a := s.get(t, "docs", example[1])
		var want, got any
		if err := json.Unmarshal([]byte(example[2]), &want); err != nil {
			t.Errorf("%s: %v", example[1], err)
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Errorf("%s: %d %v", example[1], a.status, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: documented (-) and answered (+)\n%s\n%s", example[1], diff, a.body)
		}
	}
}

// hostileOwn are requests to goshawk's own API that nobody sends by accident.
func hostileOwn() map[string]int {
	long := strings.Repeat("x", 200_000)
	quoted := url.QueryEscape("' OR 1=1 --\\\x00\"`{p0:String}")
	all := map[string]int{"/api/v1/traces/" + long: 400, "/api/v1/traces/0": 400, "/api/v1/traces/%27": 400, "/api/v1/traces/1?full=" + long: 400, "/api/v1/traces/1?start=x": 400}
	for _, path := range []string{"service-map", "operations", "clock-offsets", "business-lines"} {
		path = "/api/v1/" + path
		for query, status := range map[string]int{
			"start=0&end=9e99": 200, "start=0&end=2200-01-01T00:00:00Z": 200, "start=1900-01-01T00:00:00Z": 200, "start=99999h": 200, "start=2262-04-12T00:00:00Z": 400,
			"start=-1": 400, "start=NaN": 400, "start=-5m": 400, "start=" + long: 400, "start=2024-13-01T00:00:00Z": 400, "start=" + quoted: 400, "end=1h&start=1m": 400,
			"nonsense=1": 400, quoted + "=1": 400, "start=%ff": 400, "%zz": 400, "": 200,
		} {
			all[path+"?"+query] = status
		}
	}
	for query, status := range map[string]int{
		"service-map?service=" + long: 200, "service-map?service=" + quoted: 200, "service-map?business=" + quoted: 400, "service-map?business=" + long: 400, "service-map?depth=1": 400, "service-map?service=a&depth=-1": 400,
		"service-map?service=a&depth=99999999999999": 400, "service-map?service=a&depth=20": 200, "service-map?compare=x": 400, "service-map?compare=-1h": 400, "service-map?compare=1,2,3": 400, "service-map?compare=9,1": 400,
		"service-map?compare=999999h": 200, "service-map?compare=" + quoted: 400, "service-map?compare=0,9e99": 200, "operations?service=" + quoted: 200, "operations?service=" + long: 200,
		"operations?step=1s": 400, "operations?step=90s": 400, "operations?step=-1m": 400, "operations?step=999999h": 200, "operations?step=9223372036854775807": 400, "operations?step=0": 400,
		"operations?apdex_threshold=0s": 400, "operations?apdex_threshold=-1s": 400, "operations?apdex_threshold=2562047h": 400, "operations?apdex_threshold=5": 400, "operations?apdex_threshold=1ns": 200,
		"clock-offsets?host=" + quoted: 200, "clock-offsets?host=" + long: 200, "clock-offsets?step=1s": 400, "clock-offsets?step=15s": 400, "clock-offsets?step=999999h": 200, "clock-offsets?at=x": 400, "clock-offsets?at=9e99": 200,
	} {
		all["/api/v1/"+query] = status
	}
	return all
}
