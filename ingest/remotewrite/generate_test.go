package remotewrite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// generator makes requests that have a little of everything, also of what is
// wrong.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g generator) labels() (list []prompb.Label) {
	if g.IntN(20) > 0 {
		list = append(list, prompb.Label{Name: "__name__", Value: g.pick("up", "http_requests_total", "größe", "a b", "")})
	}
	for range g.IntN(6) {
		list = append(list, prompb.Label{
			Name:  g.pick("job", "instance", "le", "path", "zone", "a", "b", "c", "käse", strings.Repeat("n", 130)),
			Value: g.pick("", "x", "api", "web", "10.0.0.1:9100", "ü", "\xff", strings.Repeat("v", 40), strings.Repeat("w", 200)),
		})
	}
	return list
}

func (g generator) time() int64 {
	if g.IntN(30) == 0 {
		return []int64{0, -1, math.MaxInt64, maxMillis, maxMillis + 1, 1}[g.IntN(6)]
	}
	return 1_700_000_000_000 + g.Int64N(1e6)
}

func (g generator) value() float64 {
	switch g.IntN(8) {
	case 0:
		return math.Float64frombits(value.StaleNaN)
	case 1:
		return math.Inf(1)
	case 2:
		return math.Float64frombits(value.NormalNaN)
	}
	return g.NormFloat64()
}

func (g generator) histogram() (h prompb.Histogram) {
	h.Timestamp, h.Sum = g.time(), g.value()
	h.Schema = int32(g.IntN(14)) - 4
	if g.IntN(3) > 0 {
		h.Schema = min(h.Schema, 8)
	}
	h.ResetHint = prompb.Histogram_ResetHint(g.IntN(4))
	side := func() (spans []prompb.BucketSpan, deltas []int64, counts []float64, total uint64) {
		last := int64(0)
		for i := range g.IntN(4) {
			sp := prompb.BucketSpan{Offset: int32(g.IntN(20)), Length: uint32(g.IntN(5))}
			if i == 0 && h.Schema != customSchema {
				sp.Offset -= 10
			}
			spans = append(spans, sp)
			for range sp.Length {
				c := int64(g.IntN(300))
				deltas = append(deltas, c-last)
				last = c
				total += uint64(c)
				counts = append(counts, float64(c)/4)
			}
		}
		return spans, deltas, counts, total
	}
	custom := g.IntN(4) == 0
	if custom {
		h.Schema = customSchema
		for i := range 80 {
			h.CustomValues = append(h.CustomValues, float64(i)/7)
		}
	}
	floats := g.IntN(3) == 0
	ps, pd, pc, pn := side()
	h.PositiveSpans = ps
	var ns []prompb.BucketSpan
	var nd []int64
	var nc []float64
	nn := uint64(0)
	zero := uint64(0)
	if !custom {
		ns, nd, nc, nn = side()
		zero = uint64(g.IntN(3))
		h.ZeroThreshold = 1e-128
	}
	h.NegativeSpans = ns
	if g.IntN(10) == 0 {
		nn++ // one more than there are
	}
	if floats {
		h.Count = &prompb.Histogram_CountFloat{CountFloat: float64(pn+nn+zero) / 4}
		h.ZeroCount = &prompb.Histogram_ZeroCountFloat{ZeroCountFloat: float64(zero) / 4}
		h.PositiveCounts, h.NegativeCounts = pc, nc
		return h
	}
	h.Count = &prompb.Histogram_CountInt{CountInt: pn + nn + zero}
	h.ZeroCount = &prompb.Histogram_ZeroCountInt{ZeroCountInt: zero}
	h.PositiveDeltas, h.NegativeDeltas = pd, nd
	return h
}

func (g generator) exemplar() prompb.Exemplar {
	e := prompb.Exemplar{Value: g.value(), Timestamp: g.time()}
	for range g.IntN(4) {
		e.Labels = append(e.Labels, prompb.Label{
			Name: g.pick("trace_id", "span_id", "user", "käse"),
			Value: g.pick("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "0AF7651916CD43DD8448EB211C80319C",
				strings.Repeat("0", 32), "abc", "", "ü"),
		})
	}
	return e
}

func (g generator) request1(n int) *prompb.WriteRequest {
	req := new(prompb.WriteRequest)
	for range n {
		ts := prompb.TimeSeries{Labels: g.labels()}
		if g.IntN(3) > 0 {
			for range g.IntN(4) {
				ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: g.time(), Value: g.value()})
			}
		}
		if g.IntN(3) == 0 {
			for range g.IntN(3) {
				ts.Histograms = append(ts.Histograms, g.histogram())
			}
		}
		if g.IntN(3) == 0 {
			for range g.IntN(3) {
				ts.Exemplars = append(ts.Exemplars, g.exemplar())
			}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	for range g.IntN(3) {
		req.Metadata = append(req.Metadata, prompb.MetricMetadata{
			Type:             prompb.MetricMetadata_MetricType(g.IntN(8)),
			MetricFamilyName: g.pick("up", "http_requests", "größe", "", "\xff"),
			Help:             g.pick("", "Help \"me\".", "\xff"), Unit: g.pick("", "seconds"),
		})
	}
	return req
}

func (g generator) request2(n int) *writev2.Request {
	one := g.request1(n)
	table := writev2.NewSymbolTable()
	refs := func(list []prompb.Label) (refs []uint32) {
		for _, l := range list {
			refs = append(refs, table.Symbolize(l.Name), table.Symbolize(l.Value))
		}
		if g.IntN(40) == 0 {
			refs = append(refs, uint32(g.IntN(1000)))
		}
		return refs
	}
	req := new(writev2.Request)
	for _, ts := range one.Timeseries {
		two := writev2.TimeSeries{LabelsRefs: refs(ts.Labels)}
		two.Metadata = writev2.Metadata{
			Type:    writev2.Metadata_MetricType(g.IntN(8)),
			HelpRef: table.Symbolize(g.pick("", "Help \"me\".", "\xff")), UnitRef: table.Symbolize(g.pick("", "seconds")),
		}
		for _, p := range ts.Samples {
			two.Samples = append(two.Samples, writev2.Sample{Value: p.Value, Timestamp: p.Timestamp, StartTimestamp: int64(g.IntN(3)) * g.time()})
		}
		for _, h := range ts.Histograms {
			v2 := writev2.Histogram{
				Sum: h.Sum, Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ResetHint: writev2.Histogram_ResetHint(h.ResetHint),
				Timestamp: h.Timestamp, CustomValues: h.CustomValues, StartTimestamp: int64(g.IntN(3)) * g.time(),
				PositiveDeltas: h.PositiveDeltas, NegativeDeltas: h.NegativeDeltas, PositiveCounts: h.PositiveCounts, NegativeCounts: h.NegativeCounts,
			}
			for _, sp := range h.PositiveSpans {
				v2.PositiveSpans = append(v2.PositiveSpans, writev2.BucketSpan{Offset: sp.Offset, Length: sp.Length})
			}
			for _, sp := range h.NegativeSpans {
				v2.NegativeSpans = append(v2.NegativeSpans, writev2.BucketSpan{Offset: sp.Offset, Length: sp.Length})
			}
			if h.IsFloatHistogram() {
				v2.Count = &writev2.Histogram_CountFloat{CountFloat: h.GetCountFloat()}
				v2.ZeroCount = &writev2.Histogram_ZeroCountFloat{ZeroCountFloat: h.GetZeroCountFloat()}
			} else {
				v2.Count = &writev2.Histogram_CountInt{CountInt: h.GetCountInt()}
				v2.ZeroCount = &writev2.Histogram_ZeroCountInt{ZeroCountInt: h.GetZeroCountInt()}
			}
			two.Histograms = append(two.Histograms, v2)
		}
		for _, e := range ts.Exemplars {
			two.Exemplars = append(two.Exemplars, writev2.Exemplar{LabelsRefs: refs(e.Labels), Value: e.Value, Timestamp: e.Timestamp})
		}
		req.Timeseries = append(req.Timeseries, two)
	}
	req.Symbols = table.Symbols()
	return req
}

func TestOracle(t *testing.T) {
	s1, s2 := testSplitter(version1, unlimited), testSplitter(version2, unlimited)
	for seed := range uint64(500) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			one := newGenerator(seed).request1(20)
			body, err := one.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, s1, body, model1(one), one.Metadata)
			two := newGenerator(seed).request2(20)
			if body, err = two.Marshal(); err != nil {
				t.Fatal(err)
			}
			compare(t, s2, body, model2(two), nil)
		})
	}
}
