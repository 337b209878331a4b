package weblog

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
	// HomeCountries are ISO 3166-1 codes of two letters: visits from elsewhere are
	// from abroad.
	HomeCountries []string `yaml:"home_countries"`
	// MaxNames bounds every list of an answer.
	MaxNames int `yaml:"max_names"`
	// MaxRows is how many rows one statement may read in ClickHouse, MaxMemory what
	// it may take.
	MaxRows   uint64       `yaml:"max_rows"`
	MaxMemory config.Bytes `yaml:"max_memory"`
}

// DefaultConfig fits a machine of a few gigabytes.
func DefaultConfig() Config {
	return Config{
		Timeout: time.Minute, Concurrency: 4, Lookback: 24 * time.Hour, HomeCountries: []string{}, MaxNames: 1000,
		MaxRows: 2_000_000_000, MaxMemory: 1 << 30,
	}
}

func (c *Config) limits() store.Limits {
	return store.Limits{Timeout: c.Timeout, Concurrency: c.Concurrency, MaxRows: c.MaxRows, MaxMemory: c.MaxMemory}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	errs := []error{c.limits().Validate("query.weblog")}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.weblog."+format, args...)) }
	if c.Lookback < time.Minute {
		fail("lookback: %s is below 1m", c.Lookback)
	}
	if c.MaxNames < 1 {
		fail("max_names: %d is below 1", c.MaxNames)
	}
	for _, code := range c.HomeCountries {
		if !isCountry(code) {
			fail("home_countries: %q is no code of two capital letters", code)
		}
	}
	return errors.Join(errs...)
}

func isCountry(code string) bool {
	return len(code) == 2 && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z'
}
