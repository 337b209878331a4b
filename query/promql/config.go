package promql

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config bounds what one query may take, and says how it is evaluated.
type Config struct {
	// Timeout bounds one query; a request may ask for less.
	Timeout time.Duration `yaml:"timeout"`
	// Lookback is for how long a sample is the value of its series.
	Lookback time.Duration `yaml:"lookback"`
	// Concurrency is how many queries are evaluated at a time; others wait.
	Concurrency int `yaml:"concurrency"`
	// MaxSamples is how many samples a query may hold in memory, of 16 bytes
	// each; it is the engine's limit and that of what is read ahead.
	MaxSamples int `yaml:"max_samples"`
	// MaxSeries is how many series one selector may select.
	MaxSeries int `yaml:"max_series"`
	// SeriesCache is for how long a query may take from memory which series a
	// selector selects; for that long a new series may stay unseen. 0 is never.
	SeriesCache time.Duration `yaml:"series_cache"`
	// MaxMemory is what one query may take in ClickHouse.
	MaxMemory config.Bytes `yaml:"max_memory"`
	// UseStartTimestamps lets functions of counters know resets by the start
	// times of points, which Prometheus does not do by default either.
	UseStartTimestamps bool `yaml:"use_start_timestamps"`
	// Rollups lets queries over long ranges read rollups instead of samples where
	// the answer is the same.
	Rollups bool `yaml:"rollups"`
	// ExperimentalFunctions lets queries use what Prometheus calls experimental.
	ExperimentalFunctions bool `yaml:"experimental_functions"`
	// Topic is that of metrics, which all roles share; the ledger says of it what
	// came after days were rolled up.
	Topic string `yaml:"-"`
}

// DefaultConfig has the limits of a Prometheus server.
func DefaultConfig() Config {
	return Config{
		Timeout:     2 * time.Minute,
		Lookback:    5 * time.Minute,
		Concurrency: 20,
		MaxSamples:  20_000_000,
		MaxSeries:   200_000,
		SeriesCache: 5 * time.Second,
		MaxMemory:   2 << 30,
		Rollups:     true,
		Topic:       "otlp_metrics",
	}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.promql."+format, args...)) }
	if c.Timeout < time.Second {
		fail("timeout: %s is below one second", c.Timeout)
	}
	if c.Lookback < time.Second {
		fail("lookback: %s is below one second", c.Lookback)
	}
	if c.SeriesCache < 0 {
		fail("series_cache: %s is below 0", c.SeriesCache)
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"concurrency", c.Concurrency}, {"max_samples", c.MaxSamples}, {"max_series", c.MaxSeries}} {
		if n.value < 1 {
			fail("%s: %d is below 1", n.key, n.value)
		}
	}
	if c.MaxMemory < 64<<20 {
		fail("max_memory: %s is below 64MiB", c.MaxMemory)
	}
	return errors.Join(errs...)
}
