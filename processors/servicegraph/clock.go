package servicegraph

import (
	"cmp"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

const (
	minute = int64(time.Minute)
	// slot is how long one pair of bounds holds. A clock that is 50 ppm fast
	// gains half a millisecond in it.
	slot = int64(10 * time.Second)
	// mostContradiction is by how much the lower bound may be above the upper:
	// a clock that is 100 ppm fast gains as much in a slot. Beyond it some call
	// was not what it said, and nothing is known.
	mostContradiction = int64(time.Millisecond)
)

// clockKey is what a row of clock offsets is about.
type clockKey struct {
	slot                   int32 // of ten seconds, since 1970
	tenant, caller, callee uint32
}

// clock is a row of clock offsets in the making: bounds of the callee's clock
// minus the caller's.
type clock struct {
	clockKey
	calls        uint64
	lower, upper int64
}

// offset takes the bounds from a call between two hosts. What was sent arrives
// later, by the true time: the callee begins after the caller does, and the
// caller that waits for the answer ends after the callee does.
func (p *Processor) offset(tenant, caller, callee uint32, from, to *telemetry.TraceSpan) {
	if from.End < from.Start || to.End < to.Start {
		return
	}
	waits := from.Kind == kindClient && to.Kind == kindServer
	if waits && to.End-to.Start > from.End-from.Start {
		return // it did not wait: somebody's times are not those of the call
	}
	c := p.open.clock(clockKey{int32(p.plausible(from.End) / slot), tenant, caller, callee}, p.clock.Now, p.cfg.Delay) //nolint:gosec // 292 years
	c.calls++
	c.upper = min(c.upper, to.Start-from.Start)
	// A caller that failed may have given up before the callee ended.
	if waits && from.Status != telemetry.SpanFailed {
		c.lower = max(c.lower, to.End-from.End)
	}
}

func (o *open) clock(key clockKey, now int64, delay time.Duration) *clock {
	if c := o.clocks[key]; c != nil {
		return c
	}
	return o.newClock(key, dueAt((int64(key.slot)+1)*slot, now, delay))
}

func (o *open) newClock(key clockKey, due int64) *clock {
	var c *clock
	if last := len(o.idleClocks) - 1; last >= 0 {
		c, o.idleClocks = o.idleClocks[last], o.idleClocks[:last]
	} else {
		c = new(clock)
	}
	*c = clock{clockKey: key, lower: telemetry.NoLower, upper: telemetry.NoUpper}
	o.clocks[key] = c
	g := o.groupAt(due)
	g.clocks = append(g.clocks, c)
	return c
}

// known returns the bounds, or that nothing is known where they contradict each
// other.
func (c *clock) known() (lower, upper int64) {
	if c.lower != telemetry.NoLower && c.upper != telemetry.NoUpper &&
		c.lower > c.upper && (c.lower-c.upper > mostContradiction || c.lower-c.upper < 0) {
		return telemetry.NoLower, telemetry.NoUpper
	}
	return c.lower, c.upper
}

func (p *Processor) flushClock(b *telemetry.Batch, c *clock) {
	lower, upper := c.known()
	b.ClockOffsets = append(b.ClockOffsets, telemetry.ClockOffset{
		Tenant: p.names.text(c.tenant), Time: int64(c.slot) * slot, Caller: p.names.text(c.caller), Callee: p.names.text(c.callee),
		Calls: c.calls, Lower: lower, Upper: upper,
	})
	if p.metrics != nil {
		p.metrics.offsets.take(c, lower, upper)
	}
	delete(p.open.clocks, c.clockKey)
	if len(p.open.idleClocks) < maxIdle {
		p.open.idleClocks = append(p.open.idleClocks, c)
	}
}

func (p *Processor) compareClocks(x, y *clock) int {
	return cmp.Or(p.names.compare(x.tenant, y.tenant), cmp.Compare(x.slot, y.slot), p.names.compare(x.caller, y.caller),
		p.names.compare(x.callee, y.callee))
}
