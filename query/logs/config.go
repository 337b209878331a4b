package logs

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/query/store"
)

// Config bounds what one query for logs may take.
type Config struct {
	// Timeout bounds one request.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many requests are answered at a time; others wait.
	Concurrency int `yaml:"concurrency"`
	// Lookback is how far back a request looks that names no start.
	Lookback time.Duration `yaml:"lookback"`
	// MaxEntries is the highest limit on lines that a query may have.
	MaxEntries int `yaml:"max_entries"`
	// MaxEntryBytes bounds the lines that are answered, with their labels.
	MaxEntryBytes config.Bytes `yaml:"max_entry_bytes"`
	// MaxLines is how many lines a query may have goshawk look at itself, for what
	// ClickHouse cannot do: parsers, formats and unwrap.
	MaxLines int `yaml:"max_lines"`
	// MaxSeries and MaxSamples bound what a query counts: its series, and the
	// values of all steps of them.
	MaxSeries  int `yaml:"max_series"`
	MaxSamples int `yaml:"max_samples"`
	// MaxStreams is how many streams there may be in the time of a query that looks
	// for labels other than service_name.
	MaxStreams int `yaml:"max_streams"`
	// StreamCache is for how long a query may take from memory which streams there
	// are; for that long a new one may stay unseen. 0 is never.
	StreamCache time.Duration `yaml:"stream_cache"`
	// MaxNames bounds lists of labels and values.
	MaxNames int `yaml:"max_names"`
	// SampleLines is how many of the newest lines are looked at to detect fields.
	SampleLines int `yaml:"sample_lines"`
	// MaxTails is how many clients may follow logs at a time.
	MaxTails int `yaml:"max_tails"`
	// MaxRows is how many rows one statement may read in ClickHouse, MaxMemory
	// what it may take.
	MaxRows   uint64       `yaml:"max_rows"`
	MaxMemory config.Bytes `yaml:"max_memory"`
}

// DefaultConfig fits a machine of a few gigabytes.
func DefaultConfig() Config {
	return Config{
		Timeout:       time.Minute,
		Concurrency:   8,
		Lookback:      time.Hour,
		MaxEntries:    5000,
		MaxEntryBytes: 64 << 20,
		MaxLines:      5_000_000,
		MaxSeries:     5000,
		MaxSamples:    5_000_000,
		MaxStreams:    20_000,
		StreamCache:   5 * time.Second,
		MaxNames:      10_000,
		SampleLines:   5000,
		MaxTails:      32,
		MaxRows:       2_000_000_000,
		MaxMemory:     1 << 30,
	}
}

func (c *Config) limits() store.Limits {
	return store.Limits{Timeout: c.Timeout, Concurrency: c.Concurrency, MaxRows: c.MaxRows, MaxMemory: c.MaxMemory}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	errs := []error{c.limits().Validate("query.logs")}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.logs."+format, args...)) }
	for _, d := range []struct {
		key          string
		value, least time.Duration
	}{
		{"lookback", c.Lookback, time.Minute},
		{"stream_cache", c.StreamCache, 0},
	} {
		if d.value < d.least {
			fail("%s: %s is below %s", d.key, d.value, d.least)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"max_entries", c.MaxEntries},
		{"max_lines", c.MaxLines},
		{"max_series", c.MaxSeries},
		{"max_samples", c.MaxSamples},
		{"max_streams", c.MaxStreams},
		{"max_names", c.MaxNames},
		{"sample_lines", c.SampleLines},
		{"max_tails", c.MaxTails},
	} {
		if n.value < 1 {
			fail("%s: %d is below 1", n.key, n.value)
		}
	}
	if c.MaxEntryBytes < 1<<20 {
		fail("max_entry_bytes: %s is below 1MiB", c.MaxEntryBytes)
	}
	return errors.Join(errs...)
}
