package promql

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

// served is the API of a fixture behind a port.
type served struct {
	url string
	api *API
}

// serve serves the API. The tenant is what the header X-Scope-OrgID says.
func (f *fixture) serve(t testing.TB, change func(*Config)) *served {
	t.Helper()
	store := *f.store
	if change != nil {
		change(&store.cfg)
	}
	api := New(store.cfg, &store, "1.2.3", prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	for _, path := range api.Paths() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { api.Serve(w, r, r.Header.Get("X-Scope-OrgID")) })
	}
	mux.HandleFunc("/api/v1/cardinality", func(w http.ResponseWriter, r *http.Request) {
		api.ServeCardinality(w, r, r.Header.Get("X-Scope-OrgID"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	return &served{server.URL, api}
}

func (s *served) get(t testing.TB, tenant, path string, parameters url.Values) (int, string) {
	t.Helper()
	return s.do(t, http.MethodGet, tenant, path+"?"+parameters.Encode(), "")
}

func (s *served) do(t testing.TB, method, tenant, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Scope-OrgID", tenant)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := transporttest.Ask(http.DefaultClient, r)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status, a.Text
}

// unix is a time of these tests as a parameter.
func unix(at float64) string {
	return strconv.FormatFloat(float64(noon.UnixMilli())/1000+at, 'f', -1, 64)
}

// sendMany writes n series of a gauge with a point every 15 s over minutes, and
// as many of a counter and of a histogram.
func (f *fixture) sendMany(t testing.TB, tenant string, n, minutes int) {
	t.Helper()
	f.send(t, tenant, func(sm pmetric.ScopeMetrics) {
		g := addMetric(sm, "many", "").SetEmptyGauge().DataPoints()
		c := addSum(sm, "counted", pmetric.AggregationTemporalityCumulative)
		d := addSum(sm, "added", pmetric.AggregationTemporalityDelta)
		m := addMetric(sm, "spread", "").SetEmptyHistogram()
		m.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for i := range n {
			for at := 0; at < 60*minutes; at += 15 {
				attrs := []string{"n", fmt.Sprintf("%03d", i), "parity", fmt.Sprint(i % 2)}
				addNumber(g, float64(at), math.Sin(float64(at*i)), attrs...)
				addNumber(c, float64(at), float64(at*(i+1)%1000), attrs...)
				addNumber(d, float64(at), float64(at%7), attrs...)
				set(addBuckets(m.DataPoints(), float64(at), 1, []float64{1, 2}, uint64(at), uint64(i), 3).Attributes(), attrs...)
			}
		}
	})
}

// TestBatches asks with so few samples allowed at a time that they are read in
// batches: the answers are the same.
func TestBatches(t *testing.T) {
	f := newFixture(t, nil)
	f.sendMany(t, "a", 40, 10) // 1600 samples of each metric
	f.sendMany(t, "b", 3, 10)
	small := *f.store
	small.cfg.MaxSamples = 500
	for _, query := range []string{
		"many", "sum(many)", "sum by (parity) (rate(counted_total[2m]))", "avg_over_time(many[3m])", `many{n=~"01."}`, "topk(3, many)",
		"quantile(0.5, many)", "counted_total - on (n) group_left many", "sum(rate(added_total[2m]))", "added_total", "max_over_time(sum(many)[5m:30s])",
		"count_values(\"v\", counted_total)", "changes(many[5m]) > 0", "many and many", "sort(many)",
		`many{parity="1"} offset 2m`, "absent(many)", `{__name__=~"many|counted_total"}`, "sum(many) / sum(counted_total)", "many[1m]",
	} {
		for _, back := range []float64{0, 300} {
			step := 0.0
			if back > 0 {
				step = 30
				if strings.HasSuffix(query, "[1m]") {
					continue
				}
			}
			want := evaluate(t, f.store, "a", query, 590-back, 590, step)
			got := evaluate(t, &small, "a", query, 590-back, 590, step)
			if got != want {
				t.Errorf("%s over %v s\n got %.300s\nwant %.300s", query, back, got, want)
			}
			if strings.HasPrefix(want, "error") || want == "" && !strings.HasPrefix(query, "absent") {
				t.Errorf("%s says nothing: %s", query, want)
			}
		}
	}
	// Not one series fits.
	small.cfg.MaxSamples = 20
	got := evaluate(t, &small, "a", "sum(rate(many[10m]))", 600, 600, 0)
	if !strings.Contains(got, "error") || !strings.Contains(got, "query.promql.max_samples") {
		t.Error(got)
	}
	// Points that have to be read at once do not go in batches.
	small.cfg.MaxSamples = 500
	got = evaluate(t, &small, "a", "count(spread_bucket)", 300, 590, 30)
	if !strings.Contains(got, "error") || !strings.Contains(got, "query.promql.max_samples") {
		t.Error(got)
	}
}

// TestAPI are answers of Prometheus's HTTP API.
func TestAPI(t *testing.T) {
	f := newFixture(t, nil)
	f.sendMany(t, "a", 5, 10)
	s := f.serve(t, nil)
	at := "&time=" + unix(300)
	span := "&start=" + unix(0) + "&end=" + unix(600)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               []string
	}{
		{"GET", "/api/v1/query?query=count(many)" + at, "", 200, []string{`"status":"success"`, `"resultType":"vector"`, `"value":[1714997400,"5"]`}},
		{"POST", "/api/v1/query", "query=count(many)" + at, 200, []string{`"value":[1714997400,"5"]`}},
		{"GET", "/api/v1/query?query=1%2B1" + at, "", 200, []string{`"resultType":"scalar"`, `"2"`}},
		{"GET", "/api/v1/query?query=many&limit=2" + at, "", 200, []string{"results truncated due to limit"}},
		{"GET", "/api/v1/query?query=sum(many)&stats=all" + at, "", 200, []string{`"stats":{`, `"totalQueryableSamples":5`}},
		{"GET", "/api/v1/query_range?query=count(many)&step=60" + span, "", 200, []string{`"resultType":"matrix"`, `[1714997100,"5"],[1714997160,"5"]`}},
		{"POST", "/api/v1/query_range", "query=count(many)&step=60" + span, 200, []string{`"resultType":"matrix"`}},
		{"GET", "/api/v1/query_range?query=many&step=0" + span, "", 400, []string{`"errorType":"bad_data"`, "zero or negative"}},
		{"GET", "/api/v1/query_range?query=many&step=0.01" + span, "", 400, []string{"exceeded maximum resolution"}},
		{"GET", "/api/v1/query?query=sum(", "", 400, []string{`"status":"error"`, `"errorType":"bad_data"`, "parse error"}},
		{"GET", "/api/v1/query?query=many&time=soon", "", 400, []string{`"errorType":"bad_data"`}},
		{"GET", "/api/v1/query?query=many&timeout=0.000001" + at, "", 503, []string{`"status":"error"`}},
		{"GET", "/api/v1/query?query=max_over_time(sum(many)[1d:10ms])&timeout=0.1" + at, "", 503, []string{`"status":"error"`}},
		{"GET", "/api/v1/query?query=max_over_time(sum(many)[100y:1ms])" + at, "", 400, []string{"the subqueries have 3153600000000 steps"}},
		{"GET", "/api/v1/query?query=max_over_time(max_over_time(many[5h:1ms])[1h:1s])" + at, "", 400, []string{"steps, more than query.promql.max_samples allows (20000000)"}},
		{"GET", "/api/v1/query_range?query=max_over_time(many[5h:1ms])&step=600&start=" + unix(0) + "&end=" + unix(7200), "", 400, []string{"the subqueries have 25200000 steps"}},
		{"GET", "/api/v1/query?query=many%20%2B%20on()%20many" + at, "", 422, []string{`"errorType":"execution"`, "many-to-many"}},
		{"GET", "/api/v1/labels?" + span[1:], "", 200, []string{`["__name__","job","le","n","parity"]`}},
		{"POST", "/api/v1/labels", "match[]=many" + span, 200, []string{`["__name__","job","n","parity"]`}},
		{"GET", "/api/v1/labels?limit=2" + span, "", 200, []string{`["__name__","job"]`, "truncated"}},
		{"GET", "/api/v1/label/n/values?match[]=many" + span, "", 200, []string{`["000","001","002","003","004"]`}},
		{"GET", "/api/v1/label/n/values?match[]=many&limit=1" + span, "", 200, []string{`["000"]`}},
		{"GET", "/api/v1/label/__name__/values?" + span[1:], "", 200, []string{`["added_total","counted_total","many","spread_bucket","spread_count","spread_sum"]`}},
		{"GET", "/api/v1/label/U__n_2e_m/values?" + span[1:], "", 200, []string{`"data":[]`}},
		{"GET", "/api/v1/series?match[]=many%7Bn%3D%22003%22%7D" + span, "", 200, []string{`[{"__name__":"many","job":"shop","n":"003","parity":"1"}]`}},
		{"POST", "/api/v1/series", "match[]=many&match[]=counted_total" + span, 200, []string{`"counted_total"`, `"many"`}},
		{"GET", "/api/v1/series?match[]=many&limit=1" + span, "", 200, []string{`[{"__name__":"many","job":"shop","n":"000","parity":"0"}]`, "truncated"}},
		{"GET", "/api/v1/series?" + span[1:], "", 400, []string{"no match[] parameter provided"}},
		{"GET", "/api/v1/query_exemplars?query=", "", 400, []string{`"bad_data"`}},
		{"GET", "/api/v1/metadata?limit=x", "", 400, []string{`"errorType":"bad_data"`, "limit must be a number"}},
		{"GET", "/api/v1/status/tsdb?limit=0", "", 400, []string{"limit must be between 1 and 10000"}},
		{"GET", "/api/v1/cardinality?limit=100000", "", 400, []string{"limit must be between 1 and 10000"}},
		{"GET", "/api/v1/format_query?query=sum(many)by(n)", "", 200, []string{"sum by (n) (many)"}},
		{"GET", "/api/v1/parse_query?query=many", "", 200, []string{`"type":"vectorSelector"`}},
		{"GET", "/api/v1/rules", "", 200, []string{`"groups":[]`}},
		{"GET", "/api/v1/alerts", "", 200, []string{`"alerts":[]`}},
		{"GET", "/api/v1/alertmanagers", "", 200, []string{`"activeAlertmanagers":[]`}},
		{"GET", "/api/v1/status/buildinfo", "", 200, []string{`"version":"1.2.3"`}},
		{"GET", "/api/v1/status/runtimeinfo", "", 200, []string{`"startTime"`}},
		{"GET", "/api/v1/status/flags", "", 200, []string{`"query.lookback-delta":"5m"`}},
		{"GET", "/api/v1/features", "", 200, []string{`"success"`}},
		{"GET", "/api/v1/targets", "", 200, []string{`"activeTargets":[]`}},
	} {
		status, body := s.do(t, c.method, "a", c.path, c.body)
		if !json.Valid([]byte(body)) {
			t.Errorf("%s %s: no JSON: %.200s", c.method, c.path, body)
		}
		for _, want := range c.want {
			if status != c.status || !strings.Contains(body, want) {
				t.Errorf("%s %s %s: %d %.400s\nwant %d %s", c.method, c.path, c.body, status, body, c.status, want)
			}
		}
	}
	// Durations that have to be computed are bounded too.
	s = f.serve(t, func(c *Config) { c.ExperimentalFunctions = true })
	status, body := s.do(t, "GET", "a", "/api/v1/query?query=max_over_time(sum(many)[1y*100:1ms])"+at, "")
	if status != 400 || !strings.Contains(body, "the subqueries have 3153600000000 steps") {
		t.Errorf("computed durations: %d %s", status, body)
	}
	s = f.serve(t, func(c *Config) { c.MaxSeries = 20 })
	status, body = s.do(t, "GET", "a", "/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D"+at, "")
	if status != 422 || !strings.Contains(body, "query.promql.max_series allows (20)") {
		t.Errorf("too many series: %d %s", status, body)
	}
	// What there is among all series is told all the same.
	for path, want := range map[string]string{
		"/api/v1/labels?": `["__name__","job","le","n","parity"]`, "/api/v1/label/n/values?": `["000","001","002","003","004"]`,
		"/api/v1/label/__name__/values?": `["added_total","counted_total","many","spread_bucket","spread_count","spread_sum"]`, "/api/v1/label/none/values?": `[]`,
	} {
		if status, body = s.do(t, "GET", "a", path+span[1:], ""); status != 200 || !strings.Contains(body, `"data":`+want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	// The engine has the same limit as what is read.
	s = f.serve(t, func(c *Config) { c.MaxSamples = 10 })
	status, body = s.do(t, "GET", "a", "/api/v1/query_range?query=many&step=15"+span, "")
	if status != 422 || !strings.Contains(body, "samples") {
		t.Errorf("too many samples: %d %s", status, body)
	}
}

// TestInjection stores names and values that look like parts of statements, and
// finds each by itself.
func TestInjection(t *testing.T) {
	f := newFixture(t, nil)
	texts := []string{
		`'`, `''`, `\`, `\'`, `\\'`, `"`, "`", "\x00", "a\x00b", "\n", "\r\n", "\t", "\b\f\v\a", "{p0:String}", "{p0", "}", "{{}}", `' OR 1=1 --`,
		`') OR 1 --`, "/*", "--", ";", "%s%d%", "?", "$1", "@p0", `\x27`, `\u0027`, `\0`, `\N`, "NULL", "é", "\U0001F600", "\u2028", " ", "  a ", "a'b\\c\"d",
		strings.Repeat("x", 900) + `'`,
	}
	r := f.remote()
	f.send(t, r.tenant, func(sm pmetric.ScopeMetrics) {
		for i, text := range texts {
			addNumber(addMetric(sm, "plain", "").SetEmptyGauge().DataPoints(), 0, float64(i), "value", text)
			addNumber(addMetric(sm, "m"+text, "").SetEmptyGauge().DataPoints(), 0, float64(i))
		}
	})
	f.sendRemote(t, r, texts)
	for i, text := range texts {
		quoted := strconv.Quote(text)
		for _, c := range []struct{ query, want string }{
			{fmt.Sprintf(`sum(plain{value=%s})`, quoted), fmt.Sprintf("{} %d", i)},
			{fmt.Sprintf(`count(plain{value!=%s})`, quoted), fmt.Sprintf("{} %d", len(texts)-1)},
			{fmt.Sprintf(`sum({"m%s"})`, quoted[1:len(quoted)-1]), fmt.Sprintf("{} %d", i)},
			{fmt.Sprintf(`sum(remote{value=%s})`, quoted), fmt.Sprintf("{} %d", i)},
			{fmt.Sprintf(`sum({"r%s"})`, quoted[1:len(quoted)-1]), fmt.Sprintf("{} %d", i)},
			{fmt.Sprintf(`sum(keyed{"k%s"="v"})`, quoted[1:len(quoted)-1]), fmt.Sprintf("{} %d", i)},
		} {
			if got := f.instant(t, r.tenant, c.query, 0); got != c.want {
				t.Errorf("%.200s: %.200s, want %s", c.query, got, c.want)
			}
		}
		if got := f.instant(t, text, "plain", 0); got != "" {
			t.Errorf("the tenant %.20q sees %s", text, got)
		}
	}
}
