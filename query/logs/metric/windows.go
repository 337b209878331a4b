package metric

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// Point is a number and when it was: what a line counts, or the sum of what the
// lines of a slot of time count, at the slot's end.
type Point struct {
	Time  int64 // Unix nanoseconds
	Value float64
}

// Window says what becomes of the points within a range before each step. The
// range begins behind its start and includes its end.
type Window struct {
	Op            string
	Param         float64
	Range, Offset time.Duration
	// Unwrapped is set where points are values of labels, and not counts.
	Unwrapped bool
}

// Series computes a series of points, which it sorts. It is nil where no step has
// a value.
func (w *Window) Series(labels pipeline.Labels, points []Point, steps Steps) *Series {
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Time, b.Time) })
	s := newSeries(labels, steps.N)
	found := false
	sums := w.sums(points)
	from, to := 0, 0
	for i := range steps.N {
		end := steps.At(i) - int64(w.Offset)
		start := end - int64(w.Range)
		for to < len(points) && points[to].Time <= end {
			to++
		}
		for from < to && points[from].Time <= start {
			from++
		}
		if from == to {
			continue
		}
		var v float64
		ok := true
		if sums != nil {
			v = w.perSecond(sums[to] - sums[from])
		} else {
			v, ok = w.value(points[from:to], start, end)
		}
		if ok {
			s.set(i, v)
			found = true
		}
	}
	if !found {
		return nil
	}
	return s
}

// sums returns the sums of all points before each, where they are whole numbers,
// whose differences are exact.
func (w *Window) sums(points []Point) []float64 {
	if w.Unwrapped {
		return nil
	}
	sums := make([]float64, len(points)+1)
	for i := range points {
		sums[i+1] = sums[i] + points[i].Value
	}
	return sums
}

func (w *Window) perSecond(sum float64) float64 {
	if w.Op == "rate" || w.Op == "bytes_rate" {
		return sum / w.Range.Seconds()
	}
	return sum
}

// value computes a function of the points of a range, of which there is one at
// least.
func (w *Window) value(points []Point, start, end int64) (float64, bool) {
	switch w.Op {
	case "first_over_time":
		return points[0].Value, true
	case "last_over_time":
		return points[len(points)-1].Value, true
	case "rate_counter":
		return counterRate(points, start, end)
	case "quantile_over_time":
		values := make([]float64, len(points))
		for i := range points {
			values[i] = points[i].Value
		}
		return quantile(w.Param, values), true
	case "min_over_time", "max_over_time":
		v := points[0].Value
		for _, p := range points[1:] {
			if math.IsNaN(v) || w.Op == "min_over_time" && p.Value < v || w.Op == "max_over_time" && p.Value > v {
				v = p.Value
			}
		}
		return v, true
	}
	sum := 0.0
	for _, p := range points {
		sum += p.Value
	}
	switch w.Op {
	case "avg_over_time":
		return sum / float64(len(points)), true
	case "stddev_over_time", "stdvar_over_time":
		mean, squares := sum/float64(len(points)), 0.0
		for _, p := range points {
			squares += (p.Value - mean) * (p.Value - mean)
		}
		if squares /= float64(len(points)); w.Op == "stddev_over_time" {
			return math.Sqrt(squares), true
		}
		return squares, true
	}
	return w.perSecond(sum), true // sum_over_time and rate
}

// quantile interpolates between the two nearest values. It sorts them.
func quantile(q float64, values []float64) float64 {
	switch {
	case len(values) == 0 || math.IsNaN(q):
		return math.NaN()
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	sort.Float64s(values)
	rank := q * float64(len(values)-1)
	low := int(rank)
	high := min(low+1, len(values)-1)
	weight := rank - float64(low)
	return values[low]*(1-weight) + values[high]*weight
}

// counterRate is the rate of a counter, which may begin again at 0, extrapolated
// to the ends of the range as Prometheus does.
func counterRate(points []Point, start, end int64) (float64, bool) {
	n := len(points)
	if n < 2 || points[n-1].Time == points[0].Time {
		return 0, false
	}
	first, last := points[0], points[n-1]
	increase := last.Value - first.Value
	before := first.Value
	for _, p := range points[1:] {
		if p.Value < before {
			increase += before
		}
		before = p.Value
	}
	toStart, toEnd := float64(first.Time-start)/1e9, float64(end-last.Time)/1e9
	sampled := float64(last.Time-first.Time) / 1e9
	between := sampled / float64(n-1)
	threshold := between * 1.1
	if toStart >= threshold {
		toStart = between / 2
	}
	if increase > 0 && first.Value >= 0 {
		toStart = min(toStart, sampled*(first.Value/increase))
	}
	if toEnd >= threshold {
		toEnd = between / 2
	}
	return increase * (sampled + toStart + toEnd) / sampled / (float64(end-start) / 1e9), true
}

// Absent returns the series that is 1 where none of the series has a value; nil
// where there always is one.
func Absent(labels pipeline.Labels, series []*Series, steps Steps) *Series {
	s := newSeries(labels, steps.N)
	found := false
	for i := range steps.N {
		absent := true
		for _, other := range series {
			absent = absent && !other.Present[i]
		}
		if absent {
			s.set(i, 1)
			found = true
		}
	}
	if !found {
		return nil
	}
	return s
}
