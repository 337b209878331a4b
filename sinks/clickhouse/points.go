package clickhouse

import (
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// points writes one table of metric points.
type points[T any] struct {
	rows         rows[T]
	fingerprints []uint64 // by index of the rows
	sort         sorter
	block        *block
	point        func(*T) *telemetry.Point
}

// common returns the encoders of the columns that every table of points has.
// Own are those of its shape.
func (t *points[T]) common(sh *shared, own encoders) encoders {
	r := &t.rows
	metric := func(p *T) *telemetry.Metric { return &sh.batch.Metrics[t.point(p).Metric] }
	fill := encoders{
		"tenant": lowTexts(r, &sh.words, func(p *T) string { return sh.resources[metric(p).Resource].tenant }),
		"metric": lowTexts(r, &sh.words, func(p *T) string { return metric(p).Name }),
		"fingerprint": func(dst []byte) []byte {
			return appendOrdered(dst, r.part, t.fingerprints)
		},
		"bucket":         buckets(r, func(p *T) int64 { return t.point(p).Time }),
		"time":           eventTimes(r, func(p *T) int64 { return t.point(p).Time }),
		"start_time":     times(r, func(p *T) int64 { return t.point(p).Start }),
		"flags":          uint32s(r, func(p *T) uint32 { return t.point(p).Flags }),
		"retention_days": uint16s(r, func(p *T) uint16 { return sh.resources[metric(p).Resource].retentionDays }),
	}
	for name, encode := range own {
		fill[name] = encode
	}
	return fill
}

// prepare fingerprints the rows and orders them.
func (t *points[T]) prepare(s *Sink, all []T) *block {
	t.fingerprints = t.fingerprints[:0]
	t.sort.reset(len(all))
	for i := range all {
		p := t.point(&all[i])
		f := s.series.see(&s.shared, p)
		s.exemplars.see(s.shared.batch, p, f)
		t.fingerprints = append(t.fingerprints, f)
		m := &s.shared.metrics[p.Metric]
		time := eventTime(p.Time)
		t.sort.add(pointPrefix(m.rank, time), f, time)
	}
	t.rows.all, t.rows.order = all, t.sort.sorted()
	t.block.rows = len(all)
	return t.block
}

func newSamples(s *Sink) *points[telemetry.NumberPoint] {
	t := &points[telemetry.NumberPoint]{point: func(p *telemetry.NumberPoint) *telemetry.Point { return &p.Point }}
	r := &t.rows
	t.block = s.newBlock(tables.Samples, t.rows.use, t.common(&s.shared, encoders{
		"value":     float64s(r, valueOf),
		"is_int":    uint8s(r, func(p *telemetry.NumberPoint) uint8 { return boolByte(p.IsInt) }),
		"exact_int": int64s(r, func(p *telemetry.NumberPoint) int64 { return exactInt(p.IsInt, p.Int) }),
	}))
	return t
}

func newHistograms(s *Sink) *points[telemetry.HistogramPoint] {
	t := &points[telemetry.HistogramPoint]{point: func(p *telemetry.HistogramPoint) *telemetry.Point { return &p.Point }}
	r, sh := &t.rows, &s.shared
	t.block = s.newBlock(tables.Histograms, t.rows.use, t.common(sh, encoders{
		"count":  int64s(r, func(p *telemetry.HistogramPoint) int64 { return int64(p.Count) }),
		"sum":    float64s(r, func(p *telemetry.HistogramPoint) float64 { return p.Sum }),
		"min":    float64s(r, func(p *telemetry.HistogramPoint) float64 { return p.Min }),
		"max":    float64s(r, func(p *telemetry.HistogramPoint) float64 { return p.Max }),
		"has":    uint8s(r, func(p *telemetry.HistogramPoint) uint8 { return hasBits(p.HasSum, p.HasMin, p.HasMax) }),
		"bounds": numberArrays(r, func(p *telemetry.HistogramPoint) telemetry.Range { return p.Bounds }, 0, 1, sh.float),
		"counts": numberArrays(r, func(p *telemetry.HistogramPoint) telemetry.Range { return p.Counts }, 0, 1, sh.uint),
	}))
	return t
}

func newExponentials(s *Sink) *points[telemetry.ExponentialPoint] {
	t := &points[telemetry.ExponentialPoint]{point: func(p *telemetry.ExponentialPoint) *telemetry.Point { return &p.Point }}
	r, sh := &t.rows, &s.shared
	t.block = s.newBlock(tables.ExponentialHistograms, t.rows.use, t.common(sh, encoders{
		"count":           int64s(r, func(p *telemetry.ExponentialPoint) int64 { return int64(p.Count) }),
		"sum":             float64s(r, func(p *telemetry.ExponentialPoint) float64 { return p.Sum }),
		"min":             float64s(r, func(p *telemetry.ExponentialPoint) float64 { return p.Min }),
		"max":             float64s(r, func(p *telemetry.ExponentialPoint) float64 { return p.Max }),
		"has":             uint8s(r, func(p *telemetry.ExponentialPoint) uint8 { return hasBits(p.HasSum, p.HasMin, p.HasMax) }),
		"scale":           uint32s(r, func(p *telemetry.ExponentialPoint) uint32 { return uint32(p.Scale) }),
		"zero_count":      int64s(r, func(p *telemetry.ExponentialPoint) int64 { return int64(p.ZeroCount) }),
		"zero_threshold":  float64s(r, func(p *telemetry.ExponentialPoint) float64 { return p.ZeroThreshold }),
		"positive_offset": uint32s(r, func(p *telemetry.ExponentialPoint) uint32 { return uint32(p.Positive.Offset) }),
		"positive_counts": numberArrays(r, func(p *telemetry.ExponentialPoint) telemetry.Range { return p.Positive.Counts }, 0, 1, sh.uint),
		"negative_offset": uint32s(r, func(p *telemetry.ExponentialPoint) uint32 { return uint32(p.Negative.Offset) }),
		"negative_counts": numberArrays(r, func(p *telemetry.ExponentialPoint) telemetry.Range { return p.Negative.Counts }, 0, 1, sh.uint),
	}))
	return t
}

func newSummaries(s *Sink) *points[telemetry.SummaryPoint] {
	t := &points[telemetry.SummaryPoint]{point: func(p *telemetry.SummaryPoint) *telemetry.Point { return &p.Point }}
	r, sh := &t.rows, &s.shared
	pairs := func(p *telemetry.SummaryPoint) telemetry.Range { return p.Quantiles }
	t.block = s.newBlock(tables.Summaries, t.rows.use, t.common(sh, encoders{
		"count":     int64s(r, func(p *telemetry.SummaryPoint) int64 { return int64(p.Count) }),
		"sum":       float64s(r, func(p *telemetry.SummaryPoint) float64 { return p.Sum }),
		"quantiles": numberArrays(r, pairs, 0, 2, sh.float),
		"values":    numberArrays(r, pairs, 1, 2, sh.float),
	}))
	return t
}

// valueOf is the value of a point; that of a point without a recorded value is
// the NaN by which Prometheus marks a series as stale, so that PromQL need not
// read the flags.
func valueOf(p *telemetry.NumberPoint) float64 {
	if p.Flags&telemetry.FlagNoRecordedValue != 0 {
		return math.Float64frombits(staleNaN)
	}
	return p.Value
}

// staleNaN are the bits of value.StaleNaN of Prometheus.
const staleNaN = 0x7ff0000000000002

// pointPrefix packs what tables of points are ordered by before the fingerprint.
func pointPrefix(rank uint32, time int64) uint64 {
	return uint64(rank)<<32 | uint64(time/bucketWidth)
}

// exactInt is the column exact_int: the integer where a double cannot hold it.
func exactInt(isInt bool, i int64) int64 {
	if !isInt || exactInDouble(i) {
		return 0
	}
	return i
}

func boolByte(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// hasBits is the column has.
func hasBits(sum, minimum, maximum bool) uint8 {
	return boolByte(sum) | boolByte(minimum)<<1 | boolByte(maximum)<<2
}

func (s *shared) float(i uint32) uint64 { return math.Float64bits(s.batch.Floats[i]) }

func (s *shared) uint(i uint32) uint64 { return s.batch.Uints[i] }
