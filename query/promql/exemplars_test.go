package promql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// addExemplar adds an exemplar of a trace, or of none where id is 0.
func addExemplar(to pmetric.ExemplarSlice, at, value float64, id byte, attrs ...string) {
	e := to.AppendEmpty()
	e.SetTimestamp(stamp(at))
	e.SetDoubleValue(value)
	if id != 0 {
		e.SetTraceID(pcommon.TraceID{15: id})
		e.SetSpanID(pcommon.SpanID{7: id})
	}
	set(e.FilteredAttributes(), attrs...)
}

// TestExemplars asks for the exemplars of OTLP and of remote-write.
func TestExemplars(t *testing.T) {
	f := newFixture(t, nil)
	for _, at := range []float64{0, 60} {
		f.send(t, "a", func(sm pmetric.ScopeMetrics) {
			c := addNumber(addSum(sm, "http.requests", pmetric.AggregationTemporalityCumulative), at, 1, "http.path", "/x")
			addExemplar(c.Exemplars(), at-1, 7.5, byte(at)+1, "user", "u1")
			addExemplar(c.Exemplars(), at-1, 7.5, byte(at)+1, "user", "u1") // twice
			h := addMetric(sm, "duration", "s").SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			b := addBuckets(h.DataPoints(), at, 1, []float64{1}, 1, 1)
			addExemplar(b.Exemplars(), at-2, 0.5, 0)
			e := addMetric(sm, "size", "By").SetEmptyExponentialHistogram()
			e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			x := e.DataPoints().AppendEmpty()
			x.SetTimestamp(stamp(at))
			addExemplar(x.Exemplars(), at, 100, 0x42)
		})
	}
	f.send(t, "b", func(sm pmetric.ScopeMetrics) {
		c := addNumber(addSum(sm, "http.requests", pmetric.AggregationTemporalityCumulative), 0, 1, "http.path", "/secret")
		addExemplar(c.Exemplars(), 0, 99, 0x77)
	})

	r := f.remote()
	base := noon.UnixMilli() - int64(shift)
	for i, alone := range []bool{false, true} {
		a := r.AppenderV2(context.Background()).(*appender)
		l := labels.FromStrings("__name__", "rw_bucket", "le", "1", "instance", "i", "job", "j", "n", fmt.Sprint(i))
		if _, err := a.Append(0, l, 0, base, 1, nil, nil, storage.AppendV2Options{Exemplars: []exemplar.Exemplar{{
			Labels: labels.FromStrings("trace_id", "0123456789abcdef0123456789abcdef", "span_id", "0123456789abcdef", "k", "v"), Value: 0.3, Ts: base - 500, HasTs: true,
		}, {Labels: labels.FromStrings("traceID", "x"), Value: 0.4, Ts: base, HasTs: true}}}); err != nil {
			t.Fatal(err)
		}
		if alone {
			a.request.Timeseries[0].Samples = nil
		}
		if err := a.Commit(); err != nil {
			t.Fatal(err)
		}
	}

	s := f.serve(t, nil)
	for _, c := range []struct {
		tenant, query string
		from, to      float64
		want          string
	}{
		{"a", `http_requests_total`, -60, 60, `[{"seriesLabels":{"__name__":"http_requests_total","http_path":"/x","job":"shop"},"exemplars":[` +
			`{"labels":{"span_id":"0000000000000001","trace_id":"00000000000000000000000000000001","user":"u1"},"value":"7.5","timestamp":1714997099},` +
			`{"labels":{"span_id":"000000000000003d","trace_id":"0000000000000000000000000000003d","user":"u1"},"value":"7.5","timestamp":1714997159}]}]`},
		{"a", `http_requests_total`, 0, 60, `[{"seriesLabels":{"__name__":"http_requests_total","http_path":"/x","job":"shop"},"exemplars":[` +
			`{"labels":{"span_id":"000000000000003d","trace_id":"0000000000000000000000000000003d","user":"u1"},"value":"7.5","timestamp":1714997159}]}]`},
		{"a", `http_requests_total{http_path="/y"}`, -60, 60, `[]`},
		{"a", `http_requests_total`, 600, 660, `[]`},
		{"a", `histogram_quantile(0.9, rate(duration_seconds_bucket[5m]))`, -60, 10, `[{"seriesLabels":{"__name__":"duration_seconds_bucket","job":"shop"},"exemplars":[` +
			`{"labels":{},"value":"0.5","timestamp":1714997098}]}]`},
		{"a", `size_bytes`, 30, 60, `[{"seriesLabels":{"__name__":"size_bytes","job":"shop"},"exemplars":[` +
			`{"labels":{"span_id":"0000000000000042","trace_id":"00000000000000000000000000000042"},"value":"100","timestamp":1714997160}]}]`},
		{"a", `{"http.requests", "http.path"="/x"}`, -60, 10, `[{"seriesLabels":{"__name__":"http.requests","http.path":"/x","job":"shop"},"exemplars":[` +
			`{"labels":{"span_id":"0000000000000001","trace_id":"00000000000000000000000000000001","user":"u1"},"value":"7.5","timestamp":1714997099}]}]`},
		{"nobody", `http_requests_total`, -60, 60, `[]`},
		{r.tenant, `rate(rw_bucket{le="1"}[1m])`, -60, 60, `[` +
			`{"seriesLabels":{"__name__":"rw_bucket","instance":"i","job":"j","le":"1","n":"0"},"exemplars":[` +
			`{"labels":{"k":"v","span_id":"0123456789abcdef","trace_id":"0123456789abcdef0123456789abcdef"},"value":"0.3","timestamp":1714997099.500},` +
			`{"labels":{"traceID":"x"},"value":"0.4","timestamp":1714997100}]},` +
			`{"seriesLabels":{"__name__":"rw_bucket","instance":"i","job":"j","le":"1","n":"1"},"exemplars":[` +
			`{"labels":{"k":"v","span_id":"0123456789abcdef","trace_id":"0123456789abcdef0123456789abcdef"},"value":"0.3","timestamp":1714997099.500},` +
			`{"labels":{"traceID":"x"},"value":"0.4","timestamp":1714997100}]}]`},
	} {
		status, body := s.get(t, c.tenant, "/api/v1/query_exemplars", url.Values{"query": {c.query}, "start": {unix(c.from)}, "end": {unix(c.to)}})
		var answer struct {
			Status string          `json:"status"`
			Data   json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.Status != "success" || string(answer.Data) != c.want {
			t.Errorf("%s: %d %v\n got %s\nwant %s", c.query, status, err, body, c.want)
		}
	}
	// A series that came with exemplars alone has no samples.
	if got := f.instant(t, r.tenant, `count(rw_bucket)`, 0); got != `{} 1` {
		t.Error(got)
	}
}
