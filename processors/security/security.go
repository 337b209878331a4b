// Package security is a processor that finds in the requests to web servers what
// somebody does who means harm: injections, scans, attempts to log in, floods,
// scraping. What it finds become rows that say who, what, since when, how sure it
// is, which requests show it, and what a block of the actor would have cost.
//
// All requests of a client and its network come in one partition. It keeps
// something only of clients that deserve it, and never more than its settings
// allow: what a million addresses do that come once each is found in the rates of
// paths and sites, not in theirs. Its clock is the watermark, and it decides after
// every request: the same records give the same findings however they are cut into
// blocks, and state that is restored from a snapshot goes on as if nothing had
// happened.
//
// It must not know what becomes of its findings.
package security

import (
	"context"
	"math"
	"net/netip"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/processors/security/injection"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Registration makes the processor known.
func Registration() pipeline.Registration {
	return pipeline.Registration{
		Name:          "security",
		Summary:       "Finds attacks in requests to web servers: injections, scans, credential stuffing, floods, scraping; with evidence.",
		DefaultConfig: func() any { c := DefaultConfig(); return &c },
		New:           func(config any) (pipeline.Processor, error) { return New(*config.(*Config)) },
	}
}

// Processor looks at the requests of one partition.
type Processor struct {
	cfg     Config
	trusted []netip.Prefix
	logins  map[string]bool

	clock pipeline.Watermark
	// counts tells who comes often enough to be kept.
	counts   *recent
	clients  *table[client]
	networks *table[network]
	sites    *table[site]
	paths    *table[series]

	findings []*finding // in the order in which they were opened
	byKey    map[uint64]*finding
	groups   map[uint64]int
	// fresh is the number of findings without a row, due the time of the clock from
	// which on there may be something to tell about the others.
	fresh int
	due   int64

	inspector injection.Inspector
	// agents remembers what is known of agents; it is no part of the state.
	agents [1 << 12]agent
	// last is the site of the request before.
	last struct {
		tenant, site string
		key          uint64
	}
}

var (
	_ pipeline.Stateful = (*Processor)(nil)
	_ pipeline.Measured = (*Processor)(nil)
)

// New returns a processor that has seen nothing.
func New(cfg Config) (*Processor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{cfg: cfg, logins: map[string]bool{}, counts: new(recent)}
	p.trusted, _ = cfg.trusted() // it is valid
	for _, name := range cfg.LoginPaths {
		p.logins[name] = true
	}
	p.reset()
	return p, nil
}

// maxSites bounds the sites that are kept: clients choose their names on some servers.
const maxSites = 1000

// reset forgets everything.
func (p *Processor) reset() {
	p.clock = pipeline.Watermark{}
	p.findings, p.byKey, p.groups = nil, make(map[uint64]*finding), make(map[uint64]int)
	p.fresh, p.due = 0, math.MaxInt64
	p.forget()
}

// forget forgets what was counted.
func (p *Processor) forget() {
	p.counts.reset()
	p.clients = newTable(p.cfg.MaxClients, func(c *client) bool { return len(c.findings) > 0 })
	p.networks = newTable[network](max(p.cfg.MaxClients/4, 1), nil)
	p.sites = newTable[site](maxSites, nil)
	p.paths = newTable[series](p.cfg.MaxPaths, nil)
	p.last.tenant, p.last.site, p.last.key = "", "", 0
}

// Process implements pipeline.Processor.
func (p *Processor) Process(_ context.Context, b *telemetry.Batch) error {
	pipeline.EachVisits(b, func(record uint32, visits []telemetry.WebHit) { p.record(b, &b.Records[record], visits) })
	p.last.tenant, p.last.site, p.last.key = "", "", 0 // views of the batch
	return nil
}

// record looks at the requests of one record, and tells what there is to tell then.
func (p *Processor) record(b *telemetry.Batch, r *telemetry.Record, visits []telemetry.WebHit) {
	if p.clock.AdvanceVisits(r, visits) {
		// What was counted is of a time that was not.
		for len(p.findings) > 0 {
			p.close(b, len(p.findings)-1)
		}
		p.forget()
	}
	p.counts.at(p.clock.Now / int64(time.Minute))
	for i := range visits {
		p.visit(b, r, &visits[i])
	}
	if p.fresh > 0 {
		p.tellFresh(b)
	}
	if p.clock.Now >= p.due {
		p.tellDue(b)
	}
	for c := p.clients.last(); c != nil && c.last < p.clock.Now-memory && len(c.findings) == 0; c = p.clients.last() {
		p.clients.drop()
	}
	for n := p.networks.last(); n != nil && n.last < p.clock.Now-memory; n = p.networks.last() {
		p.networks.drop()
	}
}

const (
	// memory is for how long a client that does nothing is remembered, and in which
	// time it is counted what it asked for.
	memory = int64(10 * time.Minute)
	// window is the time that floods are counted in, and minute that of attempts to
	// log in; in slices.
	window      = int64(10 * time.Second)
	windowSlice = window / ringSlices
	minuteSlice = int64(time.Minute) / ringSlices
)

// visit is what is known of a request on its way through.
type visit struct {
	hit    *telemetry.WebHit
	tenant string
	// at is the time of the request, not after its receipt.
	at int64
	// site and client are keys.
	site, client uint64
	agent        *agent
	// checks is set for a check of health from a network of one's own.
	checks bool
}

// visit looks at one request.
func (p *Processor) visit(b *telemetry.Batch, r *telemetry.Record, h *telemetry.WebHit) {
	at := r.ReceiveTime
	if h.Time > 0 {
		at = min(h.Time, at)
	}
	v := visit{hit: h, tenant: r.Tenant, at: max(at, 0), site: p.siteKey(r.Tenant, h.Site), agent: p.agent(h.UserAgent)}
	v.client = xxh3.HashStringSeed(h.Client, v.site)
	v.checks = v.agent.checks && private(h.Client)
	s := p.site(v.site)
	failed := h.Status >= 400 && h.Status < 500

	found := p.inspector.Request(h.Path, h.Query)
	if h.Referrer != "" {
		for k, strength := range p.inspector.Header(h.Referrer) {
			found[k] = max(found[k], strength)
		}
	}
	for k, strength := range v.agent.found {
		found[k] = max(found[k], strength)
	}
	probing := probe(h.Path, failed)
	login := p.login(h)

	c := p.clients.get(v.client)
	if c == nil {
		weight := uint32(1)
		if failed {
			weight = 3
		}
		if p.counts.add(v.client, weight, promising) || !found.Clean() || probing || login.attempt || v.agent.tool != "" {
			c = p.clients.add(v.client)
			c.since = v.at
		}
	}
	flooding := false
	if c != nil {
		c.last = max(c.last, v.at)
		var part set
		p.injections(b, c, &v, found, &part)
		p.scans(b, c, &v, probing, failed, &part)
		p.attempts(b, c, &v, login, &part)
		p.scrapes(b, c, &v, &part)
		flooding = p.floods(b, s, c, &v, &part)
		if part == 0 {
			for _, f := range c.findings {
				f.harmless++
			}
		}
	}
	p.crowds(b, s, c, &v, login, flooding)
}

// promising is how many requests of a client in a minute make it worth an entry;
// those that are refused count three times.
const promising = 10

// siteKey returns the key of a site.
func (p *Processor) siteKey(tenant, site string) uint64 {
	if l := &p.last; l.key != 0 && l.site == site && l.tenant == tenant {
		return l.key
	}
	key := xxh3.HashStringSeed(site, xxh3.HashString(tenant))
	p.last.tenant, p.last.site, p.last.key = tenant, site, key
	return key
}

// agent returns what is known of an agent. It is valid until the next call.
func (p *Processor) agent(text string) *agent {
	hash := xxh3.HashString(text)
	a := &p.agents[hash%uint64(len(p.agents))]
	if a.hash != hash || hash == 0 {
		*a = readAgent(text)
		a.hash, a.found = hash, p.inspector.Header(text)
	}
	return a
}

// private reports whether an address is of a network that is not in the internet.
func private(client string) bool {
	address, err := netip.ParseAddr(client)
	return err == nil && (address.Unmap().IsPrivate() || address.Unmap().IsLoopback() || address.IsLinkLocalUnicast())
}

// trusts reports whether a client is one that is never accused.
func (p *Processor) trusts(client string) bool {
	if len(p.trusted) == 0 {
		return false
	}
	address, err := netip.ParseAddr(client)
	if err != nil {
		return false
	}
	address = address.Unmap().WithZone("")
	for _, network := range p.trusted {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// Held implements pipeline.Measured: the findings that are open, and the memory of
// all that is kept.
func (p *Processor) Held() (items, bytes int64) {
	const perFinding = 500 + maxEvidence*300
	return int64(len(p.findings)), int64(len(p.findings))*perFinding + int64(p.clients.len())*clientBytes + int64(p.networks.len())*networkBytes +
		int64(p.paths.len()+p.sites.len())*seriesBytes + rows*width*2
}

// About what an entry of each table takes, with its place in the index.
const (
	clientBytes  = 400
	networkBytes = 200
	seriesBytes  = 200
)
