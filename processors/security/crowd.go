package security

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/processors/security/distinct"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog"
)

// network is what is kept of a network of clients of a site.
type network struct {
	last    int64
	accused bool
	load    ring
	clients distinct.Few
	since   int64 // of the clients
}

// site is what is kept of a site: all its requests, and the attempts to log in
// that fail.
type site struct {
	all    series
	assets ring
	logins series
}

// series is the number of requests for something in ten seconds, and what it
// usually is.
type series struct {
	recent ring
	// window is the number of the window since 1970 that counted is of.
	window  int64
	counted uint32
	// baseline is the mean number in a window of the last hour, and windows how many
	// of them it is of.
	baseline float64
	windows  uint32
	// now and before are the clients of this window and the one before, while there
	// are many requests; crowded is set when there are enough in this.
	now, before *distinct.Many
	crowded     bool
	// flooding is set while there is a flood.
	flooding bool
}

const (
	// hour is the number of windows that the baseline remembers.
	hour = 360
	// warm is the number of windows from which on a baseline is believed.
	warm = 12
	// growth bounds what a window adds to the baseline: a flood must last for hours
	// until it is usual.
	growth = 2
)

// count counts a request of a client. Floor is from where on clients are counted,
// and what the baseline may grow by however small it is.
func (s *series) count(at int64, client uint64, floor uint32) {
	s.roll(at/window, floor)
	s.recent.add(at, windowSlice, 1)
	if at/window == s.window {
		s.counted++
	}
	if 4*s.recent.sum() < floor {
		return
	}
	if s.now == nil {
		s.now = new(distinct.Many)
	}
	s.now.Add(client)
}

// roll ends the windows before one.
func (s *series) roll(to int64, floor uint32) {
	if to <= s.window {
		return
	}
	if s.window == 0 {
		s.window = to
		return
	}
	for n := min(to-s.window, hour); n > 0; n-- {
		x := min(float64(s.counted), max(growth*s.baseline, float64(floor)))
		s.windows = min(s.windows+1, hour)
		s.baseline += (x - s.baseline) / float64(s.windows)
		s.counted = 0
	}
	s.before, s.now, s.crowded = s.now, nil, false
	if to > s.window+1 {
		s.before = nil
	}
	s.window = to
}

// many reports whether at least so many clients came.
func (s *series) many(least uint64) bool {
	if !s.crowded && s.recent.sum()%32 == 0 {
		s.crowded = s.clients() >= least
	}
	return s.crowded
}

// clients returns about how many clients came in this window or the one before.
func (s *series) clients() (n uint64) {
	if s.now != nil {
		n = s.now.Count()
	}
	if s.before != nil {
		n = max(n, s.before.Count())
	}
	return n
}

// over reports whether there is a flood: at least floor requests in ten seconds, and
// so many times the baseline. Odd says whether it looks like a flood where there is
// no baseline yet.
func (s *series) over(floor uint32, cfg *FloodConfig, odd func() bool) bool {
	sum := s.recent.sum()
	most := max(float64(floor), cfg.Ratio*s.baseline)
	if s.flooding {
		s.flooding = float64(sum) >= max(most/2, 1.25*s.baseline)
		return s.flooding
	}
	s.flooding = float64(sum) >= most && s.many(cfg.Clients) && (s.windows >= warm || odd())
	return s.flooding
}

// crowds looks at what many do together. Requests of those who are accused of a
// flood themselves are no part of it.
func (p *Processor) crowds(b *telemetry.Batch, s *site, c *client, v *visit, login attempt, flooding bool) {
	if v.hit.Asset {
		s.assets.add(v.at, windowSlice, 1)
	}
	if flooding || v.checks || c != nil && c.trusted == yes {
		return
	}
	cfg := &p.cfg.Flood
	if login.failed && (c == nil || !c.accused.has(stuffing)) {
		floor := 5 * p.cfg.Logins.Failures
		s.logins.count(v.at, v.client, floor)
		if s.logins.over(floor, cfg, func() bool { return true }) {
			f := p.crowdOf(b, stuffing, v, "")
			p.flooded(f, v, &s.logins, "attempts to log in that failed")
		}
	}
	if p.network(b, s, v) {
		return
	}
	name := v.hit.Route
	if name == "" {
		name = v.hit.Path
	}
	key := xxh3.HashStringSeed(name, v.site)
	path := p.paths.get(key)
	if path == nil && p.counts.add(key, 1, p.busy()) {
		path = p.paths.add(key)
		if s.all.windows >= warm { // it was not busy before
			path.windows, path.baseline, path.window = s.all.windows, float64(p.busy())/6, v.at/window
		}
	}
	if path != nil {
		path.count(v.at, v.client, cfg.Path)
		if path.over(cfg.Path, cfg, func() bool { return s.odd(path) }) {
			p.flooded(p.crowdOf(b, crowd, v, name), v, path, "requests")
			return
		}
	}
	floor := 2 * cfg.Path
	s.all.count(v.at, v.client, floor)
	if s.all.over(floor, cfg, func() bool { return s.odd(&s.all) }) {
		p.flooded(p.crowdOf(b, crowd, v, ""), v, &s.all, "requests")
	}
}

// busy is the number of requests in a minute that make a path or a network worth an
// entry.
const busy = 100

func (p *Processor) busy() uint32 { return max(min(busy, p.cfg.Flood.Path/4), 1) }

// odd reports whether requests look like a flood without a baseline to compare
// them with: most are for one thing, clients come a few times each, and few ask
// for assets.
func (s *site) odd(of *series) bool {
	sum, all := of.recent.sum(), s.all.recent.sum()
	return 10*sum >= 6*all && 4*s.assets.sum() <= sum && uint64(sum) <= 5*of.clients()
}

// notable reports whether quarters of requests that are more than most are a tenth of
// the site's, or ten times as many as they may be: a large site has visitors that
// small ones would take for a flood.
func (s *site) notable(sum, most uint32) bool {
	return uint64(sum)*10/4 >= uint64(s.all.recent.sum()) || sum/10 >= most
}

// flooded counts a request as part of what a crowd does.
func (p *Processor) flooded(f *finding, v *visit, s *series, what string) {
	if f.detail == "" {
		f.usual = s.baseline
		f.unit = uint64(s.recent.sum())
		f.hits = f.unit - 1
		f.first = min(f.first, s.recent.since(windowSlice))
		if s.now != nil {
			*f.clients = *s.now
		}
		f.detail = fmt.Sprintf("%d %s in 10 s by about %d clients, %.0f are usual", f.unit, what, s.clients(), s.baseline)
		if s.windows < warm {
			f.detail = fmt.Sprintf("%d %s in 10 s by about %d clients; what is usual is not known yet", f.unit, what, s.clients())
			f.doubt = 0.5
		}
	}
	p.hit(f, v, 0)
}

// network counts a request for its network, and reports whether it is part of
// a flood from there.
func (p *Processor) network(b *telemetry.Batch, s *site, v *visit) bool {
	key, host := networkKey(v.hit.Client, v.site)
	n := p.networks.get(key)
	if n == nil {
		if !p.counts.add(key, 1, min(busy, max(p.cfg.Flood.Network/4, 1))) {
			return false
		}
		n = p.networks.add(key)
	}
	if v.at-n.since > window {
		n.since, n.clients = v.at, distinct.Few{}
	}
	n.last = max(n.last, v.at)
	n.clients.Add(host)
	weight := uint32(4)
	if v.hit.Asset {
		weight = 1
	}
	n.load.add(v.at, windowSlice, weight)
	sum, most := n.load.sum(), 4*p.cfg.Flood.Network
	if sum < most && (!n.accused || 2*sum < most) {
		n.accused = false
		return false
	}
	if !n.accused && (n.clients.Count() < 3 || !s.notable(sum, most)) {
		return false
	}
	n.accused = true
	actor := weblog.Network(v.hit.Client)
	if p.trusts(v.hit.Client) {
		return false
	}
	id, group := keys(flood, v, actor, "")
	f := p.byKey[id]
	if f == nil {
		if p.full(group) {
			f = p.crowdOf(b, flood, v, "")
			f.detail = crowdDetails[flood]
		} else {
			f = p.open(b, flood, v, actor, "", id, group)
			f.clients = new(distinct.Many)
			f.hits, f.unit, f.first = uint64((sum+3)/4)-1, uint64((sum+3)/4), n.load.since(windowSlice)
			f.detail = fmt.Sprintf("%d requests in 10 s by about %d clients of the network", f.unit, n.clients.Count())
		}
	}
	p.hit(f, v, 0)
	return true
}

// networkKey returns the key of the network of a client and a hash of the client.
func networkKey(client string, site uint64) (key, host uint64) {
	last := strings.LastIndexByte(client, '.')
	if n := len(client); last > 0 && last+1 < n && client[0] <= '9' && client[n-1] <= '9' && strings.IndexByte(client, ':') < 0 {
		return xxh3.HashStringSeed(client[:last], site+1), xxh3.HashString(client[last:])
	}
	if address, err := netip.ParseAddr(client); err == nil {
		bytes := address.As16()
		return xxh3.HashSeed(bytes[:6], site+1), xxh3.Hash(bytes[6:])
	}
	return xxh3.HashStringSeed(client, site+1), 0
}

// site returns the site of a key.
func (p *Processor) site(key uint64) *site {
	if s := p.sites.get(key); s != nil {
		return s
	}
	return p.sites.add(key)
}
