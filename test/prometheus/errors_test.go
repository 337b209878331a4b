package prometheus

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A mistake is a request that is refused.
type mistake struct {
	name, path string
	form       url.Values
}

// newSyntax are queries that Prometheus 3 takes and 2.42 does not, or the other
// way round: numbers of seconds as durations, quoted names of labels, the new
// name of holt_winters.
var newSyntax = []string{"up[5]", "up offset 5", `{"a"="b"}`, "holt_winters(up[5m], 0, 2)", "double_exponential_smoothing(up[5m], 0, 2)"}

func instant(query string) url.Values {
	return url.Values{"query": {query}, "time": {"1709250000.002"}}
}

func ranged(query, start, end, step string) url.Values {
	return url.Values{"query": {query}, "start": {start}, "end": {end}, "step": {step}}
}

func mistakes() []mistake {
	var all []mistake
	add := func(name, path string, form url.Values) {
		all = append(all, mistake{name: name, path: path, form: form})
	}
	for _, query := range []string{
		"", "up{", "up}", "sum(", "sum(up", "up[5m", "up[5m]]", "up[-5m]", "up[0s]", "up[5]", "rate(up)", "rate(up[5m:])[5m]", "1 +", "+ + ", "foo bar",
		`up{job=api}`, `up{job="api}`, `up{job=~"("}`, `up{job=~"a{1001}"}`, `{}`, `{job=""}`, `{job=~".*"}`, `{job!="x"}`, `up{__name__="x"}`,
		"nosuch(up)", "abs()", "abs(up, up)", "abs(up[5m])", `abs("x")`, "round(up, up)", "time(1)", "sum by job (up)", "sum by (job (up)", "sum(up) by (job) by (x)",
		"topk(up)", "topk(up, up)", `topk("x", up)`, "quantile(up)", `count_values("", up)`, `count_values(1, up)`, "up offset", "up offset up", "up offset 5", "5 offset 5m",
		"up @ x", "up @ 1 @ 2", "up @ NaN", "up @ Inf", "sum(up) @ 1", "up offset 1m offset 2m", "up and 1", "1 and 1", "1 > 2", "up == on(job) group_left(x) group_right up",
		"up and on(job) group_left right", "sum(up) + on(job) by (x) up", "up bool == 1", "up + bool 1", "'x' + 'y'", `"unterminated`, `"\q"`, "1e", "0x", "1_000 up", "up[5m] + 1",
		"-'x'", "-up[5m]", "label_replace(up)", `label_replace(up, "a", "$1", "b", "(")`, `label_join(up, "", "-", "job")`,
		"histogram_quantile(up)", "holt_winters(up[5m], 0, 2)", "double_exponential_smoothing(up[5m], 0, 2)", "vector(up)", "scalar(1)", "absent(1)", "up # comment only\n +",
		"left + right", "left * on(a) right", "left * on(a) group_left right", "labelled + on(job) labelled", "{job=\"api\"} + {job=\"api\"}", `label_replace(left, "b", "z", "", "")`,
		`rate({job="api"}[5m])`, "sum_over_time(up[5m:0s])", "up[1h:5m:1m]", "up[5m] offset 1h @ x", "\x00", "up\xff", "🦅", "sum(🦅)", "1/0 + nosuch", "a.b", `{"a"="b"}`,
	} {
		add("query "+query, "/api/v1/query", instant(query))
	}
	for _, query := range []string{"up[5m]", `"x"`, "rate(up)", "left + right", "sum(", "up[5m:1m]"} {
		add("range "+query, "/api/v1/query_range", ranged(query, "1709244000", "1709247600", "60"))
	}
	for _, r := range [][3]string{
		{"", "", ""},
		{"x", "1709247600", "60"},
		{"1709244000", "x", "60"},
		{"1709244000", "1709247600", "x"},
		{"1709244000", "1709247600", "0"},
		{"1709244000", "1709247600", "-60"},
		{"1709244000", "1709247600", "-1m"},
		{"1709247600", "1709244000", "60"},
		{"1709244000", "1709255001", "1"},
		{"1709244000", "1709244011.001", "0.001"},
		{"0", "3155760000", "60"},
		{"-3155760000", "3155760000", "1h"},
		{"1709244000", "1709247600", "NaN"},
		{"1709244000", "1709247600", "Inf"},
		{"1709244000", "1709247600", "1e30"},
		{"1e30", "1e31", "60"},
		{"NaN", "NaN", "60"},
		{"Inf", "Inf", "60"},
		{"2024-02-30T00:00:00Z", "1709247600", "60"},
		{"1709244000", "1709247600", "100y"},
		{"1709244000", "1709247600", "300y"},
		{"1709244000", "1709247600", "1e-9"},
	} {
		add("range "+strings.Join(r[:], " "), "/api/v1/query_range", ranged("up", r[0], r[1], r[2]))
	}
	for _, form := range []url.Values{
		{},
		{"query": {"up"}, "time": {"x"}},
		{"query": {"up"}, "time": {"NaN"}},
		{"query": {"up"}, "timeout": {"x"}},
		{"query": {"up"}, "timeout": {"-1s"}},
		{"query": {"up"}, "time": {"1709250000"}, "lookback_delta": {"-1m"}},
		{"query": {"up"}, "time": {"1e20"}},
		{"query": {"up"}, "time": {"-1"}},
	} {
		add("query "+form.Encode(), "/api/v1/query", form)
	}
	for _, form := range []url.Values{
		{},
		{"match[]": {"{}"}},
		{"match[]": {"up{"}},
		{"match[]": {`{job=""}`}},
		{"match[]": {"up", "sum(up)"}},
		{"match[]": {"up"}, "start": {"x"}},
		{"match[]": {"up"}, "end": {"x"}},
		{"match[]": {"up[5m]"}},
		{"match[]": {"up offset 5m"}},
		{"match[]": {`{job=~"("}`}},
	} {
		add("series "+form.Encode(), "/api/v1/series", form)
		if len(form) > 0 {
			add("labels "+form.Encode(), "/api/v1/labels", form)
			add("values "+form.Encode(), "/api/v1/label/job/values", form)
		}
	}
	add("series backwards", "/api/v1/series", url.Values{"match[]": {"up"}, "start": {"1709247600"}, "end": {"1709244000"}})
	add("exemplars without a query", "/api/v1/query_exemplars", url.Values{})
	add("exemplars", "/api/v1/query_exemplars", url.Values{"query": {"up{"}, "start": {"1"}, "end": {"2"}})
	add("exemplars backwards", "/api/v1/query_exemplars", url.Values{"query": {"up"}, "start": {"2"}, "end": {"1"}})
	add("formatting", "/api/v1/format_query", url.Values{"query": {"sum("}})
	return all
}

// errors asks what must be refused, and what is at the edge of it.
func (b *bench) errors(t *testing.T) {
	refused, compared := 0, 0
	all := mistakes()
	for i, m := range all {
		method := []string{http.MethodGet, http.MethodPost, http.MethodPost + "+"}[i%3]
		if strings.Contains(m.path, "/label/") {
			method = http.MethodGet
		}
		answers := [2]*answer{}
		for n, server := range []string{b.url, b.reference} {
			a, err := ask(t.Context(), server, method, m.path, m.form)
			if err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
			answers[n] = a
		}
		got, want := answers[0], answers[1]
		if want.Status == "error" {
			refused++
		}
		if text := (comparison{wording: true}).differ(got, want); text != "" {
			t.Errorf("the reference differs: %s\n%s %s?%s\ngoshawk:   %s\nreference: %s", text, method, m.path, m.form.Encode(), short(got.text), short(want.text))
		}
		// 2.42 takes a lookback below zero for the default.
		if b.old == "" || slices.Contains(newSyntax, m.form.Get("query")) || m.form.Has("lookback_delta") {
			continue
		}
		compared++
		want, err := ask(t.Context(), b.old, method, m.path, m.form)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		if text := (comparison{tolerance: 1e-9}).differ(got, want); text != "" {
			t.Errorf("Prometheus %s differs: %s\n%s %s?%s\ngoshawk:    %s\nPrometheus: %s", Version, text, method, m.path, m.form.Encode(), short(got.text), short(want.text))
		}
	}
	t.Logf("%d requests, of which %d are refused, are answered as the reference does; %d of them compared with Prometheus %s", len(all), refused, compared, Version)
	if refused < len(all)/2 {
		t.Errorf("only %d of %d requests are refused", refused, len(all))
	}
}
