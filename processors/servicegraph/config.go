package servicegraph

import (
	"fmt"
	"time"
)

// Config says how long a minute is kept open, how much is kept, and what is
// published as metrics. All times are event time.
type Config struct {
	// Delay is how long after the end of a minute its calls are written. Traces
	// are over some time after their last span: what comes even later makes a
	// row of its own.
	Delay time.Duration `yaml:"delay"`
	// MaxOpen bounds the edges and pairs of hosts that a partition counts at a
	// time. Beyond it those that would be written next are written early.
	MaxOpen int `yaml:"max_open"`
	// MaxOperations bounds the operations of a caller and a callee in a minute;
	// further ones are counted together under the empty name.
	MaxOperations int `yaml:"max_operations"`
	// Metrics is what is published as metrics.
	Metrics MetricsConfig `yaml:"metrics"`
}

// MetricsConfig says what is published as metrics.
type MetricsConfig struct {
	Enabled bool `yaml:"enabled"`
	// Interval is from one point of a series to the next.
	Interval time.Duration `yaml:"interval"`
	// MaxSeries bounds the pairs of caller and callee that a partition has
	// metrics of; further ones are counted together.
	MaxSeries int `yaml:"max_series"`
	// Bounds are the upper bounds of the histograms' buckets in seconds.
	Bounds []float64 `yaml:"bounds"`
}

// DefaultConfig writes a minute 15 seconds after its end: by then traces have been
// idle for the 10 seconds that make them over.
func DefaultConfig() Config {
	return Config{
		Delay: 15 * time.Second, MaxOpen: 50_000, MaxOperations: 200,
		Metrics: MetricsConfig{
			Enabled: true, Interval: 15 * time.Second, MaxSeries: 5000,
			Bounds: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		},
	}
}

// Bounds of the settings.
const (
	mostDelay      = 10 * time.Minute
	mostOpen       = 10_000_000
	mostOperations = 100_000
	leastInterval  = time.Second
	mostInterval   = 5 * time.Minute
	mostSeries     = 1_000_000
	mostBounds     = 100
	mostBound      = 1e6 // seconds
)

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Delay < 0 || c.Delay > mostDelay:
		return fmt.Errorf("delay: %s is not between 0s and %s", c.Delay, mostDelay)
	case c.MaxOpen < 1 || c.MaxOpen > mostOpen:
		return fmt.Errorf("max_open: %d is not between 1 and %d", c.MaxOpen, mostOpen)
	case c.MaxOperations < 1 || c.MaxOperations > mostOperations:
		return fmt.Errorf("max_operations: %d is not between 1 and %d", c.MaxOperations, mostOperations)
	}
	if err := c.Metrics.validate(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func (c MetricsConfig) validate() error {
	switch {
	case c.Interval < leastInterval || c.Interval > mostInterval:
		return fmt.Errorf("interval: %s is not between %s and %s", c.Interval, leastInterval, mostInterval)
	case c.MaxSeries < 1 || c.MaxSeries > mostSeries:
		return fmt.Errorf("max_series: %d is not between 1 and %d", c.MaxSeries, mostSeries)
	case len(c.Bounds) == 0 || len(c.Bounds) > mostBounds:
		return fmt.Errorf("bounds: %d of them, want 1 to %d", len(c.Bounds), mostBounds)
	}
	before := 0.0
	for _, bound := range c.Bounds {
		if !(bound > before) || bound > mostBound {
			return fmt.Errorf("bounds: %v after %v, want seconds that ascend", bound, before)
		}
		before = bound
	}
	return nil
}
