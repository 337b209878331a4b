package prober_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// nameServer answers on UDP and TCP, with TLS where a certificate is given.
func nameServer(t *testing.T, network string, c *issued, handle dns.HandlerFunc) string {
	t.Helper()
	started := make(chan struct{})
	s := &dns.Server{Handler: handle, NotifyStartedFunc: func() { close(started) }}
	var address string
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.PacketConn, address = conn, conn.LocalAddr().String()
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		if c != nil {
			l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{c.pair}})
		}
		s.Listener = l
	}
	ended := make(chan error, 1)
	go func() { ended <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		_ = s.Shutdown()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return address
}

func record(t *testing.T, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

func TestDNS(t *testing.T) {
	c := signed(t)
	handle := func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg)
		answer.SetReply(q)
		switch {
		case q.Question[0].Name == "gone.example.":
			answer.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeSOA:
			answer.Answer = []dns.RR{record(t, "example. 60 IN SOA ns.example. me.example. 2026112101 1 2 3 4")}
		default:
			answer.Answer = []dns.RR{record(t, "shop.example. 60 IN A 192.0.2.1"), record(t, "shop.example. 60 IN A 192.0.2.2")}
			answer.Ns = []dns.RR{record(t, "example. 60 IN NS ns.example.")}
			answer.Extra = []dns.RR{record(t, "ns.example. 60 IN A 192.0.2.53")}
		}
		_ = w.WriteMsg(answer)
	}
	servers := map[string]string{
		"udp": nameServer(t, "udp", nil, handle), "tcp": nameServer(t, "tcp", nil, handle), "tls": nameServer(t, "tcp", &c, handle),
	}
	for name, tc := range map[string]struct {
		change        func(*prober.DNSConfig)
		kind, message string
		mismatch      bool
	}{
		"plain":            {nil, "", "", false},
		"name error":       {func(c *prober.DNSConfig) { c.QueryName = "gone.example" }, "NXDOMAIN", "NXDOMAIN is not valid", false},
		"one wanted":       {func(c *prober.DNSConfig) { c.QueryName, c.ValidRcodes = "gone.example", []string{"NXDOMAIN"} }, "", "", false},
		"not wanted":       {func(c *prober.DNSConfig) { c.ValidRcodes = []string{"NXDOMAIN"} }, "NOERROR", "", false},
		"answer matches":   {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfMatches = []string{`192\.0\.2\.2`} }, "mismatch", "a record of the answer section", true},
		"not all match":    {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfAllMatch = []string{`192\.0\.2\.2`} }, "", "", false},
		"all match":        {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfAllMatch = []string{`192\.0\.2`} }, "mismatch", "all records", true},
		"one does not":     {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfNotMatches = []string{`\.2$`} }, "mismatch", "does not match", true},
		"each does":        {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfNotMatches = []string{`192`} }, "", "", false},
		"none does":        {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfNoneMatches = []string{`203`} }, "mismatch", "no record", true},
		"one does":         {func(c *prober.DNSConfig) { c.ValidateAnswer.FailIfNoneMatches = []string{`\.2$`} }, "", "", false},
		"authority":        {func(c *prober.DNSConfig) { c.ValidateAuthority.FailIfMatches = []string{`NS\tns\.example`} }, "mismatch", "authority", true},
		"additional":       {func(c *prober.DNSConfig) { c.ValidateAdditional.FailIfNoneMatches = []string{`203`} }, "mismatch", "no record of the additional", true},
		"serial of a zone": {func(c *prober.DNSConfig) { c.QueryName, c.QueryType = "example", "SOA" }, "", "", false},
	} {
		for protocol, address := range servers {
			r := run(t, config("dns", func(m *prober.Config) {
				m.DNS.QueryName, m.DNS.Protocol, m.DNS.TLS.CAFile = "shop.example", protocol, c.ca
				if tc.change != nil {
					tc.change(m.DNS)
				}
			}), address)
			t.Log(name, protocol)
			expect(t, r, tc.kind, tc.message)
			want := map[string]float64{prober.DNSSucceeded: 1, prober.RegexFailed: 0}
			if tc.mismatch {
				want[prober.RegexFailed] = 1
			}
			switch name {
			case "plain":
				want[prober.DNSAnswers], want[prober.DNSAuthority], want[prober.DNSAdditional] = 2, 1, 1
			case "serial of a zone":
				want[prober.DNSSerial] = 2026112101
			}
			values(t, r, want)
			phases(t, r, prober.DNSDuration, map[string]bool{"connect": true, "request": true, "tls": protocol == "tls"})
		}
	}
}

func TestDNSWithoutAnswer(t *testing.T) {
	silent := nameServer(t, "udp", nil, func(dns.ResponseWriter, *dns.Msg) {})
	m := newModule(t, config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.QueryType = "example", "SOA" }), nil)
	r := m.Probe(t.Context(), silent, 50*time.Millisecond, false)
	expect(t, r, "timeout", "reading the answer")
	values(t, r, map[string]float64{prober.DNSSucceeded: 0, prober.DNSAnswers: 0, prober.DNSSerial: 0})
	for _, target := range []string{"", "127.0.0.1:0", ":53"} {
		expect(t, run(t, config("dns", func(c *prober.Config) { c.DNS.QueryName = "example" }), target), "target", "")
	}
}

func TestDNSAnswersOfOthersAreIgnored(t *testing.T) {
	address := nameServer(t, "udp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
		for _, spoil := range []func(*dns.Msg){
			func(m *dns.Msg) { m.Id++ },
			func(m *dns.Msg) { m.Question[0].Name = "other.example." },
			func(m *dns.Msg) { m.Response = false },
			func(m *dns.Msg) { m.Rcode = dns.RcodeNameError },
		} {
			answer := new(dns.Msg)
			answer.SetReply(q.Copy())
			spoil(answer)
			_ = w.WriteMsg(answer)
		}
	})
	r := run(t, config("dns", func(c *prober.Config) { c.DNS.QueryName = "shop.example" }), address)
	expect(t, r, "NXDOMAIN", "")
}

func TestDNSDefaultPorts(t *testing.T) {
	for protocol, want := range map[string]int64{"udp": 53, "tcp": 53, "tls": 853} {
		m := newModule(t, config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.Protocol = "example", protocol }), &prober.Guard{})
		for _, target := range []string{"127.0.0.1", "::1", "[::1]"} {
			r := m.Probe(t.Context(), target, long, false)
			expect(t, r, "target_not_allowed", "")
			numbers(t, r, map[string]int64{"server.port": want})
		}
	}
}
