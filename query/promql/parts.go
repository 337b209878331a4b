package promql

import (
	"math"
	"strconv"
)

// parts are the samples of one histogram with explicit bounds, or of one summary,
// with all that it is spread over.
type parts struct {
	spread     spread
	count, sum points
	gone       []int64 // when points had no recorded value, Unix milliseconds
}

// partsOf has the parts of stored series by their fingerprints.
type partsOf map[uint64]*parts

// at returns what a point of a stored series, at a time in Unix milliseconds, is
// added to. Of a point that marks the end of its series it takes note, and
// returns nil.
func (all partsOf) at(row *stored, t int64, stale bool) *parts {
	p := all[row.fingerprint]
	if p == nil {
		p = &parts{spread: spread{}}
		all[row.fingerprint] = p
	}
	if stale {
		p.gone = append(p.gone, t)
		return nil
	}
	return p
}

// finish orders the samples. Before is what those of delta temporality build
// upon, nil for others.
func (p *parts) finish(before *classicTotals) {
	done := func(q *points, total float64) {
		for _, t := range p.gone {
			q.add(t, staleValue)
		}
		q.finish()
		if before != nil {
			q.accumulate(total)
		}
	}
	var on classicTotals
	if before != nil {
		on = *before
	}
	done(&p.count, on.count)
	done(&p.sum, on.sum)
	for value, q := range p.spread {
		done(q, on.buckets[value])
	}
}

// give adds what a view shows to its series.
func (p *parts) give(v *view, found *merger) {
	switch v.part {
	case partCount:
		found.held(v, &p.count)
	case partSum:
		found.held(v, &p.sum)
	case partBucket, partQuantile:
		for value, q := range p.spread {
			found.spread(v, value, q)
		}
	case partValue, partHistogram:
	}
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
