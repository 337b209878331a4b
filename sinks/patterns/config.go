package patterns

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/sinks/watch"
)

// Config says what is watched, and how closely.
type Config struct {
	Enabled bool `yaml:"enabled"`
	// Interval is how often it is looked what has changed.
	Interval time.Duration `yaml:"interval"`
	// VanishAfter is for how long a pattern does not come until it has vanished, by
	// the times of the service's lines; ten times its usual gap if that is longer.
	VanishAfter time.Duration `yaml:"vanish_after"`
	// Lateness is how much later than others the lines of a minute may be stored
	// and are still noticed.
	Lateness time.Duration `yaml:"lateness"`
	// Learn is how long after its first line the patterns of a service are no news.
	Learn time.Duration `yaml:"learn"`
	// ForgetAfter is for how long it is remembered what has vanished: what comes
	// back later than that is new.
	ForgetAfter time.Duration `yaml:"forget_after"`
	// MaxPatterns is how many patterns of a service are watched, before any are
	// merged, and MaxTotal how many of a tenant.
	MaxPatterns int `yaml:"max_patterns"`
	MaxTotal    int `yaml:"max_total"`
	// MaxEvents is how many events of a tenant are made at a look; the rest are
	// made at the next.
	MaxEvents int `yaml:"max_events"`
}

// DefaultConfig looks twice a minute and takes for vanished what did not come for
// a day.
func DefaultConfig() Config {
	return Config{
		Enabled: true, Interval: 30 * time.Second, VanishAfter: 24 * time.Hour, Lateness: 10 * time.Minute, Learn: 5 * time.Minute,
		ForgetAfter: 30 * 24 * time.Hour, MaxPatterns: 10_000, MaxTotal: 50_000, MaxEvents: 200,
	}
}

const (
	maxForgetAfter = 365 * 24 * time.Hour
	maxTotal       = 1_000_000
)

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sinks.patterns."+format, args...))
	}
	if c.Interval < time.Second {
		fail("interval: %s is below one second", c.Interval)
	}
	if c.VanishAfter < 2*time.Minute {
		fail("vanish_after: %s is below two minutes", c.VanishAfter)
	}
	if c.Lateness < time.Minute || c.Lateness > c.VanishAfter {
		fail("lateness: %s is not between one minute and vanish_after, %s", c.Lateness, c.VanishAfter)
	}
	if c.Learn < 0 || c.Learn > c.VanishAfter {
		fail("learn: %s is not between none and vanish_after, %s", c.Learn, c.VanishAfter)
	}
	if c.ForgetAfter < 2*c.VanishAfter+c.Lateness || c.ForgetAfter > maxForgetAfter {
		fail("forget_after: %s is not between twice vanish_after plus lateness, %s, and %s", c.ForgetAfter, 2*c.VanishAfter+c.Lateness, maxForgetAfter)
	}
	if c.MaxTotal < 1 || c.MaxTotal > maxTotal {
		fail("max_total: %d is not between 1 and %d", c.MaxTotal, maxTotal)
	}
	if c.MaxPatterns < 1 || c.MaxPatterns > c.MaxTotal {
		fail("max_patterns: %d is not between 1 and max_total, %d", c.MaxPatterns, c.MaxTotal)
	}
	if c.MaxEvents < 1 {
		fail("max_events: %d is below 1", c.MaxEvents)
	}
	return errors.Join(errs...)
}

func (c *Config) vanishAfter() watch.Minute { return watch.Minutes(c.VanishAfter) }
func (c *Config) lateness() watch.Minute    { return watch.Minutes(c.Lateness) }
func (c *Config) learn() watch.Minute       { return watch.Minutes(c.Learn) }
func (c *Config) forgetAfter() watch.Minute { return watch.Minutes(c.ForgetAfter) }

// recent is for how long after its last line a tenant is looked at, and how far
// back the first look goes.
func (c *Config) recent() watch.Minute { return min(c.vanishAfter(), 24*60) + c.lateness() }
