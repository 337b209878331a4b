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

// testGrafana makes the calls of Grafana's data sources for Tempo, Jaeger and
// Zipkin, from 9.3 on, and looks at what their code reads of the answers.
func testGrafana(t *testing.T, f *fixture) {
	for i := range 3 {
		f.send(t, "grafana", order(320+i, time.Duration(i)*time.Minute))
	}
	s := f.serve(t, nil)
	id := hexOf(traceID(320))
	from, to := noon.Add(-time.Hour), noon.Add(time.Hour)
	seconds := "start=" + strconv.FormatInt(from.Unix(), 10) + "&end=" + strconv.FormatInt(to.Unix(), 10)
	micro := "start=" + strconv.FormatInt(from.UnixMicro(), 10) + "&end=" + strconv.FormatInt(to.UnixMicro(), 10)
	get := func(path string, headers ...string) string {
		t.Helper()
		a := s.get(t, "grafana", path, headers...)
		if a.status < 200 || a.status > 299 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		return a.body
	}
	read := func(path string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(get(path, "Accept", "application/json")), into); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}

	// Tempo.
	get("/tempo/api/echo")
	for _, query := range []string{"", "?" + seconds} {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces([]byte(get("/tempo/api/traces/"+id+query, "Accept", "application/protobuf")))
		if err != nil || td.SpanCount() != 7 {
			t.Errorf("trace%s: %v", query, err)
		}
	}
	for _, query := range []string{
		"tags=" + url.QueryEscape(`service.name="cart" name="cart.get"`) + "&limit=20&" + seconds,
		"tags=&limit=20&" + seconds,
		"tags=&minDuration=100ms&maxDuration=&limit=20&" + seconds,
		"q=" + url.QueryEscape(`{resource.service.name="cart" && name="cart.get" && duration>10ms && status=unset}`) + "&limit=20&" + seconds,
		"q=" + url.QueryEscape(`{resource.service.name=~"cart|mail" && span.db.system.name="postgresql"}`) + "&limit=20&spss=3&" + seconds,
		"q=" + url.QueryEscape(`{nestedSetParent<0 && true && resource.service.name != nil} | select(status, resource.service.name, name)`) + "&limit=20&spss=10&" + seconds,
		"q=" + url.QueryEscape(`{} >> {kind = client} | avg(duration) > 1ms`) + "&limit=20&" + seconds,
	} {
		a := s.tempo(t, "grafana", query)
		if len(a.Traces) != 3 {
			t.Errorf("%s: %d traces", query, len(a.Traces))
			continue
		}
		one := a.Traces[0]
		if len(one.TraceID) != 32 || one.RootServiceName != "frontend" || one.RootTraceName == "" || one.StartTimeUnixNano == "" || one.DurationMs == 0 || len(one.SpanSets) == 0 || one.SpanSet.Matched == 0 || len(one.SpanSet.Spans[0].SpanID) != 16 {
			t.Errorf("%s: %+v", query, one)
		}
	}
	var names struct{ TagNames, TagValues []string }
	read("/tempo/api/search/tags", &names)
	read("/tempo/api/search/tag/service.name/values", &names)
	if !slices.Contains(names.TagNames, "http.route") || !slices.Equal(names.TagValues, []string{"cart", "frontend", "mail"}) {
		t.Errorf("%+v", names)
	}
	read("/tempo/api/search/tag/name/values", &names)
	if !slices.Contains(names.TagValues, "cart.get") {
		t.Errorf("%+v", names)
	}
	var scopes struct {
		Scopes []struct {
			Name string
			Tags []string
		}
	}
	read("/tempo/api/v2/search/tags?"+seconds, &scopes)
	if len(scopes.Scopes) < 3 || scopes.Scopes[0].Name != "resource" || len(scopes.Scopes[0].Tags) == 0 {
		t.Errorf("%+v", scopes)
	}
	var values struct {
		TagValues []struct{ Type, Value string }
	}
	read("/tempo/api/v2/search/tag/"+url.PathEscape("resource.service.name")+"/values?q="+url.QueryEscape(`{name="cart.get"}`), &values)
	if len(values.TagValues) != 2 || values.TagValues[0].Type != "string" {
		t.Errorf("%+v", values)
	}
	var build struct{ Version string }
	read("/tempo/api/status/buildinfo", &build)
	if !strings.HasPrefix(build.Version, "2.") {
		t.Errorf("%+v", build)
	}

	// Jaeger.
	for _, prefix := range []string{"", "/jaeger"} {
		var list struct{ Data []string }
		read(prefix+"/api/services", &list)
		if !slices.Equal(list.Data, []string{"cart", "frontend", "mail"}) {
			t.Errorf("%+v", list)
		}
		read(prefix+"/api/services/cart/operations", &list)
		if !slices.Contains(list.Data, "cart.get") {
			t.Errorf("%+v", list)
		}
		for query, n := range map[string]int{
			"/" + id: 1, "/" + id + "?" + micro: 1, "?service=cart&lookback=custom&limit=20&" + micro: 3, "?service=cart&operation=cart.get&limit=2&lookback=custom&" + micro: 2, "?service=cart": 3,
			"?service=cart&operation=SELECT+carts&tags=" + url.QueryEscape(`{"error":"true"}`) + "&minDuration=1ms&maxDuration=1s&lookback=custom&limit=20&" + micro: 3,
		} {
			one := s.jaeger(t, "grafana", prefix+"/api/traces"+query)
			if len(one.Data) != n || len(one.Data[0].Spans) != 7 {
				t.Errorf("%s: %d traces", query, len(one.Data))
				continue
			}
			for _, sp := range one.Data[0].Spans {
				if one.Data[0].Processes[sp.ProcessID].ServiceName == "" || sp.StartTime == 0 {
					t.Errorf("%s: %+v", query, sp)
				}
			}
		}
		var links struct {
			Data []struct {
				Parent, Child string
				CallCount     int
			}
		}
		read(prefix+"/api/dependencies?endTs="+strconv.FormatInt(to.UnixMilli(), 10)+"&lookback=7200000", &links)
		if len(links.Data) != 2 || links.Data[0].CallCount != 3 {
			t.Errorf("%+v", links)
		}
	}

	// Zipkin.
	for _, prefix := range []string{"", "/zipkin"} {
		var list []string
		read(prefix+"/api/v2/services", &list)
		if !slices.Equal(list, []string{"cart", "frontend", "mail"}) {
			t.Errorf("%+v", list)
		}
		read(prefix+"/api/v2/spans?serviceName=cart", &list)
		if !slices.Contains(list, "cart.get") {
			t.Errorf("%+v", list)
		}
		var one []zipkinSpan
		read(prefix+"/api/v2/trace/"+id, &one)
		var many [][]zipkinSpan
		read(prefix+"/api/v2/traces?serviceName=cart&spanName=cart.get", &many)
		if len(one) != 7 || len(many) != 3 {
			t.Errorf("%d spans, %d traces", len(one), len(many))
		}
		for _, trace := range many {
			if !slices.ContainsFunc(trace, func(s zipkinSpan) bool { return s.ParentID == "" }) {
				t.Error("a trace has no root")
			}
		}
	}
}
