// Package kafka is the plumbing between goshawk and a Kafka cluster: one client
// with its connections, topics and offsets, a producer that gathers records
// while a request is under way, and fetching without a copy per record.
//
// Connections, metadata, authentication and consumer groups are those of
// segmentio/kafka-go. The two requests that carry data, Produce and Fetch, are
// encoded here, straight from and into pooled memory, and sent over kafka-go's
// connections.
//
// This package must not know what records mean: tenants, batch ids and signals
// are the business of ingest/topic.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Client is a connection pool to one Kafka cluster. It is safe for concurrent
// use. It opens connections when they are needed.
type Client struct {
	cfg       Config
	addr      net.Addr
	api       *kafkago.Client
	transport *kafkago.Transport
	conns     connections

	resetMu   sync.Mutex
	lastReset time.Time
}

// New returns a client for the cluster. It reads certificates and secrets, and
// connects to nothing.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.TLS.Load()
	if err != nil {
		return nil, fmt.Errorf("kafka.tls.%w", err)
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, addr: kafkago.TCP(cfg.Brokers...)}
	c.transport = &kafkago.Transport{
		Dial:        c.dial(&c.conns),
		DialTimeout: cfg.DialTimeout,
		IdleTimeout: cfg.IdleTimeout,
		MetadataTTL: cfg.MetadataTTL,
		ClientID:    cfg.ClientID,
		TLS:         tlsConfig,
		SASL:        mechanism,
	}
	c.api = &kafkago.Client{Addr: c.addr, Timeout: cfg.RequestTimeout, Transport: c.transport}
	return c, nil
}

// API gives the calls of kafka-go that this package adds nothing to.
func (c *Client) API() *kafkago.Client { return c.api }

// dial opens connections and remembers them in conns.
func (c *Client) dial(conns *connections) func(context.Context, string, string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: c.cfg.DialTimeout, KeepAlive: 15 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conns.add(conn)
	}
}

// Dialer opens connections for a consumer group. Hangup closes all of them and
// refuses new ones: it ends whatever waits for an answer.
func (c *Client) Dialer() (dialer *kafkago.Dialer, hangup func()) {
	conns := new(connections)
	return &kafkago.Dialer{
		DialFunc:      c.dial(conns),
		Timeout:       c.cfg.DialTimeout,
		ClientID:      c.cfg.ClientID,
		TLS:           c.transport.TLS,
		SASLMechanism: c.transport.SASL,
	}, conns.close
}

// Brokers lists the addresses that the client was configured with.
func (c *Client) Brokers() []string { return c.cfg.Brokers }

// Close closes every connection. The client must not be used afterwards:
// new connections are refused.
func (c *Client) Close() {
	c.conns.close()
	c.transport.CloseIdleConnections()
}

// resetInterval bounds how often connections and metadata are thrown away.
const resetInterval = 250 * time.Millisecond

// Reset drops idle connections and what is known of the cluster, so that the
// next request connects anew and sees fresh metadata. Call it after an error
// that a restarted or moved broker explains: the transport does not notice by
// itself that its pooled connections are dead. Frequent calls are one.
func (c *Client) Reset() {
	c.resetMu.Lock()
	defer c.resetMu.Unlock()
	if now := time.Now(); now.Sub(c.lastReset) >= resetInterval {
		c.lastReset = now
		c.transport.CloseIdleConnections()
	}
}

// roundTrip sends a message that encodes itself. The context gets a deadline,
// because only a deadline ends the connection's goroutine when a broker hangs.
func (c *Client) roundTrip(ctx context.Context, timeout time.Duration, m protocol.Message) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := c.transport.RoundTrip(ctx, c.addr, m)
	return err
}

// connections remembers what is open, so that it can be closed.
type connections struct {
	mu     sync.Mutex
	open   map[*connection]struct{}
	closed bool
}

type connection struct {
	net.Conn
	owner *connections
}

func (s *connections) add(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return nil, errClosed
	}
	if s.open == nil {
		s.open = make(map[*connection]struct{})
	}
	c := &connection{Conn: conn, owner: s}
	s.open[c] = struct{}{}
	return c, nil
}

func (c *connection) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

func (s *connections) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		c.Conn.Close()
	}
	s.open = nil
}

var errClosed = errors.New("kafka client is closed")

func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil
	}
	password, err := s.Password.Value()
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl.password: %w", err)
	}
	var algorithm scram.Algorithm
	switch strings.ToLower(s.Mechanism) {
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: password}, nil
	case "scram-sha-256":
		algorithm = scram.SHA256
	default:
		algorithm = scram.SHA512
	}
	mechanism, err := scram.Mechanism(algorithm, s.Username, password)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: preparing %s: %w", s.Mechanism, err)
	}
	return mechanism, nil
}
