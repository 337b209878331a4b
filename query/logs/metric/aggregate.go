package metric

import (
	"cmp"
	"math"
	"slices"

	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
)

// group are the series that have the same labels after a grouping.
type group struct {
	labels pipeline.Labels
	series []*Series
}

func groups(g *logql.Grouping, series []*Series) []*group {
	if g == nil {
		g = &logql.Grouping{} // all series are one group
	}
	byKey := map[string]*group{}
	var all []*group
	var key []byte
	for _, s := range series {
		labels := Grouped(s.Labels, g)
		key = labels.AppendKey(key[:0])
		one := byKey[string(key)]
		if one == nil {
			one = &group{labels: labels}
			byKey[string(key)] = one
			all = append(all, one)
		}
		one.series = append(one.series, s)
	}
	return all
}

// Aggregate computes an aggregation over series.
func Aggregate(e *logql.VectorExpr, series []*Series, steps Steps) []*Series {
	switch e.Op {
	case "sort", "sort_desc":
		sorted := slices.Clone(series)
		slices.SortStableFunc(sorted, func(a, b *Series) int { return order(a, b, e.Op == "sort_desc") })
		return sorted
	case "topk", "bottomk", "approx_topk":
		return best(e, series, steps)
	}
	var all []*Series
	for _, g := range groups(e.Grouping, series) {
		s := newSeries(g.labels, steps.N)
		for i := range steps.N {
			if v, ok := aggregated(e.Op, g.series, i); ok {
				s.set(i, v)
			}
		}
		all = append(all, s)
	}
	return all
}

// order compares the first values of two series; what is no number comes last.
func order(a, b *Series, descending bool) int {
	x, y := a.Values[0], b.Values[0]
	switch {
	case math.IsNaN(x) && math.IsNaN(y):
		return 0
	case math.IsNaN(x):
		return 1
	case math.IsNaN(y):
		return -1
	case descending:
		return cmp.Compare(y, x)
	}
	return cmp.Compare(x, y)
}

func aggregated(op string, series []*Series, i int) (float64, bool) {
	n, sum := 0, 0.0
	least, most := math.NaN(), math.NaN()
	for _, s := range series {
		if !s.Present[i] {
			continue
		}
		v := s.Values[i]
		n++
		sum += v
		if n == 1 || v < least || math.IsNaN(least) {
			least = v
		}
		if n == 1 || v > most || math.IsNaN(most) {
			most = v
		}
	}
	if n == 0 {
		return 0, false
	}
	switch op {
	case "sum":
		return sum, true
	case "avg":
		return sum / float64(n), true
	case "min":
		return least, true
	case "max":
		return most, true
	case "count":
		return float64(n), true
	}
	mean, squares := sum/float64(n), 0.0
	for _, s := range series {
		if s.Present[i] {
			squares += (s.Values[i] - mean) * (s.Values[i] - mean)
		}
	}
	if squares /= float64(n); op == "stddev" {
		return math.Sqrt(squares), true
	}
	return squares, true // stdvar
}

// best is topk and bottomk: of every group and step the series with the greatest
// or least values. Of one step they come in that order.
func best(e *logql.VectorExpr, series []*Series, steps Steps) []*Series {
	sign := -1.0
	if e.Op == "bottomk" {
		sign = 1
	}
	var all []*Series
	for _, g := range groups(e.Grouping, series) {
		kept := map[*Series]*Series{}
		var inOrder []*Series
		for i := range steps.N {
			var present []*Series
			for _, s := range g.series {
				if s.Present[i] {
					present = append(present, s)
				}
			}
			slices.SortStableFunc(present, func(a, b *Series) int {
				x, y := a.Values[i], b.Values[i]
				switch {
				case math.IsNaN(x) && math.IsNaN(y):
					return 0
				case math.IsNaN(x):
					return 1
				case math.IsNaN(y):
					return -1
				}
				return cmp.Compare(sign*x, sign*y)
			})
			for _, s := range present[:min(e.Param, len(present))] {
				if kept[s] == nil {
					kept[s] = newSeries(s.Labels, steps.N)
					inOrder = append(inOrder, kept[s])
				}
				kept[s].set(i, s.Values[i])
			}
		}
		all = append(all, inOrder...)
	}
	return all
}
