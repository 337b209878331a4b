package promql

import (
	"math"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TestDuplicates sends points of the same time with other values, in both
// orders: the answer is one of them, and the same.
func TestDuplicates(t *testing.T) {
	f := newFixture(t, nil)
	build := func(at float64, n uint64) pmetric.Metrics {
		md := pmetric.NewMetrics()
		sm := addScope(md, "")
		addNumber(addMetric(sm, "g", "").SetEmptyGauge().DataPoints(), at, float64(n))
		h := addMetric(sm, "h", "").SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		addBuckets(h.DataPoints(), at, 1, []float64{1}, n, 1)
		e := addMetric(sm, "e", "").SetEmptyExponentialHistogram()
		e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		x := e.DataPoints().AppendEmpty()
		x.SetTimestamp(stamp(at))
		x.SetCount(n)
		x.SetSum(1) // the same: only the buckets differ
		x.Positive().BucketCounts().FromRaw([]uint64{n})
		s := addMetric(sm, "s", "").SetEmptySummary().DataPoints().AppendEmpty()
		s.SetTimestamp(stamp(at))
		s.SetCount(n)
		v := s.QuantileValues().AppendEmpty()
		v.SetQuantile(0.5)
		v.SetValue(float64(n))
		return md
	}
	for tenant, order := range map[string][]uint64{"up": {1, 2, 3, 3}, "down": {3, 3, 2, 1}, "mixed": {2, 3, 1, 3}} {
		for _, n := range order {
			f.sendAll(t, tenant, build(0, n))
		}
		// Within one request, and within one millisecond.
		md := build(60, order[0])
		for _, n := range order[1:] {
			build(60, n).ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
			build(60.0001, n).ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
		}
		f.sendAll(t, tenant, md)
		f.check(t, tenant, []asked{
			{`g`, 0, `{__name__="g"} 3`},
			{`count_over_time(g[2m])`, 60, `{} 2`},
			{`count_over_time(e[2m])`, 60, `{} 2`},
			{`count_over_time(h_bucket[2m])`, 60, "{le=\"+Inf\"} 2\n{le=\"1\"} 2"},
			{`g`, 60, `{__name__="g"} 3`},
			{`h_bucket`, 0, "{__name__=\"h_bucket\", le=\"+Inf\"} 4\n{__name__=\"h_bucket\", le=\"1\"} 3"},
			{`h_count`, 60, `{__name__="h_count"} 4`},
			{`histogram_count(e)`, 0, `{} 3`},
			{`histogram_count(e)`, 60, `{} 3`},
			{`s`, 60, `{__name__="s", quantile="0.5"} 3`},
			{`s_count`, 0, `{__name__="s_count"} 3`},
		})
	}
}

// TestOrder sends points in every order, in requests of their own and together.
func TestOrder(t *testing.T) {
	f := newFixture(t, nil)
	const want = `{__name__="g"} 0@0 1@30 2@60 3@90 4@120 5@150`
	for tenant, requests := range map[string][][]float64{
		"forth": {{0, 1, 2, 3, 4, 5}}, "back": {{5, 4, 3, 2, 1, 0}}, "each": {{5}, {0}, {3}, {1}, {4}, {2}}, "woven": {{4, 0, 2}, {1, 5, 3}, {0, 5}},
	} {
		for _, request := range requests {
			f.send(t, tenant, func(sm pmetric.ScopeMetrics) {
				g := addMetric(sm, "g", "").SetEmptyGauge().DataPoints()
				for _, n := range request {
					addNumber(g, 30*n, n)
				}
			})
		}
		if got := f.ranged(t, tenant, "g", 0, 150, 30); got != want {
			t.Errorf("%s: %s", tenant, got)
		}
	}
}

// TestJoin joins samples of every kind.
func TestJoin(t *testing.T) {
	t.Parallel()
	floats := func(starts bool, from ...int64) *points {
		p := &points{}
		for _, at := range from {
			p.add(at, float64(at))
			if starts {
				p.starts = append(p.starts, at-1)
			}
		}
		return p
	}
	histograms := func(starts bool, from ...int64) *points {
		p := &points{}
		for _, at := range from {
			p.addHistogram(at, &histogram.FloatHistogram{Sum: float64(at)})
			if starts {
				p.starts = append(p.starts, at-1)
			}
		}
		return p
	}
	for name, c := range map[string]struct {
		p, q          *points
		times, starts []int64
		histograms    int
	}{
		"apart":             {floats(false, 1, 2), floats(false, 3, 4), []int64{1, 2, 3, 4}, nil, 0},
		"woven":             {floats(true, 1, 3, 5), floats(true, 2, 3, 4), []int64{1, 2, 3, 4, 5}, []int64{0, 1, 2, 3, 4}, 0},
		"starts, then none": {floats(true, 1, 2), floats(false, 2, 3), []int64{1, 2, 3}, nil, 0},
		"none, then starts": {floats(false, 1, 2), floats(true, 2, 3), []int64{1, 2, 3}, nil, 0},
		"histograms after":  {floats(true, 1, 2), histograms(true, 2, 3), []int64{1, 2, 3}, []int64{0, 1, 2}, 2},
		"histograms before": {histograms(true, 4, 5), floats(true, 1, 4), []int64{1, 4, 5}, []int64{0, 3, 4}, 2},
		"nothing":           {floats(false), floats(false, 3, 1, 2), []int64{1, 2, 3}, nil, 0},
	} {
		p := &points{}
		p.join(c.p)
		p.join(c.q)
		p.finish()
		n := 0
		for _, h := range p.histograms {
			if h != nil {
				n++
			}
		}
		if !slices.Equal(p.times, c.times) || len(p.values) != len(c.times) || n != c.histograms ||
			c.starts != nil && !slices.Equal(p.starts, c.starts) || p.starts != nil && len(p.starts) != len(p.times) {
			t.Errorf("%s: times %v starts %v, %d histograms", name, p.times, p.starts, n)
		}
	}
}

// TestGreatest says which of two samples of one time is kept.
func TestGreatest(t *testing.T) {
	t.Parallel()
	kept := func(add ...func(*points)) *points {
		p := &points{}
		for _, one := range add {
			q := &points{}
			one(q)
			p.join(q)
		}
		p.finish()
		return p
	}
	float := func(v float64) func(*points) { return func(p *points) { p.add(7, v) } }
	whole := func(h *histogram.FloatHistogram) func(*points) { return func(p *points) { p.addHistogram(7, h) } }
	small := &histogram.FloatHistogram{Sum: -5, Count: 1, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []float64{1}}
	other := &histogram.FloatHistogram{Sum: -5, Count: 1, PositiveSpans: []histogram.Span{{Offset: 1, Length: 1}}, PositiveBuckets: []float64{1}}
	for name, c := range map[string][2]func(*points){ // the second is the greater
		"numbers":                 {float(1), float(2)},
		"stale":                   {float(staleValue), float(math.Inf(-1))},
		"NaN":                     {float(math.NaN()), float(-1)},
		"histogram":               {float(1e9), whole(small)},
		"stale histogram":         {whole(staleHistogram()), whole(small)},
		"stale histogram, number": {whole(staleHistogram()), float(0)},
		"zeros":                   {float(0), float(math.Copysign(0, -1))},
		"buckets":                 {whole(small), whole(other)},
	} {
		want := kept(c[1])
		for _, got := range []*points{kept(c[0], c[1]), kept(c[1], c[0]), kept(c[1], c[0], c[1])} {
			if len(got.times) != 1 || math.Float64bits(got.values[0]) != math.Float64bits(want.values[0]) {
				t.Errorf("%s: %+v", name, got)
				continue
			}
			if want.histograms != nil && got.histograms[0] != want.histograms[0] || want.histograms == nil && got.histograms != nil && got.histograms[0] != nil {
				t.Errorf("%s: another histogram", name)
			}
		}
	}
}
