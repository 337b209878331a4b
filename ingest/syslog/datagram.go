package syslog

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagramsPerRead is how many datagrams one system call receives.
const datagramsPerRead = 64

// received is struct mmsghdr of the kernel.
type received struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// datagrams is the memory for one system call that receives many.
type datagrams struct {
	slots   [datagramsPerRead]received
	vectors [datagramsPerRead]unix.Iovec
	peers   [datagramsPerRead]unix.RawSockaddrAny
	memory  []byte
	size    int
	peer    []byte
}

func newDatagrams(longest int) *datagrams {
	d := &datagrams{size: longest, memory: make([]byte, longest*datagramsPerRead)}
	for i := range d.slots {
		d.vectors[i].Base = &d.memory[i*longest]
		d.vectors[i].SetLen(longest)
		h := &d.slots[i].header
		h.Iov = &d.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&d.peers[i]))
	}
	return d
}

// receive waits for datagrams and returns how many came.
func (d *datagrams) receive(conn syscall.RawConn) (n int, err error) {
	for i := range d.slots {
		d.slots[i].header.Namelen = uint32(unsafe.Sizeof(d.peers[i]))
	}
	var failed syscall.Errno
	err = conn.Read(func(fd uintptr) bool {
		count, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&d.slots[0])), datagramsPerRead, unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return false
		}
		n, failed = int(count), errno
		return true
	})
	if err == nil && failed != 0 {
		return 0, failed
	}
	return n, err
}

// at returns a datagram, the address of its sender, and whether it was longer.
func (d *datagrams) at(i int) (text, peer []byte, cut bool) {
	start := i * d.size
	return d.memory[start : start+min(int(d.slots[i].length), d.size)], d.address(i), d.slots[i].header.Flags&unix.MSG_TRUNC != 0
}

// address returns the IP address of a datagram's sender, nil where it has none.
func (d *datagrams) address(i int) []byte {
	var ip netip.Addr
	switch d.peers[i].Addr.Family {
	case unix.AF_INET:
		ip = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&d.peers[i])).Addr)
	case unix.AF_INET6:
		ip = netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&d.peers[i])).Addr).Unmap()
	default:
		return nil
	}
	d.peer = ip.AppendTo(d.peer[:0])
	return d.peer
}

// datagramConn is a socket of datagrams.
type datagramConn interface {
	syscall.Conn
	Close() error
}

// datagrams receives datagrams, each a message, until the socket is closed.
func (s *Server) datagrams(ctx context.Context, conn datagramConn, name string) {
	bytes := s.metrics.received.WithLabelValues(name)
	raw, err := conn.SyscallConn()
	if err != nil {
		return // it is closed
	}
	// A datagram is no longer than 64 KiB.
	d, h := newDatagrams(min(int(s.cfg.MaxMessage), 64<<10)), s.shard()
	drops := &dropCounter{}
	for {
		n, err := d.receive(raw)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			continue // an ICMP message about an earlier answer, for example
		}
		now := time.Now()
		h.mu.Lock()
		for i := range n {
			text, peer, cut := d.at(i)
			bytes.Add(float64(len(text)))
			if cut {
				s.metrics.truncated.Inc()
			}
			if !h.add(ctx, text, peer, cut, now) {
				h.mu.Unlock()
				return
			}
		}
		h.mu.Unlock()
		if name == "udp" {
			s.metrics.dropped.WithLabelValues("udp_overflow").Add(drops.since(raw, now))
		}
	}
}

// dropCounter tells how many datagrams the kernel had no room for.
type dropCounter struct {
	seen uint32
	at   time.Time
}

// since returns how many more were dropped. It asks the kernel once in a while.
func (c *dropCounter) since(conn syscall.RawConn, now time.Time) float64 {
	if now.Sub(c.at) < 100*time.Millisecond {
		return 0
	}
	c.at = now
	// SO_MEMINFO fills in nine numbers; the last one counts drops.
	const numbers, dropsAt = 9, 8
	var info [4 * numbers]byte
	size := uint32(len(info))
	var failed syscall.Errno
	err := conn.Control(func(fd uintptr) {
		_, _, failed = syscall.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || failed != 0 || size < uint32(len(info)) {
		return 0
	}
	drops := binary.NativeEndian.Uint32(info[4*dropsAt:])
	more := drops - c.seen
	c.seen = drops
	return float64(more)
}

// receiveBuffer asks for a large receive buffer: more than the system's limit
// where the agent has the right to it.
func (s *Server) receiveBuffer(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var got int
	err = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, int(s.cfg.UDPBuffer)) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, int(s.cfg.UDPBuffer))
		}
		got, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	// The kernel doubles what it is asked for, for its own needs.
	if err == nil && got < int(s.cfg.UDPBuffer) {
		s.target.Log.Warn("the receive buffer of syslog over udp is smaller than udp_buffer; raise net.core.rmem_max", "bytes", got/2, "udp_buffer", s.cfg.UDPBuffer.String())
	}
	return err
}
