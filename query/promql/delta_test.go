package promql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TestDelta sends the same measurements twice, as what was added and as what
// there is in all, and asks both: the answers must be the same. The delta ones
// come out of order, with repeats, over several days, and the time from which
// they count changes as after a restart.
func TestDelta(t *testing.T) {
	f := newFixture(t, nil)
	const step, points = 30.0, 400
	const start = -3 * 86400.0 // the first points are days before the others
	r := rand.New(rand.NewPCG(1, 2))
	at := func(i int) float64 {
		if i < 20 {
			return start + float64(i)*step
		}
		return float64(i-20) * step
	}
	var batches []pmetric.Metrics
	type totals struct {
		sum, workers      float64
		buckets, exp, low [3]uint64
		seconds           float64
	}
	var total totals
	for i := range points {
		if i%40 == 0 {
			batches = append(batches, pmetric.NewMetrics())
		}
		sm := addScope(batches[len(batches)-1], "")
		added := totals{sum: float64(r.IntN(100)), workers: float64(r.IntN(20) - 10), seconds: float64(r.IntN(1000)) / 8}
		for n := range 3 {
			added.buckets[n], added.exp[n], added.low[n] = uint64(r.IntN(5)), uint64(r.IntN(5)), uint64(r.IntN(3))
			total.buckets[n] += added.buckets[n]
			total.exp[n] += added.exp[n]
			total.low[n] += added.low[n]
		}
		total.sum, total.workers, total.seconds = total.sum+added.sum, total.workers+added.workers, total.seconds+added.seconds
		for _, one := range []struct {
			prefix      string
			temporality pmetric.AggregationTemporality
			totals
		}{{"dd_", pmetric.AggregationTemporalityDelta, added}, {"cc_", pmetric.AggregationTemporalityCumulative, total}} {
			addNumber(addSum(sm, one.prefix+"requests", one.temporality), at(i), one.sum).SetStartTimestamp(stamp(at(i / 100 * 100)))
			workers := addMetric(sm, one.prefix+"workers", "").SetEmptySum()
			workers.SetAggregationTemporality(one.temporality)
			addNumber(workers.DataPoints(), at(i), one.workers)
			h := addMetric(sm, one.prefix+"classic", "").SetEmptyHistogram()
			h.SetAggregationTemporality(one.temporality)
			addBuckets(h.DataPoints(), at(i), one.seconds, []float64{1, 2}, one.buckets[:]...)
			e := addMetric(sm, one.prefix+"exponential", "").SetEmptyExponentialHistogram()
			e.SetAggregationTemporality(one.temporality)
			x := e.DataPoints().AppendEmpty()
			x.SetTimestamp(stamp(at(i)))
			x.SetSum(one.seconds)
			x.SetScale(1)
			x.SetZeroCount(one.low[0])
			x.Positive().SetOffset(3)
			x.Positive().BucketCounts().FromRaw(one.exp[:])
			x.Negative().SetOffset(-4)
			x.Negative().BucketCounts().FromRaw(one.low[1:])
			x.SetCount(one.low[0] + one.low[1] + one.low[2] + one.exp[0] + one.exp[1] + one.exp[2])
		}
	}
	for _, n := range []int{3, 0, 9, 1, 2, 8, 4, 5, 7, 6} {
		f.sendAll(t, "a", batches[n])
	}
	f.sendAll(t, "a", batches[3]) // under other offsets, which is to say twice
	f.sendAll(t, "a", batches[0])

	end := at(points - 1)
	for _, query := range []string{
		"X_requests_total", "X_workers", "rate(X_requests_total[5m])", "increase(X_requests_total[90s])", "irate(X_requests_total[5m])",
		"X_requests_total offset 1h", "sum_over_time(X_workers[5m])", "X_classic_count", "X_classic_sum", "X_classic_bucket", `X_classic_bucket{le="2"}`,
		"rate(X_classic_bucket[5m])", "histogram_quantile(0.9, rate(X_classic_bucket[5m]))", "X_exponential", "rate(X_exponential[5m])",
		"histogram_quantile(0.9, rate(X_exponential[5m]))", "histogram_count(X_exponential)", "X_requests_total[2m]", "last_over_time(X_exponential[90s])",
	} {
		ask := func(prefix string) string {
			q := strings.ReplaceAll(query, "X", prefix)
			var all []string
			for _, at := range []float64{0, 3600, end} {
				all = append(all, f.instant(t, "a", q, at))
			}
			if !strings.HasSuffix(q, "[2m]") {
				all = append(all, f.ranged(t, "a", q, end-1800, end, 60), f.ranged(t, "a", q, start, end, 7200))
			}
			return strings.ReplaceAll(strings.Join(all, "\n"), prefix+"_", "X_")
		}
		got, want := ask("dd"), ask("cc")
		if got != want {
			t.Errorf("%s\ndelta      %s\ncumulative %s", query, abridged(got), abridged(want))
		}
		if strings.Contains(want, "error") || !strings.Contains(want, "@") && !strings.Contains(query, "[2m]") {
			t.Errorf("%s says nothing: %s", query, want)
		}
	}
}

func abridged(text string) string { return text[:min(len(text), 1500)] }

// TestDeltaHistogramsChange are delta histograms whose buckets change on the way.
func TestDeltaHistogramsChange(t *testing.T) {
	f := newFixture(t, nil)
	for i, bounds := range [][]float64{{1, 2}, {1, 2}, {1, 5}, {1, 5}} {
		f.send(t, "a", func(sm pmetric.ScopeMetrics) {
			h := addMetric(sm, "h", "").SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			addBuckets(h.DataPoints(), float64(3600*i), 1, bounds, 1, 2, 3)
			e := addMetric(sm, "e", "").SetEmptyExponentialHistogram()
			e.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			x := e.DataPoints().AppendEmpty()
			x.SetTimestamp(stamp(float64(3600 * i)))
			x.SetScale(int32(10 - 2*i)) // 10, 8, 6, 4
			x.SetCount(1)
			x.SetSum(1)
			x.Positive().BucketCounts().FromRaw([]uint64{1})
		})
	}
	var all []asked
	for i := range 4 {
		all = append(all,
			asked{`h_count`, float64(3600 * i), fmt.Sprintf(`{__name__="h_count"} %d`, 6*(i+1))},
			asked{`h_bucket{le="1"}`, float64(3600 * i), fmt.Sprintf(`{__name__="h_bucket", le="1"} %d`, i+1)},
			asked{`histogram_count(e)`, float64(3600 * i), fmt.Sprintf(`{} %d`, i+1)},
			asked{`histogram_sum(e)`, float64(3600 * i), fmt.Sprintf(`{} %d`, i+1)})
	}
	f.check(t, "a", append(all,
		asked{`h_bucket{le="2"}`, 3600, `{__name__="h_bucket", le="2"} 6`},
		asked{`h_bucket{le="5"}`, 3 * 3600, `{__name__="h_bucket", le="5"} 6`},
		asked{`e`, 3 * 3600, `{__name__="e"} {{schema:4 count:4 sum:4 offset:1 buckets:[4]}}`},
	))
}
