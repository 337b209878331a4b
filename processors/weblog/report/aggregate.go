package report

import (
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/session"
)

// other is the name of what had no room in a table, bots what crawlers and tools
// have as browser and system.
const other, bots = "(other)", "(bots)"

// aggregate counts the requests of one worker, but for what is known. It is used
// by one goroutine.
type aggregate struct {
	options *Options

	all         tally
	timed       sketch.Sketch
	slowest     int64
	first, last int64
	bots        uint64
	// outside and excluded are requests that are not counted: of another time, and
	// those of bots.
	outside, excluded uint64

	sites, methods, protocols, tls, caches table[tally]
	statuses                               [maxStatus + 1]tally
	hours                                  map[int32]*tally
	hour                                   *tally
	hourIndex                              int32
	quarter, offset                        int64
	site, method, protocol                 *node[tally]
}

// maxHours bounds the hours that are counted one by one: eleven years.
const maxHours = 100_000

// maxStatus bounds statuses, of which there are classes from 0xx to 5xx; there are
// none above.
const (
	maxStatus = 999
	classes   = 6
)

// noHour is the hour of requests whose time is unknown, or that had no room.
const noHour = -1 << 31

func newAggregate(o *Options) *aggregate {
	a := &aggregate{options: o, hours: make(map[int32]*tally), hourIndex: noHour}
	a.hours[noHour] = new(tally)
	a.hour = a.hours[noHour]
	for _, t := range []*table[tally]{&a.sites, &a.methods, &a.protocols, &a.tls, &a.caches} {
		t.limit = min(o.Limit, maxNames)
	}
	return a
}

// add counts a request and begins its visit. It reports false where the options
// leave the request out. Its strings may change afterwards.
func (a *aggregate) add(h *telemetry.WebHit, v *visit) bool {
	o := a.options
	if h.Time < o.since || h.Time >= o.until {
		a.outside++
		return false
	}
	if h.Bot != "" {
		if o.NoBots {
			a.excluded++
			return false
		}
		a.bots++
	}
	a.all.add(h)
	status := min(h.Status, maxStatus)
	a.statuses[status].add(h)
	a.count(h)
	if h.Duration >= 0 {
		a.timed.Add(h.Duration)
		a.slowest = max(a.slowest, h.Duration)
	}
	if a.method == nil || a.method.name != h.Method {
		a.method = named(&a.methods, h.Method)
	}
	a.method.value.add(h)
	if a.protocol == nil || a.protocol.name != h.Protocol {
		a.protocol = named(&a.protocols, h.Protocol)
	}
	a.protocol.value.add(h)
	if a.site == nil || a.site.name != h.Site {
		a.site = named(&a.sites, h.Site)
	}
	a.site.value.add(h)
	addNamed(&a.tls, h.TLS, h)
	addNamed(&a.caches, h.Cache, h)
	*v = visit{
		visitor: h.Visitor, person: mix(xxh3.HashString(h.UserAgent), xxh3.HashString(h.Client)),
		time: h.Time, hour: a.hourIndex, status: status, site: a.site.hash, isPage: session.IsPage(h),
	}
	return true
}

// count counts the hour of a request.
func (a *aggregate) count(h *telemetry.WebHit) {
	if h.Time > 0 {
		if a.first == 0 || h.Time < a.first {
			a.first = h.Time
		}
		a.last = max(a.last, h.Time)
	}
	if index := a.hourOf(h.Time); index != a.hourIndex {
		a.hourIndex, a.hour = index, a.hours[index]
		if a.hour == nil {
			if len(a.hours) >= maxHours {
				a.hourIndex, a.hour = noHour, a.hours[noHour]
			} else {
				a.hour = new(tally)
				a.hours[index] = a.hour
			}
		}
	}
	a.hour.add(h)
}

// hourOf returns the hour of a time on the clocks of the report's zone, counted
// from the first one of 1970.
func (a *aggregate) hourOf(t int64) int32 {
	if t <= 0 {
		return noHour
	}
	// Clocks are set at quarters of an hour.
	const quarter = int64(15 * time.Minute)
	if q := t / quarter; q != a.quarter {
		a.quarter = q
		_, offset := time.Unix(0, t).In(a.options.Location).Zone()
		a.offset = int64(offset)
	}
	return int32(max(0, t/1e9+a.offset) / 3600) //nolint:gosec // times are of before 2262
}
