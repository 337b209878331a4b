package remotewrite

import (
	"fmt"
	"math"
	"slices"
)

// checkHistogram checks the histogram that was read as Prometheus does, and sets
// the dense buckets of its sides.
func (s *splitter) checkHistogram() reason {
	h := &s.histogram
	switch {
	case h.time < s.oldest:
		return timeTooOld
	case h.time > s.newest:
		return timeInFuture
	case h.tooMany:
		return tooManyBuckets
	}
	if h.floats != h.zeroFloats {
		h.zero = 0 // of the other kind: as if it were not there
	}
	h.problem = h.invalid()
	switch {
	case h.problem != "":
		return badHistogram
	case h.sum == staleNaN:
		return fine // has no buckets
	case h.schema == customSchema:
		if !s.need(len(h.bounds)) { // for the work, which no output may come of
			return tooLarge
		}
		h.positive.custom(h.floats, len(h.bounds)+1)
		return fine
	}
	shift := max(0, h.schema-maxSchema)
	for _, d := range []*side{&h.positive, &h.negative} {
		n, ok := d.extent(shift)
		if !ok {
			return tooManyBuckets
		}
		if !s.need(n) {
			return tooLarge
		}
		d.exponential(h.floats, n, shift)
	}
	return fine
}

// invalid says what is wrong with the histogram, "" where nothing is.
func (h *histogram) invalid() string {
	switch {
	case h.schema == customSchema:
		if problem := h.invalidCustom(); problem != "" {
			return problem
		}
	case h.schema < minSchema || h.schema > finestSchema:
		return fmt.Sprintf("schema %d is not known", h.schema)
	case len(h.bounds) > 0:
		return "custom values with an exponential schema"
	default:
		for _, d := range []*side{&h.positive, &h.negative} {
			if problem := d.invalidSpans(h.floats); problem != "" {
				return problem
			}
		}
	}
	if h.floats {
		return h.invalidFloats()
	}
	positive, ok1 := h.positive.total()
	negative, ok2 := h.negative.total()
	if !ok1 || !ok2 {
		return "a bucket has a negative count"
	}
	found := positive + negative + h.zero
	if isNaN(h.sum) && found > h.count || !isNaN(h.sum) && found != h.count {
		return fmt.Sprintf("%d observations are in buckets, but the count is %d", found, h.count)
	}
	return ""
}

func (h *histogram) invalidFloats() string {
	if math.Float64frombits(h.count) < 0 || math.Float64frombits(h.zero) < 0 {
		return "a count is negative"
	}
	for _, d := range []*side{&h.positive, &h.negative} {
		for _, c := range d.counts {
			if math.Float64frombits(c) < 0 {
				return "a bucket has a negative count"
			}
		}
	}
	return ""
}

func (h *histogram) invalidCustom() string {
	switch {
	case h.zero != 0 && !(h.floats && math.Float64frombits(h.zero) == 0):
		return "a zero bucket beside custom values"
	case math.Float64frombits(h.threshold) != 0:
		return "a zero threshold beside custom values"
	case len(h.negative.spans) > 0 || h.negative.buckets(h.floats) > 0:
		return "negative buckets beside custom values"
	}
	last := math.Inf(-1)
	for i, b := range h.bounds {
		v := math.Float64frombits(b)
		if math.IsNaN(v) || i > 0 && v <= last {
			return "custom values do not ascend"
		}
		last = v
	}
	if math.IsInf(last, 1) {
		return "the last custom value is infinite"
	}
	var buckets, indices int64
	for _, sp := range h.positive.spans {
		if sp.offset < 0 {
			return "a span begins before the end of the one before it"
		}
		buckets += int64(sp.length)
		indices += int64(sp.offset) + int64(sp.length)
	}
	switch {
	case buckets != int64(h.positive.buckets(h.floats)):
		return fmt.Sprintf("spans need %d buckets, there are %d", buckets, h.positive.buckets(h.floats))
	case indices > int64(len(h.bounds))+1:
		return fmt.Sprintf("spans need %d buckets, custom values make %d", indices, len(h.bounds)+1)
	}
	return ""
}

// buckets returns how many buckets the side has.
func (d *side) buckets(floats bool) int {
	if floats {
		return len(d.counts)
	}
	return len(d.deltas)
}

func (d *side) invalidSpans(floats bool) string {
	var buckets, next int64
	for i, sp := range d.spans {
		switch {
		case i > 0 && sp.offset < 0:
			return "a span begins before the end of the one before it"
		case i == 0 && sp.offset == math.MinInt32:
			return "a bucket's index is out of range"
		}
		buckets += int64(sp.length)
		if next += int64(sp.offset) + int64(sp.length); next-1 > math.MaxInt32 {
			return "a bucket's index is out of range"
		}
	}
	if have := d.buckets(floats); buckets != int64(have) {
		return fmt.Sprintf("spans need %d buckets, there are %d", buckets, have)
	}
	return ""
}

// total returns the observations in the buckets of a side with integers; ok is
// false where a bucket has less than none.
func (d *side) total() (n uint64, ok bool) {
	var c int64
	for _, delta := range d.deltas {
		if c += delta; c < 0 {
			return 0, false
		}
		n += uint64(c)
	}
	return n, true
}

// extent sets the index of the first bucket, as OTLP counts when the schema is
// made coarser by the shift, and returns how many buckets there are from the
// first to the last; ok is false where these are too many.
func (d *side) extent(shift int32) (n int, ok bool) {
	var next, first, last int64
	some := false
	for _, sp := range d.spans {
		next += int64(sp.offset)
		if sp.length == 0 {
			continue
		}
		if !some {
			first, some = next, true
		}
		next += int64(sp.length)
		last = next - 1
	}
	if !some {
		return 0, true
	}
	// Bucket i of Prometheus is bucket i-1 of OTLP.
	first, last = (first-1)>>shift, (last-1)>>shift
	d.first = int32(first)
	if last-first >= maxBuckets {
		return 0, false
	}
	return int(last-first) + 1, true
}

// exponential sets the n dense buckets.
func (d *side) exponential(floats bool, n int, shift int32) {
	d.clear(n)
	var next, count int64
	i := 0
	for _, sp := range d.spans {
		next += int64(sp.offset)
		for range sp.length {
			at := (next-1)>>shift - int64(d.first)
			next++
			switch {
			case !floats:
				count += d.deltas[i]
				d.dense[at] += uint64(count)
			case shift == 0:
				d.dense[at] = d.counts[i]
			default:
				d.dense[at] = math.Float64bits(math.Float64frombits(d.dense[at]) + math.Float64frombits(d.counts[i]))
			}
			i++
		}
	}
}

// custom sets the n dense buckets of a histogram with custom values.
func (d *side) custom(floats bool, n int) {
	d.clear(n)
	var count int64
	at, i := 0, 0
	for _, sp := range d.spans {
		at += int(sp.offset)
		for range sp.length {
			if floats {
				d.dense[at] = d.counts[i]
			} else {
				count += d.deltas[i]
				d.dense[at] = uint64(count)
			}
			at++
			i++
		}
	}
}

func (d *side) clear(n int) {
	d.dense = slices.Grow(d.dense[:0], n)[:n]
	clear(d.dense)
}

func isNaN(bits uint64) bool { return math.IsNaN(math.Float64frombits(bits)) }
