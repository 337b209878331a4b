package prober_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// FuzzTarget gives any text to every protocol. What a module accepts must be
// what it says it is; nothing may be dialled, which the guard sees to.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"http://h.test/", "https://u:p@h.test", "h.test:80", "[::1]:53", "::1", "127.0.0.1", "[fe80::1%25eth0]:1", "http://[::1", "a b", "", "http:", "ftp://h", "h/?u=http://x",
	} {
		f.Add(s)
	}
	modules := map[string]*prober.Module{}
	for _, protocol := range prober.Protocols {
		modules[protocol] = newModule(f, config(protocol, func(c *prober.Config) {
			if c.DNS != nil {
				c.DNS.QueryName = "example"
			}
		}), &prober.Guard{})
	}
	f.Fuzz(func(t *testing.T, target string) {
		for protocol, m := range modules {
			err := m.Check(target)
			if err != nil && strings.Contains(target, "hunter2@") && strings.Contains(err.Error(), "hunter2") && protocol == "http" {
				t.Errorf("%s: the message tells the password: %v", protocol, err)
			}
			if err != nil || protocol != "http" {
				continue
			}
			// One of the two readings must be a URL that can be asked for.
			asked := false
			for _, reading := range []string{target, "http://" + target} {
				u, err := url.Parse(reading)
				asked = asked || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
			}
			if !asked {
				t.Errorf("%q was accepted", target)
			}
		}
	})
}

// FuzzGuard checks that no spelling of an address that is not public passes,
// with the classes of the standard library as the oracle.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::1", "::ffff:10.0.0.1", "8.8.8.8", "2002:a00::1", "fe80::1%lo"} {
		a := netip.MustParseAddr(s)
		f.Add(a.AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		addr, ok := netip.AddrFromSlice(raw)
		if !ok || (&prober.Guard{}).Check(addr) != nil {
			return
		}
		a := addr.Unmap()
		if a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || !a.IsGlobalUnicast() || addr.Is4In6() {
			t.Errorf("%s was let through", addr)
		}
	})
}
