package shop

import (
	"fmt"
	"time"
)

// Config says what shop to model. Two shops with equal configs produce equal bytes.
type Config struct {
	// Seed chooses everything that is random.
	Seed uint64
	// Start is the model's first moment.
	Start time.Time
	// Rate is the number of events per second of model time at Start; the
	// rhythm and incidents move it from there.
	Rate float64
	// Flat turns off the rhythm of day and week and the noise on the rate.
	Flat bool
	// EventsPerRequest bounds a request. A metric with many points is never cut
	// in two, so a request of metrics can hold more where this is very small.
	EventsPerRequest int
	// FlushInterval is how long events wait, in model time, until they are sent
	// in a request that is not full.
	FlushInterval time.Duration
	// MetricInterval is the time between two collections of each metric; 0
	// means 15 s, but longer or shorter where metrics would be more than 40 % or
	// less than 3 % of the events.
	MetricInterval time.Duration
	// Incidents says what goes wrong and when; see ParseIncidents.
	Incidents Plan
	// Clients is the number of distinct visitors.
	Clients int
}

// DefaultConfig is the shop of the demo, except for its start.
func DefaultConfig() Config {
	return Config{
		Seed:             1,
		Rate:             500,
		EventsPerRequest: 512,
		FlushInterval:    time.Second,
		Incidents:        DefaultPlan(),
		Clients:          20000,
	}
}

// Validate reports the first thing that is wrong.
func (c *Config) Validate() error {
	switch {
	case c.Start.IsZero():
		return fmt.Errorf("start: want the first moment of the model")
	case c.Start.Year() < 1980 || c.Start.Year() > 2200:
		return fmt.Errorf("start %s: want a year between 1980 and 2200", c.Start)
	case !(c.Rate >= 1 && c.Rate <= 1e7):
		return fmt.Errorf("rate %g: want 1 to 10,000,000 events a second", c.Rate)
	case c.EventsPerRequest < 1 || c.EventsPerRequest > 20000:
		return fmt.Errorf("events_per_request %d: want 1 to 20,000", c.EventsPerRequest)
	case c.FlushInterval <= 0 || c.FlushInterval > time.Minute:
		return fmt.Errorf("flush_interval %s: want more than 0 and at most 1m", c.FlushInterval)
	case c.MetricInterval != 0 && (c.MetricInterval < 100*time.Millisecond || c.MetricInterval > time.Hour):
		return fmt.Errorf("metric_interval %s: want 100ms to 1h, or 0", c.MetricInterval)
	case c.Clients < 1 || c.Clients > 1e6:
		return fmt.Errorf("clients %d: want 1 to 1,000,000", c.Clients)
	}
	return nil
}

// metricInterval is the time between two collections of each metric.
func (c *Config) metricInterval() time.Duration {
	if c.MetricInterval > 0 {
		return c.MetricInterval
	}
	seconds := max(15, pointsPerRound/(.4*c.Rate))
	seconds = min(seconds, pointsPerRound/(.03*c.Rate))
	return min(max(time.Duration(seconds*float64(time.Second)), 100*time.Millisecond), time.Hour)
}
