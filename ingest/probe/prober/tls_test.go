package prober_test

import (
	"net"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestTLS(t *testing.T) {
	good := signed(t)
	expired := selfSigned(t, time.Now().Add(-24*time.Hour).Truncate(time.Second))
	self := selfSigned(t, time.Now().Add(24*time.Hour).Truncate(time.Second))
	for name, c := range map[string]struct {
		server        issued
		client        prober.TLSConfig
		kind, message string
		verified      bool
	}{
		"trusted":        {good, prober.TLSConfig{CAFile: good.ca}, "", "", true},
		"expired":        {expired, prober.TLSConfig{CAFile: expired.ca}, "certificate", "expired", false},
		"self-signed":    {self, prober.TLSConfig{}, "certificate", "unknown authority", false},
		"other CA":       {good, prober.TLSConfig{CAFile: self.ca}, "certificate", "unknown authority", false},
		"wrong name":     {good, prober.TLSConfig{CAFile: good.ca, ServerName: "shop.example"}, "certificate", "shop.example", false},
		"not verified":   {expired, prober.TLSConfig{InsecureSkipVerify: true}, "", "", false},
		"expires soon":   {good, prober.TLSConfig{CAFile: good.ca, FailIfExpiresWithin: 2 * time.Hour}, "certificate", "expires at", true},
		"not soon":       {good, prober.TLSConfig{CAFile: good.ca, FailIfExpiresWithin: time.Minute}, "", "", true},
		"trusted itself": {self, prober.TLSConfig{CAFile: self.ca}, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveTLS(t, c.server)
			for _, cfg := range []prober.Config{
				config("tls", func(m *prober.Config) { m.TLS = &c.client }),
				config("tcp", func(m *prober.Config) { m.TCP.UseTLS, m.TCP.TLS = true, c.client }),
			} {
				r := run(t, cfg, address)
				expect(t, r, c.kind, c.message)
				// Also of a certificate that is refused, users want to see the expiry.
				values(t, r, map[string]float64{prober.CertEarliestExpiry: unix(c.server.notAfter), prober.CertChainInfo: 1, prober.IPProtocol: 4})
				if _, ok := find(r, prober.CertChainExpiry); ok != c.verified {
					t.Errorf("expiry of a verified chain: %t, want %t", ok, c.verified)
				}
				phases(t, r, map[string]string{"tls": prober.TLSDuration, "tcp": prober.TCPDuration}[cfg.Prober], map[string]bool{
					"resolve": false, "connect": true, "tls": true,
				})
				texts(t, r, map[string]string{
					"network.peer.address": "127.0.0.1", "network.type": "ipv4", "server.address": "127.0.0.1",
					"tls.server.not_after": c.server.notAfter.UTC().Format(time.RFC3339),
				})
			}
		})
	}
}

func TestTLSFacts(t *testing.T) {
	c := signed(t)
	r := run(t, config("tls", func(m *prober.Config) { m.TLS.CAFile = c.ca }), serveTLS(t, c))
	expect(t, r, "", "")
	if v, ok := find(r, prober.TLSVersionInfo, "version", "TLS 1.3"); !ok || v != 1 {
		t.Errorf("version: %v", r.Points)
	}
	if v, ok := find(r, prober.CertChainInfo, "subject", "CN=goshawk", "issuer", "CN=test authority", "serialnumber", "7", "subjectalternative", "127.0.0.1"); !ok || v != 1 {
		t.Errorf("certificate: %v", r.Points)
	}
	texts(t, r, map[string]string{"tls.protocol.version": "1.3", "tls.protocol.name": "tls", "tls.server.subject": "CN=goshawk"})
	values(t, r, map[string]float64{prober.CertChainExpiry: unix(c.notAfter)})
}

func TestTLSAgainstNoTLS(t *testing.T) {
	address := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = conn.Write([]byte("220 hello, this is not TLS\r\n")) })
	expect(t, run(t, config("tls", nil), address), "tls", "handshake")
	silent := transporttest.Listen(t, "tcp", "127.0.0.1:0", nil)
	r := run(t, config("tls", nil), silent)
	if r.Failure == nil || r.Failure.Type != "connection_closed" {
		t.Errorf("a server that hangs up: %v", r.Failure)
	}
}
