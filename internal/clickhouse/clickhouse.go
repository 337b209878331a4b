// Package clickhouse opens connections to ClickHouse over its native protocol.
//
// It must not know any table: those are in telemetry/tables.
package clickhouse

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/goshawk-observability/goshawk/internal/transport"
)

// Conn is a pool of connections. It is safe for concurrent use.
type Conn = driver.Conn

// Open makes a pool of connections. It does not connect: the first statement
// does, so that a server that is away for the moment is no error here.
func Open(c Config) (Conn, error) {
	password, encryption, err := c.load()
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.Native,
		Addr:     c.Addresses,
		Auth: clickhouse.Auth{
			Database: "", // statements name it; it need not exist yet
			Username: c.Username,
			Password: password,
		},
		TLS:             encryption,
		DialTimeout:     c.DialTimeout,
		ReadTimeout:     c.Timeout,
		MaxOpenConns:    c.MaxConns,
		MaxIdleConns:    c.MaxConns,
		ConnMaxLifetime: time.Hour,
		Compression:     c.compression(),
		// A block is sent in pieces of about this size, column by column.
		MaxCompressionBuffer: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("opening ClickHouse: %w", err)
	}
	return conn, nil
}

// load reads the password and the files of certificates. Encryption is nil where
// there is none.
func (c *Config) load() (password string, encryption *tls.Config, err error) {
	if password, err = c.Password.Value(); err != nil {
		return "", nil, fmt.Errorf("opening ClickHouse: %w", err)
	}
	if encryption, err = c.TLS.Load(); err != nil {
		return "", nil, fmt.Errorf("opening ClickHouse: clickhouse.tls.%w", err)
	}
	return password, encryption, nil
}

// compression returns the method for what is sent and received.
func (c *Config) compression() *clickhouse.Compression {
	method := c.Compression
	if method == "auto" {
		method = "lz4"
		if loopback(c.Addresses) {
			method = "none"
		}
	}
	switch method {
	case "lz4":
		return &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	case "zstd":
		return &clickhouse.Compression{Method: clickhouse.CompressionZSTD}
	}
	return &clickhouse.Compression{Method: clickhouse.CompressionNone}
}

// loopback reports whether all addresses are on this machine.
func loopback(addresses []string) bool {
	for _, a := range addresses {
		host, _, err := net.SplitHostPort(a)
		if err != nil || !transport.Loopback(host) {
			return false
		}
	}
	return true
}

// Named binds a value to a name in a statement: {name:Type}.
func Named(name string, value any) driver.NamedValue { return clickhouse.Named(name, value) }
