package report

import (
	"sync"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// known is what is known about texts of which there can be many. All workers share
// it: each text is in memory once, and nothing is to be merged when all is read.
type known struct {
	origins  origins
	programs programs
	targets  targets
	links    links
}

// subject is a part of what is known. It is locked for a batch of requests, not
// for each.
type subject interface {
	TryLock() bool
	Lock()
	Unlock()
	// add counts requests and tells their visits.
	add(hits []telemetry.WebHit, visits []visit)
}

// lookups are what every subject has.
type lookups struct {
	sync.Mutex
	// hashes are those of the texts of a batch. All are looked for before they are
	// counted, because the processor waits for the memory of several at a time then.
	hashes  [batch]uint64
	touched uint64 // without a meaning
}

// origins are who asked, and from where.
type origins struct {
	lookups
	clients           table[client]
	users             table[tally]
	countries, cities table[place]
}

// programs are what they asked with.
type programs struct {
	lookups
	agents                      table[agent]
	browsers, systems, botNames table[tally]
}

// targets are what they asked for.
type targets struct {
	lookups
	queryHashes [batch]uint64
	pages       table[page]
	queries     table[query]
	routes      table[route]
}

// links are who sent them.
type links struct {
	lookups
	referrers       table[referrer]
	hosts, keywords table[tally]
}

// maxNames bounds tables of which no log has many.
const maxNames = 20_000

func newKnown(o *Options) *known {
	k := new(known)
	for _, limit := range []*int{
		&k.origins.clients.limit, &k.origins.users.limit, &k.programs.agents.limit, &k.targets.pages.limit,
		&k.targets.queries.limit, &k.links.referrers.limit, &k.links.hosts.limit, &k.links.keywords.limit,
	} {
		*limit = o.Limit
	}
	// These are few by their nature, or made up.
	for _, limit := range []*int{
		&k.origins.countries.limit, &k.origins.cities.limit, &k.programs.browsers.limit, &k.programs.systems.limit,
		&k.programs.botNames.limit, &k.targets.routes.limit,
	} {
		*limit = min(o.Limit, maxNames)
	}
	return k
}

// add counts requests and tells their visits. Subjects that another worker is at
// come last.
func (k *known) add(hits []telemetry.WebHit, visits []visit) {
	subjects := [...]subject{&k.targets, &k.origins, &k.programs, &k.links}
	busy := 0
	for _, s := range subjects {
		if s.TryLock() {
			s.add(hits, visits)
			s.Unlock()
		} else {
			subjects[busy] = s
			busy++
		}
	}
	for _, s := range subjects[:busy] {
		s.Lock()
		s.add(hits, visits)
		s.Unlock()
	}
}

// named returns the node of a text of a small table, that of the others where it
// is full.
func named[T any](t *table[T], text string) *node[T] {
	n, _ := t.get(text)
	if n == nil {
		n, _ = t.rest(0)
	}
	return n
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

func (o *origins) add(hits []telemetry.WebHit, visits []visit) {
	for i := range hits {
		o.hashes[i] = hashText(hits[i].Client)
		o.touched += o.clients.touch(o.hashes[i])
	}
	for i := range hits {
		v := &visits[i]
		v.client = o.client(&hits[i], o.hashes[i])
		v.user = addNamed(&o.users, hits[i].User, &hits[i])
	}
}

// client counts an address, of which the hash is known, and returns its node.
func (o *origins) client(h *telemetry.WebHit, hash uint64) *node[client] {
	n, isNew := o.clients.find(hash, h.Client)
	if n == nil {
		country, city := o.locate(h)
		if n, isNew = o.clients.rest(hashOf(city, country)); isNew {
			n.value.country, n.value.city = country, city
		}
	} else if isNew {
		n.value.country, n.value.city = o.locate(h)
	}
	n.value.add(h)
	return n
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
func (o *origins) locate(h *telemetry.WebHit) (country, city *node[place]) {
	if h.Country == "" {
		return nil, nil
	}
	country = named(&o.countries, h.Country)
	if c := &country.value; c.country == "" {
		c.country = country.name
		c.latitude, c.longitude = classify.CountryCentre(h.Country)
	}
	if h.City != "" {
		city = named(&o.cities, h.City+", "+h.Country)
		if c := &city.value; c.country == "" {
			c.country, c.latitude, c.longitude = country.name, h.Latitude, h.Longitude
		}
	}
	return country, city
}

func (p *programs) add(hits []telemetry.WebHit, visits []visit) {
	for i := range hits {
		p.hashes[i] = hashText(hits[i].UserAgent)
		p.touched += p.agents.touch(p.hashes[i])
	}
	for i := range hits {
		visits[i].agent = p.agent(&hits[i], p.hashes[i])
	}
}

// agent counts a user agent, of which the hash is known, and returns its node.
func (p *programs) agent(h *telemetry.WebHit, hash uint64) *node[agent] {
	n, isNew := p.agents.find(hash, h.UserAgent)
	if n == nil {
		n, isNew = p.agents.rest(mix(mix(hashText(h.Browser), hashText(h.System)), hashText(h.Bot)))
	}
	g := &n.value
	if isNew {
		browser, system := h.Browser, h.System
		if h.Bot != "" {
			g.bot = named(&p.botNames, h.Bot)
			browser, system = bots, bots
		}
		g.browser, g.system = named(&p.browsers, browser), named(&p.systems, system)
	}
	g.add(h)
	return n
}

func (t *targets) add(hits []telemetry.WebHit, visits []visit) {
	for i := range hits {
		h := &hits[i]
		t.hashes[i] = hashText(h.Path)
		t.touched += t.pages.touch(t.hashes[i])
		if h.Query != "" {
			t.queryHashes[i] = hashText(h.Query)
			t.touched += t.queries.touch(mix(t.hashes[i], t.queryHashes[i]))
		}
	}
	for i := range hits {
		t.target(&hits[i], &visits[i], t.hashes[i], t.queryHashes[i])
	}
}

// target counts what was asked for, of which the hashes are known, and tells the
// visit.
func (t *targets) target(h *telemetry.WebHit, v *visit, path, query uint64) {
	p, isNew := t.pages.find(path, h.Path)
	if p == nil {
		p, isNew = t.pages.rest(mix(named(&t.routes, h.Route).hash, asset(h)))
	}
	if isNew {
		p.value.route, p.value.asset = named(&t.routes, h.Route), h.Asset
	}
	v.page, v.target, v.targetHash = p, &p.value.target, p.hash
	if h.Query != "" {
		v.targetHash = mix(p.hash, query)
		q, isNew := t.queries.find(v.targetHash, h.Query)
		if isNew {
			q.value.page = p
		}
		if q != nil {
			v.target = &q.value.target
		} else {
			if p.value.rest == nil {
				p.value.rest = new(target)
			}
			v.target = p.value.rest
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

func (l *links) add(hits []telemetry.WebHit, visits []visit) {
	for i := range hits {
		h, v := &hits[i], &visits[i]
		v.keywords = addNamed(&l.keywords, h.Keywords, h)
		v.referringHost = l.host(h)
	}
}

// host counts a referrer and returns its host, nil if there is none.
func (l *links) host(h *telemetry.WebHit) *node[tally] {
	if h.Referrer == "" {
		return nil
	}
	n, isNew := l.referrers.get(h.Referrer)
	if n == nil {
		n, isNew = l.referrers.rest(named(&l.hosts, h.ReferrerHost).hash)
	}
	if isNew {
		n.value.host = named(&l.hosts, h.ReferrerHost)
	}
	n.value.add(h)
	return n.value.host
}
