package prober

import "net/netip"

// Guard refuses addresses that belong to no public host. It is asked about the
// very address that is dialled, after the name was looked up and for every
// connection, so that neither a redirect nor a name server that changes its
// mind gets past it. A nil Guard lets everything through.
type Guard struct{}

// refused are the IPv4 networks that are not public. Beside the private ones
// these are loopback, link-local with the metadata services, the carriers' own
// (100.64.0.0/10), documentation, benchmarks, multicast and reserved.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"),
	// A public address behind which a cloud answers its own machines.
	netip.MustParsePrefix("168.63.129.16/32"),

	// Of IPv6 only 2000::/3 is public; these parts of it are not. The first
	// three carry an IPv4 address, which may be any.
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("3fff::/20"),
}

// public6 is what of IPv6 was given out. Loopback, link-local, unique local,
// multicast, the IPv4-mapped and IPv4-compatible forms and the well-known
// prefixes of NAT64 are outside of it.
var public6 = netip.MustParsePrefix("2000::/3")

// Check returns a [Failure] of the type target_not_allowed where the address
// must not be dialled.
func (g *Guard) Check(addr netip.Addr) error {
	if g == nil {
		return nil
	}
	allowed := addr.IsValid() && addr.Zone() == "" && (addr.Is4() || public6.Contains(addr))
	for _, p := range refused {
		allowed = allowed && !p.Contains(addr)
	}
	if !allowed {
		return failf("target_not_allowed", "%s is no public address; allow_private_targets lets it be probed", addr)
	}
	return nil
}
