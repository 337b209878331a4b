package prober

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	phaseSetup = "setup"
	phaseRTT   = "rtt"
	// The payload begins with a token that tells the reply from those to others.
	tokenLength = 16
	minPayload  = tokenLength
	maxPayload  = 65507
)

// icmpProber sends one echo request, each from a socket of its own.
type icmpProber struct {
	cfg    ICMPConfig
	dialer *dialer
}

func (*icmpProber) close() {}

func (*icmpProber) check(target string) error {
	if target == "" {
		return errors.New("the target is empty; want a host")
	}
	if _, err := netip.ParseAddr(target); err == nil {
		return nil
	}
	if _, _, err := net.SplitHostPort(target); err == nil {
		return fmt.Errorf("%q has a port; want a host", target)
	}
	return nil
}

func (p *icmpProber) probe(ctx context.Context, target string, r *Result) error {
	r.SpanName = "icmp echo"
	r.measure(ICMPDuration, phaseResolve, phaseSetup, phaseRTT)
	r.text("network.transport", "icmp")
	r.text("server.address", target)
	addr, err := p.dialer.resolve(ctx, r, target)
	if err != nil {
		return err
	}
	start := time.Now()
	s, err := p.open(addr)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	token := make([]byte, p.cfg.PayloadSize)
	if _, err := rand.Read(token[:tokenLength]); err != nil {
		return err
	}
	request := &icmp.Message{Type: s.request, Body: &icmp.Echo{
		// The kernel puts its own id in place of this one where the socket is a
		// datagram socket.
		ID: int(binary.BigEndian.Uint16(token)), Seq: 1, Data: token,
	}}
	packet, err := request.Marshal(nil)
	if err != nil {
		return fmt.Errorf("making the echo request: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = s.conn.SetDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })()
	sent := time.Now()
	r.phase(phaseSetup, start, sent)
	if _, err := s.conn.WriteTo(packet, s.to); err != nil {
		return fmt.Errorf("sending the echo request: %w", timeoutOr(ctx, err))
	}
	limit, err := s.await(token, p.cfg.PayloadSize)
	r.phase(phaseRTT, sent, time.Now())
	if err != nil {
		return fmt.Errorf("waiting for the echo reply: %w", timeoutOr(ctx, err))
	}
	if limit > 0 {
		r.point(ICMPHopLimit, float64(limit))
	}
	r.explain("reply with a hop limit of %d", limit)
	return nil
}

// pingSocket is a socket for one echo.
type pingSocket struct {
	conn           *icmp.PacketConn
	to             net.Addr
	number         int
	request, reply icmp.Type
}

// open prefers the datagram socket, which needs no privilege where the kernel
// lets the group of the process use it.
func (p *icmpProber) open(addr netip.Addr) (*pingSocket, error) {
	s := &pingSocket{number: 1, request: ipv4.ICMPTypeEcho, reply: ipv4.ICMPTypeEchoReply}
	datagram, raw, local := "udp4", "ip4:icmp", "0.0.0.0"
	if addr.Is6() {
		datagram, raw, local = "udp6", "ip6:ipv6-icmp", "::"
		s.number, s.request, s.reply = 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	if p.dialer.source.IsValid() {
		local = p.dialer.source.String()
	}
	var err error
	if s.conn, err = icmp.ListenPacket(datagram, local); err == nil {
		s.to = net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))
	} else {
		var rawErr error
		if s.conn, rawErr = icmp.ListenPacket(raw, local); rawErr != nil {
			return nil, openError(err, rawErr)
		}
		s.to = &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
	}
	if err := s.options(p.cfg.TTL); err != nil {
		_ = s.conn.Close()
		return nil, fmt.Errorf("setting up the socket: %w", err)
	}
	return s, nil
}

// openError says what an operator has to set.
func openError(datagram, raw error) error {
	if errors.Is(datagram, fs.ErrPermission) && errors.Is(raw, fs.ErrPermission) {
		return failf("permission", "this process may not ping: let its group %d do so with sysctl net.ipv4.ping_group_range=\"%d %d\" "+
			"(IPv6 follows it), or give it the capability CAP_NET_RAW", os.Getgid(), os.Getgid(), os.Getgid())
	}
	return fmt.Errorf("opening a socket: %w", errors.Join(datagram, raw))
}

func (s *pingSocket) options(ttl int) error {
	if c := s.conn.IPv4PacketConn(); c != nil {
		// Where the system does not tell the hop limit, it is left out.
		_ = c.SetControlMessage(ipv4.FlagTTL, true)
		if ttl > 0 {
			return c.SetTTL(ttl)
		}
		return nil
	}
	c := s.conn.IPv6PacketConn()
	_ = c.SetControlMessage(ipv6.FlagHopLimit, true)
	if ttl > 0 {
		return c.SetHopLimit(ttl)
	}
	return nil
}

// await reads until the reply is there and returns its hop limit, 0 where it is
// not known. A raw socket sees every ICMP packet of the machine; the request
// itself, too, when the target is on it.
func (s *pingSocket) await(token []byte, size int) (int, error) {
	buffer := make([]byte, size+128)
	for {
		n, limit, err := s.read(buffer)
		if err != nil {
			return 0, err
		}
		message, err := icmp.ParseMessage(s.number, buffer[:n])
		if err != nil || message.Type != s.reply {
			continue
		}
		if echo, ok := message.Body.(*icmp.Echo); ok && bytes.Equal(echo.Data, token) {
			return limit, nil
		}
	}
}

func (s *pingSocket) read(buffer []byte) (n, limit int, err error) {
	if c := s.conn.IPv4PacketConn(); c != nil {
		n, cm, _, err := c.ReadFrom(buffer)
		if cm != nil {
			limit = cm.TTL
		}
		return n, limit, err
	}
	n, cm, _, err := s.conn.IPv6PacketConn().ReadFrom(buffer)
	if cm != nil {
		limit = cm.HopLimit
	}
	return n, limit, err
}
