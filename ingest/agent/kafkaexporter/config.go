package kafkaexporter

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Defaults are the settings of goshawk itself. An exporter for which a
// collector's configuration says nothing writes to the same Kafka.
type Defaults struct {
	Kafka    kafka.Config
	Producer kafka.ProducerConfig
	Topics   topic.Config
	Limits   otlp.Limits
	Tenant   string
}

// DefaultDefaults reach a broker on this machine.
func DefaultDefaults() Defaults {
	return Defaults{
		Kafka:    kafka.DefaultConfig(),
		Producer: kafka.DefaultProducerConfig(),
		Topics:   topic.DefaultConfig(),
		Limits:   otlp.DefaultLimits(),
		Tenant:   telemetry.DefaultTenant,
	}
}

// Config is the exporter's section in a collector's configuration.
type Config struct {
	// Brokers are addresses of some of the cluster's brokers.
	Brokers []string  `mapstructure:"brokers"`
	TLS     TLSConfig `mapstructure:"tls"`
	SASL    SASL      `mapstructure:"sasl"`
	// ClientID names this process in the brokers' logs and quotas.
	ClientID string `mapstructure:"client_id"`
	// Tenant owns everything that the exporter writes.
	Tenant string `mapstructure:"tenant"`
	Topics Topics `mapstructure:"topics"`
	// Compression of the record batches: none, lz4, snappy or zstd.
	Compression string `mapstructure:"compression"`
	// Timeout bounds one attempt to deliver an item of the queue.
	Timeout time.Duration             `mapstructure:"timeout"`
	Retry   configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// Queue holds what Kafka has not acknowledged. With the setting storage it
	// is on disk and outlives the process.
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	base Defaults
}

// TLSConfig says how connections to the brokers are encrypted.
type TLSConfig struct {
	Enabled    bool   `mapstructure:"enabled"`
	CAFile     string `mapstructure:"ca_file"`
	CertFile   string `mapstructure:"cert_file"`
	KeyFile    string `mapstructure:"key_file"`
	ServerName string `mapstructure:"server_name"`
}

// SASL authenticates the exporter.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512; empty for none.
	Mechanism string `mapstructure:"mechanism"`
	Username  string `mapstructure:"username"`
	// Password is the value, file:PATH or env:NAME.
	Password config.Secret `mapstructure:"password"`
}

// Topics are the names of the topics.
type Topics struct {
	Logs    string `mapstructure:"logs"`
	Spans   string `mapstructure:"spans"`
	Metrics string `mapstructure:"metrics"`
}

func (t Topics) of(s telemetry.Signal) string {
	return [...]string{telemetry.Logs: t.Logs, telemetry.Spans: t.Spans, telemetry.Metrics: t.Metrics}[s]
}

// DefaultQueueBytes bounds the queue of each signal, before it is full and the
// receivers have to wait.
const DefaultQueueBytes = 256 << 20

// defaultConfig gives nothing up: it retries for ever, and a queue that is full
// makes receivers wait.
func defaultConfig(d Defaults) *Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.Sizer = exporterhelper.RequestSizerTypeBytes
	queue.QueueSize = DefaultQueueBytes
	queue.NumConsumers = 2
	queue.BlockOnOverflow = true
	queue.Batch = configoptional.None[exporterhelper.BatchConfig]()
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = 500 * time.Millisecond
	retry.MaxInterval = 10 * time.Second
	retry.MaxElapsedTime = 0
	return &Config{
		Brokers:     d.Kafka.Brokers,
		TLS:         TLSConfig(d.Kafka.TLS),
		SASL:        SASL(d.Kafka.SASL),
		ClientID:    d.Kafka.ClientID,
		Tenant:      d.Tenant,
		Topics:      Topics{Logs: d.Topics.Logs, Spans: d.Topics.Spans, Metrics: d.Topics.Metrics},
		Compression: d.Producer.Compression.String(),
		Timeout:     8 * time.Second,
		Retry:       retry,
		Queue:       configoptional.Some(queue),
		base:        d,
	}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	errs := []error{c.kafka().Validate()}
	if err := new(kafka.Compression).UnmarshalText([]byte(c.Compression)); err != nil {
		errs = append(errs, fmt.Errorf("compression: %w", err))
	}
	topics := c.base.Topics
	topics.Logs, topics.Spans, topics.Metrics = c.Topics.Logs, c.Topics.Spans, c.Topics.Metrics
	errs = append(errs, topics.Validate())
	if !telemetry.ValidTenant(c.Tenant) {
		errs = append(errs, fmt.Errorf("tenant: %q is not the name of a tenant", c.Tenant))
	}
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("timeout: is not positive"))
	}
	if c.Queue.HasValue() && c.Queue.Get().Batch.HasValue() {
		// Items that are put together anew after a crash have new batch ids, by
		// which no repeat is recognised.
		errs = append(errs, errors.New("sending_queue.batch: is not supported; put a batch processor in front of the exporter"))
	}
	return errors.Join(errs...)
}

// kafka is the configuration of the client.
func (c *Config) kafka() kafka.Config {
	cfg := c.base.Kafka
	cfg.Brokers, cfg.ClientID = c.Brokers, c.ClientID
	cfg.TLS = transport.ClientTLS(c.TLS)
	cfg.SASL = kafka.SASL(c.SASL)
	return cfg
}

// producer is the configuration of the producer, whose values were validated.
func (c *Config) producer() kafka.ProducerConfig {
	cfg := c.base.Producer
	_ = cfg.Compression.UnmarshalText([]byte(c.Compression)) // checked by Validate
	return cfg
}

func (c *Config) limits() otlp.Limits { return c.base.Limits }
