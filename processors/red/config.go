package red

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Config says how spans are counted. All times are event time: they pass as spans
// come, and with records which say that none do.
type Config struct {
	// Delay is how long after its end a minute waits for spans that come late;
	// later ones make further rows.
	Delay time.Duration `yaml:"delay"`
	// MaxOpen bounds the operations of all open minutes of a partition. Beyond it
	// the oldest minutes are closed early.
	MaxOpen int `yaml:"max_open"`
	// MaxOperations bounds the operations of one service and version in a minute;
	// spans of further ones are counted together, for each kind, without a name.
	MaxOperations int           `yaml:"max_operations"`
	Apdex         ApdexConfig   `yaml:"apdex"`
	Metrics       MetricsConfig `yaml:"metrics"`
}

// ApdexConfig says what satisfies users.
type ApdexConfig struct {
	// Threshold is how long a span may take that satisfies; one that takes up to
	// four times as long is tolerated.
	Threshold time.Duration `yaml:"threshold"`
	// Services has the threshold of a service instead, by its name.
	Services map[string]time.Duration `yaml:"services"`
}

func (c *ApdexConfig) of(service string) time.Duration {
	if t, ok := c.Services[service]; ok {
		return t
	}
	return c.Threshold
}

// MetricsConfig says what is told as metrics.
type MetricsConfig struct {
	Enabled bool `yaml:"enabled"`
	// Interval is from one point of a series to the next.
	Interval time.Duration `yaml:"interval"`
	// Kinds are the kinds of spans that are counted.
	Kinds []string `yaml:"kinds"`
	// Bounds are the upper bounds of the histogram's buckets in seconds.
	Bounds []float64 `yaml:"bounds"`
	// MaxSeries bounds the sets of labels of a partition; what is beyond it is
	// counted together under the label otel.metric.overflow.
	MaxSeries int `yaml:"max_series"`
}

// DefaultConfig keeps a minute open for ten seconds.
func DefaultConfig() Config {
	return Config{
		Delay: 10 * time.Second, MaxOpen: 50_000, MaxOperations: 500,
		Apdex: ApdexConfig{Threshold: 500 * time.Millisecond},
		Metrics: MetricsConfig{
			Enabled: true, Interval: 15 * time.Second, Kinds: []string{"server", "consumer"}, MaxSeries: 20_000,
			Bounds: []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10},
		},
	}
}

// Bounds of the settings.
const (
	mostDelay     = time.Hour
	mostOpen      = 5_000_000
	mostThreshold = 24 * time.Hour
	leastInterval = time.Second
	mostInterval  = time.Minute
	mostBounds    = 100
	leastBound    = 1e-9 // seconds
	mostBound     = 1e6
	mostSeries    = 1_000_000
	mostOverrides = 10_000
)

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Delay < 0 || c.Delay > mostDelay:
		return fmt.Errorf("delay: %s is not between 0s and %s", c.Delay, mostDelay)
	case c.MaxOpen < 1 || c.MaxOpen > mostOpen:
		return fmt.Errorf("max_open: %d is not between 1 and %d", c.MaxOpen, mostOpen)
	case c.MaxOperations < 1 || c.MaxOperations > c.MaxOpen:
		return fmt.Errorf("max_operations: %d is not between 1 and max_open, %d", c.MaxOperations, c.MaxOpen)
	}
	if err := c.Apdex.validate(); err != nil {
		return fmt.Errorf("apdex: %w", err)
	}
	if err := c.Metrics.validate(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func (c *ApdexConfig) validate() error {
	if c.Threshold <= 0 || c.Threshold > mostThreshold {
		return fmt.Errorf("threshold: %s is not between 1ns and %s", c.Threshold, mostThreshold)
	}
	if len(c.Services) > mostOverrides {
		return fmt.Errorf("services: %d are more than %d", len(c.Services), mostOverrides)
	}
	for service, t := range c.Services {
		if t <= 0 || t > mostThreshold {
			return fmt.Errorf("services: %s: %s is not between 1ns and %s", service, t, mostThreshold)
		}
	}
	return nil
}

func (c *MetricsConfig) validate() error {
	switch {
	case c.Interval < leastInterval || c.Interval > mostInterval || time.Minute%c.Interval != 0:
		return fmt.Errorf("interval: %s is not between %s and %s, of which it is to be a part", c.Interval, leastInterval, mostInterval)
	case c.MaxSeries < 1 || c.MaxSeries > mostSeries:
		return fmt.Errorf("max_series: %d is not between 1 and %d", c.MaxSeries, mostSeries)
	case len(c.Bounds) > mostBounds:
		return fmt.Errorf("bounds: %d are more than %d", len(c.Bounds), mostBounds)
	}
	for _, kind := range c.Kinds {
		if !slices.Contains(kindNames[:], kind) {
			return fmt.Errorf("kinds: %q is none of %s", kind, strings.Join(kindNames[:], ", "))
		}
	}
	for i, bound := range c.Bounds {
		if math.IsNaN(bound) || bound < leastBound || bound > mostBound || i > 0 && bound <= c.Bounds[i-1] {
			return fmt.Errorf("bounds: %v is not more than the one before, or not between %v and %v seconds", bound, leastBound, mostBound)
		}
	}
	return nil
}
