package prometheus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
)

// The data begin on a 29th of February and go on past midnight, where the month
// and the tables' day change. Their times are odd milliseconds and those of
// questions even ones, so that no sample lies on the edge of a range: whether
// the edge belongs to it has changed between Prometheus 2 and 3.
var dataStart = time.Date(2024, time.February, 29, 21, 30, 0, 0, time.UTC)

const (
	scrapeInterval = 15 * time.Second
	dataLength     = 4 * time.Hour
	scrapes        = int(dataLength / scrapeInterval)
	// Times are early or late by at most 351 ms: where two samples are further
	// apart than 1.1 intervals, 2.42 extrapolates the rates of small counters
	// otherwise than Prometheus 3.

	// perRequest is how many scrapes go into one request.
	perRequest = 10
)

var stale = math.Float64frombits(value.StaleNaN)

// A generator makes the samples of one series, one scrape after the other.
type generator struct {
	labels []prompb.Label
	// at returns the value of a scrape, and whether there is one.
	at func(i int) (float64, bool)
	// histogram is instead of at for native histograms.
	histogram func(i int, t int64) (prompb.Histogram, bool)
	// exemplars says that some samples have one.
	exemplars bool
	jitter    *rand.Rand
	last      prompb.Sample
}

// labelsOf makes labels of name{k="v"} pairs, sorted by name.
func labelsOf(name string, pairs ...string) []prompb.Label {
	all := []prompb.Label{{Name: "__name__", Value: name}}
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, prompb.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	slices.SortFunc(all, func(a, b prompb.Label) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// dataset gathers series.
type dataset struct {
	random *rand.Rand
	series []*generator
}

func (d *dataset) add(at func(i int) (float64, bool), name string, pairs ...string) {
	d.series = append(d.series, &generator{labels: labelsOf(name, pairs...), at: at, jitter: rand.New(rand.NewPCG(d.random.Uint64(), 1))})
}

// newDataset makes all series from a seed.
func newDataset(seed uint64) *dataset {
	d := &dataset{random: rand.New(rand.NewPCG(seed, 0))}
	for job := range 2 {
		for instance := range 4 {
			target := []string{"job", []string{"api", "web"}[job], "instance", fmt.Sprintf("10.0.%d.%d:9100", job, instance)}
			d.target(instance+4*job, target)
		}
	}
	d.oddities()
	d.matching()
	d.natives()
	return d
}

// target adds the series of one scraped instance.
func (d *dataset) target(n int, target []string) {
	with := func(pairs ...string) []string { return append(append([]string{}, pairs...), target...) }
	d.add(d.gone(n, func(int) float64 { return float64(1 - n/7) }), "up", target...)
	d.add(always(func(int) float64 { return 1 }), "target_info", with("version", fmt.Sprintf("1.%d", n%3), "region", []string{"eu", "us"}[n%2])...)
	for _, method := range []string{"GET", "POST"} {
		for _, code := range []string{"200", "404", "500"} {
			d.add(d.counter(1e5, 3), "http_requests_total", with("method", method, "code", code)...)
			d.series[len(d.series)-1].exemplars = true
		}
	}
	d.add(d.counter(0, 40), "born_total", target...)
	for i, sensor := range []string{"Küche", "居間", "🦅 nest", `a"b\c`, "two\nlines"} {
		if (i+n)%3 != 0 {
			d.add(d.gone(n*i, d.walk(float64(5-3*i), 2)), "temperature_celsius", with("sensor", sensor)...)
		}
	}
	if n%2 == 0 {
		d.classic("http_request_duration_seconds", []string{"0.005", "0.1", "0.5", "1.0", "2.5", "10", "+Inf"}, with("handler", "/"))
		d.classic("http_request_duration_seconds", []string{"0.005", "0.1", "0.5", "1.0", "2.5", "10", "+Inf"}, with("handler", "/api/v1/query"))
		for _, q := range []string{"0.5", "0.9", "0.99"} {
			d.add(d.walkOf(0.1, 0.01), "rpc_duration_seconds", with("quantile", q)...)
		}
		d.add(d.counter(1e4, 1), "rpc_duration_seconds_sum", target...)
		d.add(d.counter(1e5, 5), "rpc_duration_seconds_count", target...)
	}
	d.add(d.flapping(), "flapping", with("pod", fmt.Sprintf("pod-%d", n))...)
	d.add(d.flapping(), "flapping", with("pod", fmt.Sprintf("pod-%d", n+100))...)
	d.add(d.sparse(), "sparse_gauge", target...)
	d.add(d.walkOf(100, 1), "job:requests:rate5m", target[:2]...) // the last of a job is the one that stays
}

// always is a series without gaps.
func always(f func(i int) float64) func(int) (float64, bool) {
	return func(i int) (float64, bool) { return f(i), true }
}

// counter only grows, but for resets. The value after a reset is less than the
// one that a series is born with.
func (d *dataset) counter(start, pace float64) func(int) (float64, bool) {
	random := rand.New(rand.NewPCG(d.random.Uint64(), 2))
	v := start + random.Float64()*start
	return always(func(int) float64 {
		v += math.Floor(random.Float64() * 2 * pace * 15)
		if random.IntN(200) == 0 {
			v = math.Floor(start / 2 * random.Float64())
		}
		return v
	})
}

// walk goes up and down by steps of three decimals.
func (d *dataset) walk(start, pace float64) func(int) float64 {
	random := rand.New(rand.NewPCG(d.random.Uint64(), 3))
	v := start
	return func(int) float64 {
		v = math.Round((v+(random.Float64()-0.5)*pace)*1000) / 1000
		return v
	}
}

func (d *dataset) walkOf(start, pace float64) func(int) (float64, bool) {
	return always(d.walk(start+d.random.Float64(), pace))
}

// gone is a series with gaps, some longer than the lookback; n says which.
func (d *dataset) gone(n int, f func(int) float64) func(int) (float64, bool) {
	return func(i int) (float64, bool) {
		v := f(i)
		return v, (i+17*n)%240 > 4*(n%12)
	}
}

// flapping appears and disappears, mostly with a stale marker.
func (d *dataset) flapping() func(int) (float64, bool) {
	random := rand.New(rand.NewPCG(d.random.Uint64(), 4))
	f := d.walk(50, 10)
	here, left := random.IntN(2) == 0, 1+random.IntN(60)
	return func(i int) (float64, bool) {
		if left--; left == 0 {
			here, left = !here, 1+random.IntN(90)
			if !here && random.IntN(4) > 0 {
				return stale, true
			}
		}
		return f(i), here
	}
}

// sparse has a sample every few minutes.
func (d *dataset) sparse() func(int) (float64, bool) {
	random := rand.New(rand.NewPCG(d.random.Uint64(), 5))
	f := d.walk(-20, 5)
	return func(i int) (float64, bool) { return f(i), random.IntN(14) == 0 }
}

// classic adds the series of a histogram with bounds.
func (d *dataset) classic(name string, bounds, pairs []string) {
	random := rand.New(rand.NewPCG(d.random.Uint64(), 6))
	counts, sum := make([]float64, len(bounds)), 0.0
	for j := range counts {
		counts[j] = float64(2000 * (j + 1))
	}
	history, sums := make([][]float64, scrapes), make([]float64, scrapes)
	for i := range scrapes {
		if random.IntN(300) == 0 {
			clear(counts)
			sum = 0
		}
		for range random.IntN(40) {
			for j := random.IntN(len(bounds)); j < len(bounds); j++ {
				counts[j]++
			}
			sum += math.Round(random.ExpFloat64()*1000) / 1000
		}
		history[i], sums[i] = slices.Clone(counts), sum
	}
	for j, le := range bounds {
		d.add(always(func(i int) float64 { return history[i][j] }), name+"_bucket", append([]string{"le", le}, pairs...)...)
	}
	d.add(always(func(i int) float64 { return history[i][len(bounds)-1] }), name+"_count", pairs...)
	d.add(always(func(i int) float64 { return sums[i] }), name+"_sum", pairs...)
}

// oddities adds values and names that are unusual and valid.
func (d *dataset) oddities() {
	for _, odd := range []struct {
		kind   string
		values []float64
	}{
		{"nan", []float64{math.NaN()}},
		{"inf", []float64{math.Inf(1)}},
		{"minus_inf", []float64{math.Inf(-1)}},
		{"zero", []float64{0}},
		{"minus_zero", []float64{math.Copysign(0, -1)}},
		{"mixed", []float64{1, math.NaN(), -2, 3, 3}},
		{"huge", []float64{1e150, 2e150}},
		{"tiny", []float64{5e-324, 1e-300}},
		{"large", []float64{1 << 53, 1<<53 + 2}},
	} {
		d.add(always(func(i int) float64 { return odd.values[i%len(odd.values)] }), "odd_value", "kind", odd.kind)
	}
	d.weird("weird_bucket", "1", "1.0", "1e+00", "5", "+Inf")   // one bound in several spellings
	d.weird("no_inf_bucket", "0.1", "1", "10")                  // quantiles have no answer
	d.weird("not_a_number_bucket", "low", "", "1", "2", "+Inf") // left out
	d.weird("falling_bucket", "1", "2", "3", "4", "5", "+Inf")  // counts are random, not cumulative
	d.weird("negative_bucket", "-10", "-1", "0", "1", "+Inf")   // bounds below zero
	d.add(d.walkOf(7, 1), "disk_count", "device", "sda")        // a suffix of histograms on a gauge
	d.add(d.walkOf(8, 1), "money_sum", "currency", "€")         // likewise
	d.add(d.walkOf(8, 1), "goshawk_up_total_bucket_count_sum")  // and all of them
	d.add(d.walkOf(9, 1), ":", "le", "1", "quantile", "0.5")    // a name is one colon
	d.add(d.walkOf(1, 1), "long", "text", strings.Repeat("x", 2000))
	d.add(d.walkOf(1, 1), "long", "text", strings.Repeat("x", 2000)+"y")
	for i := range 24 {
		var pairs []string
		for bit, label := range []string{"a", "b", "c", "d", "e"} {
			if (i+8)>>bit&1 == 1 {
				pairs = append(pairs, label, fmt.Sprint(bit))
			}
		}
		d.add(d.walkOf(float64(i), 1), "labelled", pairs...)
	}
}

func (d *dataset) weird(name string, bounds ...string) {
	for i, le := range bounds {
		d.add(d.counter(1000*float64(i+1), float64(i+1)), name, "le", le, "job", "weird")
	}
}

// matching adds metrics whose labels overlap in part, for binary operators.
func (d *dataset) matching() {
	for i := range 5 {
		n := strconv.Itoa(i)
		d.add(d.walkOf(10, 2), "left", "a", n, "b", "x", "team", "red")
		d.add(d.walkOf(20, 2), "left", "a", n, "b", "y", "team", "blue")
		if i > 0 {
			d.add(d.walkOf(3, 2), "right", "a", n, "b", "x")
			d.add(d.walkOf(2, 1), "owner", "a", n, "owner", "o"+n)
		}
	}
	d.add(d.walkOf(2, 1), "right", "a", "9", "b", "x")
}

// natives adds native histograms: one that counts, with a reset, one that has
// gaps and ends stale, and a gauge.
func (d *dataset) natives() {
	for n := range 3 {
		random := rand.New(rand.NewPCG(d.random.Uint64(), 7))
		buckets := make([]int64, 8)
		sum := 0.0
		at := func(i int, t int64) (prompb.Histogram, bool) {
			if i == 400 || n == 2 {
				clear(buckets)
				sum = 0
			}
			count := uint64(0)
			for j := range buckets {
				buckets[j] += int64(random.IntN(5))
				sum += float64(buckets[j])
				count += uint64(buckets[j])
			}
			if n == 1 && i == 600 {
				return prompb.FromIntHistogram(t, &histogram.Histogram{Sum: stale}), true
			}
			h := &histogram.Histogram{
				Schema: int32(n), ZeroThreshold: 0.001, ZeroCount: uint64(i), Count: count + uint64(i), Sum: sum,
				PositiveSpans: []histogram.Span{{Offset: -1, Length: 3}, {Offset: 2, Length: 2}}, PositiveBuckets: deltas(buckets[:5]),
				NegativeSpans: []histogram.Span{{Offset: 0, Length: 3}}, NegativeBuckets: deltas(buckets[5:]),
			}
			if n == 2 {
				h.ZeroCount, h.Count, h.CounterResetHint = 1, count+1, histogram.GaugeType
			}
			return prompb.FromIntHistogram(t, h), n != 1 || i < 600 && i%100 > 8
		}
		d.series = append(d.series, &generator{
			labels: labelsOf("native_seconds", "job", "native", "kind", strconv.Itoa(n)), histogram: at,
			jitter: rand.New(rand.NewPCG(d.random.Uint64(), 1)),
		})
	}
}

func deltas(counts []int64) []int64 {
	out, last := make([]int64, len(counts)), int64(0)
	for i, c := range counts {
		out[i], last = c-last, c
	}
	return out
}

func exemplar(i int, t int64, v float64) prompb.Exemplar {
	return prompb.Exemplar{Value: v / 2, Timestamp: t - 1, Labels: []prompb.Label{
		{Name: "path", Value: "/é"}, {Name: "span_id", Value: fmt.Sprintf("%016x", i)}, {Name: "trace_id", Value: fmt.Sprintf("%032x", t)},
	}}
}

// requests returns the bodies of remote-write 1.0, in the order of time.
func (d *dataset) requests() (bodies [][]byte, samples int, err error) {
	seen := map[string]bool{}
	kept := d.series[:0]
	for _, s := range d.series {
		if key := fmt.Sprint(s.labels); !seen[key] {
			seen[key] = true
			kept = append(kept, s)
		}
	}
	d.series = kept
	for from := 0; from < scrapes; from += perRequest {
		var request prompb.WriteRequest
		for n, s := range d.series {
			series := prompb.TimeSeries{Labels: s.labels}
			if (n+from)%7 == 0 && s.last.Timestamp != 0 {
				// What was sent already comes once more.
				series.Samples = append(series.Samples, s.last)
			}
			for i := from; i < from+perRequest; i++ {
				t := dataStart.UnixMilli() + int64(i)*scrapeInterval.Milliseconds() + 2*s.jitter.Int64N(350) - 351
				if s.histogram != nil {
					if h, ok := s.histogram(i, t); ok {
						series.Histograms = append(series.Histograms, h)
					}
				} else if v, ok := s.at(i); ok {
					s.last = prompb.Sample{Value: v, Timestamp: t}
					series.Samples = append(series.Samples, s.last)
					if s.exemplars && i%150 == 75 {
						series.Exemplars = append(series.Exemplars, exemplar(i, t, v))
					}
				}
			}
			if len(series.Samples)+len(series.Histograms) > 0 {
				request.Timeseries = append(request.Timeseries, series)
			}
			samples += len(series.Samples) + len(series.Histograms)
		}
		body, err := request.Marshal()
		if err != nil {
			return nil, 0, err
		}
		bodies = append(bodies, snappy.Encode(nil, body))
	}
	return bodies, samples, nil
}
