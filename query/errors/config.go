package errors

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config bounds what one request may take.
type Config struct {
	// Timeout bounds one request.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many requests are answered at a time; others wait.
	Concurrency int `yaml:"concurrency"`
	// Lookback is how far back a request looks that names no start.
	Lookback time.Duration `yaml:"lookback"`
	// MaxLimit is the highest limit that a request may have.
	MaxLimit int `yaml:"max_limit"`
	// MaxRows is how many rows one statement may read in ClickHouse, MaxMemory what
	// it may take.
	MaxRows   uint64       `yaml:"max_rows"`
	MaxMemory config.Bytes `yaml:"max_memory"`
}

// DefaultConfig fits a machine of a few gigabytes.
func DefaultConfig() Config {
	return Config{Timeout: 30 * time.Second, Concurrency: 4, Lookback: 24 * time.Hour, MaxLimit: 1000, MaxRows: 1_000_000_000, MaxMemory: 1 << 30}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.errors."+format, args...)) }
	if c.Timeout < time.Second {
		fail("timeout: %s is below 1s", c.Timeout)
	}
	if c.Lookback < time.Minute {
		fail("lookback: %s is below 1m", c.Lookback)
	}
	for key, n := range map[string]int{"concurrency": c.Concurrency, "max_limit": c.MaxLimit} {
		if n < 1 {
			fail("%s: %d is below 1", key, n)
		}
	}
	if c.MaxRows < 1 {
		fail("max_rows: must be above 0")
	}
	if c.MaxMemory < 64<<20 {
		fail("max_memory: %s is below 64MiB", c.MaxMemory)
	}
	return errors.Join(errs...)
}
