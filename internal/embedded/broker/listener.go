package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// listener stands between the network and the broker. It lets only whole,
// well-formed requests of a known kind through, in bounded time and memory:
// the broker behind it would end the process on some of the others.
type listener struct {
	cfg       Config
	log       *slog.Logger
	tcp       net.Listener
	addr      net.Addr
	conns     chan net.Conn
	closed    chan struct{}
	close     sync.Once
	open      atomic.Int64
	inFlight  *semaphore.Weighted
	decoding  chan struct{}
	refused   [refusals]atomic.Int64
	lastNotes atomic.Int64
}

// maxInFlight bounds the bytes of requests that are being received.
const maxInFlight = 64 << 20

// advertised is the address that clients are told.
type advertised string

func (advertised) Network() string  { return "tcp" }
func (a advertised) String() string { return string(a) }

func listen(ctx context.Context, cfg Config, log *slog.Logger) (*listener, error) {
	tcp, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, err
	}
	l := &listener{
		cfg: cfg, log: log, tcp: tcp, addr: tcp.Addr(),
		conns:    make(chan net.Conn),
		closed:   make(chan struct{}),
		inFlight: semaphore.NewWeighted(max(maxInFlight, 2*int64(cfg.MaxRecordBytes)+maxOtherRequest)),
		decoding: make(chan struct{}, 2),
	}
	if cfg.Advertise != "" {
		l.addr = advertised(cfg.Advertise)
	}
	return l, nil
}

// serve begins to take connections from the network. Until then they wait.
func (l *listener) serve() { go l.accept() }

// accept takes connections until the listener is closed. The broker would stop
// listening for good at the first error, such as too many open files.
func (l *listener) accept() {
	for {
		conn, err := l.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			l.note("accepting a connection", notAccepted, err, "")
			select {
			case <-l.closed:
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		if l.open.Add(1) > int64(l.cfg.MaxConnections) {
			l.open.Add(-1)
			_ = conn.Close()
			l.note("refusing a connection", tooManyOpen, errors.New("too many connections"), conn.RemoteAddr().String())
			continue
		}
		select {
		case l.conns <- &guardedConn{Conn: conn, l: l}:
		case <-l.closed:
			_ = conn.Close()
			return
		}
	}
}

// Accept returns the next connection, guarded or internal.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close stops listening.
func (l *listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.tcp.Close()
}

// Addr is the address that clients are told.
func (l *listener) Addr() net.Addr { return l.addr }

// dial returns a connection to the broker that passes no network and no guard.
func (l *listener) dial() (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// noteInterval is the least time between two log lines about bad connections.
const noteInterval = time.Minute

func (l *listener) note(doing string, why refusal, err error, remote string) {
	l.refused[why].Add(1)
	now := time.Now().UnixNano()
	last := l.lastNotes.Load()
	if now-last < int64(noteInterval) || !l.lastNotes.CompareAndSwap(last, now) {
		return
	}
	var count int64
	for i := range l.refused {
		count += l.refused[i].Load()
	}
	l.log.Warn("Kafka port: "+doing, "error", err, "remote", remote, "since_start", count)
}

// guardedConn hands the broker one checked request after the other.
type guardedConn struct {
	net.Conn
	l     *listener
	frame []byte // of it, next is still to be handed over
	next  []byte
	known bool // a whole request was seen
	once  sync.Once
}

// Close closes the connection; it may be called repeatedly.
func (c *guardedConn) Close() error {
	c.once.Do(func() { c.l.open.Add(-1) })
	return c.Conn.Close()
}

// Write bounds the time that a client may take to read its response.
func (c *guardedConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.l.cfg.RequestTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Read returns bytes of checked requests only. An error ends the connection.
func (c *guardedConn) Read(p []byte) (int, error) {
	if len(c.next) == 0 {
		if err := c.receive(); err != nil {
			if why, ok := refusalOf(err); ok {
				c.l.note("closing a connection", why, err, c.RemoteAddr().String())
			}
			_ = c.Close()
			return 0, err
		}
	}
	n := copy(p, c.next)
	if c.next = c.next[n:]; len(c.next) == 0 {
		c.release()
	}
	return n, nil
}

// receive reads one request with its length into frame and checks it.
func (c *guardedConn) receive() error {
	var head [4 + headerSize]byte
	idle := c.l.cfg.IdleTimeout
	if !c.known {
		idle = min(idle, c.l.cfg.RequestTimeout)
	}
	if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.Conn, head[:1]); err != nil {
		return err
	}
	deadline := time.Now().Add(c.l.cfg.RequestTimeout)
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.Conn, head[1:]); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size < headerSize+2 {
		return errMalformed
	}
	h, err := parseHeader(head[4:], size, int(c.l.cfg.MaxRecordBytes))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := c.l.inFlight.Acquire(ctx, int64(size)); err != nil {
		return err
	}
	c.frame = takeBuffer(4 + size)
	copy(c.frame, head[:])
	if _, err := io.ReadFull(c.Conn, c.frame[len(head):]); err != nil {
		c.release()
		return err
	}
	if h.key == kmsg.ApiVersions && h.version > served[h.key].max {
		c.next = standIn(c.frame[4:])
	} else if err := c.check(h); err != nil {
		c.release()
		return err
	} else {
		c.next = c.frame
	}
	c.known = true
	return nil
}

// smallRequest is the size up to which requests are decoded without a queue.
const smallRequest = 16 << 10

func (c *guardedConn) check(h requestHeader) error {
	if len(c.frame) > smallRequest {
		c.l.decoding <- struct{}{}
		defer func() { <-c.l.decoding }()
	}
	return checkRequest(h, c.frame[4:])
}

func (c *guardedConn) release() {
	c.l.inFlight.Release(int64(len(c.frame) - 4))
	giveBuffer(c.frame)
	c.frame, c.next = nil, nil
}

// buffers holds buffers of one size, which fits most requests.
var buffers = sync.Pool{New: func() any { b := make([]byte, pooledBuffer); return &b }}

const pooledBuffer = 64 << 10

func takeBuffer(size int) []byte {
	if size > pooledBuffer {
		return make([]byte, size)
	}
	return (*buffers.Get().(*[]byte))[:size]
}

func giveBuffer(b []byte) {
	if cap(b) == pooledBuffer {
		b = b[:pooledBuffer]
		buffers.Put(&b)
	}
}
