package promql

import (
	"math"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

func isStale(v float64) bool { return value.IsStaleNaN(v) }

// millisecond is a time in Unix milliseconds. Under its own name, go vet does not
// take Seek for the method of io.Seeker.
type millisecond = int64

// staleValue marks the end of a series.
var staleValue = math.Float64frombits(value.StaleNaN)

// iterator goes through the samples of a series. Its zero value has none.
type iterator struct {
	*points
	at  int // index of the current sample, -1 before the first
	err error
}

var _ chunkenc.Iterator = (*iterator)(nil)

var noPoints points

// reset begins at the first of the samples, or ends with an error.
func (it *iterator) reset(p *points, err error) {
	if p == nil {
		p = &noPoints
	}
	it.points, it.at, it.err = p, -1, err
}

func (it *iterator) Next() chunkenc.ValueType {
	it.at++
	return it.kind()
}

func (it *iterator) Seek(t millisecond) chunkenc.ValueType {
	if it.at < 0 {
		it.at = 0
	}
	if it.at < len(it.times) && it.times[it.at] >= t {
		return it.kind()
	}
	// The samples asked for tend to be near.
	step := 1
	low := it.at
	for low+step < len(it.times) && it.times[low+step] < t {
		low += step
		step *= 2
	}
	high := min(low+step, len(it.times))
	it.at = low + sort.Search(high-low, func(i int) bool { return it.times[low+i] >= t })
	return it.kind()
}

func (it *iterator) kind() chunkenc.ValueType {
	switch {
	case it.at >= len(it.times):
		it.at = len(it.times)
		return chunkenc.ValNone
	case it.histograms != nil && it.histograms[it.at] != nil:
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

func (it *iterator) At() (int64, float64) { return it.times[it.at], it.values[it.at] }

// AtHistogram is not called: histograms are of the type ValFloatHistogram.
func (it *iterator) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) {
	panic("promql: histograms are given with floating-point counts")
}

func (it *iterator) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	if h == nil {
		return it.times[it.at], it.histograms[it.at].Copy()
	}
	it.histograms[it.at].CopyTo(h)
	return it.times[it.at], h
}

func (it *iterator) AtT() int64 { return it.times[it.at] }

func (it *iterator) AtST() int64 {
	if it.starts == nil {
		return 0
	}
	return it.starts[it.at]
}

func (it *iterator) Err() error { return it.err }
