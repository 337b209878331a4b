package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// listener bounds the open connections. What comes beyond the bound is closed
// at once: a sender learns of it and can go elsewhere, while one that waits in
// the queue of the kernel cannot.
type listener struct {
	net.Listener
	max     int64
	open    atomic.Int64
	gauge   prometheus.Gauge
	refused prometheus.Counter
	log     *slog.Logger
	quiet   quiet
}

func listen(ctx context.Context, address string, p protocol, limit int, m *metrics, log *slog.Logger) (*listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for OTLP over %s on %s: %w", p, address, err)
	}
	return &listener{Listener: l, max: int64(limit), gauge: m.open[p], refused: m.refused[p], log: log}, nil
}

// Accept returns the next connection within the bound.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.max {
			l.gauge.Inc()
			return &connection{Conn: c, from: l}, nil
		}
		l.open.Add(-1)
		l.refused.Inc()
		l.quiet.warn(l.log, "connection is refused because too many are open", "open", l.max, "from", c.RemoteAddr())
		_ = c.Close()
	}
}

// connection leaves its listener's count when it is closed.
type connection struct {
	net.Conn
	from *listener
	once sync.Once
}

// Close closes the connection.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.from.open.Add(-1)
		c.from.gauge.Dec()
	})
	return c.Conn.Close()
}

// CloseWrite ends what is sent and leaves what is received open, which lets a
// sender read why it was refused before it is cut off.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
