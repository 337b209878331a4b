package promql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// sendRemote writes by remote-write a series for each text, which is a part of
// its name, of the name of a label, and the value of one.
func (f *fixture) sendRemote(t testing.TB, r *remote, texts []string) {
	t.Helper()
	a := r.AppenderV2(context.Background())
	for i, text := range texts {
		for _, l := range []labels.Labels{
			labels.FromStrings("__name__", "remote", "value", text), labels.FromStrings("__name__", "r"+text), labels.FromStrings("__name__", "keyed", "k"+text, "v"),
		} {
			if _, err := a.Append(0, l, 0, noon.UnixMilli()-int64(shift), float64(i), nil, nil, storage.AppendV2Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
}

// sendV1 writes a request of remote-write 1.0.
func (f *fixture) sendV1(t testing.TB, tenant string, request *prompb.WriteRequest) {
	t.Helper()
	body, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s := remotewrite.Routes(remotewrite.DefaultConfig())[0].Formats[0].NewSplitter(*wide(), func(int64) error { return nil })
	defer s.Reset()
	if err := s.Split(telemetry.Metrics, body, 1, time.Now().UnixNano()); err != nil || s.Message() != "" {
		t.Fatal(err, s.Message())
	}
	for _, p := range s.Parts() {
		if err := f.write(tenant, append([]byte(nil), p.Value...)); err != nil {
			t.Fatal(err)
		}
	}
}

// today puts points at the time of the test.
func today(m pmetric.Metric) pmetric.NumberDataPoint {
	var p pmetric.NumberDataPoint
	if m.Type() == pmetric.MetricTypeSum {
		p = m.Sum().DataPoints().AppendEmpty()
	} else {
		p = m.SetEmptyGauge().DataPoints().AppendEmpty()
	}
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	p.SetDoubleValue(1)
	return p
}

// TestMetadata asks what metrics are.
func TestMetadata(t *testing.T) {
	f := newFixture(t, nil)
	now := pcommon.NewTimestampFromTime(time.Now())
	f.send(t, "a", func(sm pmetric.ScopeMetrics) {
		c := addMetric(sm, "requests", "{request}")
		c.SetDescription("Requests 'so' far.\n")
		c.SetEmptySum().SetIsMonotonic(true)
		today(c)
		updown := addMetric(sm, "workers", "")
		updown.SetEmptySum()
		today(updown)
		today(addMetric(sm, "temperature", "Cel"))
		h := addMetric(sm, "duration", "s").SetEmptyHistogram().DataPoints().AppendEmpty()
		h.SetTimestamp(now)
		e := addMetric(sm, "size", "By").SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		e.SetTimestamp(now)
		s := addMetric(sm, "pause", "s").SetEmptySummary().DataPoints().AppendEmpty()
		s.SetTimestamp(now)
		again := addMetric(sm, "temperature", "Cel")
		again.SetDescription("of the room")
		set(today(again).Attributes(), "room", "1")
	})
	f.send(t, "b", func(sm pmetric.ScopeMetrics) { today(addMetric(sm, "secret", "")) })
	f.sendV1(t, "a", &prompb.WriteRequest{
		Metadata: []prompb.MetricMetadata{
			{Type: prompb.MetricMetadata_COUNTER, MetricFamilyName: "v1_total", Help: "counted", Unit: "things"},
			{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "v1_seconds", Help: "spread"},
			{Type: prompb.MetricMetadata_STATESET, MetricFamilyName: "v1_state"},
		},
		Timeseries: []prompb.TimeSeries{{
			Labels:  []prompb.Label{{Name: "__name__", Value: "v1_total"}, {Name: "instance", Value: "i"}, {Name: "job", Value: "j"}},
			Samples: []prompb.Sample{{Timestamp: time.Now().UnixMilli(), Value: 1}},
		}},
	})
	s := f.serve(t, nil)
	type one struct{ Type, Unit, Help string }
	ask := func(tenant string, parameters url.Values) map[string][]one {
		t.Helper()
		status, body := s.get(t, tenant, "/api/v1/metadata", parameters)
		var answer struct {
			Status string
			Data   map[string][]one
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.Status != "success" {
			t.Fatalf("%d %s %v", status, body, err)
		}
		return answer.Data
	}
	all := map[string][]one{
		"requests_total":      {{"counter", "{request}", "Requests 'so' far.\n"}},
		"workers":             {{"gauge", "", ""}},
		"temperature_celsius": {{"gauge", "Cel", ""}, {"gauge", "Cel", "of the room"}},
		"duration_seconds":    {{"histogram", "s", ""}},
		"size_bytes":          {{"histogram", "By", ""}},
		"pause_seconds":       {{"summary", "s", ""}},
		"v1_total":            {{"counter", "things", "counted"}},
		"v1_seconds":          {{"histogram", "", "spread"}},
		"v1_state":            {{"stateset", "", ""}},
	}
	if got := ask("a", nil); !reflect.DeepEqual(got, all) {
		t.Errorf(" got %v\nwant %v", got, all)
	}
	if got := ask("a", url.Values{"metric": {"v1_total"}}); !reflect.DeepEqual(got, map[string][]one{"v1_total": all["v1_total"]}) {
		t.Errorf("of one metric: %v", got)
	}
	if got := ask("a", url.Values{"metric": {"temperature_celsius"}, "limit_per_metric": {"1"}}); len(got["temperature_celsius"]) != 1 {
		t.Errorf("one of a metric: %v", got)
	}
	if got := ask("a", url.Values{"limit": {"2"}}); len(got) != 2 {
		t.Errorf("two metrics: %v", got)
	}
	if got := ask("b", nil); !reflect.DeepEqual(got, map[string][]one{"secret": {{"gauge", "", ""}}}) {
		t.Errorf("another tenant: %v", got)
	}
	if got := ask("a", url.Values{"metric": {"secret' OR '1'='1"}}); len(got) != 0 {
		t.Errorf("nothing: %v", got)
	}
}

// TestCardinality counts the series of today. The day may end while the test
// runs: then it begins anew.
func TestCardinality(t *testing.T) {
	f := newFixture(t, nil)
	s := f.serve(t, nil)
	for attempt := range 2 {
		day := time.Now().UTC().Format(time.DateOnly)
		tenant, other := fmt.Sprint("a", attempt), fmt.Sprint("b", attempt)
		f.send(t, tenant, func(sm pmetric.ScopeMetrics) {
			for i := range 6 {
				set(today(addMetric(sm, "wide", "")).Attributes(), "id", fmt.Sprint(i), "half", fmt.Sprint(i/3))
				if i < 2 {
					set(today(addMetric(sm, "narrow", "")).Attributes(), "half", fmt.Sprint(i))
				}
			}
		})
		f.send(t, other, func(sm pmetric.ScopeMetrics) { set(today(addMetric(sm, "secret", "")).Attributes(), "secret", "x") })
		_, body := s.get(t, tenant, "/api/v1/cardinality", url.Values{"limit": {"2"}})
		_, status := s.get(t, tenant, "/api/v1/status/tsdb", nil)
		_, others := s.get(t, other, "/api/v1/cardinality", nil)
		_, up := s.get(t, tenant, "/api/v1/targets", nil)
		if day != time.Now().UTC().Format(time.DateOnly) {
			continue
		}
		want := `{"status":"success","data":{"day":"` + day + `","series":8,"metrics":[{"name":"wide","count":6},{"name":"narrow","count":2}],` +
			`"labels":[{"name":"id","count":6},{"name":"half","count":2}],"pairs":[{"name":"job=shop","count":8},{"name":"half=0","count":4}]}}` + "\n"
		if body != want {
			t.Errorf(" got %s\nwant %s", body, want)
		}
		for _, want := range []string{
			`"headStats":{"numSeries":8,"numLabelPairs":9,`, `"seriesCountByMetricName":[{"name":"wide","value":6},{"name":"narrow","value":2}]`,
			`"labelValueCountByLabelName":[{"name":"id","value":6},{"name":"half","value":2},{"name":"job","value":1}]`, `"memoryInBytesByLabelName":[]`,
			`{"name":"half=1","value":4}`,
		} {
			if !strings.Contains(status, want) {
				t.Errorf("status/tsdb without %s: %s", want, status)
			}
		}
		if !strings.Contains(others, `"series":1,`) || strings.Contains(body+status, "secret") {
			t.Errorf("tenants see each other's series: %s", others)
		}
		if !strings.Contains(up, `"activeTargets":[]`) {
			t.Errorf("targets: %s", up)
		}
		return
	}
}

// TestTargets makes targets of the metric up.
func TestTargets(t *testing.T) {
	f := newFixture(t, nil)
	s := f.serve(t, nil)
	r := f.remote()
	now := time.Now().UnixMilli() - int64(shift)
	a := r.AppenderV2(context.Background())
	for _, one := range []struct {
		instance string
		at       int64
		value    float64
	}{{"good:1", now - 1000, 1}, {"bad:1", now - 60_000, 1}, {"bad:1", now - 1000, 0}, {"old:1", now - 3600_000, 1}, {"gone:1", now - 2000, 1}, {"gone:1", now - 1000, staleValue}} {
		if _, err := a.Append(0, labels.FromStrings("__name__", "up", "instance", one.instance, "job", "node"), 0, one.at, one.value, nil, nil, storage.AppendV2Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ tenant, state, want string }{{r.tenant, "", "bad:1 down node, good:1 up node"}, {r.tenant, "active", "bad:1 down node, good:1 up node"}, {r.tenant, "dropped", ""}, {"nobody", "", ""}} {
		status, body := s.get(t, c.tenant, "/api/v1/targets", url.Values{"state": {c.state}})
		var answer struct {
			Data struct {
				ActiveTargets []struct {
					Labels             map[string]string
					ScrapePool, Health string
					LastScrape         time.Time
				}
				DroppedTargets []any
			}
		}
		err := json.Unmarshal([]byte(body), &answer)
		var got []string
		for _, one := range answer.Data.ActiveTargets {
			got = append(got, one.Labels["instance"]+" "+one.Health+" "+one.ScrapePool)
			if one.Labels["__name__"] != "" || one.LastScrape.IsZero() {
				t.Errorf("%+v", one)
			}
		}
		if text := strings.Join(got, ", "); err != nil || status != 200 || text != c.want || answer.Data.DroppedTargets == nil {
			t.Errorf("%+v: %d %v\n got %s\n%s", c, status, err, text, body)
		}
	}
}
