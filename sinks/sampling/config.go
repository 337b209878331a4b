package sampling

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config says which traces of past days are kept.
type Config struct {
	Enabled bool `yaml:"enabled"`
	Rule    `yaml:",inline"`
	// Interval is how often it is looked whether something is due.
	Interval time.Duration `yaml:"interval"`
	// Tenants has the tenants that differ, by name; what is 0 is the common value.
	Tenants map[string]Rule `yaml:"tenants"`
	// Warmup is how long after the start the first look is taken: a process that
	// starts has other things to do.
	Warmup time.Duration `yaml:"-"`
}

// Rule says which traces of a day are kept, and when that is decided.
type Rule struct {
	// Probability is how likely a trace is kept that neither failed nor was slow;
	// 1 keeps all and deletes nothing.
	Probability float64 `yaml:"probability"`
	// After is how long after its end, UTC, a day is thinned.
	After time.Duration `yaml:"after"`
	// SlowQuantile is the quantile of the durations of an operation's traces on a
	// day above which a trace is slow; 1 is for none.
	SlowQuantile float64 `yaml:"slow_quantile"`
}

// DefaultConfig deletes nothing.
func DefaultConfig() Config {
	return Config{
		Rule:     Rule{Probability: 0.1, After: 6 * time.Hour, SlowQuantile: 0.99},
		Interval: 10 * time.Minute, Warmup: time.Minute,
	}
}

// of returns the rule of a tenant.
func (c *Config) of(tenant string) Rule {
	r, own := c.Rule, c.Tenants[tenant]
	if own.Probability != 0 {
		r.Probability = own.Probability
	}
	if own.After != 0 {
		r.After = own.After
	}
	if own.SlowQuantile != 0 {
		r.SlowQuantile = own.SlowQuantile
	}
	return r
}

// leastProbability is one that the 56 random bits of a trace id can tell from 0.
const leastProbability = 1e-9

// Validate says what is wrong with the values.
func (c *Config) Validate() error {
	var errs []error
	rule := func(where string, r *Rule) {
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("sinks.sampling."+where+format, args...))
		}
		if !(r.Probability >= leastProbability && r.Probability <= 1) {
			fail("probability: %v is not between %v and 1; 1 keeps all", r.Probability, leastProbability)
		}
		if !(r.SlowQuantile > 0 && r.SlowQuantile <= 1) {
			fail("slow_quantile: %v is not above 0 and up to 1", r.SlowQuantile)
		}
		if r.After < 0 {
			fail("after: %s is below 0", r.After)
		}
	}
	rule("", &c.Rule)
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		r := c.of(name)
		rule("tenants."+name+".", &r)
	}
	if c.Interval < time.Second {
		errs = append(errs, fmt.Errorf("sinks.sampling.interval: %s is below one second", c.Interval))
	}
	return errors.Join(errs...)
}
