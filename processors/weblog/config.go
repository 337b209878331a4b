package weblog

import (
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// Config says which logs are read, and how.
type Config struct {
	// Format is that of all access logs: a name such as combined, or nginx:,
	// apache:, envoy: or w3c: and the server's own configuration string. Where it is
	// empty the format of each line is found out.
	Format string `yaml:"format"`
	// Formats has the format of a service instead, by its name; none for one whose
	// logs are not to be read.
	Formats map[string]string `yaml:"formats"`
	// Group makes events of hits, which meet by client on a topic of their own:
	// sessions and findings are made of those.
	Group bool `yaml:"group"`
	// MaxAge is how long before its receipt a request may be: lines that are older
	// stay logs and nothing else. What meets by client must not be older than
	// gateway.events.max_age.
	MaxAge time.Duration `yaml:"max_age"`

	classify.Config `yaml:",inline"`
}

// noFormat stands for logs that are not read.
const noFormat = "none"

// DefaultConfig reads all logs whose lines have the shape of those of access logs.
func DefaultConfig() Config {
	return Config{Group: true, MaxAge: 29 * 24 * time.Hour, Config: classify.DefaultConfig()}
}

// Bounds of the settings.
const (
	mostFormats = 10_000
	leastAge    = time.Hour
	mostAge     = 100 * 365 * 24 * time.Hour
)

// Validate says what is wrong with the configuration. It opens nothing.
func (c Config) Validate() error {
	if c.Format != "" {
		if _, err := accesslog.New(c.Format); err != nil {
			return fmt.Errorf("format: %w", err)
		}
	}
	if c.MaxAge < leastAge || c.MaxAge > mostAge {
		return fmt.Errorf("max_age: %s is not between %s and %s", c.MaxAge, leastAge, mostAge)
	}
	if len(c.Formats) > mostFormats {
		return fmt.Errorf("formats: %d are more than %d", len(c.Formats), mostFormats)
	}
	for service, spec := range c.Formats {
		if spec == noFormat {
			continue
		}
		if _, err := accesslog.New(spec); err != nil {
			return fmt.Errorf("formats: %s: %w", service, err)
		}
	}
	return c.Config.Validate()
}
