package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// link is a connection to one broker, for one request at a time. kafka-go opens
// it, authenticates and asks for the broker's versions; after that whoever holds
// the link writes and reads on it directly. A request through kafka-go's
// transport passes two more goroutines, and for a small request waking them
// costs more than all the rest.
type link struct {
	conn    net.Conn
	version int16 // of Produce
	idle    time.Time
}

// openLink connects to the broker at the address. The connection is one of conns.
func (c *Client) openLink(ctx context.Context, conns *connections, address string) (*link, error) {
	l := &link{}
	dial := c.dial(conns)
	dialer := &kafkago.Dialer{
		Timeout:       c.cfg.DialTimeout,
		ClientID:      c.cfg.ClientID,
		SASLMechanism: c.transport.SASL,
		DialFunc: func(ctx context.Context, network, resolved string) (net.Conn, error) {
			conn, err := dial(ctx, network, resolved)
			if err != nil {
				return nil, err
			}
			if deadline, ok := ctx.Deadline(); ok {
				if err := conn.SetDeadline(deadline); err != nil {
					conn.Close()
					return nil, err
				}
			}
			if l.conn, err = c.encrypt(ctx, conn, address); err != nil {
				conn.Close()
			}
			return l.conn, err
		},
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	versions, err := conn.ApiVersions()
	if err == nil {
		l.version, err = produceVersion(versions)
	}
	if err == nil {
		err = l.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	return l, nil
}

// encrypt puts TLS over the connection where it is configured.
func (c *Client) encrypt(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	if c.transport.TLS == nil {
		return conn, nil
	}
	cfg := c.transport.TLS
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	encrypted := tls.Client(conn, cfg)
	return encrypted, encrypted.HandshakeContext(ctx)
}

// produceVersion chooses the version of Produce requests.
func produceVersion(offered []kafkago.ApiVersion) (int16, error) {
	for _, v := range offered {
		if v.ApiKey != int16(protocol.Produce) {
			continue
		}
		version := min(v.MaxVersion, produceMax)
		if version < produceMin || version < v.MinVersion {
			return 0, fmt.Errorf("broker offers Produce versions %d to %d, want one of %d to %d", v.MinVersion, v.MaxVersion, produceMin, produceMax)
		}
		return version, nil
	}
	return 0, errors.New("broker offers no Produce requests")
}

// trip is one request and its answer on a link.
type trip struct {
	link        *link
	correlation int32
	sent        bool
	// in[:read] is what has arrived of the answer.
	in   []byte
	read int
}

// A Produce answer holds some fifty bytes for each partition.
const (
	answerHead    = 8
	answerRoom    = 4 << 10
	answerMaximum = 16 << 20
)

// begin makes the trip ready for an encoded request.
func (t *trip) begin(l *link, request []byte) {
	t.link, t.correlation, t.sent, t.read = l, finishHeader(request, l.version), false, 0
}

// run sends the request and returns the answer behind its header, valid until
// the next begin. When a read deadline interrupts it, a further call goes on
// where it was.
func (t *trip) run(request []byte) ([]byte, error) {
	if !t.sent {
		if _, err := t.link.conn.Write(request); err != nil {
			return nil, err
		}
		t.sent = true
	}
	want := answerHead
	for {
		if t.read >= answerHead {
			size := int64(binary.BigEndian.Uint32(t.in))
			if size < answerHead-4 || size > answerMaximum {
				return nil, fmt.Errorf("answer of %d bytes: out of bounds", size)
			}
			want = 4 + int(size)
		}
		if t.read >= want {
			break
		}
		if len(t.in) < want {
			t.in = append(make([]byte, 0, max(want, answerRoom)), t.in[:t.read]...)
			t.in = t.in[:cap(t.in)]
		}
		n, err := t.link.conn.Read(t.in[t.read:])
		if t.read += n; err != nil && t.read < want {
			return nil, err
		}
	}
	if got := int32(binary.BigEndian.Uint32(t.in[4:])); got != t.correlation || t.read > want {
		return nil, fmt.Errorf("answer has correlation id %d and %d bytes, want %d and %d", got, t.read, t.correlation, want)
	}
	return t.in[answerHead:want], nil
}
