package clickhouse

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/transport"
)

// Config says how ClickHouse is reached.
type Config struct {
	// Addresses are host:port of the native protocol. All are nodes of the same
	// cluster; the first that answers is used.
	Addresses []string      `yaml:"addresses"`
	Database  string        `yaml:"database"`
	Username  string        `yaml:"username"`
	Password  config.Secret `yaml:"password"`
	// Cluster is the name of the cluster, as in system.clusters, on which tables
	// are created; empty for a single node.
	Cluster string              `yaml:"cluster"`
	TLS     transport.ClientTLS `yaml:"tls"`
	// Compression of what is sent: none, lz4, zstd, or auto, which is none on
	// loopback and lz4 elsewhere.
	Compression string `yaml:"compression"`
	// DialTimeout bounds the making of a connection.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// Timeout bounds one statement.
	Timeout time.Duration `yaml:"timeout"`
	// MaxConns bounds the connections of this process.
	MaxConns int `yaml:"max_conns"`
}

// DefaultConfig reaches a server on this machine.
func DefaultConfig() Config {
	return Config{
		Addresses:   []string{"127.0.0.1:9000"},
		Database:    "goshawk",
		Username:    "default",
		Compression: "auto",
		DialTimeout: 5 * time.Second,
		Timeout:     2 * time.Minute,
		MaxConns:    32,
	}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("clickhouse."+format, args...)) }
	if len(c.Addresses) == 0 {
		fail("addresses: want at least one host:port")
	}
	for _, a := range c.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil && a != "embedded" {
			fail("addresses: %q is no host:port", a)
		}
	}
	if c.Database == "" {
		fail("database: must not be empty")
	}
	switch c.Compression {
	case "auto", "none", "lz4", "zstd":
	default:
		fail("compression: %q is none of auto, none, lz4, zstd", c.Compression)
	}
	if c.DialTimeout <= 0 {
		fail("dial_timeout: %s is not above 0", c.DialTimeout)
	}
	if c.Timeout < time.Second {
		fail("timeout: %s is below one second", c.Timeout)
	}
	if c.MaxConns < 1 {
		fail("max_conns: %d is below 1", c.MaxConns)
	}
	if err := c.TLS.Validate(); err != nil {
		fail("tls: %w", err)
	}
	return errors.Join(errs...)
}
