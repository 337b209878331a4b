package prober_test

import (
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

func TestICMP(t *testing.T) {
	for address, version := range map[string]float64{"127.0.0.1": 4, "::1": 6} {
		for _, size := range []int{28, 1400} {
			r := run(t, config("icmp", func(c *prober.Config) { c.ICMP.PayloadSize, c.ICMP.TTL = size, 32 }), address)
			if r.Failure != nil && r.Failure.Type == "permission" {
				t.Skip("this test needs net.ipv4.ping_group_range or CAP_NET_RAW: ", r.Failure)
			}
			expect(t, r, "", "")
			values(t, r, map[string]float64{prober.IPProtocol: version})
			phases(t, r, prober.ICMPDuration, map[string]bool{"resolve": false, "setup": true, "rtt": true})
			if limit, ok := find(r, prober.ICMPHopLimit); !ok || limit < 1 {
				t.Errorf("hop limit %v (present: %t)", limit, ok)
			}
			texts(t, r, map[string]string{"server.address": address, "network.transport": "icmp"})
		}
	}
}

func TestICMPTargets(t *testing.T) {
	expect(t, run(t, config("icmp", nil), ""), "target", "empty")
	expect(t, run(t, config("icmp", nil), "127.0.0.1:80"), "target", "has a port")
}
