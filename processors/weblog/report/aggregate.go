package report

import (
	"hash/maphash"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/session"
)

// other is the name of what had no room in a table, bots what crawlers and tools
// have as browser and system.
const other, bots = "(other)", "(bots)"

// aggregate counts the requests of one worker. It is used by one goroutine, but
// for the fields named visitors.
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

	clients   table[client]
	agents    table[agent]
	pages     table[page]
	queries   table[query]
	referrers table[referrer]

	routes                             table[route]
	countries, cities                  table[place]
	sites, users, methods, protocols   table[tally]
	tls, caches, keywords              table[tally]
	browsers, systems, botNames, hosts table[tally]
	abroad                             table[tally]
	statuses                           [maxStatus + 1]tally
	hours                              map[int32]*tally
	assets                             tally
	hour                               *tally
	hourIndex                          int32
	quarter, offset                    int64
	site, method, protocol             *node[tally]
	visits                             *[shards][]visit // of the block
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
	for _, limit := range []*int{
		&a.clients.limit, &a.agents.limit, &a.pages.limit, &a.queries.limit, &a.referrers.limit,
		&a.users.limit, &a.keywords.limit, &a.hosts.limit,
	} {
		*limit = o.Limit
	}
	// These are few by their nature, or made up.
	for _, limit := range []*int{
		&a.routes.limit, &a.countries.limit, &a.cities.limit, &a.sites.limit, &a.methods.limit, &a.protocols.limit,
		&a.tls.limit, &a.caches.limit, &a.browsers.limit, &a.systems.limit, &a.botNames.limit, &a.abroad.limit,
	} {
		*limit = min(o.Limit, maxNames)
	}
	return a
}

// maxNames bounds tables of which no log has many.
const maxNames = 20_000

// named returns the node of a text of a small table, that of the others where it
// is full.
func named[T any](t *table[T], text string) *node[T] {
	n, _ := t.get(text)
	if n == nil {
		n, _ = t.rest(0)
	}
	return n
}

// add counts a request, unless the options leave it out. Its strings may change
// afterwards.
func (a *aggregate) add(h *telemetry.WebHit) {
	o := a.options
	if h.Time < o.since || h.Time >= o.until {
		a.outside++
		return
	}
	if h.Bot != "" {
		if o.NoBots {
			a.excluded++
			return
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
	user := addNamed(&a.users, h.User, h)
	addNamed(&a.tls, h.TLS, h)
	addNamed(&a.caches, h.Cache, h)
	keywords := addNamed(&a.keywords, h.Keywords, h)

	v := visit{visitor: h.Visitor, time: h.Time, hour: a.hourIndex, status: status, site: a.site.hash, isPage: session.IsPage(h), also: [2]*node[tally]{keywords, user}}
	var person uint64
	v.client, person = a.client(h)
	v.agent, v.person = a.agent(h)
	v.person = mix(v.person, person)
	a.target(h, &v)
	if h.Referrer != "" {
		v.referrer = a.referrer(h)
	}
	of := &a.visits[shardOf(v.person)]
	*of = append(*of, v)
}

// addNamed counts a request for a text and returns its node, nil if there is none.
func addNamed(t *table[tally], text string, h *telemetry.WebHit) *node[tally] {
	if text == "" {
		return nil
	}
	n := named(t, text)
	n.value.add(h)
	return n
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

// client counts an address and returns its node and its hash, which is the same
// in every run.
func (a *aggregate) client(h *telemetry.WebHit) (*node[client], uint64) {
	n, isNew := a.clients.get(h.Client)
	var person uint64
	if n == nil {
		var country, city *node[place]
		country, city = a.locate(h)
		if n, isNew = a.clients.rest(hashOf(city, country)); isNew {
			n.value.country, n.value.city = country, city
		}
		person = xxh3.HashString(h.Client)
	} else {
		if isNew {
			n.value.person = xxh3.HashString(h.Client)
			n.value.country, n.value.city = a.locate(h)
		}
		person = n.value.person
	}
	n.value.add(h)
	return n, person
}

// hashOf is the hash of the first node that there is, 0 of none.
func hashOf[T any](nodes ...*node[T]) uint64 {
	for _, n := range nodes {
		if n != nil {
			return n.hash
		}
	}
	return 0
}

// locate returns the nodes of a request's country and city, nil where they are
// not known.
func (a *aggregate) locate(h *telemetry.WebHit) (country, city *node[place]) {
	if h.Country == "" {
		return nil, nil
	}
	country = named(&a.countries, h.Country)
	if c := &country.value; c.country == "" {
		c.country = country.name
		c.latitude, c.longitude = classify.CountryCentre(h.Country)
	}
	if h.City != "" {
		city = named(&a.cities, h.City+", "+h.Country)
		if c := &city.value; c.country == "" {
			c.country, c.latitude, c.longitude = country.name, h.Latitude, h.Longitude
		}
	}
	return country, city
}

// agent counts a user agent and returns its node and its hash.
func (a *aggregate) agent(h *telemetry.WebHit) (*node[agent], uint64) {
	n, isNew := a.agents.get(h.UserAgent)
	full := n == nil
	if full {
		hash := mix(mix(maphash.String(seed, h.Browser), maphash.String(seed, h.System)), maphash.String(seed, h.Bot))
		n, isNew = a.agents.rest(hash)
	}
	g := &n.value
	if isNew {
		browser, system := h.Browser, h.System
		if h.Bot != "" {
			g.bot = named(&a.botNames, h.Bot)
			browser, system = bots, bots
		}
		g.browser, g.system = named(&a.browsers, browser), named(&a.systems, system)
		g.person = xxh3.HashString(h.UserAgent)
	}
	g.add(h)
	if full {
		return n, xxh3.HashString(h.UserAgent)
	}
	return n, g.person
}

// target counts what was asked for, and tells the visit.
func (a *aggregate) target(h *telemetry.WebHit, v *visit) {
	p, isNew := a.pages.get(h.Path)
	if p == nil {
		if p, isNew = a.pages.rest(mix(named(&a.routes, h.Route).hash, asset(h))); isNew {
			p.value.route = named(&a.routes, h.Route)
		}
	} else if isNew {
		p.value.route = named(&a.routes, h.Route)
	}
	if isNew {
		p.value.asset = h.Asset
	}
	v.page, v.target, v.targetHash = p, &p.value.target, p.hash
	if h.Query != "" {
		hash := mix(p.hash, maphash.String(seed, h.Query))
		v.targetHash = hash
		q, isNew := a.queries.find(hash, h.Query)
		switch {
		case q == nil:
			v.target = &p.value.rest
		case isNew:
			q.value.page = p
			fallthrough
		default:
			v.target = &q.value.target
		}
	}
	v.target.add(h)
	if h.Duration >= 0 {
		r := &p.value.route.value
		r.latency.Add(h.Duration)
		r.max = max(r.max, h.Duration)
	}
}

func asset(h *telemetry.WebHit) uint64 {
	if h.Asset {
		return 1
	}
	return 0
}

func (a *aggregate) referrer(h *telemetry.WebHit) *node[referrer] {
	n, isNew := a.referrers.get(h.Referrer)
	if n == nil {
		n, isNew = a.referrers.rest(named(&a.hosts, h.ReferrerHost).hash)
	}
	if isNew {
		n.value.host = named(&a.hosts, h.ReferrerHost)
	}
	n.value.add(h)
	return n
}
