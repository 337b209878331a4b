package promql

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/prometheus"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// number returns a count: an integer, or the bits of a double.
func number(n uint64, isFloat bool) float64 {
	if isFloat {
		return math.Float64frombits(n)
	}
	return float64(n)
}

// spread are the series of a histogram or summary that differ in one label, by
// its value.
type spread map[string]*points

func (s spread) of(label string) *points {
	p := s[label]
	if p == nil {
		p = &points{}
		s[label] = p
	}
	return p
}

// labelOf renders a bound or a quantile as a label's value.
func labelOf(f float64) string {
	if math.IsInf(f, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// common are the columns that points of every shape have.
type common struct {
	fingerprints  proto.ColUInt64
	times, starts proto.ColInt64
	flags         proto.ColUInt32
	counts        proto.ColUInt64
	sums          proto.ColFloat64
}

func (c *common) addTo(o *output) {
	o.add("fingerprint", &c.fingerprints)
	o.add("toUnixTimestamp64Nano(time)", &c.times)
	o.add("toUnixTimestamp64Nano(start_time)", &c.starts)
	o.add("flags", &c.flags)
	o.add("count", &c.counts)
	o.add("sum", &c.sums)
}

// stale reports whether the nth point marks the end of its series.
func (c *common) stale(n int) bool { return c.flags[n]&telemetry.FlagNoRecordedValue != 0 }

// floats reports whether the counts of a point with these flags are the bits of
// doubles. Only remote-write sends such, whose flags are known to be ours.
func (s *stored) floats(flags uint32) bool {
	return s.protocol == prometheus.RemoteWrite && flags&telemetry.FlagFloatCounts != 0
}

// hint returns what a point with these flags says of resets.
func (s *stored) hint(flags uint32) histogram.CounterResetHint {
	if s.protocol != prometheus.RemoteWrite {
		return histogram.UnknownCounterReset
	}
	return histogram.CounterResetHint(flags >> telemetry.FlagResetHintShift & 3)
}

func staleHistogram() *histogram.FloatHistogram {
	return &histogram.FloatHistogram{Sum: math.Float64frombits(value.StaleNaN)}
}

// natives reads exponential histograms as native histograms, by fingerprint.
func (s *Store) natives(ctx context.Context, w *wanted, rows map[uint64]*stored, in span) (map[uint64]*points, error) {
	var (
		out               output
		c                 common
		scales            proto.ColInt32
		zeros             proto.ColUInt64
		thresholds        proto.ColFloat64
		positiveOffsets   proto.ColInt32
		negativeOffsets   proto.ColInt32
		positive          = new(proto.ColUInt64).Array()
		negative          = new(proto.ColUInt64).Array()
		positiveCounts    = positive.Data.(*proto.ColUInt64)
		negativeCounts    = negative.Data.(*proto.ColUInt64)
		found             = map[uint64]*points{}
		buckets, maxTotal = 0, s.cfg.MaxSamples * 4
	)
	c.addTo(&out)
	out.add("scale", &scales)
	out.add("zero_count", &zeros)
	out.add("zero_threshold", &thresholds)
	out.add("positive_offset", &positiveOffsets)
	out.add("positive_counts", positive)
	out.add("negative_offset", &negativeOffsets)
	out.add("negative_counts", negative)
	cond := w.condition(tenantOf(ctx), in, false)
	text := "SELECT " + out.columns() + " FROM " + s.table(tables.ExponentialHistograms) + " WHERE " + cond.where()
	err := s.read(ctx, text, cond.parameters, out.result, func() error {
		for i, f := range c.fingerprints {
			row := rows[f]
			if row == nil {
				continue
			}
			h := staleHistogram()
			if !c.stale(i) {
				floats := row.floats(c.flags[i])
				h = &histogram.FloatHistogram{
					CounterResetHint: row.hint(c.flags[i]),
					Schema:           scales[i], ZeroThreshold: thresholds[i], ZeroCount: number(zeros[i], floats),
					Count: number(c.counts[i], floats), Sum: c.sums[i],
				}
				h.PositiveSpans, h.PositiveBuckets = dense(positiveOffsets[i], elements(positive.Offsets, *positiveCounts, i), floats)
				h.NegativeSpans, h.NegativeBuckets = dense(negativeOffsets[i], elements(negative.Offsets, *negativeCounts, i), floats)
				if !fit(h) {
					continue
				}
				buckets += len(h.PositiveBuckets) + len(h.NegativeBuckets)
			}
			s.keep(found, f, c.times[i], c.starts[i], h)
		}
		if buckets > maxTotal {
			return s.bound(math.MaxInt)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading histograms: %w", err)
	}
	return found, nil
}

// keep adds a histogram to its series.
func (s *Store) keep(found map[uint64]*points, f uint64, time, start int64, h *histogram.FloatHistogram) {
	p := found[f]
	if p == nil {
		p = &points{}
		found[f] = p
	}
	p.addHistogram(time/1e6, h)
	if s.cfg.UseStartTimestamps {
		p.starts = append(p.starts, start/1e6)
	}
}

// elements returns the nth array of a column.
func elements[T any](offsets proto.ColUInt64, data []T, n int) []T {
	from := uint64(0)
	if n > 0 {
		from = offsets[n-1]
	}
	return data[from:offsets[n]]
}

// dense returns the spans and buckets of counts that lie next to each other. An
// exponential histogram counts from the bucket above its lower bound, a native
// one from the bucket below its upper bound, so their indexes differ by one.
// Buckets without counts are left out, but for one where all are.
func dense(offset int32, counts []uint64, isFloat bool) ([]histogram.Span, []float64) {
	var spans []histogram.Span
	var buckets []float64
	next := int32(0) // index after the last bucket of the last span
	for i := 0; i < len(counts); i++ {
		if counts[i] == 0 {
			continue
		}
		from := i
		for i < len(counts) && counts[i] != 0 {
			buckets = append(buckets, number(counts[i], isFloat))
			i++
		}
		index := offset + 1 + int32(from)
		spans = append(spans, histogram.Span{Offset: index - next, Length: uint32(i - from)})
		next = offset + 1 + int32(i)
	}
	if len(counts) > 0 && buckets == nil {
		// That there are buckets on this side says where the zero bucket ends.
		return []histogram.Span{{Offset: offset + 1, Length: 1}}, []float64{0}
	}
	return spans, buckets
}

// classic reads histograms with explicit bounds and calls add for each point.
func (s *Store) classic(ctx context.Context, w *wanted, rows map[uint64]*stored, in span, add func(row *stored, time, start int64, h *classicPoint)) error {
	var (
		out    output
		c      common
		bounds = new(proto.ColFloat64).Array()
		counts = new(proto.ColUInt64).Array()
		has    proto.ColUInt8
		total  int
	)
	c.addTo(&out)
	out.add("has", &has)
	out.add("bounds", bounds)
	out.add("counts", counts)
	cond := w.condition(tenantOf(ctx), in, false)
	text := "SELECT " + out.columns() + " FROM " + s.table(tables.Histograms) + " WHERE " + cond.where()
	err := s.read(ctx, text, cond.parameters, out.result, func() error {
		allBounds, allCounts := *bounds.Data.(*proto.ColFloat64), *counts.Data.(*proto.ColUInt64)
		for i, f := range c.fingerprints {
			row := rows[f]
			if row == nil {
				continue
			}
			h := classicPoint{
				flags: c.flags[i], stale: c.stale(i), hasSum: has[i]&1 != 0, count: c.counts[i], sum: c.sums[i],
				bounds: elements(bounds.Offsets, allBounds, i), counts: elements(counts.Offsets, allCounts, i),
			}
			add(row, c.times[i], c.starts[i], &h)
			total += len(h.counts) + 2
		}
		return s.bound(total)
	})
	if err != nil {
		return fmt.Errorf("reading histograms: %w", err)
	}
	return nil
}

// classicPoint is a point of a histogram with explicit bounds. Its slices are
// views that are valid during the call that it is passed to.
type classicPoint struct {
	flags  uint32
	stale  bool
	hasSum bool
	count  uint64
	sum    float64
	bounds []float64
	counts []uint64
}

// native returns the point as a native histogram with custom buckets.
func (c *classicPoint) native(row *stored) *histogram.FloatHistogram {
	if c.stale {
		return staleHistogram()
	}
	floats := row.floats(c.flags)
	h := &histogram.FloatHistogram{
		CounterResetHint: row.hint(c.flags),
		Schema:           histogram.CustomBucketsSchema, Count: number(c.count, floats), Sum: c.sum,
		CustomValues: append([]float64(nil), c.bounds...),
	}
	h.PositiveSpans, h.PositiveBuckets = dense(-1, c.counts, floats)
	return h
}

// summaries reads summaries and calls add for each point.
func (s *Store) summaries(ctx context.Context, w *wanted, rows map[uint64]*stored, in span, add func(row *stored, time, start int64, h *summaryPoint)) error {
	var (
		out       output
		c         common
		quantiles = new(proto.ColFloat64).Array()
		values    = new(proto.ColFloat64).Array()
		total     int
	)
	c.addTo(&out)
	out.add("quantiles", quantiles)
	out.add("values", values)
	cond := w.condition(tenantOf(ctx), in, false)
	text := "SELECT " + out.columns() + " FROM " + s.table(tables.Summaries) + " WHERE " + cond.where()
	err := s.read(ctx, text, cond.parameters, out.result, func() error {
		allQuantiles, allValues := *quantiles.Data.(*proto.ColFloat64), *values.Data.(*proto.ColFloat64)
		for i, f := range c.fingerprints {
			row := rows[f]
			if row == nil {
				continue
			}
			p := summaryPoint{
				stale: c.stale(i), count: float64(c.counts[i]), sum: c.sums[i],
				quantiles: elements(quantiles.Offsets, allQuantiles, i), values: elements(values.Offsets, allValues, i),
			}
			add(row, c.times[i], c.starts[i], &p)
			total += len(p.values) + 2
		}
		return s.bound(total)
	})
	if err != nil {
		return fmt.Errorf("reading summaries: %w", err)
	}
	return nil
}

// summaryPoint is a point of a summary.
type summaryPoint struct {
	stale             bool
	count, sum        float64
	quantiles, values []float64
}
