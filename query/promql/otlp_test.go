package promql

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// noon is what the times of these tests, in seconds, are counted from: far from
// the borders of days, and of buckets unless a test crosses one.
var noon = time.Date(2024, 5, 6, 12, 5, 0, 0, time.UTC)

func seconds(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Second))) }

func stamp(n float64) pcommon.Timestamp { return pcommon.NewTimestampFromTime(seconds(n)) }

// set puts pairs of keys and values into attributes.
func set(m pcommon.Map, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		m.PutStr(pairs[i], pairs[i+1])
	}
}

// addScope adds a resource of the service shop with more attributes, and a scope.
func addScope(md pmetric.Metrics, scope string, resource ...string) pmetric.ScopeMetrics {
	rm := md.ResourceMetrics().AppendEmpty()
	set(rm.Resource().Attributes(), append([]string{"service.name", "shop"}, resource...)...)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scope)
	return sm
}

// addMetric adds a metric without points.
func addMetric(sm pmetric.ScopeMetrics, name, unit string) pmetric.Metric {
	m := sm.Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	return m
}

// addSum adds a sum without points.
func addSum(sm pmetric.ScopeMetrics, name string, temporality pmetric.AggregationTemporality) pmetric.NumberDataPointSlice {
	s := addMetric(sm, name, "").SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(temporality)
	return s.DataPoints()
}

// addNumber adds a point with pairs of attributes.
func addNumber(to pmetric.NumberDataPointSlice, at, value float64, attrs ...string) pmetric.NumberDataPoint {
	p := to.AppendEmpty()
	p.SetTimestamp(stamp(at))
	p.SetDoubleValue(value)
	set(p.Attributes(), attrs...)
	return p
}

// addBuckets adds a point of a histogram with explicit bounds.
func addBuckets(to pmetric.HistogramDataPointSlice, at, sum float64, bounds []float64, counts ...uint64) pmetric.HistogramDataPoint {
	p := to.AppendEmpty()
	p.SetTimestamp(stamp(at))
	p.SetSum(sum)
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	for _, n := range counts {
		p.SetCount(p.Count() + n)
	}
	return p
}

// send writes a request of one resource and scope.
func (f *fixture) send(t testing.TB, tenant string, build func(pmetric.ScopeMetrics)) {
	t.Helper()
	md := pmetric.NewMetrics()
	build(addScope(md, ""))
	f.sendAll(t, tenant, md)
}

func (f *fixture) sendAll(t testing.TB, tenant string, md pmetric.Metrics) {
	t.Helper()
	value, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	if err == nil {
		err = f.write(tenant, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// instant evaluates a query and returns a line for each series, sorted, without
// the label job.
func (f *fixture) instant(t testing.TB, tenant, query string, at float64) string {
	t.Helper()
	return evaluate(t, f.store, tenant, query, at, at, 0)
}

// ranged is instant over a range of seconds.
func (f *fixture) ranged(t testing.TB, tenant, query string, from, to, step float64) string {
	t.Helper()
	return evaluate(t, f.store, tenant, query, from, to, step)
}

func evaluate(t testing.TB, s *Store, tenant, query string, from, to, step float64) string {
	t.Helper()
	engine := newEngine(DefaultConfig(), nil, slog.New(slog.DiscardHandler))
	defer engine.Close()
	ctx := WithTenant(context.Background(), tenant)
	var q promql.Query
	var err error
	if step == 0 {
		q, err = engine.NewInstantQuery(ctx, s, nil, query, seconds(to))
	} else {
		q, err = engine.NewRangeQuery(ctx, s, nil, query, seconds(from), seconds(to), time.Duration(step*float64(time.Second)))
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return "error: " + result.Err.Error()
	}
	var lines []string
	name := func(l labels.Labels) string { return labels.NewBuilder(l).Del("job").Labels().String() }
	switch v := result.Value.(type) {
	case promql.Vector:
		for _, one := range v {
			value := fmt.Sprint(rounded(one.F))
			if one.H != nil {
				value = one.H.TestExpression()
			}
			lines = append(lines, name(one.Metric)+" "+value)
		}
	case promql.Matrix:
		for _, one := range v {
			line := name(one.Metric)
			for _, p := range one.Floats {
				line += fmt.Sprintf(" %v@%v", rounded(p.F), float64(p.T-noon.UnixMilli())/1000)
			}
			for _, p := range one.Histograms {
				line += fmt.Sprintf(" %s@%v", p.H.TestExpression(), float64(p.T-noon.UnixMilli())/1000)
			}
			lines = append(lines, line)
		}
	default:
		lines = append(lines, v.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// rounded hides the last digits, in which sums in another order differ.
func rounded(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 {
		return f
	}
	scale := math.Pow(10, 9-math.Ceil(math.Log10(math.Abs(f))))
	return math.Round(f*scale) / scale
}

// asked is a query and its answer.
type asked struct {
	query string
	at    float64
	want  string
}

func (f *fixture) check(t *testing.T, tenant string, all []asked) {
	t.Helper()
	for _, c := range all {
		if got := f.instant(t, tenant, c.query, c.at); got != c.want {
			t.Errorf("%s at %v\n got %s\nwant %s", c.query, c.at, strings.ReplaceAll(got, "\n", "\n     "), strings.ReplaceAll(c.want, "\n", "\n     "))
		}
	}
}

// TestOTLP asks for points of every shape.
func TestOTLP(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 2 {
		at, n := float64(60*i), float64(i+1)
		f.send(t, "a", func(sm pmetric.ScopeMetrics) {
			p := addNumber(addMetric(sm, "queue.length", "{item}").SetEmptyGauge().DataPoints(), at, 0, "queue.name", "orders")
			p.SetIntValue(int64(3 + i))
			addNumber(addSum(sm, "http.requests", pmetric.AggregationTemporalityCumulative), at, 10*n*n).SetStartTimestamp(stamp(-100))
			workers := addMetric(sm, "workers", "").SetEmptySum()
			workers.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			addNumber(workers.DataPoints(), at, 5-float64(i))

			h := addMetric(sm, "http.server.request.duration", "s").SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			set(addBuckets(h.DataPoints(), at, 6.5*n, []float64{.1, .5, 1}, uint64(i+1), 2*uint64(i+1), 3*uint64(i+1), 4*uint64(i+1)).Attributes(), "http.route", "/x")
			bare := addMetric(sm, "bare", "").SetEmptyHistogram() // neither buckets nor a sum
			bare.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			b := bare.DataPoints().AppendEmpty()
			b.SetTimestamp(stamp(at))
			b.SetCount(uint64(i) + 7)

			e := addMetric(sm, "rpc.duration", "ms").SetEmptyExponentialHistogram()
			e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			x := e.DataPoints().AppendEmpty()
			x.SetTimestamp(stamp(at))
			x.SetCount(uint64(14 * n))
			x.SetSum(40 * n)
			x.SetZeroCount(uint64(2 * n))
			x.SetZeroThreshold(0.001)
			x.Positive().SetOffset(1) // (2, 4] and (8, 16]
			x.Positive().BucketCounts().FromRaw([]uint64{uint64(4 * n), 0, uint64(6 * n)})
			x.Negative().SetOffset(-1) // [-1, -0.5)
			x.Negative().BucketCounts().FromRaw([]uint64{uint64(2 * n)})

			fine := addMetric(sm, "fine", "").SetEmptyExponentialHistogram()
			fine.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			y := fine.DataPoints().AppendEmpty()
			y.SetTimestamp(stamp(at))
			y.SetScale(10)
			y.SetCount(4)
			y.SetSum(4)
			y.Positive().BucketCounts().FromRaw([]uint64{1, 1, 1, 1}) // one bucket of scale 8

			g := addMetric(sm, "gc.pause", "s").SetEmptySummary().DataPoints().AppendEmpty()
			g.SetTimestamp(stamp(at))
			g.SetCount(uint64(7 * n))
			g.SetSum(2.5 * n)
			for _, q := range []float64{.5, .99} {
				v := g.QuantileValues().AppendEmpty()
				v.SetQuantile(q)
				v.SetValue(q / 10)
			}
		})
	}
	f.check(t, "a", []asked{
		{`queue_length`, 0, `{__name__="queue_length", queue_name="orders"} 3`},
		{`queue_length`, 90, `{__name__="queue_length", queue_name="orders"} 4`},
		{`queue_length`, 60 + 299, `{__name__="queue_length", queue_name="orders"} 4`},
		{`queue_length`, 60 + 301, ``},
		{`http_requests_total`, 60, `{__name__="http_requests_total"} 40`},
		{`rate(http_requests_total[1m1s])`, 60, `{} 0.5`},
		{`workers`, 60, `{__name__="workers"} 4`},
		{`http_server_request_duration_seconds_bucket`, 60, `{__name__="http_server_request_duration_seconds_bucket", http_route="/x", le="+Inf"} 20
{__name__="http_server_request_duration_seconds_bucket", http_route="/x", le="0.1"} 2
{__name__="http_server_request_duration_seconds_bucket", http_route="/x", le="0.5"} 6
{__name__="http_server_request_duration_seconds_bucket", http_route="/x", le="1"} 12`},
		{`http_server_request_duration_seconds_bucket{le=~"0.*", le!="0.1"}`, 60, `{__name__="http_server_request_duration_seconds_bucket", http_route="/x", le="0.5"} 6`},
		{`http_server_request_duration_seconds_bucket{le=""}`, 60, ``},
		{`http_server_request_duration_seconds_count`, 60, `{__name__="http_server_request_duration_seconds_count", http_route="/x"} 20`},
		{`http_server_request_duration_seconds_sum`, 60, `{__name__="http_server_request_duration_seconds_sum", http_route="/x"} 13`},
		{`http_server_request_duration_seconds`, 60, ``},
		{`histogram_quantile(0.5, http_server_request_duration_seconds_bucket)`, 60, `{http_route="/x"} 0.833333333`},
		{`histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket[2m])))`, 60, `{} 0.833333333`},
		{`{__name__=~"bare.*"}`, 60, "{__name__=\"bare_bucket\", le=\"+Inf\"} 8\n{__name__=\"bare_count\"} 8"},
		{`rpc_duration_milliseconds`, 60, `{__name__="rpc_duration_milliseconds"} {{count:28 sum:80 z_bucket:4 z_bucket_w:0.001 counter_reset_hint:not_reset offset:2 buckets:[8 0 12] n_buckets:[4]}}`},
		{`histogram_count(rpc_duration_milliseconds)`, 0, `{} 14`},
		{`histogram_quantile(1, rpc_duration_milliseconds)`, 60, `{} 16`},
		{`histogram_quantile(0, rpc_duration_milliseconds)`, 60, `{} -1`},
		{`histogram_fraction(2, 4, rpc_duration_milliseconds)`, 60, `{} 0.285714286`},
		{`fine`, 60, `{__name__="fine"} {{schema:8 count:4 sum:4 counter_reset_hint:not_reset offset:1 buckets:[4]}}`},
		{`gc_pause_seconds`, 60, "{__name__=\"gc_pause_seconds\", quantile=\"0.5\"} 0.05\n{__name__=\"gc_pause_seconds\", quantile=\"0.99\"} 0.099"},
		{`gc_pause_seconds{quantile="0.99"}`, 60, `{__name__="gc_pause_seconds", quantile="0.99"} 0.099`},
		{`{__name__=~"gc_pause_seconds_.+"}`, 60, "{__name__=\"gc_pause_seconds_count\"} 14\n{__name__=\"gc_pause_seconds_sum\"} 5"},
		{`count({__name__=~".+_bucket"})`, 60, `{} 5`},
		{`{__name__=~"http_requests_total|workers"}`, 60, "{__name__=\"http_requests_total\"} 40\n{__name__=\"workers\"} 4"},
		{`count({job="shop"})`, 60, `{} 17`},
		{`count({job="other"})`, 60, ``},
		{`http_requests_total @ 1714997100`, 500, `{__name__="http_requests_total"} 10`},
		{`http_requests_total offset 1m`, 60, `{__name__="http_requests_total"} 10`},
	})
}

// TestGone are points without a recorded value: their series end there, whatever
// the order in which they were read.
func TestGone(t *testing.T) {
	f := newFixture(t, nil)
	for _, at := range []float64{30, 0} { // the end is stored before the beginning
		f.send(t, "a", func(sm pmetric.ScopeMetrics) {
			g := addNumber(addMetric(sm, "g", "").SetEmptyGauge().DataPoints(), at, 1)
			h := addMetric(sm, "h", "").SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			b := addBuckets(h.DataPoints(), at, 1, []float64{1}, 1, 1)
			e := addMetric(sm, "e", "").SetEmptyExponentialHistogram()
			e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			x := e.DataPoints().AppendEmpty()
			x.SetTimestamp(stamp(at))
			x.SetCount(1)
			x.SetSum(3)
			x.Positive().BucketCounts().FromRaw([]uint64{1})
			s := addMetric(sm, "s", "").SetEmptySummary().DataPoints().AppendEmpty()
			s.SetTimestamp(stamp(at))
			v := s.QuantileValues().AppendEmpty()
			v.SetQuantile(0.5)
			if at == 30 {
				gone := pmetric.DefaultDataPointFlags.WithNoRecordedValue(true)
				g.SetFlags(gone)
				b.SetFlags(gone)
				b.BucketCounts().FromRaw(nil)
				b.ExplicitBounds().FromRaw(nil)
				x.SetFlags(gone)
				s.SetFlags(gone)
				s.QuantileValues().RemoveIf(func(pmetric.SummaryDataPointValueAtQuantile) bool { return true })
			}
		})
	}
	f.check(t, "a", []asked{
		{`count by (__name__) ({job="shop"})`, 20, "{__name__=\"e\"} 1\n{__name__=\"g\"} 1\n{__name__=\"h_bucket\"} 2\n{__name__=\"h_count\"} 1\n{__name__=\"h_sum\"} 1\n{__name__=\"s\"} 1\n{__name__=\"s_count\"} 1\n{__name__=\"s_sum\"} 1"},
		{`{job="shop"}`, 40, ``},
		{`{job="shop"}[10s]`, 40, ``},
	})
}

// TestNames asks by the names that PromQL is given, and by those of the sender.
func TestNames(t *testing.T) {
	f := newFixture(t, nil)
	f.send(t, "a", func(sm pmetric.ScopeMetrics) {
		h := addMetric(sm, "http.server.request.duration", "s").SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for _, route := range []string{"/x", "/y"} {
			set(addBuckets(h.DataPoints(), 0, 2, []float64{1}, 3, 1).Attributes(), "http.route", route)
		}
		addNumber(addSum(sm, "http.requests", pmetric.AggregationTemporalityCumulative), 0, 9, "http.route", "/x")
		addNumber(addMetric(sm, "température", "Cel").SetEmptyGauge().DataPoints(), 0, 21, "lieu", "cave")
	})
	f.check(t, "a", []asked{
		{`{"http.server.request.duration_count", "http.route"="/x"}`, 0, `{__name__="http.server.request.duration_count", "http.route"="/x"} 4`},
		{`sum({"http.server.request.duration_bucket", le="1"})`, 0, `{} 6`},
		{`sum by ("http.route") ({"http.server.request.duration_sum", "http.route"=~"/.*"})`, 0, "{\"http.route\"=\"/x\"} 2\n{\"http.route\"=\"/y\"} 2"},
		{`{"http.server.request.duration"}`, 0, ``},
		{`{"http.requests"}`, 0, `{__name__="http.requests", "http.route"="/x"} 9`},
		{`{"http.requests", "http.route"="/y"}`, 0, ``},
		{`{"http.requests", job="shop"}`, 0, `{__name__="http.requests", "http.route"="/x"} 9`},
		{`http_requests_total{http_route="/x"}`, 0, `{__name__="http_requests_total", http_route="/x"} 9`},
		{`http_requests_total{http_route!="/x"}`, 0, ``},
		{`http_requests_total{missing=""}`, 0, `{__name__="http_requests_total", http_route="/x"} 9`},
		{`http_requests`, 0, ``},
		{`{"température"}`, 0, `{__name__="température", lieu="cave"} 21`},
		{`{__name__=~"temp.*"}`, 0, `{__name__="temp_rature_celsius", lieu="cave"} 21`},
		{`count({__name__=~".*duration.*_count"})`, 0, `{} 2`},
	})
	q, err := f.store.Querier(seconds(-60).UnixMilli(), seconds(60).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	ctx := WithTenant(context.Background(), "a")
	for _, c := range []struct{ metric, names, label, values string }{
		{"", "[__name__ http_route job le lieu]", "__name__", "[http_requests_total http_server_request_duration_seconds_bucket http_server_request_duration_seconds_count http_server_request_duration_seconds_sum temp_rature_celsius]"},
		{"http_server_request_duration_seconds_bucket", "[__name__ http_route job le]", "le", "[+Inf 1]"},
		{"http_server_request_duration_seconds_count", "[__name__ http_route job]", "http_route", "[/x /y]"},
		{"http.server.request.duration_count", "[__name__ http.route job]", "http.route", "[/x /y]"},
		{"http.server.request.duration_bucket", "[__name__ http.route job le]", "le", "[+Inf 1]"},
		{"nothing", "[]", "job", "[]"},
	} {
		var matchers []*labels.Matcher
		if c.metric != "" {
			matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, "__name__", c.metric))
		}
		names, _, err := q.LabelNames(ctx, nil, matchers...)
		if err != nil || fmt.Sprint(names) != c.names {
			t.Errorf("names of %q: %v %v, want %s", c.metric, names, err, c.names)
		}
		values, _, err := q.LabelValues(ctx, c.label, nil, matchers...)
		if err != nil || fmt.Sprint(values) != c.values {
			t.Errorf("%s of %q: %v %v, want %s", c.label, c.metric, values, err, c.values)
		}
	}
}

// TestSameLabels are several stored series that PromQL cannot tell apart: they
// are one. Scopes tell series apart.
func TestSameLabels(t *testing.T) {
	f := newFixture(t, nil)
	md := pmetric.NewMetrics()
	for i, start := range []string{"first", "second"} {
		sm := addScope(md, "lib", "process.start", start) // which is no label
		from := float64(120 * i)
		for at := from; at < from+120; at += 30 {
			addNumber(addSum(sm, "c", pmetric.AggregationTemporalityCumulative), at, at-from+10)
			h := addMetric(sm, "h", "").SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			addBuckets(h.DataPoints(), at, 1, []float64{1}, uint64(at-from)+1, 1)
			e := addMetric(sm, "e", "").SetEmptyExponentialHistogram()
			e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			x := e.DataPoints().AppendEmpty()
			x.SetTimestamp(stamp(at))
			x.SetCount(uint64(at-from) + 1)
			x.SetSum(1)
			x.Positive().BucketCounts().FromRaw([]uint64{uint64(at-from) + 1})
		}
	}
	addNumber(addSum(addScope(md, "other"), "c", pmetric.AggregationTemporalityCumulative), 60, 1)
	f.sendAll(t, "a", md)
	for _, c := range []struct{ query, want string }{
		{`c_total{otel_scope_name="lib"}`, `{__name__="c_total", otel_scope_name="lib"} 10@0 40@30 70@60 100@90 10@120 40@150 70@180 100@210`},
		{`count(c_total)`, `{} 1@0 1@30 2@60 2@90 2@120 2@150 2@180 2@210`},
		{`resets(c_total{otel_scope_name="lib"}[150s])`, `{otel_scope_name="lib"} 0@0 0@30 0@60 0@90 1@120 1@150 1@180 1@210`},
		{`h_bucket{le="1"}`, `{__name__="h_bucket", le="1", otel_scope_name="lib"} 1@0 31@30 61@60 91@90 1@120 31@150 61@180 91@210`},
		{`histogram_count(e)`, `{otel_scope_name="lib"} 1@0 31@30 61@60 91@90 1@120 31@150 61@180 91@210`},
		{`resets(e[150s])`, `{otel_scope_name="lib"} 0@0 0@30 0@60 0@90 1@120 1@150 1@180 1@210`},
	} {
		got := f.ranged(t, "a", c.query, 0, 210, 30)
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

// TestStartTimes reads since when points count, which is done where functions
// are to know resets by it.
func TestStartTimes(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.UseStartTimestamps = true })
	f.send(t, "a", func(sm pmetric.ScopeMetrics) {
		c := addSum(sm, "c", pmetric.AggregationTemporalityCumulative)
		for i := range 4 {
			addNumber(c, float64(30*i), 10).SetStartTimestamp(stamp(float64(i/2*60 - 10))) // the value alone shows no restart
		}
	})
	q, err := f.store.Querier(seconds(0).UnixMilli(), seconds(90).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	set := q.Select(WithTenant(context.Background(), "a"), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "c_total"))
	var got []float64
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() != chunkenc.ValNone {
			got = append(got, float64(it.AtST()-noon.UnixMilli())/1000)
		}
	}
	if err := set.Err(); err != nil || !slices.Equal(got, []float64{-10, -10, 50, 50}) {
		t.Error(got, err)
	}
}
