package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	configutil "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// call is a request that Grafana's data source makes. A method with a plus has
// its parameters in the URL and an empty form, as Grafana 9.3 sends them.
type call struct {
	name, method, path string
	form               url.Values
	// as is whose answer must be the same: the reference's unless it says otherwise.
	as standard
}

type standard int

const (
	asReference standard = iota
	// asOld has the fields of the answer of Prometheus 2.42, with other values.
	asOld
)

func seconds(t time.Time) string { return fmt.Sprint(t.Unix()) }

func grafanaCalls() []call {
	var all []call
	start, end := seconds(dataStart), seconds(dataStart.Add(dataLength))
	bounded := func(pairs ...string) url.Values {
		v := url.Values{"start": {start}, "end": {end}}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v
	}
	add := func(name, method, path string, form url.Values, as standard) {
		all = append(all, call{name, method, path, form, as})
	}
	get, inForm, inURL := http.MethodGet, http.MethodPost, http.MethodPost+"+"

	// The health checks: 9.3 asks for the build first, newer ones after it.
	for _, method := range []string{inForm, inURL, get} {
		add("health "+method, method, "/api/v1/query", url.Values{"query": {"1+1"}, "time": {start}}, asReference)
	}
	add("build", get, "/api/v1/status/buildinfo", nil, asOld)

	// Panels and Explore.
	for _, method := range []string{inForm, inURL, get} {
		add("range "+method, method, "/api/v1/query_range", bounded("query", `sum by (code) (rate(http_requests_total[5m]))`, "step", "60"), asReference)
		add("instant "+method, method, "/api/v1/query", url.Values{"query": {"temperature_celsius"}, "time": {end}}, asReference)
		add("exemplars "+method, method, "/api/v1/query_exemplars", bounded("query", `rate(http_requests_total{code="200"}[5m])`), asReference)
		add("labels "+method, method, "/api/v1/labels", bounded(), asReference)
		add("labels of "+method, method, "/api/v1/labels", bounded("match[]", "temperature_celsius", "match[]", "left"), asReference)
		add("series "+method, method, "/api/v1/series", bounded("match[]", "temperature_celsius", "match[]", `http_request_duration_seconds_bucket{le="1.0"}`), asReference)
	}
	milliseconds := url.Values{"query": {"test"}, "start": {start + "000"}, "end": {end + "000"}}
	add("exemplar probe", inForm, "/api/v1/query_exemplars", milliseconds, asReference)
	add("exemplar probe", inURL, "/api/v1/query_exemplars", milliseconds, asReference)

	// The query builder and the variables of dashboards.
	for _, label := range []string{"__name__", "job", "sensor", "le", "none", "pod"} {
		add("values of "+label, get, "/api/v1/label/"+label+"/values", bounded(), asReference)
		add("values without a time of "+label, get, "/api/v1/label/"+label+"/values", nil, asReference)
		add("values that match of "+label, get, "/api/v1/label/"+label+"/values", bounded("match[]", `{job="api"}`), asReference)
		add("few values of "+label, get, "/api/v1/label/"+label+"/values", bounded("limit", "3"), asReference)
	}
	add("few labels", inForm, "/api/v1/labels", bounded("limit", "3"), asReference)
	add("few series", inForm, "/api/v1/series", bounded("match[]", "http_requests_total", "limit", "3"), asReference)
	add("names by series", inForm, "/api/v1/series", bounded("match[]", `{job="web"}`), asReference)
	add("query_result", inForm, "/api/v1/query", url.Values{"query": {"topk(3, sum by (job) (up))"}, "time": {end}}, asReference)
	for _, query := range []string{"sum(rate(up[5m]))by(job)", `up{a="b"} # note`, "1", `histogram_quantile(0.9,sum by(le)(rate(x_bucket[5m])))`} {
		add("formatting "+query, get, "/api/v1/format_query", url.Values{"query": {query}}, asReference)
		add("formatting "+query, inForm, "/api/v1/format_query", url.Values{"query": {query}}, asReference)
		add("parsing "+query, get, "/api/v1/parse_query", url.Values{"query": {query}}, asReference)
	}

	// The alerting pages.
	add("rules", get, "/api/v1/rules", nil, asReference)
	add("rules of alerts", get, "/api/v1/rules", url.Values{"type": {"alert"}}, asReference)
	add("alerts", get, "/api/v1/alerts", nil, asReference)
	add("alertmanagers", get, "/api/v1/alertmanagers", nil, asReference)

	// What people look at.
	add("runtime", get, "/api/v1/status/runtimeinfo", nil, asOld)
	add("tsdb", get, "/api/v1/status/tsdb", nil, asOld)
	add("targets", get, "/api/v1/targets", nil, asOld)
	add("dropped targets", get, "/api/v1/targets", url.Values{"state": {"dropped"}}, asOld)
	return all
}

// grafana makes the calls of Grafana's data source.
func (b *bench) grafana(t *testing.T) {
	for _, c := range grafanaCalls() {
		got := b.call(t, b.url, c)
		if c.as == asReference {
			want := b.call(t, b.reference, c)
			if c.form.Has("limit") {
				// Which ones are left is not said.
				got.Data, want.Data = counted(got.Data), counted(want.Data)
			}
			if text := (comparison{tolerance: 1e-12, wording: true}).differ(got, want); text != "" {
				t.Errorf("%s: the reference differs: %s\n%s %s?%s\ngoshawk:   %s\nreference: %s", c.name, text, c.method, c.path, c.form.Encode(), short(got.text), short(want.text))
			}
			continue
		}
		if b.old == "" {
			continue
		}
		want := b.call(t, b.old, c)
		if got.code != want.code || got.Status != want.Status {
			t.Errorf("%s: goshawk answers %d %s, Prometheus %d %s", c.name, got.code, short(got.text), want.code, short(want.text))
			continue
		}
		var have, wanted any
		if err := json.Unmarshal(got.Data, &have); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(want.Data, &wanted); err != nil {
			t.Fatal(err)
		}
		if text := lacks("data", have, wanted); text != "" {
			t.Errorf("%s: %s\ngoshawk:    %s\nPrometheus: %s", c.name, text, short(got.text), short(want.text))
		}
	}
	t.Run("features", func(t *testing.T) {
		// A list of features in the build makes Grafana take goshawk for Mimir.
		a := b.call(t, b.url, call{method: http.MethodGet, path: "/api/v1/status/buildinfo"})
		var data map[string]any
		if err := json.Unmarshal(a.Data, &data); err != nil {
			t.Fatal(err)
		}
		if data["features"] != nil || data["version"] == "" {
			t.Errorf("the build is %s", a.text)
		}
	})
	t.Run("metadata", b.metadata)
	t.Run("remote read", b.remoteRead)
}

func (b *bench) call(t *testing.T, server string, c call) *answer {
	t.Helper()
	a, err := ask(t.Context(), server, c.method, c.path, c.form)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return a
}

// counted is how many elements a list has.
func counted(list json.RawMessage) json.RawMessage {
	var all []any
	if err := json.Unmarshal(list, &all); err != nil {
		return list
	}
	return fmt.Appendf(nil, "%d", len(all))
}

// lacks says what a value does not have that the other has: fields of objects,
// and kinds of values.
func lacks(path string, have, wanted any) string {
	w, ok := wanted.(map[string]any)
	if !ok {
		if wanted != nil && reflect.TypeOf(have) != reflect.TypeOf(wanted) {
			return fmt.Sprintf("%s is a %T, want a %T", path, have, wanted)
		}
		return ""
	}
	h, ok := have.(map[string]any)
	if !ok {
		return fmt.Sprintf("%s is a %T, want an object", path, have)
	}
	for _, key := range slices.Sorted(maps.Keys(w)) {
		if _, ok := h[key]; !ok {
			return fmt.Sprintf("%s has no %s", path, key)
		}
		if text := lacks(path+"."+key, h[key], w[key]); text != "" {
			return text
		}
	}
	return ""
}

// metadata sends what Prometheus sends of its targets once a minute, and reads
// it back.
func (b *bench) metadata(t *testing.T) {
	request := prompb.WriteRequest{Metadata: []prompb.MetricMetadata{
		{Type: prompb.MetricMetadata_COUNTER, MetricFamilyName: "http_requests_total", Help: "Requests, “all” of them.\n", Unit: "requests"},
		{Type: prompb.MetricMetadata_GAUGE, MetricFamilyName: "temperature_celsius", Help: "How warm it is."},
		{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "http_request_duration_seconds", Help: "How long requests took.", Unit: "seconds"},
		{Type: prompb.MetricMetadata_SUMMARY, MetricFamilyName: "rpc_duration_seconds", Help: "How long calls took."},
		{Type: prompb.MetricMetadata_UNKNOWN, MetricFamilyName: "odd_value"},
		{Type: prompb.MetricMetadata_INFO, MetricFamilyName: "target_info", Help: "What the target is."},
	}}
	send(t, "http://"+b.goshawk.HTTP+"/api/v1/write", &request)
	want := `{"http_request_duration_seconds":[{"type":"histogram","unit":"seconds","help":"How long requests took."}],` +
		`"http_requests_total":[{"type":"counter","unit":"requests","help":"Requests, “all” of them.\n"}],` +
		`"odd_value":[{"type":"unknown","unit":"","help":""}],` +
		`"rpc_duration_seconds":[{"type":"summary","unit":"","help":"How long calls took."}],` +
		`"target_info":[{"type":"info","unit":"","help":"What the target is."}],` +
		`"temperature_celsius":[{"type":"gauge","unit":"","help":"How warm it is."}]}`
	if err := cluster.Eventually(30*time.Second, func() error {
		got, err := ask(t.Context(), b.url, http.MethodGet, "/api/v1/metadata", nil)
		if err != nil {
			return err
		}
		if text := (comparison{}).differ(got, &answer{code: http.StatusOK, Status: "success", Data: json.RawMessage(want)}); text != "" {
			return fmt.Errorf("%s\ngoshawk: %s", text, got.text)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	for form, want := range map[string]string{
		"metric=target_info": `{"target_info":[{"type":"info","unit":"","help":"What the target is."}]}`, "metric=none": `{}`, "limit=0": `{}`,
	} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		got := b.call(t, b.url, call{method: http.MethodGet, path: "/api/v1/metadata", form: values})
		if text := (comparison{}).differ(got, &answer{code: http.StatusOK, Status: "success", Data: json.RawMessage(want)}); text != "" {
			t.Errorf("%s: %s", form, text)
		}
	}
	bad := b.call(t, b.url, call{method: http.MethodGet, path: "/api/v1/metadata", form: url.Values{"limit": {"x"}}})
	if want := b.call(t, b.reference, call{method: http.MethodGet, path: "/api/v1/metadata", form: url.Values{"limit": {"x"}}}); bad.code != want.code || bad.ErrorType != want.ErrorType || bad.Error != want.Error {
		t.Errorf("a limit that is no number gets %s, of the reference %s", bad.text, want.text)
	}
}

// remoteRead reads by the protocol that Prometheus, Thanos and others read by,
// with both kinds of answers.
func (b *bench) remoteRead(t *testing.T) {
	servers := []string{b.reference}
	if b.old != "" {
		servers = append(servers, b.old)
	}
	for _, kind := range []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS, prompb.ReadRequest_SAMPLES} {
		for _, matchers := range [][]*labels.Matcher{
			{labels.MustNewMatcher(labels.MatchEqual, "__name__", "http_requests_total"), labels.MustNewMatcher(labels.MatchNotEqual, "code", "200")},
			{labels.MustNewMatcher(labels.MatchRegexp, "__name__", "flapping|native_seconds|odd_value")},
			{labels.MustNewMatcher(labels.MatchEqual, "__name__", "missing_metric")},
		} {
			got := read(t, b.url, kind, matchers)
			for _, server := range servers {
				if server == b.old && strings.Contains(matchers[0].Value, "native") {
					continue // 2.42 breaks off an answer that has native histograms
				}
				want := read(t, server, kind, matchers)
				for _, key := range slices.Sorted(maps.Keys(want)) {
					if got[key] != want[key] {
						t.Errorf("%s, %v: %s has\n%.300s\nwant\n%.300s", kind, matchers, key, got[key], want[key])
					}
				}
				if len(got) != len(want) {
					t.Errorf("%s, %v: %d series, want %d", kind, matchers, len(got), len(want))
				}
			}
		}
	}
}

// read returns the samples of series, in words.
func read(t *testing.T, server string, kind prompb.ReadRequest_ResponseType, matchers []*labels.Matcher) map[string]string {
	t.Helper()
	address, err := url.Parse(server + "/api/v1/read")
	if err != nil {
		t.Fatal(err)
	}
	c, err := remote.NewReadClient("test", &remote.ClientConfig{
		URL: &configutil.URL{URL: address}, Timeout: model.Duration(time.Minute), ChunkedReadLimit: 50 << 20,
		AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{kind},
	})
	if err != nil {
		t.Fatal(err)
	}
	from, to := dataStart.Add(time.Hour).UnixMilli(), dataStart.Add(2*time.Hour).UnixMilli()
	query, err := remote.ToQuery(from, to, matchers, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	set, err := c.Read(ctx, query, true)
	if err != nil {
		t.Fatalf("%s: %v", server, err)
	}
	all := map[string]string{}
	var it chunkenc.Iterator
	for set.Next() {
		var text strings.Builder
		it = set.At().Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			switch kind {
			case chunkenc.ValFloat:
				at, v := it.At()
				if at >= from && at <= to {
					fmt.Fprintln(&text, at, v)
				}
			default:
				at, h := it.AtFloatHistogram(nil)
				if at >= from && at <= to {
					fmt.Fprintln(&text, at, h)
				}
			}
		}
		if text.Len() > 0 {
			all[set.At().Labels().String()] = text.String()
		}
		if err := it.Err(); err != nil {
			t.Fatalf("%s: %v", server, err)
		}
	}
	if err := set.Err(); err != nil {
		t.Fatalf("%s: %v", server, err)
	}
	return all
}
