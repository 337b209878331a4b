package goshawk

import (
	"math/rand/v2"
	"testing"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestClocks makes bounds of clocks whose offset and drift are known, from calls
// both ways, and expects bounds and drifts that hold.
func TestClocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	known, drifts := 0, 0
	for range 300 {
		offset, ppm := float64(random.Int64N(2e9)-1e9), float64(random.IntN(400)-200)
		ahead := func(seconds float64) int64 { return int64(offset + ppm*1000*seconds) }
		var rows []traces.Offset
		truth := map[int64][2]int64{} // least and greatest offset of a slot
		for slot := int64(0); slot < 40; slot++ {
			at := 10 * slot
			truth[at] = [2]int64{min(ahead(float64(at)), ahead(float64(at+10))), max(ahead(float64(at)), ahead(float64(at+10)))}
			if random.IntN(3) == 0 {
				continue
			}
			// A request that takes some time bounds from below, its answer from above.
			lower, upper := int64(telemetry.NoLower), int64(telemetry.NoUpper)
			sent, answered := float64(at)+10*random.Float64(), float64(at)+10*random.Float64()
			if random.IntN(4) > 0 {
				upper = ahead(sent) + random.Int64N(5e6)
			}
			if random.IntN(4) > 0 {
				lower = ahead(answered) - random.Int64N(5e6)
			}
			if random.IntN(2) == 0 {
				rows = append(rows, traces.Offset{Caller: "a", Callee: "b", Time: at, Calls: 1, Lower: lower, Upper: upper})
			} else {
				rows = append(rows, traces.Offset{Caller: "b", Callee: "a", Time: at, Calls: 1, Lower: opposite(upper), Upper: opposite(lower)})
			}
		}
		all := newClocks(rows)
		series := all.series("a", "b")
		for _, s := range series {
			real := truth[s.time]
			if s.hasLower() && s.lower > real[1] || s.hasUpper() && s.upper < real[0] {
				t.Fatalf("bounds %d and %d of an offset from %d to %d", s.lower, s.upper, real[0], real[1])
			}
			if s.known() {
				known++
			}
		}
		if d := driftOf(series); d != nil {
			drifts++
			if d.LowerPPM > ppm+0.001 || d.UpperPPM < ppm-0.001 {
				t.Fatalf("drift from %v to %v, it is %v", d.LowerPPM, d.UpperPPM, ppm)
			}
		}
		for _, other := range all.series("b", "a") {
			if s := nearest(series, other.time*1e9, other.time*1e9); s == nil {
				t.Fatal("the other way there are other slots")
			}
		}
	}
	if known < 500 || drifts < 200 {
		t.Errorf("%d known slots and %d drifts: the clocks say nothing", known, drifts)
	}
	// A clock that was set has no drift.
	stepped := []slot{{time: 0, lower: 0, upper: 10}, {time: 100, lower: 0, upper: 10}, {time: 200, lower: 1e9, upper: 1e9 + 10}}
	if d := driftOf(stepped); d != nil {
		t.Errorf("%+v", d)
	}
	if d := driftOf(stepped[:1]); d != nil {
		t.Errorf("%+v", d)
	}
	if s := (clocks{}).at("a", "b", 0, 1); s != nil || offsetOf(s).State != "unknown" || offsetOf(s).Known {
		t.Errorf("%+v", s)
	}
}

func TestConfig(t *testing.T) {
	good := Config{BusinessLines: []BusinessLine{{"checkout", []string{"cart", "pay*"}}}, BusinessAttribute: "line"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	lines := linesOf(good.BusinessLines)
	for service, want := range map[string]bool{"cart": true, "payment": true, "pay": true, "a cart": false, "cart2": false, "CART": false, "pay\nment": true} {
		if got := lines[0].services.MatchString(service); got != want {
			t.Errorf("%q: %t", service, got)
		}
	}
	for _, bad := range []Config{
		{BusinessLines: []BusinessLine{{"", []string{"a"}}}},
		{BusinessLines: []BusinessLine{{"a", nil}}},
		{BusinessLines: []BusinessLine{{"a", []string{""}}}},
		{BusinessLines: []BusinessLine{{"a", []string{"b"}}, {"a", []string{"c"}}}},
		{BusinessAttribute: `a"b`},
	} {
		if err := bad.Validate(); err == nil {
			t.Errorf("%+v is valid", bad)
		}
	}
}
