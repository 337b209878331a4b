package kafka

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/transport"
)

// Config says how to reach a cluster.
type Config struct {
	// Brokers are addresses of some of the cluster's brokers; the others are
	// found through them.
	Brokers []string            `yaml:"brokers"`
	TLS     transport.ClientTLS `yaml:"tls"`
	SASL    SASL                `yaml:"sasl"`
	// ClientID names this process in the brokers' logs and quotas.
	ClientID string `yaml:"client_id"`
	// DialTimeout bounds connecting, with TLS and authentication.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// RequestTimeout bounds one request and its answer.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// IdleTimeout closes connections that were not used for that long.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// MetadataTTL bounds the age of what is known of the cluster.
	MetadataTTL time.Duration `yaml:"metadata_ttl"`
}

// SASL authenticates the client.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512; empty for none.
	Mechanism string        `yaml:"mechanism"`
	Username  string        `yaml:"username"`
	Password  config.Secret `yaml:"password"`
}

// DefaultConfig reaches a broker on this machine without encryption.
func DefaultConfig() Config {
	return Config{
		Brokers:        []string{"127.0.0.1:9092"},
		ClientID:       "goshawk",
		DialTimeout:    5 * time.Second,
		RequestTimeout: 10 * time.Second,
		IdleTimeout:    30 * time.Second,
		MetadataTTL:    5 * time.Second,
	}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka.brokers: want at least one address")
	}
	for _, broker := range c.Brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			return fmt.Errorf("kafka.brokers: address %q: want HOST:PORT", broker)
		}
	}
	if err := c.TLS.Validate(); err != nil {
		return fmt.Errorf("kafka.tls: %w", err)
	}
	switch strings.ToLower(c.SASL.Mechanism) {
	case "":
		if c.SASL.Username != "" {
			return errors.New("kafka.sasl.mechanism: want plain, scram-sha-256 or scram-sha-512")
		}
	case "plain", "scram-sha-256", "scram-sha-512":
		if c.SASL.Username == "" {
			return errors.New("kafka.sasl.username: is empty")
		}
	default:
		return fmt.Errorf("kafka.sasl.mechanism: %q is not known; want plain, scram-sha-256 or scram-sha-512", c.SASL.Mechanism)
	}
	for name, d := range map[string]time.Duration{
		"dial_timeout": c.DialTimeout, "request_timeout": c.RequestTimeout,
		"idle_timeout": c.IdleTimeout, "metadata_ttl": c.MetadataTTL,
	} {
		if d <= 0 {
			return fmt.Errorf("kafka.%s: %s is not positive", name, d)
		}
	}
	return nil
}

// ProducerConfig says how records are gathered and sent.
type ProducerConfig struct {
	// Compression of the record batches: none, lz4, snappy or zstd.
	Compression Compression `yaml:"compression"`
	// Linger makes a request wait for more records. Zero sends at once: records
	// still gather while a request is under way.
	Linger time.Duration `yaml:"linger"`
	// MaxBatch bounds one partition's share of a request, before compression.
	// It must be below the topic's max.message.bytes.
	MaxBatch config.Bytes `yaml:"max_batch"`
	// MaxRequest bounds a request to one broker, before compression.
	MaxRequest config.Bytes `yaml:"max_request"`
	// MaxBuffered bounds what waits to be acknowledged; beyond it records are
	// refused at once.
	MaxBuffered config.Bytes `yaml:"max_buffered"`
	// MaxInFlight bounds the requests under way to one broker. A further one is
	// sent only where the answer takes long.
	MaxInFlight int `yaml:"max_in_flight"`
	// DeliveryTimeout bounds how long a record is tried, where its caller does
	// not give up earlier.
	DeliveryTimeout time.Duration `yaml:"delivery_timeout"`
}

// DefaultProducerConfig suits batches of telemetry of any size.
func DefaultProducerConfig() ProducerConfig {
	return ProducerConfig{
		Compression:     Snappy,
		MaxBatch:        1000 << 10,
		MaxRequest:      8 << 20,
		MaxBuffered:     64 << 20,
		MaxInFlight:     4,
		DeliveryTimeout: 20 * time.Second,
	}
}

// Validate says what is wrong with the configuration.
func (c ProducerConfig) Validate() error {
	switch {
	case c.MaxBatch < 1<<10:
		return fmt.Errorf("max_batch: %s is less than 1KiB", c.MaxBatch)
	case c.MaxRequest < c.MaxBatch:
		return fmt.Errorf("max_request: %s is less than max_batch %s", c.MaxRequest, c.MaxBatch)
	case c.MaxRequest > 512<<20:
		return fmt.Errorf("max_request: %s is more than 512MiB", c.MaxRequest)
	case c.MaxBuffered < c.MaxBatch:
		return fmt.Errorf("max_buffered: %s is less than max_batch %s", c.MaxBuffered, c.MaxBatch)
	case c.MaxInFlight < 1:
		return fmt.Errorf("max_in_flight: %d is not positive", c.MaxInFlight)
	case c.Linger < 0 || c.DeliveryTimeout <= 0:
		return errors.New("linger and delivery_timeout: want zero or more, and more than zero")
	}
	return nil
}
