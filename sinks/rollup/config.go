package rollup

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Config says what is rolled up, and when.
type Config struct {
	Enabled bool `yaml:"enabled"`
	// Delay is how long after its end, UTC, a day is rolled up. It is also for
	// how long a day that was rolled up is left alone when samples come late.
	Delay time.Duration `yaml:"delay"`
	// Interval is how often it is looked whether something is due.
	Interval time.Duration `yaml:"interval"`
	// Resolutions are the widths of windows: of 1m, 5m and 1h.
	Resolutions []string `yaml:"resolutions"`
	// MinSamples is how many samples a window must have on average: a resolution
	// that has fewer on a day is left out of it. Its rows would take more room
	// than the samples, and reading them be no less work. 0 leaves none out.
	MinSamples    int       `yaml:"min_samples"`
	RetentionDays Retention `yaml:"retention_days"`
	// MaxMemory bounds what is held of windows that are not complete.
	MaxMemory config.Bytes `yaml:"max_memory"`
	// Warmup is how long after the start the first look is taken: a process that
	// starts has other things to do.
	Warmup time.Duration `yaml:"-"`
}

// Retention is for how many days rollups are kept, by resolution; 0 is for as
// long as the samples of the tenant.
type Retention struct {
	Minute      uint16 `yaml:"1m"`
	FiveMinutes uint16 `yaml:"5m"`
	Hour        uint16 `yaml:"1h"`
}

func (r *Retention) of(resolution string) uint16 {
	return map[string]uint16{"1m": r.Minute, "5m": r.FiveMinutes, "1h": r.Hour}[resolution]
}

// DefaultConfig rolls days up an hour after their end, at every resolution.
func DefaultConfig() Config {
	c := Config{Enabled: true, Delay: time.Hour, Interval: 10 * time.Minute, MinSamples: 8, MaxMemory: 64 << 20, Warmup: 30 * time.Second}
	for _, r := range tables.Resolutions() {
		c.Resolutions = append(c.Resolutions, r.Name)
	}
	return c
}

// maxRetentionDays is that of the samples.
const maxRetentionDays = 3650

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("sinks.rollup."+format, args...)) }
	if c.Delay < 0 {
		fail("delay: %s is below 0", c.Delay)
	}
	if c.Interval < time.Second {
		fail("interval: %s is below one second", c.Interval)
	}
	if c.Enabled && len(c.Resolutions) == 0 {
		fail("resolutions: want at least one; or set enabled: false")
	}
	known := tables.Resolutions()
	for i, name := range c.Resolutions {
		if !slices.ContainsFunc(known, func(r tables.Resolution) bool { return r.Name == name }) {
			fail("resolutions: %q is none of 1m, 5m, 1h", name)
		}
		if slices.Contains(c.Resolutions[:i], name) {
			fail("resolutions: %s is there twice", name)
		}
	}
	for _, r := range known {
		if days := c.RetentionDays.of(r.Name); days > maxRetentionDays {
			fail("retention_days.%s: %d is above %d", r.Name, days, maxRetentionDays)
		}
	}
	if c.MinSamples < 0 {
		fail("min_samples: %d is below 0", c.MinSamples)
	}
	if c.MaxMemory < 1<<20 {
		fail("max_memory: %s is below 1MiB", c.MaxMemory)
	}
	return errors.Join(errs...)
}

// resolutions are those that are computed, the finest first.
func (c *Config) resolutions() []tables.Resolution {
	return slices.DeleteFunc(tables.Resolutions(), func(r tables.Resolution) bool { return !slices.Contains(c.Resolutions, r.Name) })
}
