package servicegraph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// hostClock is a clock that is wrong: by skew at base, and by drift more for every
// nanosecond since.
type hostClock struct {
	name  string
	skew  int64
	drift float64
}

func (c *hostClock) at(t int64) int64 { return t + c.skew + int64(c.drift*float64(t-base)) }

// TestClocks simulates hosts whose clocks are seconds apart and drift, and calls
// between them over a network whose delays are noisy and not the same in both
// directions. The bounds always hold, and where they are close to each other so is
// their middle to the truth; where messages go one way only, the other bound is
// unknown; and network times are right however wrong the clocks are.
func TestClocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var hosts []hostClock
	for i := range 6 {
		hosts = append(hosts, hostClock{fmt.Sprint("host ", i), random.Int64N(6*second) - 3*second, (random.Float64()*2 - 1) * 50e-6})
	}
	hosts[0].skew, hosts[1].skew = 0, 3*second
	type link struct {
		caller, callee *hostClock
		oneWay         bool
		least          [2]int64 // delays
		noise          float64
		network, calls int64
	}
	links := map[[2]string]*link{}
	for i := range hosts {
		for j := range hosts {
			if i == j {
				continue
			}
			l := &link{caller: &hosts[i], callee: &hosts[j], oneWay: (i+j)%5 == 0, noise: float64(millisecond) * (0.1 + 5*random.Float64())}
			l.least = [2]int64{200_000 + random.Int64N(millisecond), 200_000 + random.Int64N(millisecond)}
			links[[2]string{l.caller.name, l.callee.name}] = l
		}
	}
	r := newRig(t, traces.DefaultConfig(), servicegraph.DefaultConfig())
	var edges []telemetry.Edge
	var clocks []telemetry.ClockOffset
	take := func(b *telemetry.Batch) {
		edges = append(edges, b.Edges...)
		clocks = append(clocks, b.ClockOffsets...)
	}
	trace := uint32(0)
	const calls, every = 100, 85 * millisecond
	for n := range calls {
		var part record
		for _, l := range links {
			trace++
			start := base + 10*second + int64(n)*every + random.Int64N(every)
			delay := [2]int64{l.least[0] + int64(random.ExpFloat64()*l.noise), l.least[1] + int64(random.ExpFloat64()*l.noise)}
			work := millisecond + random.Int64N(20*millisecond)
			arrived := start + delay[0]
			done := arrived + work
			end := done + delay[1]
			spans := pairOf(trace, l.caller.name, l.callee.name, "call", start, 0, 0)
			if l.oneWay {
				spans[0].Kind, spans[1].Kind = 4, 5
				end = start + millisecond
			} else {
				l.network += delay[0] + delay[1]
			}
			l.calls++
			spans[0].host, spans[1].host = l.caller.name, l.callee.name
			spans[0].Start, spans[0].End = l.caller.at(start), l.caller.at(end)
			spans[1].Start, spans[1].End = l.callee.at(arrived), l.callee.at(done)
			part.spans = append(part.spans, spans...)
			part.received = max(part.received, end)
		}
		take(r.process([]record{part}))
	}
	for _, part := range flush() {
		take(r.process([]record{part}))
	}
	close := 0
	counted := map[*link]uint64{}
	for i := range clocks {
		c := &clocks[i]
		l := links[[2]string{c.Caller, c.Callee}]
		counted[l] += c.Calls
		// The truth moves while the slot lasts, by less than its length times both drifts.
		from, to := c.Time-l.caller.skew-second, c.Time-l.caller.skew+11*second
		least, most := int64(math.MaxInt64), int64(math.MinInt64)
		for _, at := range []int64{max(from, base), min(to, base+20*second)} {
			truth := l.callee.at(at) - l.caller.at(at)
			least, most = min(least, truth), max(most, truth)
		}
		if c.Upper < least {
			t.Errorf("%s to %s: upper bound %d, truth %d to %d", c.Caller, c.Callee, c.Upper, least, most)
		}
		if l.oneWay {
			if c.Lower != telemetry.NoLower {
				t.Errorf("%s to %s: lower bound %d of messages that go one way", c.Caller, c.Callee, c.Lower)
			}
			continue
		}
		if c.Lower == telemetry.NoLower || c.Lower > most {
			t.Errorf("%s to %s: lower bound %d, truth %d to %d", c.Caller, c.Callee, c.Lower, least, most)
		}
		if c.Upper-c.Lower <= 2*millisecond {
			close++
			if off := (c.Lower+c.Upper)/2 - (least+most)/2; off < -millisecond || off > millisecond {
				t.Errorf("%s to %s: the middle of %d and %d is %d ns off", c.Caller, c.Callee, c.Lower, c.Upper, off)
			}
		}
	}
	for _, l := range links {
		if counted[l] != uint64(l.calls) {
			t.Errorf("%s to %s: %d calls of %d", l.caller.name, l.callee.name, counted[l], l.calls)
		}
	}
	if close < 10 {
		t.Errorf("bounds of %d of %d rows are close to each other", close, len(clocks))
	}
	network := map[*link]int64{}
	for i := range edges {
		network[links[[2]string{edges[i].Caller, edges[i].Callee}]] += edges[i].Network.Sum
	}
	for _, l := range links {
		if off := math.Abs(float64(network[l]) - float64(l.network)); off > 0.05*float64(l.network) {
			t.Errorf("%s to %s: %d ns in the network, want %d", l.caller.name, l.callee.name, network[l], l.network)
		}
	}
}
