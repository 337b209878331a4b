// Package syslog receives syslog messages of RFC 5424 and 3164 over TCP, TLS,
// UDP and Unix sockets, and writes them to Kafka.
//
// Syslog knows no acknowledgement: a message is in memory until Kafka has it.
// While Kafka is slow or away, TCP senders wait, and what UDP senders send
// beyond the receive buffer is lost and counted.
package syslog

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/ingest/logbatch"
	"github.com/goshawk-observability/goshawk/internal/transport"
)

// Options say what is received and where it goes.
type Options struct {
	Config   Config
	Target   logbatch.Target
	Registry prometheus.Registerer
}

// Server receives messages.
type Server struct {
	cfg      Config
	target   logbatch.Target
	metrics  *metrics
	location *time.Location
	// id is that of this run, in the ids of batches.
	id     [16]byte
	shards []*shard
	next   atomic.Uint32

	mu          sync.Mutex
	connections map[net.Conn]struct{}
	addresses   Addresses
}

// Addresses are where a server listens, nil where it does not.
type Addresses struct{ TCP, UDP, TLS, Unix net.Addr }

// New returns a server. It listens to nothing yet.
func New(o Options) (*Server, error) {
	if err := o.Config.Validate(); err != nil {
		return nil, fmt.Errorf("syslog: %w", err)
	}
	location, err := time.LoadLocation(o.Config.Location)
	if err != nil {
		return nil, fmt.Errorf("syslog: location: %w", err)
	}
	const slack = 64 << 10
	if least := 2*int(o.Config.MaxMessage) + slack; o.Target.MaxRecord < least {
		return nil, fmt.Errorf("syslog: max_message: %s does not fit into a kafka record of %d bytes; %d are needed", o.Config.MaxMessage, o.Target.MaxRecord, least)
	}
	s := &Server{cfg: o.Config, target: o.Target, metrics: newMetrics(o.Registry), location: location, connections: map[net.Conn]struct{}{}}
	_, _ = rand.Read(s.id[:]) // it cannot fail
	for i := range runtime.GOMAXPROCS(0) {
		s.shards = append(s.shards, newShard(s, i))
	}
	return s, nil
}

// Addresses returns where the server listens, once it is ready.
func (s *Server) Addresses() Addresses {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses
}

// shard returns the shard of a new sender.
func (s *Server) shard() *shard {
	return s.shards[int(s.next.Add(1))%len(s.shards)]
}

// stopGrace is how long Kafka may take for what is in memory when the server
// ends.
const stopGrace = 3 * time.Second

// Run receives until ctx ends. Ready, which may be nil, is called when all ports
// are open.
func (s *Server) Run(ctx context.Context, ready func()) error {
	var receivers, senders sync.WaitGroup
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closers, err := s.listen(ctx, &receivers)
	if err != nil {
		cancel()
		for _, c := range closers {
			_ = c.Close()
		}
		receivers.Wait()
		return fmt.Errorf("syslog: %w", err)
	}
	for _, h := range s.shards {
		senders.Go(func() { h.send(sending) })
	}
	if ready != nil {
		ready()
	}
	tick := time.NewTicker(max(s.cfg.BatchWait/4, 5*time.Millisecond))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			for _, h := range s.shards {
				h.tick(now)
			}
		}
	}
	for _, c := range closers {
		_ = c.Close() // they are done with
	}
	s.closeConnections()
	receivers.Wait()
	time.AfterFunc(stopGrace, stopSending)
	for _, h := range s.shards {
		h.mu.Lock()
		h.hand()
		h.mu.Unlock()
		close(h.full)
	}
	senders.Wait()
	return nil
}

// listen opens all ports and begins to receive.
func (s *Server) listen(ctx context.Context, receivers *sync.WaitGroup) (closers []interface{ Close() error }, err error) {
	stream := func(address, name string, configure func(net.Listener) net.Listener) (net.Addr, error) {
		if address == "" {
			return nil, nil
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		closers = append(closers, l)
		receivers.Go(func() { s.accept(ctx, configure(l), name, receivers) })
		return l.Addr(), nil
	}
	var a Addresses
	if a.TCP, err = stream(s.cfg.TCP, "tcp", func(l net.Listener) net.Listener { return l }); err != nil {
		return closers, err
	}
	if s.cfg.TLS != "" {
		certificates, err := transport.NewCertificates(s.cfg.Certificate, s.target.Log)
		if err != nil {
			return closers, fmt.Errorf("certificate: %w", err)
		}
		if a.TLS, err = stream(s.cfg.TLS, "tls", func(l net.Listener) net.Listener { return tls.NewListener(l, certificates.Config()) }); err != nil {
			return closers, err
		}
	}
	if s.cfg.UDP != "" {
		c, err := new(net.ListenConfig).ListenPacket(ctx, "udp", s.cfg.UDP)
		if err != nil {
			return closers, fmt.Errorf("udp: %w", err)
		}
		closers = append(closers, c)
		a.UDP = c.LocalAddr()
		conn := c.(*net.UDPConn)
		if err := s.receiveBuffer(conn); err != nil {
			return closers, fmt.Errorf("udp: %w", err)
		}
		receivers.Go(func() { s.datagrams(ctx, conn, "udp") })
	}
	if s.cfg.Unix != "" {
		// A socket that an earlier run left behind.
		if info, err := os.Lstat(s.cfg.Unix); err == nil && info.Mode()&os.ModeSocket != 0 {
			_ = os.Remove(s.cfg.Unix)
		}
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.cfg.Unix, Net: "unixgram"})
		if err != nil {
			return closers, fmt.Errorf("unix: %w", err)
		}
		closers = append(closers, c)
		a.Unix = c.LocalAddr()
		receivers.Go(func() { s.datagrams(ctx, c, "unix") })
	}
	s.mu.Lock()
	s.addresses = a
	s.mu.Unlock()
	return closers, nil
}

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context, l net.Listener, name string, receivers *sync.WaitGroup) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Too many open files, for example: that may pass.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if !s.admit(conn) {
			s.metrics.refused.WithLabelValues("limit").Inc()
			_ = conn.Close()
			continue
		}
		receivers.Go(func() {
			defer s.leave(conn)
			s.stream(ctx, conn, name)
		})
	}
}

// admit counts a connection in, where there is room for one.
func (s *Server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connections == nil || len(s.connections) >= s.cfg.MaxConnections {
		return false
	}
	s.connections[conn] = struct{}{}
	s.metrics.connections.Set(float64(len(s.connections)))
	return true
}

func (s *Server) leave(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, conn)
	s.metrics.connections.Set(float64(len(s.connections)))
}

func (s *Server) closeConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.connections {
		_ = conn.Close()
	}
	s.connections = nil
}
