package rollup

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/util/kahansum"
)

type sample struct {
	t int64
	v float64
}

var stale = math.Float64frombits(value.StaleNaN)

// series makes samples with gaps, resets, marks of staleness and values of every
// kind, each at another time.
func series(r *rand.Rand, n int) []sample {
	kind, whole := r.IntN(6), r.IntN(2) == 0
	t, v := int64(r.IntN(90_000))+5*Hour, 0.0
	all := make([]sample, 0, n)
	for range n {
		t += 1 + int64(r.IntN(40_000))
		switch r.IntN(40) {
		case 0:
			v = 0
		case 1:
			t += int64(r.IntN(2 * 3_600_000))
		case 2:
			t = EndOf(t, Minute) // on an edge
		}
		v += float64(r.IntN(100))
		if !whole {
			v += r.Float64()
		}
		s := sample{t, v}
		switch kind {
		case 0:
			s.v = r.NormFloat64()
		case 1:
			if r.IntN(5) == 0 {
				s.v = math.NaN()
			}
		case 2:
			if r.IntN(30) == 0 {
				s.v = math.Inf(1 - 2*r.IntN(2))
			}
		case 3:
			s.v = -v
		}
		if r.IntN(20) == 0 {
			s.v = stale
		}
		all = append(all, s)
	}
	return all
}

// build sums samples up, closing what is open where cut says so.
func build(all []sample, width int64, cut func() bool) []Fragment {
	var b Builder
	var out []Fragment
	for _, s := range all {
		if cut() {
			if f, ok := b.Close(); ok {
				out = append(out, f)
			}
		}
		if f, ok := b.Add(s.t, s.v, width); ok {
			out = append(out, f)
		}
	}
	if f, ok := b.Close(); ok {
		out = append(out, f)
	}
	return out
}

// plain are the answers from the samples themselves, as Prometheus has them.
type plain struct {
	count                                int
	first, last                          sample
	min, max, sum, mean, increase, scale float64
	newest                               float64
	fresh                                bool
}

func plainOf(all []sample) plain {
	var p plain
	var fresh []sample
	for _, s := range all {
		if !value.IsStaleNaN(s.v) {
			fresh = append(fresh, s)
		}
	}
	if p.count = len(fresh); p.count == 0 {
		return p
	}
	p.first, p.last = fresh[0], fresh[len(fresh)-1]
	p.newest, p.fresh = p.last.v, !value.IsStaleNaN(all[len(all)-1].v)
	p.min, p.max, p.increase = p.first.v, p.first.v, p.last.v-p.first.v
	c := 0.0
	for i, s := range fresh {
		if s.v < p.min || math.IsNaN(p.min) {
			p.min = s.v
		}
		if s.v > p.max || math.IsNaN(p.max) {
			p.max = s.v
		}
		if i > 0 && s.v < fresh[i-1].v {
			p.increase += fresh[i-1].v
		}
		if !math.IsNaN(s.v) && !math.IsInf(s.v, 0) {
			p.scale += math.Abs(s.v)
		}
		p.sum, c = kahansum.Inc(s.v, p.sum, c)
	}
	p.mean = p.sum/float64(p.count) + c/float64(p.count)
	if !math.IsInf(p.sum, 0) {
		p.sum += c
	}
	return p
}

func sameBits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

// check compares a window with the samples that it sums up. One fragment gives
// the same bits, several differ by rounding at most.
func check(t *testing.T, w Window, all []sample) {
	t.Helper()
	want := plainOf(all)
	if got := w.Count(); got != want.count {
		t.Fatalf("%d samples, want %d", got, want.count)
	}
	newest, fresh := w.Newest()
	if fresh != want.fresh || fresh && !sameBits(newest, want.newest) {
		t.Fatalf("newest %v %v, want %v %v", newest, fresh, want.newest, want.fresh)
	}
	first, last := w.Bounds()
	if want.count == 0 {
		if first != nil || last != nil {
			t.Fatal("bounds of nothing")
		}
		return
	}
	if first.FirstTime != want.first.t || last.LastTime != want.last.t || !sameBits(first.First, want.first.v) || !sameBits(last.Last, want.last.v) {
		t.Fatalf("from %v to %v, want %v to %v", first, last, want.first, want.last)
	}
	if !sameBits(w.Min(), want.min) || !sameBits(w.Max(), want.max) {
		t.Fatalf("min %v max %v, want %v %v", w.Min(), w.Max(), want.min, want.max)
	}
	counted := 0
	for i := range w {
		if w[i].Count > 0 {
			counted++
		}
	}
	near := func(a, b float64) bool {
		return sameBits(a, b) || counted > 1 && math.Abs(a-b) <= 1e-12*want.scale
	}
	if !near(w.Increase(), want.increase) {
		t.Fatalf("%d fragments: increase %v, want %v", counted, w.Increase(), want.increase)
	}
	sum, ok := w.Sum()
	mean, _ := w.Mean()
	infinite := slices.ContainsFunc(all, func(s sample) bool { return math.IsInf(s.v, 0) })
	if !ok && !infinite || ok && infinite && !math.IsNaN(want.sum) || ok && (!near(sum, want.sum) || math.Abs(mean-want.mean) > 1e-12*want.scale || math.IsNaN(mean) != math.IsNaN(want.mean)) {
		t.Fatalf("%d fragments: sum %v mean %v %v, want %v %v", counted, sum, mean, ok, want.sum, want.mean)
	}
}

// TestAnySplit sums series up in pieces of any size, and evaluates windows of
// any number of them.
func TestAnySplit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		all := series(r, 1+r.IntN(600))
		for _, width := range []int64{Minute, FiveMinutes, Hour} {
			for _, every := range []int{1 << 30, 2, 7, 50} {
				fragments := build(all, width, func() bool { return every < 1<<30 && r.IntN(every) == 0 })
				r.Shuffle(len(fragments), func(i, j int) { fragments[i], fragments[j] = fragments[j], fragments[i] })
				if err := Sort(fragments); err != nil {
					t.Fatal(err)
				}
				windows(t, fragments, all, width)
			}
		}
	}
}

// windows checks every window of one width, and some of several.
func windows(t *testing.T, fragments []Fragment, all []sample, width int64) {
	t.Helper()
	for _, wide := range []int64{1, 3, 24} {
		for end := EndOf(all[0].t, width); end < all[len(all)-1].t+2*width; end += width * wide {
			var w Window
			for _, f := range fragments {
				if f.End > end-wide*width && f.End <= end {
					w = append(w, f)
				}
			}
			var within []sample
			for _, s := range all {
				if s.t > end-wide*width && s.t <= end {
					within = append(within, s)
				}
			}
			check(t, w, within)
		}
	}
}

// FuzzMerge splits a series where the bits of cuts say so.
func FuzzMerge(f *testing.F) {
	f.Add(uint64(1), []byte{0, 255, 17}, uint16(100))
	f.Add(uint64(9), []byte{255}, uint16(3))
	f.Fuzz(func(t *testing.T, seed uint64, cuts []byte, n uint16) {
		all := series(rand.New(rand.NewPCG(seed, 2)), 1+int(n%2000))
		at := 0
		fragments := build(all, Hour, func() bool {
			at++
			return len(cuts) > 0 && cuts[at/8%len(cuts)]>>(at%8)&1 == 1
		})
		if err := Sort(fragments); err != nil {
			t.Fatal(err)
		}
		windows(t, fragments, all, Hour)
	})
}

// TestRounding has counters that begin anew after numbers of very different
// size: the bits of the increase are those of adding one by one.
func TestRounding(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	needed := 0
	for range 20_000 {
		var b Builder
		var all []sample
		for i := range 2 + r.IntN(8) {
			all = append(all, sample{int64(i + 1), math.Ldexp(r.Float64(), r.IntN(60)-5)})
		}
		for _, s := range all {
			b.Add(s.t, s.v, Hour)
		}
		f, _ := b.Close()
		if f.Rounding != 0 {
			needed++
		}
		if got, want := (Window{f}).Increase(), plainOf(all).increase; !sameBits(got, want) {
			t.Fatalf("%v: %v, want %v", all, got, want)
		}
	}
	if needed == 0 {
		t.Error("no counter needed what Rounding is for")
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]int64{0: 0, 1: Minute, Minute - 1: Minute, Minute: Minute, Minute + 1: 2 * Minute, -1: 0, -Minute: -Minute} {
		if got := EndOf(at, Minute); got != want {
			t.Errorf("the window of %d ends at %d, want %d", at, got, want)
		}
	}
	for at, want := range map[int64]int64{Day: 0, Day + 1: 1, 2 * Day: 1, 1: 0, 0: -1} {
		if got := DayOf(at); got != want {
			t.Errorf("%d is of day %d, want %d", at, got, want)
		}
	}
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	one := func(from, to int64) Fragment { return Fragment{End: Hour, Count: 2, FirstTime: from, LastTime: to} }
	gone := Fragment{End: Hour, Stale: 15}
	for name, c := range map[string]struct {
		all  []Fragment
		want error
	}{
		"apart":        {[]Fragment{one(30, 40), one(10, 20)}, nil},
		"meeting":      {[]Fragment{one(10, 20), one(20, 30)}, ErrOverlap},
		"within":       {[]Fragment{one(20, 30), one(10, 40)}, ErrOverlap},
		"stale within": {[]Fragment{one(10, 20), gone, one(30, 40)}, nil},
	} {
		if err := Sort(c.all); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWins(t *testing.T) {
	t.Parallel()
	order := []float64{stale, math.Float64frombits(value.NormalNaN), math.Inf(-1), -1, 0, math.Copysign(0, -1), 1, math.Inf(1)}
	if math.Float64bits(order[0]) < math.Float64bits(order[1]) == Wins(order[0], order[1]) {
		t.Error("of NaNs that with the greater bits wins")
	}
	for i := range order {
		for j := range order {
			if i > 1 && j > 1 && Wins(order[i], order[j]) != (i > j) {
				t.Errorf("%v wins over %v: %v", order[i], order[j], i <= j)
			}
			if i > 1 && j < 2 && (!Wins(order[i], order[j]) || Wins(order[j], order[i])) {
				t.Errorf("%v does not win over %v", order[i], order[j])
			}
		}
	}
}
