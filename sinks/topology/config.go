package topology

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
	// VanishAfter is for how long something is not seen until it has vanished, by
	// the times of the tenant's data.
	VanishAfter time.Duration `yaml:"vanish_after"`
	// Lateness is how much later than others the calls of a minute may be counted
	// and are still noticed.
	Lateness time.Duration `yaml:"lateness"`
	// ForgetAfter is for how long it is remembered what has vanished: what comes
	// back later than that is new.
	ForgetAfter time.Duration `yaml:"forget_after"`
	// MaxThings is how many services, versions and edges of a tenant are watched,
	// those that have vanished included.
	MaxThings int `yaml:"max_things"`
	// MaxEvents is how many events of a tenant are made at a look; the rest are
	// made at the next.
	MaxEvents int `yaml:"max_events"`
}

// DefaultConfig looks twice a minute and takes for vanished what was not seen for
// an hour.
func DefaultConfig() Config {
	return Config{
		Enabled: true, Interval: 30 * time.Second, VanishAfter: time.Hour, Lateness: 10 * time.Minute, ForgetAfter: 7 * 24 * time.Hour,
		MaxThings: 50_000, MaxEvents: 1000,
	}
}

const (
	maxForgetAfter = 365 * 24 * time.Hour
	maxThings      = 1_000_000
)

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sinks.topology."+format, args...))
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
	if c.ForgetAfter < 2*c.VanishAfter+c.Lateness || c.ForgetAfter > maxForgetAfter {
		fail("forget_after: %s is not between twice vanish_after plus lateness, %s, and %s", c.ForgetAfter, 2*c.VanishAfter+c.Lateness, maxForgetAfter)
	}
	if c.MaxThings < 1 || c.MaxThings > maxThings {
		fail("max_things: %d is not between 1 and %d", c.MaxThings, maxThings)
	}
	if c.MaxEvents < 1 {
		fail("max_events: %d is below 1", c.MaxEvents)
	}
	return errors.Join(errs...)
}

func (c *Config) vanishAfter() watch.Minute { return watch.Minutes(c.VanishAfter) }
func (c *Config) lateness() watch.Minute    { return watch.Minutes(c.Lateness) }
func (c *Config) forgetAfter() watch.Minute { return watch.Minutes(c.ForgetAfter) }
