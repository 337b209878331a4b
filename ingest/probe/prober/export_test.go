package prober

import (
	"context"
	"net"
	"net/netip"
)

// NameServer stands in for a name server.
type NameServer func(ctx context.Context, network, host string) ([]netip.Addr, error)

// SetLookup makes a module ask another name server.
func (m *Module) SetLookup(l NameServer) { m.dialer().lookup = l }

// Route makes connections to an address, which the guard has let through, go to
// another one.
func (m *Module) Route(from, to string) {
	d := m.dialer()
	next := d.connect
	d.connect = func(ctx context.Context, nd *net.Dialer, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && host == from {
			address = net.JoinHostPort(to, port)
		}
		return next(ctx, nd, network, address)
	}
}

func (m *Module) dialer() *dialer {
	switch p := m.protocol.(type) {
	case *httpProber:
		return p.dialer
	case *tcpProber:
		return p.dialer
	case *tlsProber:
		return p.dialer
	case *dnsProber:
		return p.dialer
	case *icmpProber:
		return p.dialer
	case *grpcProber:
		return p.dialer
	}
	panic("a protocol without a dialer")
}
