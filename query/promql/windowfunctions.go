package promql

import (
	"math"
	"time"

	"github.com/prometheus/prometheus/util/kahansum"

	"github.com/goshawk-observability/goshawk/telemetry/rollup"
)

// function is how a call is evaluated.
type function struct {
	// least is how many samples a window needs.
	least int
	// counter is set for functions of counters.
	counter bool
	// named is set where the result keeps the names of series.
	named bool
	// at evaluates the call at the end of a window. It is nil where there is no
	// call but a plain selector, which the engine evaluates itself.
	at func(*windowCall, *window) float64
	// rolled does the same from rollups, of which it needs some columns. It
	// reports false where it cannot. Nil is for functions without it.
	rolled func(c *windowCall, end int64, w rollup.Window) (float64, bool)
	needs  need
}

// functions are those that are evaluated here.
var functions = map[string]function{
	"rate": {
		least: 2, counter: true, at: func(c *windowCall, w *window) float64 { return c.increase(w, true) },
		rolled: func(c *windowCall, end int64, w rollup.Window) (float64, bool) {
			return c.rolledIncrease(w, end, true), true
		},
		needs: needFirst | needLast | needResets,
	},
	"increase": {
		least: 2, counter: true, at: func(c *windowCall, w *window) float64 { return c.increase(w, false) },
		rolled: func(c *windowCall, end int64, w rollup.Window) (float64, bool) {
			return c.rolledIncrease(w, end, false), true
		},
		needs: needFirst | needLast | needResets,
	},
	"max_over_time": {
		least: 1, at: func(_ *windowCall, w *window) float64 { return w.greatest() },
		rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) { return w.Max(), true },
		needs:  needLast | needMax,
	},
	"min_over_time": {
		least: 1, at: func(_ *windowCall, w *window) float64 { return w.least() },
		rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) { return w.Min(), true },
		needs:  needFirst | needMin,
	},
	"count_over_time": {
		least: 1, at: func(_ *windowCall, w *window) float64 { return float64(len(w.values)) },
		rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) { return float64(w.Count()), true },
	},
	"sum_over_time": {
		least: 1, at: func(_ *windowCall, w *window) float64 { return w.sum() },
		rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) { return w.Sum() },
		needs:  needSum,
	},
	"avg_over_time": {
		least: 1, at: func(_ *windowCall, w *window) float64 { return w.mean() },
		rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) { return w.Mean() },
		needs:  needSum,
	},
	"last_over_time": {
		least: 1, named: true, at: func(_ *windowCall, w *window) float64 { return w.values[len(w.values)-1] },
		rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) {
			_, last := w.Bounds()
			return last.Last, true
		},
		needs: needLast,
	},
	"present_over_time": {
		least: 1, at: func(*windowCall, *window) float64 { return 1 },
		rolled: func(*windowCall, int64, rollup.Window) (float64, bool) { return 1, true },
	},
}

// selection is the function that stands for a plain selector: its window is the
// lookback.
var selection = function{
	least: 1, named: true,
	rolled: func(_ *windowCall, _ int64, w rollup.Window) (float64, bool) {
		v, ok := w.Newest()
		if !ok {
			v = staleValue
		}
		return v, true
	},
	needs: needLast | needStale,
}

// window are the samples that a function sees at a time.
type window struct {
	end    int64
	times  []int64
	values []float64
	// resets are the places in all at which a counter begins anew, from the
	// second sample of the window on and beyond it; last is the place of its end.
	resets []int
	all    []float64
	last   int
	// strange is set by a function that cannot evaluate the window.
	strange bool
}

// increase extrapolates the increase within a window, as promql.extrapolatedRate
// does for counters of floats without start times.
func (c *windowCall) increase(w *window, rate bool) float64 {
	last := len(w.times) - 1
	result := w.values[last] - w.values[0]
	for _, i := range w.resets {
		if i >= w.last {
			break
		}
		result += w.all[i-1]
	}
	return c.extrapolate(result, w.values[0], w.times[0], w.times[last], last, w.end, rate)
}

// rolledIncrease is increase for what samples add up to.
func (c *windowCall) rolledIncrease(w rollup.Window, end int64, rate bool) float64 {
	first, last := w.Bounds()
	return c.extrapolate(w.Increase(), first.First, first.FirstTime, last.LastTime, w.Count()-1, end, rate)
}

// extrapolate extends an increase over the whole window that ends at end. Between
// the first sample and the last there are as many intervals.
func (c *windowCall) extrapolate(result, first float64, from, to int64, intervals int, end int64, rate bool) float64 {
	toStart := float64(from-(end-c.window)) / 1000
	toEnd := float64(end-to) / 1000
	sampled := float64(to-from) / 1000
	average := sampled / float64(intervals)
	threshold := average * 1.1
	if toStart >= threshold {
		toStart = average / 2
	}
	toZero := toStart
	if result > 0 && first >= 0 {
		toZero = sampled * (first / result)
	}
	if toZero < toStart {
		toStart = toZero
	}
	if toEnd >= threshold {
		toEnd = average / 2
	}
	factor := 1.0
	if sampled != 0 {
		factor = (sampled + toStart + toEnd) / sampled
	}
	if rate {
		factor /= (time.Duration(c.window) * time.Millisecond).Seconds()
	}
	return result * factor
}

// greatest is the greatest value; NaN only where there is nothing else.
func (w *window) greatest() float64 {
	most := w.values[0]
	for _, v := range w.values {
		if v > most || math.IsNaN(most) {
			most = v
		}
	}
	return most
}

// least is the least value; NaN only where there is nothing else.
func (w *window) least() float64 {
	least := w.values[0]
	for _, v := range w.values {
		if v < least || math.IsNaN(least) {
			least = v
		}
	}
	return least
}

// sum adds with Kahan's compensation, as the engine does.
func (w *window) sum() float64 {
	sum, c := w.compensated()
	if math.IsInf(sum, 0) {
		return sum
	}
	return sum + c
}

// mean divides the sum, as the engine does unless the sum is too great.
func (w *window) mean() float64 {
	sum, c := w.compensated()
	w.strange = w.strange || math.IsInf(sum, 0)
	n := float64(len(w.values))
	return sum/n + c/n
}

func (w *window) compensated() (sum, c float64) {
	for _, v := range w.values {
		sum, c = kahansum.Inc(v, sum, c)
	}
	return sum, c
}
