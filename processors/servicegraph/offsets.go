package servicegraph

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/pointwriter"
)

// forgotten is after what time without a call the bounds of two hosts are stale:
// clocks drift.
const forgotten = int64(5 * time.Minute)

// pairKey is two hosts.
type pairKey struct{ tenant, caller, callee uint32 }

// pair is the latest bounds of two hosts.
type pair struct {
	slot         int32
	lower, upper int64
	// changed is when they came, touched that they have not been said since.
	changed int64
	touched bool
	// saidLower and saidUpper are set where the latest point had a value.
	saidLower, saidUpper bool
}

// offsets publishes the latest bounds of two hosts as a gauge.
type offsets struct {
	cfg   *MetricsConfig
	pairs map[pairKey]*pair
	// at is the time of the latest points, 0 before any.
	at int64

	w        *pointwriter.Writer
	instance string
	sorted   []pairKey
}

func newOffsets(cfg *MetricsConfig) offsets {
	o := offsets{cfg: cfg}
	o.reset()
	return o
}

func (o *offsets) reset() {
	o.pairs = make(map[pairKey]*pair)
	o.at = 0
}

// take takes the bounds of a slot, if none of a later one are there.
func (o *offsets) take(c *clock, lower, upper int64) {
	k := pairKey{c.tenant, c.caller, c.callee}
	at := o.pairs[k]
	switch {
	case at == nil && len(o.pairs) >= o.cfg.MaxSeries:
		return
	case at == nil:
		at = &pair{slot: c.slot}
		o.pairs[k] = at
	case c.slot < at.slot && at.slot-c.slot < int32(forgotten/slot):
		return
	}
	at.slot, at.lower, at.upper, at.changed, at.touched = c.slot, lower, upper, o.at, true
}

// advance adds the points to the batch that are due now.
func (o *offsets) advance(b *telemetry.Batch, now int64, n *names) {
	at := now - now%int64(o.cfg.Interval)
	switch {
	case o.at == 0:
		o.at = at
	case at < o.at:
		o.at = at
		for _, p := range o.pairs {
			p.changed = min(p.changed, at)
		}
	case at > o.at:
		o.at = at
		o.write(b, n)
	}
}

// write writes what is due, in the order of the names.
func (o *offsets) write(b *telemetry.Batch, n *names) {
	due := o.sort(n, func(p *pair) bool { return p.touched || o.at-p.changed >= forgotten })
	for from := 0; from < len(due); {
		tenant, to := due[from].tenant, from
		for to < len(due) && due[to].tenant == tenant {
			to++
		}
		o.writeTenant(b, n, due[from:to])
		from = to
	}
}

// sort returns the pairs that are wanted in the order of their names, valid until
// the next call.
func (o *offsets) sort(n *names, wanted func(*pair) bool) []pairKey {
	o.sorted = o.sorted[:0]
	for k, p := range o.pairs {
		if wanted(p) {
			o.sorted = append(o.sorted, k)
		}
	}
	slices.SortFunc(o.sorted, func(x, y pairKey) int {
		return cmp.Or(n.compare(x.tenant, y.tenant), n.compare(x.caller, y.caller), n.compare(x.callee, y.callee))
	})
	return o.sorted
}

// pairsPerRequest bounds the length of a request.
const pairsPerRequest = 2000

func (o *offsets) writeTenant(b *telemetry.Batch, n *names, pairs []pairKey) {
	if instance := b.Topic + "/" + strconv.Itoa(int(b.Partition)); o.w == nil || o.instance != instance {
		o.instance = instance
		o.w = pointwriter.New([]pointwriter.Label{{Key: "service.name", Value: serviceName}, {Key: "service.instance.id", Value: instance}}, scopeName)
	}
	for some := range slices.Chunk(pairs, pairsPerRequest) {
		o.w.Metric(prefix+"clock_offset_seconds", "s", "Bounds of how much the clock of the server's host is ahead of the client's.", pointwriter.Gauge)
		for _, k := range some {
			o.writePair(k, n)
		}
		if value, events := o.w.Finish(); events > 0 {
			b.Derived = append(b.Derived, telemetry.Derived{
				Signal: telemetry.Metrics, Tenant: n.text(pairs[0].tenant), Key: o.instance, Value: value, Events: events, Time: o.at,
			})
		}
	}
}

func (o *offsets) writePair(k pairKey, n *names) {
	p := o.pairs[k]
	over := !p.touched
	labels := []pointwriter.Label{{Key: "client_host", Value: n.text(k.caller)}, {Key: "server_host", Value: n.text(k.callee)}, {Key: "bound"}}
	bound := func(name string, value int64, known bool, said *bool) {
		labels[2].Value = name
		switch {
		case known:
			o.w.Number(labels, 0, o.at, float64(value)/1e9)
		case *said:
			o.w.Stale(labels, o.at)
		}
		*said = known
	}
	bound("lower", p.lower, !over && p.lower != telemetry.NoLower, &p.saidLower)
	bound("upper", p.upper, !over && p.upper != telemetry.NoUpper, &p.saidUpper)
	p.touched = false
	if over {
		delete(o.pairs, k)
	}
}
