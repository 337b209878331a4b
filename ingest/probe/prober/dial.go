package prober

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	phaseResolve = "resolve"
	phaseConnect = "connect"
	phaseTLS     = "tls"
)

// dialer looks names up and connects. All probers use it, and nothing else, to
// reach the network, so that the guard sees every address.
type dialer struct {
	guard    *Guard
	prefer6  bool
	fallback bool
	source   netip.Addr
	// lookup and connect are variables for tests, in which name servers lie and
	// public addresses can be reached.
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	connect func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)
}

func newDialer(c *Config, guard *Guard) (*dialer, error) {
	d := &dialer{
		guard: guard, prefer6: c.PreferredIPProtocol == "ip6", fallback: c.IPProtocolFallback,
		lookup: net.DefaultResolver.LookupNetIP,
		connect: func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}
	if c.SourceAddress != "" {
		var err error
		if d.source, err = netip.ParseAddr(c.SourceAddress); err != nil {
			return nil, fmt.Errorf("source_address: %w", err)
		}
	}
	return d, nil
}

// resolve returns the address of the host that the probe is going to use, which
// the guard has let through.
func (d *dialer) resolve(ctx context.Context, r *Result, host string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		start := time.Now()
		addr, err = d.find(ctx, host)
		r.phase(phaseResolve, start, time.Now())
		if err != nil {
			return netip.Addr{}, err
		}
	}
	if err := d.guard.Check(addr); err != nil {
		return netip.Addr{}, err
	}
	r.reaching(addr)
	return addr, nil
}

func (d *dialer) find(ctx context.Context, host string) (netip.Addr, error) {
	found, err := d.lookup(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, &Failure{Type: "resolve", Err: timeoutOr(ctx, err)}
	}
	var other netip.Addr
	for _, a := range found {
		// A resolver may give IPv4 addresses in their IPv6 form.
		a = a.Unmap()
		if a.Is6() == d.prefer6 {
			return a, nil
		}
		if !other.IsValid() {
			other = a
		}
	}
	if other.IsValid() && d.fallback {
		return other, nil
	}
	version := "IPv4"
	if d.prefer6 {
		version = "IPv6"
	}
	return netip.Addr{}, failf("resolve", "%s has no %s address", host, version)
}

// dial connects to host:port. Network is tcp or udp.
func (d *dialer) dial(ctx context.Context, r *Result, network, hostport string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, &Failure{Type: "target", Err: err}
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, failf("target", "%q is no port", portText)
	}
	addr, err := d.resolve(ctx, r, host)
	if err != nil {
		return nil, err
	}
	to := netip.AddrPortFrom(addr, uint16(port))
	r.connecting(to)
	// The timeout is for connections that outlive the probe which asked for them,
	// because they may serve the next one.
	nd := &net.Dialer{KeepAlive: -1, Timeout: time.Minute}
	if d.source.IsValid() {
		if network == "udp" {
			nd.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(d.source, 0))
		} else {
			nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.source, 0))
		}
	}
	start := time.Now()
	conn, err := d.connect(ctx, nd, network, to.String())
	r.phase(phaseConnect, start, time.Now())
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return conn, nil
}

// dialTarget notes a target of the form host:port and connects to it over TCP.
// It returns the host, too.
func (d *dialer) dialTarget(ctx context.Context, r *Result, target string) (conn net.Conn, host string, err error) {
	r.text("network.transport", "tcp")
	host, port, _ := net.SplitHostPort(target) // dial says what is wrong with it
	r.server(host, port)
	conn, err = d.dial(ctx, r, "tcp", target)
	return conn, host, err
}

// server notes what was asked for, before any name is looked up.
func (r *Result) server(host, port string) {
	r.text("server.address", host)
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		r.number("server.port", int64(n))
	}
}

// endsWith makes reads and writes of the connection end with the context: at
// its deadline, or at once when it is cancelled. The returned function is to be
// called when the connection is no longer used.
func endsWith(ctx context.Context, conn net.Conn) func() bool {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// timeoutOr returns the error of the context where it has ended, since that is
// the cause of the other error.
func timeoutOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
