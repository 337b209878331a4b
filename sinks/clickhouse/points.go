package clickhouse

import (
	"encoding/binary"
	"math"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// points writes one table of metric points.
type points[T any] struct {
	// rows are those of a piece, in order, which the encoders of the shape see.
	rows         rows[T]
	all          []T
	order        []uint32
	fingerprints []uint64 // by index of all
	sort         sorter
	block        *block
	point        func(*T) *telemetry.Point
	shared       *shared

	// What every table has, of the rows of a piece: gathered once, because the
	// order jumps about in memory.
	ids           []uint64
	times, starts []int64
	flags         []uint32
	runs          []pointRun
}

// pointRun are consecutive rows of a metric name.
type pointRun struct {
	metric uint32
	rows   int
}

// use makes the encoders see rows [from, to) of the order.
func (t *points[T]) use(from, to int) {
	n := to - from
	if cap(t.rows.all) < n {
		t.rows.all = make([]T, 0, pieceRows)
		t.ids, t.flags = make([]uint64, 0, pieceRows), make([]uint32, 0, pieceRows)
		t.times, t.starts = make([]int64, 0, pieceRows), make([]int64, 0, pieceRows)
		t.rows.part = make([]uint32, pieceRows)
		for i := range t.rows.part {
			t.rows.part[i] = uint32(i)
		}
	}
	t.rows.all, t.rows.part = t.rows.all[:n], t.rows.part[:n]
	t.ids, t.flags, t.times, t.starts = t.ids[:n], t.flags[:n], t.times[:n], t.starts[:n]
	t.runs = t.runs[:0]
	metrics := t.shared.metrics
	last, rank, begin := uint32(0), uint32(0), 0
	for i, row := range t.order[from:to] {
		t.rows.all[i] = t.all[row]
		p := t.point(&t.rows.all[i])
		t.ids[i], t.flags[i] = t.fingerprints[row], p.Flags
		t.times[i], t.starts[i] = eventTime(p.Time), storableTime(p.Start)
		if i == 0 {
			last, rank = p.Metric, metrics[p.Metric].rank
		} else if p.Metric != last {
			if r := metrics[p.Metric].rank; r != rank {
				t.runs = append(t.runs, pointRun{last, i - begin})
				rank, begin = r, i
			}
			last = p.Metric
		}
	}
	t.runs = append(t.runs, pointRun{last, n - begin})
}

// common returns the encoders of the columns that every table of points has.
// Own are those of its shape.
func (t *points[T]) common(sh *shared, own encoders) encoders {
	t.shared = sh
	of := func(r pointRun) *resource { return &sh.resources[sh.batch.Metrics[r.metric].Resource] }
	fill := encoders{
		"tenant":      t.runTexts(func(r pointRun) string { return of(r).tenant }),
		"metric":      t.runTexts(func(r pointRun) string { return sh.batch.Metrics[r.metric].Name }),
		"fingerprint": func(dst []byte) []byte { return appendNumbers(dst, t.ids) },
		"bucket": func(dst []byte) []byte {
			dst, out := extend(dst, 4*len(t.times))
			for i, time := range t.times {
				binary.LittleEndian.PutUint32(out[4*i:], uint32(time/bucketWidth*tables.BucketSeconds))
			}
			return dst
		},
		"time":       func(dst []byte) []byte { return appendNumbers(dst, t.times) },
		"start_time": func(dst []byte) []byte { return appendNumbers(dst, t.starts) },
		"flags": func(dst []byte) []byte {
			dst, out := extend(dst, 4*len(t.flags))
			for i, flags := range t.flags {
				binary.LittleEndian.PutUint32(out[4*i:], flags)
			}
			return dst
		},
		"retention_days": func(dst []byte) []byte {
			for _, r := range t.runs {
				days := of(r).retentionDays
				for range r.rows {
					dst = binary.LittleEndian.AppendUint16(dst, days)
				}
			}
			return dst
		},
	}
	for name, encode := range own {
		fill[name] = encode
	}
	return fill
}

// runTexts encodes a column of texts that are the same for all rows of a run.
func (t *points[T]) runTexts(value func(pointRun) string) encoder {
	return func(dst []byte) []byte {
		words := &t.shared.words
		words.reset(len(t.rows.part))
		for _, r := range t.runs {
			words.addTimes(value(r), r.rows)
		}
		return words.append(dst)
	}
}

// appendNumbers appends a column of 8-byte numbers.
func appendNumbers[N int64 | uint64](dst []byte, numbers []N) []byte {
	dst, out := extend(dst, 8*len(numbers))
	for i, n := range numbers {
		binary.LittleEndian.PutUint64(out[8*i:], uint64(n))
	}
	return dst
}

// see fingerprints the rows and notes their series and exemplars.
func (t *points[T]) see(s *Sink, all []T) {
	t.fingerprints = t.fingerprints[:0]
	t.sort.reset(len(all))
	for i := range all {
		p := t.point(&all[i])
		f := s.series.see(&s.shared, p)
		s.exemplars.see(s.shared.batch, p, f)
		t.fingerprints = append(t.fingerprints, f)
		t.place(&s.shared, p, f)
	}
}

// place notes where the next row is in the order of the table.
func (t *points[T]) place(sh *shared, p *telemetry.Point, fingerprint uint64) {
	time := eventTime(p.Time)
	t.sort.add(pointPrefix(sh.metrics[p.Metric].rank, time), fingerprint, time)
}

// prepare orders the rows that were seen.
func (t *points[T]) prepare(all []T) *block {
	t.all, t.order = all, t.sort.sorted()
	t.block.rows = len(all)
	return t.block
}

// release lets go of the batch.
func (t *points[T]) release() { t.all = nil }

func newSamples(s *Sink) *points[telemetry.NumberPoint] {
	t := &points[telemetry.NumberPoint]{point: func(p *telemetry.NumberPoint) *telemetry.Point { return &p.Point }}
	r := &t.rows
	t.block = s.newBlock(tables.Samples, t.use, t.common(&s.shared, encoders{
		"value":     float64s(r, valueOf),
		"is_int":    uint8s(r, func(p *telemetry.NumberPoint) uint8 { return boolByte(p.IsInt) }),
		"exact_int": int64s(r, func(p *telemetry.NumberPoint) int64 { return exactInt(p.IsInt, p.Int) }),
	}))
	return t
}

func newHistograms(s *Sink) *points[telemetry.HistogramPoint] {
	t := &points[telemetry.HistogramPoint]{point: func(p *telemetry.HistogramPoint) *telemetry.Point { return &p.Point }}
	r, sh := &t.rows, &s.shared
	t.block = s.newBlock(tables.Histograms, t.use, t.common(sh, encoders{
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
	t.block = s.newBlock(tables.ExponentialHistograms, t.use, t.common(sh, encoders{
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
	t.block = s.newBlock(tables.Summaries, t.use, t.common(sh, encoders{
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
