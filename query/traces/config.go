package traces

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/query/store"
)

// Config bounds what one request for traces may take.
type Config struct {
	// Timeout bounds one request.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many requests are answered at a time; others wait.
	Concurrency int `yaml:"concurrency"`
	// Lookback is how far back a request looks that names no start.
	Lookback time.Duration `yaml:"lookback"`
	// Margin is how far beyond a time that is asked for, or beyond a span that was
	// found, the rest of a trace is looked for.
	Margin time.Duration `yaml:"margin"`
	// MaxTraces is the highest limit that a search may have.
	MaxTraces int `yaml:"max_traces"`
	// MaxCandidates is how many traces a search may look into whose answer cannot
	// be told from single spans.
	MaxCandidates int `yaml:"max_candidates"`
	// MaxSpans is how many spans a request may read, and MaxSpanBytes how many
	// bytes of them; of a trace with more the first ones are answered.
	MaxSpans     int          `yaml:"max_spans"`
	MaxSpanBytes config.Bytes `yaml:"max_span_bytes"`
	// MaxNames bounds lists of services, operations, tags and values.
	MaxNames int `yaml:"max_names"`
	// NameSpans is how many of the newest spans are enough to list tags and values.
	NameSpans int `yaml:"name_spans"`
	// DependencySpans is how many spans dependencies are computed from. Of a time
	// with more of them a share of the traces is taken, and counts are estimates.
	DependencySpans int `yaml:"dependency_spans"`
	// MaxRows is how many rows one statement may read in ClickHouse, MaxMemory
	// what it may take.
	MaxRows   uint64       `yaml:"max_rows"`
	MaxMemory config.Bytes `yaml:"max_memory"`
}

// DefaultConfig fits a machine of a few gigabytes.
func DefaultConfig() Config {
	return Config{
		Timeout:         30 * time.Second,
		Concurrency:     8,
		Lookback:        24 * time.Hour,
		Margin:          time.Hour,
		MaxTraces:       1500,
		MaxCandidates:   20_000,
		MaxSpans:        100_000,
		MaxSpanBytes:    256 << 20,
		MaxNames:        10_000,
		NameSpans:       1_000_000,
		DependencySpans: 2_000_000,
		MaxRows:         1_000_000_000,
		MaxMemory:       1 << 30,
	}
}

func (c *Config) limits() store.Limits {
	return store.Limits{Timeout: c.Timeout, Concurrency: c.Concurrency, MaxRows: c.MaxRows, MaxMemory: c.MaxMemory}
}

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	errs := []error{c.limits().Validate("query.traces")}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.traces."+format, args...)) }
	for _, d := range []struct {
		key          string
		value, least time.Duration
	}{
		{"lookback", c.Lookback, time.Minute},
		{"margin", c.Margin, 0},
	} {
		if d.value < d.least {
			fail("%s: %s is below %s", d.key, d.value, d.least)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"max_traces", c.MaxTraces},
		{"max_candidates", c.MaxCandidates},
		{"max_spans", c.MaxSpans},
		{"max_names", c.MaxNames},
		{"name_spans", c.NameSpans},
		{"dependency_spans", c.DependencySpans},
	} {
		if n.value < 1 {
			fail("%s: %d is below 1", n.key, n.value)
		}
	}
	if c.MaxSpanBytes < 1<<20 {
		fail("max_span_bytes: %s is below 1MiB", c.MaxSpanBytes)
	}
	return errors.Join(errs...)
}
