package prober

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"time"
)

const (
	phaseExchange = "exchange"
	// longestLine bounds what a server can make a dialogue hold.
	longestLine = 64 << 10
)

func parsePort(port string) (uint64, error) { return strconv.ParseUint(port, 10, 16) }

// tcpProber connects, and holds a dialogue where one is configured.
type tcpProber struct {
	cfg    *TCPConfig
	tls    *tls.Config
	expect []*regexp.Regexp
	dialer *dialer
}

func newTCP(cfg *TCPConfig, d *dialer) (*tcpProber, error) {
	loaded, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	p := &tcpProber{cfg: cfg, tls: loaded, dialer: d}
	for _, e := range cfg.QueryResponse {
		re, err := regexp.Compile(e.Expect)
		if err != nil {
			return nil, fmt.Errorf("query_response: %w", err)
		}
		p.expect = append(p.expect, re)
	}
	return p, nil
}

func (*tcpProber) check(target string) error { return checkHostPort(target) }
func (*tcpProber) close()                    {}

func (p *tcpProber) probe(ctx context.Context, target string, r *Result) error {
	r.SpanName = "tcp connect"
	r.measure(TCPDuration, phaseResolve, phaseConnect, phaseTLS, phaseExchange)
	conn, host, err := p.dialer.dialTarget(ctx, r, target)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if p.cfg.UseTLS {
		if conn, err = p.encrypt(ctx, r, conn, host); err != nil {
			return err
		}
	}
	if len(p.cfg.QueryResponse) == 0 {
		return nil
	}
	start := time.Now()
	err = p.talk(ctx, r, conn, host)
	r.phase(phaseExchange, start, time.Now())
	var mismatch *Failure
	r.flag(RegexFailed, asFailure(err, &mismatch) && mismatch.Type == typeMismatch)
	return err
}

// encrypt returns the connection itself where the handshake failed, so that it
// is closed all the same.
func (p *tcpProber) encrypt(ctx context.Context, r *Result, conn net.Conn, host string) (net.Conn, error) {
	encrypted, err := p.cfg.TLS.handshake(ctx, r, conn, p.tls, host)
	if encrypted == nil {
		return conn, err
	}
	return encrypted, err
}

func (p *tcpProber) talk(ctx context.Context, r *Result, conn net.Conn, host string) error {
	defer endsWith(ctx, conn)()
	lines := newLines(conn)
	for i, e := range p.cfg.QueryResponse {
		send := []byte(e.Send)
		if e.Expect != "" {
			var err error
			if send, err = p.await(ctx, r, lines, i); err != nil {
				return err
			}
		}
		if len(send) > 0 {
			r.explain("sending %d bytes", len(send)+1)
			if _, err := conn.Write(append(send, '\n')); err != nil {
				return fmt.Errorf("sending: %w", timeoutOr(ctx, err))
			}
		}
		if e.StartTLS {
			var err error
			if conn, err = p.encrypt(ctx, r, conn, host); err != nil {
				return err
			}
			lines = newLines(conn)
		}
	}
	return nil
}

// await reads lines until one matches and returns what to send next.
func (p *tcpProber) await(ctx context.Context, r *Result, lines *bufio.Scanner, step int) ([]byte, error) {
	for lines.Scan() {
		match := p.expect[step].FindSubmatchIndex(lines.Bytes())
		r.explain("read a line of %d bytes, matches: %t", len(lines.Bytes()), match != nil)
		if match != nil {
			return p.expect[step].Expand(nil, []byte(p.cfg.QueryResponse[step].Send), lines.Bytes(), match), nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("waiting for a line that matches %q: %w", p.cfg.QueryResponse[step].Expect, timeoutOr(ctx, err))
	}
	return nil, failf(typeMismatch, "no line matched %q before the server hung up", p.cfg.QueryResponse[step].Expect)
}

func newLines(conn net.Conn) *bufio.Scanner {
	s := bufio.NewScanner(conn)
	s.Buffer(make([]byte, 0, 1024), longestLine)
	return s
}
