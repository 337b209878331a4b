package prober_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

func TestGuard(t *testing.T) {
	for text, allowed := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "2a00:1450::1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.8.8.8": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false,
		"172.16.0.1": false, "172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "168.63.129.16": false,
		"192.0.0.192": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "fc00::1": false,
		"ff02::1": false, "::ffff:8.8.8.8": false, "::ffff:127.0.0.1": false, "::127.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false,
		"fec0::1": false, "2606:4700::1%1": false,
	} {
		err := (&prober.Guard{}).Check(netip.MustParseAddr(text))
		var f *prober.Failure
		if (err == nil) != allowed || err != nil && (!errors.As(err, &f) || f.Type != "target_not_allowed") {
			t.Errorf("%s: %v, want allowed: %t", text, err, allowed)
		}
	}
	if (&prober.Guard{}).Check(netip.Addr{}) == nil {
		t.Error("no address at all is allowed")
	}
	var none *prober.Guard
	if err := none.Check(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Errorf("without a guard: %v", err)
	}
}

// TestGuardOfEveryProtocol points each protocol at loopback, by address and by
// a name.
func TestGuardOfEveryProtocol(t *testing.T) {
	for protocol, target := range map[string]string{
		"http": "http://%s:1/", "tcp": "%s:1", "tls": "%s:1", "grpc": "%s:1", "icmp": "%s", "dns": "%s:1",
	} {
		for _, host := range []string{"127.0.0.1", "inside.example"} {
			m := newModule(t, config(protocol, func(c *prober.Config) {
				if c.DNS != nil {
					c.DNS.QueryName = "example"
				}
			}), &prober.Guard{})
			m.SetLookup(func(context.Context, string, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1")}, nil
			})
			r := m.Probe(t.Context(), fmt.Sprintf(target, host), long, false)
			expect(t, r, "target_not_allowed", "no public address")
		}
	}
}

// TestGuardAgainstRebinding has a name server that gives a public address first
// and a private one later.
func TestGuardAgainstRebinding(t *testing.T) {
	m := newModule(t, config("tcp", nil), &prober.Guard{})
	asked := 0
	m.SetLookup(func(context.Context, string, string) ([]netip.Addr, error) {
		asked++
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	})
	expect(t, m.Probe(t.Context(), "rebound.example:1", long, false), "target_not_allowed", "127.0.0.1")
	// A second look-up could give another answer than the one that was checked.
	if asked != 1 {
		t.Errorf("the name was looked up %d times, want once", asked)
	}
}

// TestGuardAfterRedirect has a public server, reached by a detour, that redirects
// to a private one.
func TestGuardAfterRedirect(t *testing.T) {
	reached := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inside.Close()
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusFound))
	defer outside.Close()
	m := newModule(t, config("http", nil), &prober.Guard{})
	m.SetLookup(func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
	})
	m.Route("8.8.8.8", "127.0.0.1")
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(outside.URL, "http://"))
	r := m.Probe(t.Context(), "http://outside.example:"+port+"/", long, false)
	expect(t, r, "target_not_allowed", "127.0.0.1")
	values(t, r, map[string]float64{prober.HTTPRedirects: 1})
	if reached {
		t.Error("the redirect reached a private address")
	}
}
