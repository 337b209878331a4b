package observe

import (
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config says how goshawk reports on itself.
type Config struct {
	// LogLevel is debug, info, warn or error.
	LogLevel string `yaml:"log_level"`
	// LogFormat is text or json.
	LogFormat string          `yaml:"log_format"`
	Sentry    SentryConfig    `yaml:"sentry"`
	Telemetry TelemetryConfig `yaml:"telemetry"`
}

// SentryConfig says where panics and fatal errors are reported. An empty DSN,
// the default, reports nothing.
type SentryConfig struct {
	DSN         config.Secret `yaml:"dsn"`
	Environment string        `yaml:"environment"`
}

// TelemetryConfig says where goshawk's own logs, metrics and spans are sent.
type TelemetryConfig struct {
	// Endpoint is the base URL of an OTLP/HTTP receiver, such as goshawk's own
	// gateway: http://127.0.0.1:4318. Empty, the default, sends nothing.
	Endpoint string        `yaml:"endpoint"`
	Token    config.Secret `yaml:"token"`
	// Interval is the time between two exports of metrics.
	Interval time.Duration `yaml:"interval"`
}

// DefaultConfig logs text at level info and sends nothing anywhere.
func DefaultConfig() Config {
	return Config{
		LogLevel:  "info",
		LogFormat: "text",
		Telemetry: TelemetryConfig{Interval: 15 * time.Second},
	}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return fmt.Errorf("observe.log_level: %q is none of debug, info, warn, error", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("observe.log_format: %q is neither text nor json", c.LogFormat)
	}
	if c.Telemetry.Endpoint != "" {
		u, err := url.Parse(c.Telemetry.Endpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("observe.telemetry.endpoint: %q is no http or https URL", c.Telemetry.Endpoint)
		}
		if c.Telemetry.Interval < time.Second {
			return fmt.Errorf("observe.telemetry.interval: %s is less than a second", c.Telemetry.Interval)
		}
	}
	return nil
}
