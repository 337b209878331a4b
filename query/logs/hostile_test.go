package logs_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
)

// testHostile sends what nobody sends by accident. Everything is answered, with a
// reason where it is refused, and the server goes on.
func testHostile(t *testing.T, f *fixture) {
	f.send(t, "hostile", cart()...)
	s := f.serve(t, nil)
	long := strings.Repeat("x", 200_000)
	century := "&start=0&end=4102444800"
	esc := url.QueryEscape
	for _, c := range []struct {
		path   string
		status int
	}{
		{"query_range?query=" + esc(`{service_name=~".+"}`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&start=0&end=9223372036854775807", 200},
		{"query_range?direction=forward&query=" + esc(`{service_name=~".+"}`) + "&start=0&end=9223372036854775807", 200},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&start=99999999999&end=1", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&start=x", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&start=NaN", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&start=-1e99&end=1e99", 200},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&limit=-1", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&limit=999999999", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&direction=up", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&since=-1h", 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`) + "&interval=-1", 400},
		{"query_range?query=" + esc(`sum(rate({service_name=~".+"}[1m]))`) + "&step=0", 400},
		{"query_range?query=" + esc(`sum(rate({service_name=~".+"}[1m]))`) + "&step=1ns" + century, 400},
		{"query_range?query=" + esc(`sum(rate({service_name=~".+"}[1ns]))`) + "&step=1h&start=2024-05-06T00:00:00Z&end=2024-05-07T00:00:00Z", 200},
		{"query_range?query=" + esc(`sum(rate({service_name=~".+"}[99y] offset 99y))`) + century, 200},
		{"query?query=" + esc(`sum(rate({service_name=~".+"}[1m] offset -99y))`) + "&time=9223372036854775807", 200},
		{"query?query=" + esc(`sum(rate({service_name=~".+"}[101y]))`), 400},
		{"query?query=" + esc(`{service_name=~".+"}`), 400},
		{"query", 400},
		{"query?query=" + long, 400},
		{"query?query=%ff", 400},
		{"query?query=" + esc(strings.Repeat("(", 5000)), 400},
		{"query?query=" + esc(strings.Repeat("sum(", 5000)), 400},
		{"query?query=" + esc(strings.Repeat("vector(1)+", 2000)+"vector(1)"), 200},
		{"query?query=" + esc(strings.Repeat("1^", 2000)+"1"), 400},
		{"query_range?query=" + esc(`{a="b"} | `+strings.Repeat("(", 5000)), 400},
		{"query_range?query=" + esc(`{service_name=~".+"}`+strings.Repeat(` |= "x"`, 300)) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} |~ "(a*)*(b*)*(c*)*"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} |~ "((a{100}){100}){100}"`) + century, 400},
		{"query_range?query=" + esc(`{service_name=~".+"} |~ "\\C"`) + century, 400},
		{"query_range?query=" + esc(`{service_name=~".+"} |~ "(x{999}y{999}z{999}){1}"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} |~ "a\x00b"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} | line_format "{{range 999999999}}x{{end}}"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} | line_format "{{repeat 999999999 \"x\"}}"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} | line_format "{{printf \"%999999999d\" 1}}"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} | line_format "{{$a := \"xxxxxxxx\"}}`+strings.Repeat(`{{$a = print $a $a}}`, 60)+`{{$a}}"`) + century, 200},
		{"query_range?query=" + esc(`{service_name=~".+"} | line_format "{{.x`+strings.Repeat("| b64enc", 900)+`}}"`) + century, 200},
		{"query?query=" + esc(`topk(999999999999, vector(1))`), 400},
		{"labels?start=0&end=9223372036854775807", 200},
		{"labels?query=" + esc(`{`), 400},
		{"label/" + url.PathEscape("a'b\"c\\d\x00") + "/values?start=0", 200},
		{"label/" + long + "/values", 200},
		{"series?match[]=" + esc(`{a="b"`), 400},
		{"series?" + strings.Repeat("match[]="+esc(`{a="b"}`)+"&", 1000), 200},
		{"index/stats?query=" + esc(`1`), 400},
		{"index/volume?query=" + esc(`{service_name=~".+"}`) + "&aggregateBy=x", 400},
		{"index/volume?query=" + esc(`{service_name=~".+"}`) + "&targetLabels=" + esc("',\",x y,\\") + century, 200},
		{"index/volume_range?query=" + esc(`{service_name=~".+"}`) + "&step=1s" + century, 400},
		{"detected_fields", 400},
		{"detected_fields?query=" + esc(`{service_name=~".+"}`) + "&line_limit=99999999", 400},
		{"patterns?query=" + esc(`{service_name=~".+"}`) + "&step=99999999h" + century, 400},
		{"format_query?query=" + esc(`{`), 400},
		{"tail?query=" + esc(`{`), 400},
		{"tail?delay_for=99&query=" + esc(`{a="b"}`), 400},
	} {
		a := s.get(t, "hostile", "/loki/api/v1/"+c.path)
		if a.status != c.status {
			t.Errorf("%.150s: %d %.300s, want %d", c.path, a.status, a.body, c.status)
		}
		if a.status >= 400 && (len(a.body) == 0 || len(a.body) > 2000 || !strings.Contains(a.body, `"message":"`)) {
			t.Errorf("%.120s: an answer of %d bytes: %.200s", c.path, len(a.body), a.body)
		}
	}
	for path, status := range map[string]int{
		"logs/context": 400, "logs/context?service=cart": 400, "logs/context?service=cart&time=x": 400, "logs/context?time=1714997101000000000": 400, "logs/context?service=cart&time=9223372036854775807": 200,
		"logs/context?service=cart&time=1714997101000000000&before=-1": 400, "logs/context?service=cart&time=1714997101000000000&after=99999": 400, "logs/context?query=rate&time=1h": 400,
		"logs/context?nonsense=1": 400, "traces/0/logs": 400, "traces/x/logs": 400, "traces/" + long + "/logs": 400, "traces/1/logs?limit=0": 400, "traces/1/logs?start=x": 400, "traces/1/logs": 200,
	} {
		a := s.get(t, "hostile", "/api/v1/"+path)
		if a.status != status || a.status >= 400 && !strings.HasPrefix(a.body, `{"error":{"message":"`) {
			t.Errorf("%.120s: %d %.300s, want %d", path, a.status, a.body, status)
		}
	}
	if a := s.do(t, "hostile", "POST", "/loki/api/v1/query_range", "query="+strings.Repeat("x", 2<<20)); a.status != 413 {
		t.Errorf("2 MB: %d", a.status)
	}
	if a := s.get(t, "hostile", "/loki/api/v1/labels?start=0"); a.status != 200 || !strings.Contains(a.body, "service_name") {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

// testInjection stores names and values that look like parts of statements, and
// finds each by itself.
func testInjection(t *testing.T, f *fixture) {
	texts := []string{
		`'`, `''`, `\`, `\'`, `\\'`, `"`, "`", "a\x00b", "\n", "\r\n", "\t", "\b\f\v\a", "{p0:String}", "{p0", "}", "{{}}", `' OR 1=1 --`, `') OR 1 --`, "/*", "--", ";", "%s%d%", "?", "$1", "@p0",
		`\x27`, `\u0027`, `\0`, `\N`, "NULL", "é", "\U0001F600", "\u2028", " a ", `a'b\c"d`, `$.attributes."x"`, `"]['`, `*`, `_`, "a_b%c", "x\x00' OR 1", strings.Repeat("x", 900) + `'`,
	}
	var all []record
	for i, text := range texts {
		all = append(all, record{
			at: time.Duration(i) * time.Second, body: "before " + text + " after", event: "event " + text,
			resource: map[string]any{"service.name": "service " + text, "re.source": "r" + text}, attrs: map[string]any{"at.tr": text + "-", "plain": text},
		})
	}
	f.send(t, "injection", all...)
	s := f.serve(t, nil)
	span := fmt.Sprintf("&start=%d&end=%d", noon.UnixNano(), noon.Add(time.Hour).UnixNano())
	for i, text := range texts {
		q := strconv.Quote
		want := strconv.FormatInt(noon.Add(time.Duration(i)*time.Second).UnixNano(), 10)
		for n, query := range []string{
			`{service_name=` + q("service "+text) + `} |= ` + q("before "+text+" after") + ` | at_tr=` + q(text+"-") + ` | event_name=` + q("event "+text),
			`{re_source=` + q("r"+text) + `} |~ ` + q("^before \\Q"+text+"\\E after$") + ` | plain=` + q(text) + ` | re_source=` + q("r"+text),
			`{service_name=~".+"} | at_tr=~` + q("\\Q"+text+"-\\E"), `{service_name=~".+"} | plain=` + q(text),
		} {
			a := s.get(t, "injection", "/loki/api/v1/query_range?limit=50&query="+url.QueryEscape(query)+span)
			if a.status != 200 || strings.Count(a.body, `"values":[["`) != 1 || !strings.Contains(a.body, want) {
				t.Errorf("%s: %d %.300s", query, a.status, a.body)
			}
			if n > 1 {
				continue
			}
			a = s.get(t, "injection", "/loki/api/v1/query?time="+strconv.FormatInt(noon.Add(time.Hour).UnixNano(), 10)+"&query="+url.QueryEscape("sum(count_over_time("+query+"[2h]))"))
			if a.status != 200 || !strings.Contains(a.body, `,"1"]`) {
				t.Errorf("%s: %d %.300s", query, a.status, a.body)
			}
		}
	}
}

// testTenants asks as others: a tenant sees its own lines and nothing else.
func testTenants(t *testing.T, f *fixture) {
	f.send(t, "acme", cart()...)
	f.send(t, "zeta", record{at: time.Second, body: "hidden secret=1", resource: map[string]any{"service.name": "secret"}, attrs: map[string]any{"hidden": "x"}, trace: [16]byte{15: 77}})
	s := f.serve(t, func(cfg *logs.Config) { cfg.StreamCache = time.Hour })
	span := fmt.Sprintf("start=%d&end=%d", noon.UnixNano(), noon.Add(time.Hour).UnixNano())
	q := "&query=" + url.QueryEscape(`{service_name=~".+"}`)
	paths := []string{
		"/loki/api/v1/query_range?" + span + q, "/loki/api/v1/query_range?step=60&" + span + "&query=" + url.QueryEscape(`sum by (service_name) (count_over_time({level=~".+"}[1m]))`),
		"/loki/api/v1/labels?" + span, "/loki/api/v1/label/service_name/values?" + span, "/loki/api/v1/series?" + span, "/loki/api/v1/index/volume?" + span + q,
		"/loki/api/v1/detected_labels?" + span, "/loki/api/v1/detected_fields?" + span + q, "/loki/api/v1/detected_field/secret/values?" + span + q, "/loki/api/v1/index/stats?" + span + q,
		"/api/v1/logs/context?service=secret&time=" + strconv.FormatInt(noon.Add(time.Second).UnixNano(), 10), "/api/v1/traces/4d/logs",
	}
	for _, path := range paths {
		if a := s.get(t, "zeta", path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		for _, tenant := range []string{"acme", "", "zeta' OR 1=1 --", "nobody"} {
			a := s.get(t, tenant, path)
			if a.status >= 500 || strings.Contains(a.body, "hidden") || strings.Contains(a.body, `"secret"`) {
				t.Errorf("%q %s: %d %s", tenant, path, a.status, a.body)
			}
		}
	}
	for _, path := range []string{paths[0], paths[10], paths[11]} {
		if a := s.get(t, "zeta", path); !strings.Contains(a.body, "hidden") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// testLimits asks for more than the settings allow. The error names the setting.
func testLimits(t *testing.T, f *fixture) {
	var all []record
	for i := range 30 {
		all = append(all, record{at: time.Duration(i) * time.Second, body: fmt.Sprintf(`{"n":%d}`, i), resource: map[string]any{"service.name": "cart", "pod": strconv.Itoa(i)}})
	}
	f.send(t, "limits", all...)
	span := fmt.Sprintf("&start=%d&end=%d", noon.UnixNano(), noon.Add(time.Hour).UnixNano())
	for _, c := range []struct {
		change func(*logs.Config)
		query  string
		named  string
	}{
		{func(cfg *logs.Config) { cfg.MaxLines = 20 }, `{service_name="cart"} | json | n="none"`, "query.logs.max_lines"},
		{func(cfg *logs.Config) { cfg.MaxLines = 20 }, `sum(count_over_time({service_name="cart"} | json | n="none" [1h]))`, "query.logs.max_lines"},
		{func(cfg *logs.Config) { cfg.MaxSeries = 20 }, `count_over_time({service_name="cart"}[1h])`, "query.logs.max_series"},
		{func(cfg *logs.Config) { cfg.MaxSamples = 20 }, `count_over_time({service_name="cart"}[1h])`, "query.logs.max_samples"},
		{func(cfg *logs.Config) { cfg.MaxStreams = 20 }, `{pod="7"}`, "query.logs.max_streams"},
		{func(cfg *logs.Config) { cfg.MaxRows = 5 }, `{service_name="cart"}`, "query.logs.max_rows"},
	} {
		a := f.serve(t, c.change).get(t, "limits", "/loki/api/v1/query_range?query="+url.QueryEscape(c.query)+span)
		if a.status != 422 || !strings.Contains(a.body, c.named) {
			t.Errorf("%s: %d %.300s", c.query, a.status, a.body)
		}
		if a := f.serve(t, nil).get(t, "limits", "/loki/api/v1/query_range?query="+url.QueryEscape(c.query)+span); a.status != 200 {
			t.Errorf("%s: %d %.300s", c.query, a.status, a.body)
		}
	}
}
