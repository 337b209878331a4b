package promql

import (
	"context"
	"fmt"
	"math"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
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

// pointColumns are the columns that points of every shape have, and those that
// are added to them.
type pointColumns struct {
	clickhouse.Output
	fingerprints  proto.ColUInt64
	times, starts proto.ColInt64
	flags         proto.ColUInt32
	counts        proto.ColUInt64
	sums          proto.ColFloat64
}

func newPointColumns() *pointColumns {
	c := &pointColumns{}
	c.Add("fingerprint", &c.fingerprints)
	c.Add("toUnixTimestamp64Nano(time)", &c.times)
	c.Add("toUnixTimestamp64Nano(start_time)", &c.starts)
	c.Add("flags", &c.flags)
	c.Add("count", &c.counts)
	c.Add("sum", &c.sums)
	return c
}

// readPoints reads the columns from a table, for the points of the views, and
// calls add for the nth point of each block.
func (s *Store) readPoints(ctx context.Context, table string, k *kindViews, in span, c *pointColumns, add func(row *stored, n int) error) error {
	cond := k.wanted.condition(tenantOf(ctx), in, false)
	text := "SELECT " + c.Columns() + " FROM " + s.table(table) + " WHERE " + cond.Where()
	return s.read(ctx, text, cond.Parameters, c.Result, func() error {
		for n, f := range c.fingerprints {
			row := k.rows[f]
			if row == nil {
				continue
			}
			if err := add(row, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// stale reports whether the nth point marks the end of its series.
func (c *pointColumns) stale(n int) bool { return c.flags[n]&telemetry.FlagNoRecordedValue != 0 }

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
func (s *Store) natives(ctx context.Context, k *kindViews, in span) (map[uint64]*points, error) {
	var (
		c                   = newPointColumns()
		scales              proto.ColInt32
		zeros               proto.ColUInt64
		thresholds          proto.ColFloat64
		positiveOffsets     proto.ColInt32
		negativeOffsets     proto.ColInt32
		positive            = new(proto.ColUInt64).Array()
		negative            = new(proto.ColUInt64).Array()
		positiveCounts      = positive.Data.(*proto.ColUInt64)
		negativeCounts      = negative.Data.(*proto.ColUInt64)
		found               = map[uint64]*points{}
		buckets, maxBuckets = 0, s.cfg.MaxSamples * 4
	)
	c.Add("scale", &scales)
	c.Add("zero_count", &zeros)
	c.Add("zero_threshold", &thresholds)
	c.Add("positive_offset", &positiveOffsets)
	c.Add("positive_counts", positive)
	c.Add("negative_offset", &negativeOffsets)
	c.Add("negative_counts", negative)
	err := s.readPoints(ctx, tables.ExponentialHistograms, k, in, c, func(row *stored, n int) error {
		h := staleHistogram()
		if !c.stale(n) {
			floats := row.floats(c.flags[n])
			h = &histogram.FloatHistogram{
				CounterResetHint: row.hint(c.flags[n]),
				Schema:           scales[n], ZeroThreshold: thresholds[n], ZeroCount: number(zeros[n], floats),
				Count: number(c.counts[n], floats), Sum: c.sums[n],
			}
			h.PositiveSpans, h.PositiveBuckets = dense(positiveOffsets[n], elements(positive.Offsets, *positiveCounts, n), floats)
			h.NegativeSpans, h.NegativeBuckets = dense(negativeOffsets[n], elements(negative.Offsets, *negativeCounts, n), floats)
			if !fit(h) {
				return nil
			}
			if buckets += len(h.PositiveBuckets) + len(h.NegativeBuckets); buckets > maxBuckets {
				return s.bound(math.MaxInt)
			}
		}
		s.keep(found, row.fingerprint, c.times[n], c.starts[n], h)
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

// classic reads histograms with explicit bounds and calls add for each point,
// whose times are Unix nanoseconds.
func (s *Store) classic(ctx context.Context, k *kindViews, in span, add func(row *stored, time, start int64, h *classicPoint)) error {
	var (
		c         = newPointColumns()
		bounds    = new(proto.ColFloat64).Array()
		counts    = new(proto.ColUInt64).Array()
		allBounds = bounds.Data.(*proto.ColFloat64)
		allCounts = counts.Data.(*proto.ColUInt64)
		has       proto.ColUInt8
		total     int
	)
	c.Add("has", &has)
	c.Add("bounds", bounds)
	c.Add("counts", counts)
	err := s.readPoints(ctx, tables.Histograms, k, in, c, func(row *stored, n int) error {
		h := classicPoint{
			flags: c.flags[n], stale: c.stale(n), hasSum: has[n]&1 != 0, count: c.counts[n], sum: c.sums[n],
			bounds: elements(bounds.Offsets, *allBounds, n), counts: elements(counts.Offsets, *allCounts, n),
		}
		add(row, c.times[n], c.starts[n], &h)
		total += len(h.counts) + 2
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

// summaries reads summaries and calls add for each point, whose time is Unix
// nanoseconds.
func (s *Store) summaries(ctx context.Context, k *kindViews, in span, add func(row *stored, time int64, h *summaryPoint)) error {
	var (
		c            = newPointColumns()
		quantiles    = new(proto.ColFloat64).Array()
		values       = new(proto.ColFloat64).Array()
		allQuantiles = quantiles.Data.(*proto.ColFloat64)
		allValues    = values.Data.(*proto.ColFloat64)
		total        int
	)
	c.Add("quantiles", quantiles)
	c.Add("values", values)
	err := s.readPoints(ctx, tables.Summaries, k, in, c, func(row *stored, n int) error {
		p := summaryPoint{
			stale: c.stale(n), count: float64(c.counts[n]), sum: c.sums[n],
			quantiles: elements(quantiles.Offsets, *allQuantiles, n), values: elements(values.Offsets, *allValues, n),
		}
		add(row, c.times[n], &p)
		total += len(p.values) + 2
		return s.bound(total)
	})
	if err != nil {
		return fmt.Errorf("reading summaries: %w", err)
	}
	return nil
}

// summaryPoint is a point of a summary. Its slices are views that are valid during
// the call that it is passed to.
type summaryPoint struct {
	stale             bool
	count, sum        float64
	quantiles, values []float64
}
