package logs_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// cart are lines as an application and an access log write them.
func cart() []record {
	web := map[string]any{"service.name": "cart", "host.name": "web-1"}
	return []record{
		{at: 0, severity: plog.SeverityNumberInfo, body: "starting", resource: web},
		{at: time.Second, severity: plog.SeverityNumberInfo, body: "GET /cart 200", resource: web, attrs: map[string]any{"http.route": "/cart"}, trace: [16]byte{15: 9}},
		{at: 2 * time.Second, severity: plog.SeverityNumberError, body: `{"msg":"deadlock","took":"1.5s","n":3}`, resource: web, trace: [16]byte{15: 9}, span: [8]byte{7: 1}},
		{at: 3 * time.Second, severity: plog.SeverityNumberWarn, body: "slow=true took=2s", resource: map[string]any{"service.name": "mail"}},
	}
}

// result is what Grafana's code reads of an answer.
type result struct {
	Status string
	Data   struct {
		ResultType    string
		EncodingFlags []string
		Result        []struct {
			Stream, Metric map[string]string
			Values         [][]json.RawMessage
			Value          []json.RawMessage
		}
		Stats struct{ Summary map[string]float64 }
	}
}

// testGrafana makes the calls of Grafana's data source for Loki, from 9.3 on, and
// looks at what its code reads of the answers.
func testGrafana(t *testing.T, f *fixture) {
	f.send(t, "grafana", cart()...)
	s := f.serve(t, nil)
	ns := "start=" + strconv.FormatInt(noon.Add(-time.Hour).UnixNano(), 10) + "&end=" + strconv.FormatInt(noon.Add(time.Hour).UnixNano(), 10)
	read := func(into any, path string, headers ...string) {
		t.Helper()
		a := s.get(t, "grafana", path, headers...)
		if a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
			return
		}
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	query := func(path, expr, more string, headers ...string) (r result) {
		t.Helper()
		read(&r, "/loki/api/v1/"+path+"?query="+url.QueryEscape(expr)+more, headers...)
		if r.Status != "success" {
			t.Errorf("%s: %+v", expr, r)
		}
		return r
	}
	var names struct{ Data []string }
	// The health checks of 9.3 and of newer versions.
	if read(&names, "/loki/api/v1/labels?"+ns); !slices.Equal(names.Data, []string{"host_name", "level", "service_name"}) {
		t.Errorf("%+v", names)
	}
	health := query("query", "vector(1)+vector(1)", "&time="+strconv.FormatInt(noon.UnixNano(), 10)+"&direction=backward")
	if health.Data.ResultType != "vector" || len(health.Data.Result) != 1 || string(health.Data.Result[0].Value[1]) != `"2"` {
		t.Errorf("%+v", health)
	}
	if read(&names, "/loki/api/v1/label/service_name/values?"+ns); !slices.Equal(names.Data, []string{"cart", "mail"}) {
		t.Errorf("%+v", names)
	}
	if read(&names, "/loki/api/v1/label/level/values?"+ns+"&query="+url.QueryEscape(`{service_name="cart"}`)); !slices.Equal(names.Data, []string{"error", "info"}) {
		t.Errorf("%+v", names)
	}
	var series struct{ Data []map[string]string }
	if read(&series, "/loki/api/v1/series?match[]="+url.QueryEscape(`{service_name="cart"}`)+"&"+ns); len(series.Data) != 2 || series.Data[0]["host_name"] != "web-1" {
		t.Errorf("%+v", series)
	}
	// Explore: lines, and the histogram above them.
	lines := query("query_range", `{service_name="cart"} |= ""`, "&"+ns+"&step=14400ms&direction=backward&limit=2")
	if lines.Data.ResultType != "streams" || len(lines.Data.Result) != 2 || lines.Data.Result[0].Stream["level"] != "error" || len(lines.Data.Result[0].Values[0]) != 2 || string(lines.Data.Result[0].Values[0][0]) != `"`+strconv.FormatInt(noon.Add(2*time.Second).UnixNano(), 10)+`"` {
		t.Errorf("%+v", lines)
	}
	if lines.Data.Stats.Summary["totalEntriesReturned"] != 2 || lines.Data.Stats.Summary["execTime"] <= 0 {
		t.Errorf("%+v", lines.Data.Stats)
	}
	categorized := query("query_range", `{service_name="cart"} | json | drop __error__, __error_details__`, "&"+ns+"&limit=2", "X-Loki-Response-Encoding-Flags", "categorize-labels")
	if len(categorized.Data.Result) != 2 || !slices.Equal(categorized.Data.EncodingFlags, []string{"categorize-labels"}) ||
		!strings.Contains(string(categorized.Data.Result[0].Values[0][2]), `"parsed":{"msg":"deadlock","n":"3","took":"1.5s"}`) || !strings.Contains(string(categorized.Data.Result[0].Values[0][2]), `"structuredMetadata":{"detected_level":"error","span_id":`) {
		t.Errorf("%+v", categorized)
	}
	for _, expr := range []string{`sum by (level) (count_over_time({service_name="cart"}[1m]))`, `sum by (level, detected_level) (count_over_time({service_name="cart"} | drop __error__[1m]))`} {
		volume := query("query_range", expr, "&"+ns+"&step=60000ms&direction=backward", "X-Query-Tags", "Source=logvolhist")
		if volume.Data.ResultType != "matrix" || len(volume.Data.Result) != 2 || volume.Data.Result[0].Metric["level"] != "error" || len(volume.Data.Result[1].Values) != 2 {
			t.Errorf("%s: %+v", expr, volume)
		}
	}
	// The same by POST, and times in other forms.
	for _, times := range []string{"start=2024-05-06T12:00:00Z&end=2024-05-06T13:00:00Z", "start=1714996800&end=1715000400", "start=1714996800.5&end=1715000400.25", "since=5m&end=2024-05-06T12:06:00Z"} {
		a := s.do(t, "grafana", "POST", "/loki/api/v1/query_range", "query="+url.QueryEscape(`{service_name="mail"}`)+"&"+times)
		if a.status != 200 || !strings.Contains(a.body, "slow=true") {
			t.Errorf("%s: %d %s", times, a.status, a.body)
		}
	}
	var stats map[string]int
	if read(&stats, "/loki/api/v1/index/stats?query="+url.QueryEscape(`{service_name="cart"}`)+"&"+ns); stats["entries"] != 3 || stats["streams"] < 2 || stats["bytes"] != 59 || stats["chunks"] != stats["streams"] {
		t.Errorf("%+v", stats)
	}
	volume := query("index/volume", `{service_name=~".+"}`, "&"+ns+"&limit=10")
	if len(volume.Data.Result) != 2 || volume.Data.Result[0].Metric["service_name"] != "cart" {
		t.Errorf("%+v", volume)
	}
	if v := query("index/volume", `{service_name="cart"}`, "&"+ns+"&aggregateBy=labels&targetLabels=host_name,level"); len(v.Data.Result) != 2 {
		t.Errorf("%+v", v)
	}
	if v := query("index/volume_range", `{service_name="cart"}`, "&"+ns+"&step=10m&targetLabels=level"); v.Data.ResultType != "matrix" || len(v.Data.Result) != 2 || len(v.Data.Result[0].Values) != 1 {
		t.Errorf("%+v", v)
	}
	var detected struct {
		DetectedLabels []struct {
			Label       string
			Cardinality int
		}
		Fields []struct {
			Label, Type string
			Cardinality int
			Parsers     []string
		}
		Values []string
	}
	read(&detected, "/loki/api/v1/detected_labels?"+ns)
	read(&detected, "/loki/api/v1/detected_fields?query="+url.QueryEscape(`{service_name=~".+"}`)+"&"+ns)
	read(&detected, "/loki/api/v1/detected_field/took/values?query="+url.QueryEscape(`{service_name=~".+"}`)+"&"+ns)
	if len(detected.DetectedLabels) != 3 || detected.DetectedLabels[1].Cardinality != 3 || !slices.Equal(detected.Values, []string{"1.5s", "2s"}) {
		t.Errorf("%+v", detected)
	}
	fields := map[string]string{}
	for _, field := range detected.Fields {
		fields[field.Label] = field.Type + " " + strings.Join(field.Parsers, ",")
	}
	if fields["took"] != "duration logfmt,json" || fields["http_route"] != "string " || fields["n"] != "int json" || fields["slow"] != "boolean logfmt" {
		t.Errorf("%v", fields)
	}
	for path, want := range map[string]string{
		"/ready": "ready\n", "/loki/api/v1/rules": "{}\n", "/prometheus/api/v1/rules": `{"data":{"groups":[]},"status":"success"}`, "/loki/api/v1/status/buildinfo": `"version":"3.`,
		"/loki/api/v1/format_query?query=" + url.QueryEscape(`{a="b"}|json`): `{\"a\": \"b\"}`,
	} {
		if strings.Contains(path, "format_query") {
			want = `{"data":"{a=\"b\"} | json","status":"success"}`
		}
		if a := s.get(t, "grafana", path); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	bad := s.get(t, "grafana", "/loki/api/v1/query_range?query="+url.QueryEscape(`{service_name="cart"} | nope`))
	var refused struct{ Message string }
	if err := json.Unmarshal([]byte(bad.body), &refused); err != nil || bad.status != 400 || refused.Message != "parse error at line 1, col 25: the stage nope is not supported" {
		t.Errorf("%d %s", bad.status, bad.body)
	}
}

// testPatterns asks for patterns, which the table log_patterns_1m has.
func testPatterns(t *testing.T, f *fixture) {
	table := (tables.Dialect{Database: f.engine.Database}).Table(tables.LogPatterns1m)
	if err := f.conn.Exec(context.Background(), "INSERT INTO "+table+" (tenant, time, service, severity_class, pattern_id, pattern, lines, retention_days) VALUES "+
		"('patterns', toDateTime(1714997100, 'UTC'), 'cart', 'info', 7, 'GET <*> took <*>', 5, 20000), ('patterns', toDateTime(1714997100, 'UTC'), 'cart', 'info', 7, 'GET <*> took <*>', 2, 20000), "+
		"('patterns', toDateTime(1714997220, 'UTC'), 'cart', 'info', 7, 'GET <*> took <*>', 1, 20000), ('patterns', toDateTime(1714997100, 'UTC'), 'mail', 'error', 8, 'lost <*>', 3, 20000)"); err != nil {
		t.Fatal(err)
	}
	s := f.serve(t, nil)
	path := "/loki/api/v1/patterns?start=2024-05-06T12:00:00Z&end=2024-05-06T13:00:00Z&step=1m&query="
	for query, want := range map[string]string{
		`{service_name="cart"}`:                 `{"data":[{"pattern":"GET \u003c_\u003e took \u003c_\u003e","level":"info","samples":[[1714997100,7],[1714997220,1]]}],"status":"success"}`,
		`{service_name=~".+", level="error"}`:   `{"data":[{"pattern":"lost \u003c_\u003e","level":"error","samples":[[1714997100,3]]}],"status":"success"}`,
		`{service_name="mail"} |= "x" | json`:   `{"data":[{"pattern":"lost \u003c_\u003e","level":"error","samples":[[1714997100,3]]}],"status":"success"}`,
		`{service_name="none"}`:                 `{"data":[],"status":"success"}`,
		`{service_name="cart", host_name="w1"}`: "patterns are known by service_name and level only, not by host_name",
	} {
		if a := s.get(t, "patterns", path+url.QueryEscape(query)); !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
		if a := s.get(t, "others", path+url.QueryEscape(query)); strings.Contains(a.body, "samples") {
			t.Errorf("another tenant sees %s", a.body)
		}
	}
}

// testTail follows lines: those that are there, those that come later, each once,
// and says which are dropped.
func testTail(t *testing.T, f *fixture) {
	shift := time.Since(noon)
	send := func(bodies ...string) {
		var all []record
		for i, body := range bodies {
			all = append(all, record{at: shift + time.Duration(i-len(bodies))*time.Millisecond, body: body, resource: map[string]any{"service.name": "cart"}})
		}
		f.send(t, "tail", all...)
	}
	send("one", "two", "three")
	s := f.serve(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	//nolint:bodyclose // the library closes it
	conn, response, err := websocket.Dial(ctx, s.URL+"/loki/api/v1/tail?limit=2&query="+url.QueryEscape(`{service_name="cart"} != "no"`)+"&start="+strconv.FormatInt(time.Now().Add(-time.Minute).UnixNano(), 10),
		&websocket.DialOptions{HTTPHeader: map[string][]string{"Tenant": {"tail"}}})
	if err != nil {
		t.Fatal(err, response)
	}
	defer func() { _ = conn.CloseNow() }()
	var seen []string
	next := func() (dropped int) {
		t.Helper()
		_, body, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var message struct {
			Streams []struct {
				Stream map[string]string
				Values [][]string
			}
			Dropped []struct {
				Labels    map[string]string
				Timestamp string
			} `json:"dropped_entries"`
		}
		if err := json.Unmarshal(body, &message); err != nil {
			t.Fatal(err)
		}
		for _, stream := range message.Streams {
			for _, v := range stream.Values {
				seen = append(seen, v[1])
			}
		}
		return len(message.Dropped)
	}
	if n := next(); n != 1 || !slices.Equal(seen, []string{"three", "two"}) {
		t.Errorf("%v, %d dropped", seen, n)
	}
	shift = time.Since(noon)
	send("four", "no", "five")
	for len(seen) < 4 {
		next()
	}
	slices.Sort(seen[2:])
	if !slices.Equal(seen[2:], []string{"five", "four"}) {
		t.Errorf("%v", seen)
	}
	if a := s.get(t, "tail", "/loki/api/v1/tail?query="+url.QueryEscape(`rate({a="b"}[1m])`)); a.status != 400 || !strings.Contains(a.body, "only a query for lines") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
