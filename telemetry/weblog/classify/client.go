package classify

import (
	"net/netip"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// client sets the client of h, and returns its address, which is the zero value
// for a host name.
func (c *Classifier) client(l *accesslog.Line, h *telemetry.WebHit) netip.Addr {
	text := l.Client
	address, ok := parseAddress(text)
	// Who connected through a socket of the machine is a proxy, and formats
	// without the peer are those of proxies behind others.
	local := text == "" || strings.HasPrefix(text, "unix")
	if l.ForwardedFor != "" && (local || ok && c.isTrusted(address)) {
		if t, a := c.forwarded(l.ForwardedFor); a.IsValid() {
			text, address, ok = t, a, true
		}
	}
	if !ok {
		h.Client = c.texts.lower(text)
		return netip.Addr{}
	}
	h.Client = c.addressText(text, address)
	return address
}

// forwarded returns the right-most address that is none of a trusted proxy, or
// that left of all trusted ones where there is no other. What is left of something
// that is no address is not believed.
func (c *Classifier) forwarded(chain string) (text string, address netip.Addr) {
	for chain != "" {
		element := chain
		if comma := strings.LastIndexByte(chain, ','); comma >= 0 {
			chain, element = chain[:comma], chain[comma+1:]
		} else {
			chain = ""
		}
		element = bare(strings.TrimSpace(element))
		a, ok := parseAddress(element)
		if !ok {
			break
		}
		text, address = element, a
		if !c.isTrusted(a) {
			break
		}
	}
	return text, address
}

func (c *Classifier) isTrusted(a netip.Addr) bool {
	for i := range c.trusted {
		if c.trusted[i].Contains(a) {
			return true
		}
	}
	return false
}

// bare returns an address without brackets and port.
func bare(s string) string {
	if s == "" {
		return s
	}
	if s[0] == '[' {
		if end := strings.IndexByte(s, ']'); end > 0 {
			return s[1:end]
		}
		return s
	}
	if colon := strings.IndexByte(s, ':'); colon >= 0 && colon == strings.LastIndexByte(s, ':') {
		return s[:colon]
	}
	return s
}

// parseAddress reads an address, without its zone; one of IPv4 that is written as
// one of IPv6 is of IPv4.
func parseAddress(s string) (netip.Addr, bool) {
	// An error of the parser costs more than an address.
	if len(s) < 2 || s[0]-'0' > 9 && strings.IndexByte(s, ':') < 0 {
		return netip.Addr{}, false
	}
	if !mayBeAddress(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

// mayBeAddress keeps most names that begin with a digit from the parser.
func mayBeAddress(s string) bool {
	last := s[len(s)-1]
	return last-'0' <= 9 || last == ':' || strings.IndexByte(s, ':') >= 0
}

// addressText is the normal text of an address, which s nearly always is.
func (c *Classifier) addressText(s string, a netip.Addr) string {
	if a.Is4() && strings.IndexByte(s, ':') < 0 {
		return s // there is one way to write it
	}
	const longest = 64
	b := a.AppendTo(c.texts.room(longest))
	if string(b) == s {
		return s
	}
	return c.texts.keep(b)
}
