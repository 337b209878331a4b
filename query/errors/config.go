package errors

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/query/store"
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

func (c *Config) limits() store.Limits {
	return store.Limits{Timeout: c.Timeout, Concurrency: c.Concurrency, MaxRows: c.MaxRows, MaxMemory: c.MaxMemory}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	errs := []error{c.limits().Validate("query.errors")}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.errors."+format, args...)) }
	if c.Lookback < time.Minute {
		fail("lookback: %s is below 1m", c.Lookback)
	}
	if c.MaxLimit < 1 {
		fail("max_limit: %d is below 1", c.MaxLimit)
	}
	return errors.Join(errs...)
}
