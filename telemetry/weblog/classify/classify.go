// Package classify makes hits of the lines of access logs: who asked, from which
// country, with what, for which kind of thing, and who sent them.
//
// A hit is a function of the tenant, the service, the line and the configuration:
// what was classified before changes only how long it takes.
//
// It must not know where lines come from or what becomes of hits.
package classify

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// Classifier classifies lines. It is used by one goroutine. Its caches are bounded.
type Classifier struct {
	trusted  []netip.Prefix
	ownHosts []string
	geo      *geo // nil without a database
	agents   cache[agent]
	texts    arena
	key      []byte
}

// New opens the databases. A database of countries that is not configured and
// not found is done without: CountryFile tells.
func New(cfg Config) (*Classifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Classifier{agents: cache[agent]{most: 1 << 15, mostBytes: 4 << 20}}
	c.trusted, _ = networks(cfg.TrustedProxies)
	for _, host := range cfg.OwnHosts {
		c.ownHosts = append(c.ownHosts, strings.TrimPrefix(strings.ToLower(host), "www."))
	}
	var err error
	c.geo, err = openGeo(cfg.Geo)
	return c, err
}

// Countries reports whether there is a database to look addresses up in.
func (c *Classifier) Countries() bool { return c.geo != nil }

// Reset takes back the memory of the strings of hits. They are views of the line,
// or of memory that is the classifier's until then.
func (c *Classifier) Reset() { c.texts.reset() }

// Hit fills everything of h but Time and Resource: from the parsed line, of a
// tenant's service.
func (c *Classifier) Hit(tenant, service string, l *accesslog.Line, h *telemetry.WebHit) {
	h.Site = c.site(service, l.VHost)
	address := c.client(l, h)
	h.Country, h.City, h.Latitude, h.Longitude = "", "", 0, 0
	if c.geo != nil && address.IsValid() {
		p := c.geo.place(address)
		h.Country, h.City, h.Latitude, h.Longitude = p.country, p.city, p.latitude, p.longitude
	}
	h.User = l.User

	h.Method, h.Protocol = l.Method, l.Protocol
	h.Path, h.Query, h.Route, h.Asset = l.Target, "", "", false
	if l.Method != "" {
		h.Path, h.Query, _ = strings.Cut(l.Target, "?")
		h.Route = c.route(h.Path)
		h.Asset = isAsset(h.Path)
	}
	h.Status, h.Sent, h.Duration = l.Status, l.Sent, l.Duration

	h.Referrer = l.Referrer
	h.ReferrerHost, h.Keywords = c.referrer(l.Referrer, h.Site)
	h.UserAgent = l.UserAgent
	a := c.agent(l.UserAgent)
	h.Browser, h.System, h.Bot = a.browser, a.system, a.bot
	h.TLS, h.Cache = l.TLSVersion, c.texts.upper(l.Cache)
	h.TraceID = telemetry.TraceID{}
	if len(l.TraceID) == 2*len(h.TraceID) {
		var id [2 * len(h.TraceID)]byte
		copy(id[:], l.TraceID)
		if _, err := hex.Decode(h.TraceID[:], id[:]); err != nil {
			h.TraceID = telemetry.TraceID{}
		}
	}
	h.Visitor = c.visitor(tenant, h)
}

// site is the virtual host, or the service where there is none that is a name.
func (c *Classifier) site(service, host string) string {
	host = strings.TrimSuffix(c.texts.lower(host), ".")
	if !isHost(host) {
		return service
	}
	return host
}

// visitor hashes who asks for what site.
func (c *Classifier) visitor(tenant string, h *telemetry.WebHit) uint64 {
	k := append(c.key[:0], tenant...)
	k = append(append(k, 0), h.Site...)
	k = append(append(k, 0), h.Client...)
	k = append(append(k, 0), h.UserAgent...)
	if c.key = k; cap(k) > 64<<10 {
		c.key = nil
	}
	return xxh3.Hash(k)
}

// isHost reports whether a text in lower case can be the name of a host.
func isHost(s string) bool {
	const longest = 253
	if s == "" || len(s) > longest {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == ':':
		default:
			return false
		}
	}
	return true
}
