package prober_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestTCPConnect(t *testing.T) {
	v4 := transporttest.Listen(t, "tcp4", "127.0.0.1:0", nil)
	v6 := transporttest.Listen(t, "tcp6", "[::1]:0", nil)
	r := run(t, config("tcp", nil), v4)
	expect(t, r, "", "")
	values(t, r, map[string]float64{prober.IPProtocol: 4, prober.Lookup: 0})
	phases(t, r, prober.TCPDuration, map[string]bool{"resolve": false, "connect": true, "tls": false, "exchange": false})
	if len(r.Log) == 0 {
		t.Error("the probe explains nothing")
	}
	r = run(t, config("tcp", nil), v6)
	expect(t, r, "", "")
	values(t, r, map[string]float64{prober.IPProtocol: 6})
	texts(t, r, map[string]string{"network.peer.address": "::1", "network.type": "ipv6", "server.address": "::1"})
	r = run(t, config("tcp", func(c *prober.Config) { c.SourceAddress = "127.0.0.9" }), v4)
	expect(t, r, "", "")
}

func TestTCPRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	expect(t, run(t, config("tcp", nil), l.Addr().String()), "connection_refused", "connecting")
	for _, target := range []string{"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", ":80", "127.0.0.1:http"} {
		expect(t, run(t, config("tcp", nil), target), "target", "")
	}
}

func TestTCPTimeout(t *testing.T) {
	release := make(chan struct{})
	address := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(net.Conn) { <-release })
	t.Cleanup(func() { close(release) })
	m := newModule(t, config("tcp", func(c *prober.Config) { c.TCP.QueryResponse = []prober.Exchange{{Expect: "hello"}} }), nil)
	r := m.Probe(t.Context(), address, 50*time.Millisecond, false)
	expect(t, r, "timeout", "timeout after 50ms")
	if r.Canceled {
		t.Error("a timeout counts as cancelled")
	}
	values(t, r, map[string]float64{prober.RegexFailed: 0})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if r = m.Probe(ctx, address, long, false); !r.Canceled {
		t.Errorf("not cancelled: %v", r.Failure)
	}
}

func TestTCPDialogue(t *testing.T) {
	c := signed(t)
	// A mail server, as far as STARTTLS goes.
	mail := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		lines := bufio.NewReader(conn)
		fmt.Fprintf(conn, "220-welcome\r\n220 mail.example ESMTP ready\r\n")
		if greeting, _ := lines.ReadString('\n'); greeting != "EHLO mail.example\n" {
			fmt.Fprintf(conn, "500 %q is not the greeting\r\n", greeting)
			return
		}
		fmt.Fprintf(conn, "250-STARTTLS\r\n250 OK\r\n")
		if line, _ := lines.ReadString('\n'); line != "STARTTLS\n" {
			return
		}
		fmt.Fprintf(conn, "220 go ahead\r\n")
		secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{c.pair}})
		line, _ := bufio.NewReader(secure).ReadString('\n')
		fmt.Fprintf(secure, "250 %s\r\n", strings.TrimSpace(line))
	})
	dialogue := []prober.Exchange{
		{Expect: `^220 (\S+) ESMTP`, Send: "EHLO ${1}"},
		{Expect: `STARTTLS`, Send: "STARTTLS"},
		{Expect: `^220`, StartTLS: true},
		{Send: "EHLO again"},
		{Expect: "^250 EHLO again"},
	}
	with := func(steps ...prober.Exchange) prober.Config {
		return config("tcp", func(m *prober.Config) { m.TCP.TLS.CAFile, m.TCP.QueryResponse = c.ca, steps })
	}
	r := run(t, with(dialogue...), mail)
	expect(t, r, "", "")
	values(t, r, map[string]float64{prober.RegexFailed: 0, prober.CertEarliestExpiry: unix(c.notAfter)})
	phases(t, r, prober.TCPDuration, map[string]bool{"connect": true, "tls": true, "exchange": true})

	r = run(t, with(prober.Exchange{Expect: "^220 (.*)", Send: "wrong"}, prober.Exchange{Expect: "^250"}), mail)
	expect(t, r, "mismatch", `no line matched "^250"`)
	values(t, r, map[string]float64{prober.RegexFailed: 1})
}

func TestTCPLongLine(t *testing.T) {
	address := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { fmt.Fprint(conn, strings.Repeat("x", 1<<20)) })
	r := run(t, config("tcp", func(c *prober.Config) { c.TCP.QueryResponse = []prober.Exchange{{Expect: "y"}} }), address)
	expect(t, r, "_OTHER", "too long")
}
