package syslog

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/transport"
)

// Config says where syslog messages are received.
type Config struct {
	// TCP, UDP and TLS are addresses to listen on, Unix is the path of a datagram
	// socket; empty for none.
	TCP  string `yaml:"tcp"`
	UDP  string `yaml:"udp"`
	TLS  string `yaml:"tls"`
	Unix string `yaml:"unix"`
	// Certificate is that of TLS.
	Certificate transport.ServerTLS `yaml:"certificate"`
	// MaxMessage is the longest message. A longer one is cut, and the rest of
	// it dropped; log records are marked and counted.
	MaxMessage config.Bytes `yaml:"max_message"`
	// MaxConnections bounds the connections of TCP and TLS together.
	MaxConnections int `yaml:"max_connections"`
	// IdleTimeout closes connections over which nothing came for so long.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// BatchWait is how long messages may wait for others.
	BatchWait time.Duration `yaml:"batch_wait"`
	// UDPBuffer is the receive buffer that the kernel is asked for.
	UDPBuffer config.Bytes `yaml:"udp_buffer"`
	// Location is the time zone of timestamps that have none, such as
	// Europe/Berlin; Local for that of this host.
	Location string `yaml:"location"`
}

// Enabled reports whether anything is listened on.
func (c *Config) Enabled() bool { return c.TCP != "" || c.UDP != "" || c.TLS != "" || c.Unix != "" }

// DefaultConfig listens on nothing.
func DefaultConfig() Config {
	return Config{
		MaxMessage: 64 << 10, MaxConnections: 1000, IdleTimeout: 30 * time.Minute, BatchWait: 200 * time.Millisecond,
		UDPBuffer: 16 << 20, Location: "Local",
	}
}

// The bounds of MaxMessage. In one Kafka record a message can be twice as long
// as it came.
const (
	minMessage = 480
	maxMessage = 256 << 10
)

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	var errs []error
	for key, address := range map[string]string{"tcp": c.TCP, "udp": c.UDP, "tls": c.TLS} {
		if _, _, err := net.SplitHostPort(address); address != "" && err != nil {
			errs = append(errs, fmt.Errorf("%s: address %q: want HOST:PORT", key, address))
		}
	}
	if err := c.Certificate.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("certificate.%w", err))
	}
	if c.TLS != "" && !c.Certificate.Enabled() {
		errs = append(errs, errors.New("tls: needs certificate.cert_file and certificate.key_file"))
	}
	if c.MaxMessage < minMessage || c.MaxMessage > maxMessage {
		errs = append(errs, fmt.Errorf("max_message: %s is not between %d and %s", c.MaxMessage, minMessage, config.Bytes(maxMessage)))
	}
	if c.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("max_connections: %d is not positive", c.MaxConnections))
	}
	if c.IdleTimeout <= 0 {
		errs = append(errs, fmt.Errorf("idle_timeout: %s is not positive", c.IdleTimeout))
	}
	if c.BatchWait <= 0 || c.BatchWait > time.Minute {
		errs = append(errs, fmt.Errorf("batch_wait: %s is not between 0 and 1m", c.BatchWait))
	}
	if _, err := time.LoadLocation(c.Location); err != nil {
		errs = append(errs, fmt.Errorf("location: %w", err))
	}
	return errors.Join(errs...)
}
