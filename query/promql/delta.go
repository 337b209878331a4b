package promql

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/histogram"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// This file has what histograms of delta temporality had counted before a time:
// the totals that the first point of a range builds upon, so that every query
// sees the same counter. Store.before does the same for sums.

// classicTotals are the parts of a histogram with explicit bounds.
type classicTotals struct {
	count, sum float64
	buckets    map[string]float64 // by le
}

// pointMillisecond is what repeated points have in common.
const pointMillisecond = "intDiv(toUnixTimestamp64Nano(time), 1000000)"

// hasValue is the condition that a point counts something.
var hasValue = fmt.Sprintf("bitAnd(flags, %d) = 0", telemetry.FlagNoRecordedValue)

// classicBefore returns the totals of histograms before a time, Unix
// milliseconds. Of several points of one millisecond it counts what finish keeps:
// the greatest of each part.
func (s *Store) classicBefore(ctx context.Context, w *wanted, t int64) (map[uint64]*classicTotals, error) {
	found := make(map[uint64]*classicTotals, len(w.fingerprints))
	if len(w.fingerprints) == 0 {
		return found, nil
	}
	var (
		out          clickhouse.Output
		fingerprints proto.ColUInt64
		counts       proto.ColUInt64
		sums         proto.ColFloat64
		bounds       = new(proto.ColFloat64).Array()
		buckets      = new(proto.ColUInt64).Array()
	)
	c := w.condition(tenantOf(ctx), span{0, t - 1}, false)
	c.Add(hasValue)
	out.Add("fingerprint", &fingerprints)
	out.Add("bounds", bounds)
	out.Add("sumForEach(below)", buckets)
	out.Add("sum(n)", &counts)
	out.Add("sum(total)", &sums)
	text := "SELECT " + out.Columns() + " FROM (SELECT fingerprint, bounds, maxForEach(arrayCumSum(counts)) AS below, max(count) AS n, " +
		"max(if(bitAnd(has, 1) = 1 AND NOT isNaN(sum), sum, 0)) AS total FROM " + s.table(tables.Histograms) +
		" WHERE " + c.Where() + " GROUP BY fingerprint, bounds, " + pointMillisecond + ") GROUP BY fingerprint, bounds"
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		allBounds, allBuckets := *bounds.Data.(*proto.ColFloat64), *buckets.Data.(*proto.ColUInt64)
		for i, f := range fingerprints {
			total := found[f]
			if total == nil {
				total = &classicTotals{buckets: map[string]float64{}}
				found[f] = total
			}
			total.count += float64(counts[i])
			total.sum += sums[i]
			total.buckets["+Inf"] += float64(counts[i])
			below := elements(buckets.Offsets, allBuckets, i)
			for n, bound := range elements(bounds.Offsets, allBounds, i) {
				if n < len(below) {
					total.buckets[labelOf(bound)] += float64(below[n])
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what histograms had counted before: %w", err)
	}
	return found, nil
}

// nativesBefore returns the totals of exponential histograms before a time, Unix
// milliseconds. Of several points of one millisecond that with the greatest sum
// counts.
func (s *Store) nativesBefore(ctx context.Context, w *wanted, t int64) (map[uint64]*histogram.FloatHistogram, error) {
	found := make(map[uint64]*histogram.FloatHistogram, len(w.fingerprints))
	if len(w.fingerprints) == 0 {
		return found, nil
	}
	var (
		out                              clickhouse.Output
		fingerprints, zeros, counts      proto.ColUInt64
		scales                           proto.ColInt32
		thresholds, sums                 proto.ColFloat64
		positiveIndexes, negativeIndexes = new(proto.ColInt32).Array(), new(proto.ColInt32).Array()
		positiveCounts, negativeCounts   = new(proto.ColUInt64).Array(), new(proto.ColUInt64).Array()
		indexes                          = "arrayMap(i -> toInt32(%[1]s_offset + i - 1), arrayEnumerate(%[1]s_counts)) AS %[1]s_indexes"
		c                                = w.condition(tenantOf(ctx), span{0, t - 1}, false)
	)
	c.Add(hasValue)
	out.Add("fingerprint", &fingerprints)
	out.Add("scale", &scales)
	out.Add("zero_threshold", &thresholds)
	out.Add("sum(zero_count)", &zeros)
	out.Add("sum(count)", &counts)
	out.Add("sum(sum)", &sums)
	out.Add("sumMap(positive_indexes, positive_counts).1", positiveIndexes)
	out.Add("sumMap(positive_indexes, positive_counts).2", positiveCounts)
	out.Add("sumMap(negative_indexes, negative_counts).1", negativeIndexes)
	out.Add("sumMap(negative_indexes, negative_counts).2", negativeCounts)
	text := "SELECT " + out.Columns() + " FROM (SELECT fingerprint, scale, zero_threshold, zero_count, count, sum, positive_counts, negative_counts, " +
		fmt.Sprintf(indexes, "positive") + ", " + fmt.Sprintf(indexes, "negative") + " FROM " + s.table(tables.ExponentialHistograms) +
		" WHERE " + c.Where() + " ORDER BY sum DESC LIMIT 1 BY fingerprint, " + pointMillisecond +
		") GROUP BY fingerprint, scale, zero_threshold ORDER BY fingerprint, scale DESC, zero_threshold"
	err := s.read(ctx, text, c.Parameters, out.Result, func() error {
		for i, f := range fingerprints {
			h := &histogram.FloatHistogram{
				Schema: scales[i], ZeroThreshold: thresholds[i], ZeroCount: float64(zeros[i]), Count: float64(counts[i]), Sum: sums[i],
			}
			h.PositiveSpans, h.PositiveBuckets = scattered(positiveIndexes.Row(i), positiveCounts.Row(i))
			h.NegativeSpans, h.NegativeBuckets = scattered(negativeIndexes.Row(i), negativeCounts.Row(i))
			if !fit(h) {
				continue
			}
			if sum := found[f]; sum != nil {
				added, _, _, err := sum.Add(h)
				if err != nil {
					return err
				}
				h = added
			}
			found[f] = h
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what histograms had counted before: %w", err)
	}
	return found, nil
}

// fit gives a histogram a resolution that PromQL has, and reports whether there
// is one.
func fit(h *histogram.FloatHistogram) bool {
	if h.Schema > histogram.ExponentialSchemaMax {
		return h.ReduceResolution(histogram.ExponentialSchemaMax) == nil
	}
	return h.Schema >= histogram.ExponentialSchemaMin
}

// scattered is dense for buckets with an index each, ascending.
func scattered(indexes []int32, counts []uint64) ([]histogram.Span, []float64) {
	var spans []histogram.Span
	buckets := make([]float64, len(counts))
	next := int32(0) // index after the last bucket
	for i, index := range indexes {
		buckets[i] = float64(counts[i])
		index++
		if len(spans) == 0 || index != next {
			spans = append(spans, histogram.Span{Offset: index - next})
		}
		spans[len(spans)-1].Length++
		next = index + 1
	}
	return spans, buckets
}
