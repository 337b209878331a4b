package goshawk

import (
	"math"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// slot bounds by how much one clock is ahead of another in ten seconds. Slots are
// not put together: clocks drift, and bounds of different times are of different
// offsets.
type slot struct {
	time         int64 // Unix seconds
	calls        uint64
	reverse      uint64 // of calls, those the other way
	lower, upper int64  // nanoseconds
}

func (s *slot) hasLower() bool { return s.lower != telemetry.NoLower }
func (s *slot) hasUpper() bool { return s.upper != telemetry.NoUpper }

// known reports whether both sides are bounded. Bounds that exclude each other say
// that a clock was set, or drifts fast.
func (s *slot) known() bool { return s.hasLower() && s.hasUpper() && s.lower <= s.upper }

// mostContradiction is by how much the lower bound may be above the upper: a clock
// that is 100 ppm fast gains as much in ten seconds.
const mostContradiction = int64(time.Millisecond)

// settle takes bounds that contradict each other no more than a drift explains for
// the offsets that there were in the slot.
func (s *slot) settle() {
	if s.hasLower() && s.hasUpper() && s.lower > s.upper && uint64(s.lower)-uint64(s.upper) <= uint64(mostContradiction) {
		s.lower, s.upper = s.upper, s.lower
	}
}

// uncertainty is how far the offset may be from the middle.
func (s *slot) uncertainty() float64 {
	if !s.known() {
		return math.Inf(1)
	}
	return (float64(s.upper) - float64(s.lower)) / 2
}

func (s *slot) middle() float64 { return (float64(s.lower) + float64(s.upper)) / 2 }

// bound makes the bounds narrower.
func (s *slot) bound(o *slot) {
	s.lower, s.upper = max(s.lower, o.lower), min(s.upper, o.upper)
	s.calls += o.calls
	s.reverse += o.reverse
}

// clocks are the bounds of a range, by caller and callee.
type clocks map[[2]string][]slot

// newClocks takes bounds that are sorted by time.
func newClocks(rows []traces.Offset) clocks {
	all := clocks{}
	for i := range rows {
		r := &rows[i]
		pair := [2]string{r.Caller, r.Callee}
		all[pair] = append(all[pair], slot{time: r.Time, calls: r.Calls, lower: r.Lower, upper: r.Upper})
	}
	return all
}

// series returns the slots of two hosts, by time: what calls say, and what calls
// the other way say, whose bounds are those of the opposite offset.
func (c clocks) series(caller, callee string) []slot {
	byTime := map[int64]*slot{}
	add := func(s slot) {
		if known := byTime[s.time]; known != nil {
			known.bound(&s)
		} else {
			byTime[s.time] = &s
		}
	}
	for _, s := range c[[2]string{caller, callee}] {
		add(s)
	}
	for _, s := range c[[2]string{callee, caller}] {
		s = slot{s.time, s.calls, s.calls, opposite(s.upper), opposite(s.lower)}
		// Its time is by the other clock.
		if s.known() {
			const width = int64(traces.OffsetSlot)
			s.time -= int64(math.Round(s.middle()/float64(width))) * (width / int64(time.Second))
		}
		add(s)
	}
	all := make([]slot, 0, len(byTime))
	for _, s := range byTime {
		s.settle()
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b slot) int { return int(a.time - b.time) })
	return all
}

// opposite turns a bound into the one of the opposite offset.
func opposite(bound int64) int64 {
	switch bound {
	case telemetry.NoLower:
		return telemetry.NoUpper
	case telemetry.NoUpper:
		return telemetry.NoLower
	}
	return -bound
}

// at returns the slot that says most of the offset in a time in Unix nanoseconds:
// a known one rather than others, near rather than far, narrow rather than wide.
// It is nil where there is none.
func (c clocks) at(caller, callee string, from, to int64) *slot {
	return nearest(c.series(caller, callee), from, to)
}

func nearest(series []slot, from, to int64) *slot {
	var best *slot
	for i := range series {
		if s := &series[i]; best == nil || better(s, best, from, to) {
			best = s
		}
	}
	return best
}

func better(a, b *slot, from, to int64) bool {
	if a.known() != b.known() {
		return a.known()
	}
	if near, far := a.distance(from, to), b.distance(from, to); near != far {
		return near < far
	}
	return a.uncertainty() < b.uncertainty()
}

// distance is the time between a slot and a range.
func (s *slot) distance(from, to int64) int64 {
	start := s.time * int64(time.Second)
	return max(0, start-to, from-(start+int64(traces.OffsetSlot)))
}

// offset is what is known of the difference of two clocks in a slot.
type offset struct {
	// Known is false where only one side is bounded, or the bounds exclude each
	// other.
	Known bool `json:"known"`
	// State is known, one_way, contradictory, or unknown where there are no bounds.
	State string `json:"state"`
	// Time is the start of the slot.
	Time          *time.Time `json:"time,omitempty"`
	Calls         uint64     `json:"calls"`
	LowerNS       *int64     `json:"lower_ns"`
	UpperNS       *int64     `json:"upper_ns"`
	EstimateNS    *int64     `json:"estimate_ns"`
	UncertaintyNS *int64     `json:"uncertainty_ns"`
}

func offsetOf(s *slot) offset {
	if s == nil {
		return offset{State: "unknown"}
	}
	t := secondsOf(s.time)
	o := offset{Known: s.known(), Time: &t, Calls: s.calls}
	if s.hasLower() {
		o.LowerNS = &s.lower
	}
	if s.hasUpper() {
		o.UpperNS = &s.upper
	}
	switch {
	case s.known():
		middle, uncertainty := int64(math.Round(s.middle())), int64(math.Ceil(s.uncertainty()))
		o.State, o.EstimateNS, o.UncertaintyNS = "known", &middle, &uncertainty
	case s.hasLower() && s.hasUpper():
		o.State = "contradictory"
	case s.hasLower() || s.hasUpper():
		o.State = "one_way"
	default:
		o.State = "unknown"
	}
	return o
}

// tightest returns of every step the slot that says most, at most one for each.
func tightest(series []slot, step int64) []slot {
	var all []slot
	for i := range series {
		s := &series[i]
		last := len(all) - 1
		if last < 0 || all[last].time/step != s.time/step {
			all = append(all, *s)
			continue
		}
		if b := &all[last]; s.known() && !b.known() || s.known() == b.known() && s.uncertainty() < b.uncertainty() {
			*b = *s
		}
	}
	return all
}

// drift is by how much a clock gains on another in a second.
type drift struct {
	// LowerPPM and UpperPPM bound it in millionths, as long as it is constant.
	LowerPPM    float64 `json:"lower_ppm"`
	UpperPPM    float64 `json:"upper_ppm"`
	EstimatePPM float64 `json:"estimate_ppm"`
}

// driftOf bounds the drift that fits all slots, nil where none does, or nothing
// bounds it: from the least offset of one slot to the greatest of a later one.
func driftOf(series []slot) *drift {
	lower, upper := math.Inf(-1), math.Inf(1)
	for i := range series {
		for j := i + 1; j < len(series); j++ {
			a, b := &series[i], &series[j]
			if !a.known() || !b.known() {
				continue
			}
			// The calls of a slot are anywhere in it.
			const width = 10
			near, far := float64(b.time-a.time-width), float64(b.time-a.time+width)
			if near <= 0 {
				continue
			}
			least, most := float64(b.lower)-float64(a.upper), float64(b.upper)-float64(a.lower)
			lower = max(lower, min(least/near, least/far))
			upper = min(upper, max(most/near, most/far))
		}
	}
	if math.IsInf(lower, 0) || math.IsInf(upper, 0) || lower > upper {
		return nil
	}
	const millionth = 1000 // nanoseconds in a second are billionths
	return &drift{lower / millionth, upper / millionth, (lower + upper) / 2 / millionth}
}
