package traces

import (
	"fmt"
	"time"
)

// Config says when a trace is over and how much is kept until then. All times
// are event time: they pass as spans come, and stand still while none do.
type Config struct {
	// Idle is how long nothing came of a trace that is taken to be over.
	Idle time.Duration `yaml:"idle"`
	// MaxDuration is how long a trace is open at most; what comes of it after
	// that makes another row.
	MaxDuration time.Duration `yaml:"max_duration"`
	// MaxOpenSpans bounds the spans that a partition keeps, at about 75 bytes
	// each. Beyond it the traces that have waited longest are closed early.
	MaxOpenSpans int `yaml:"max_open_spans"`
	// MaxSpansPerTrace is from where on of a trace only counts are kept.
	MaxSpansPerTrace int `yaml:"max_spans_per_trace"`
	// MaxPath bounds the spans of a critical path that a row lists; those with
	// the greatest shares stay.
	MaxPath int `yaml:"max_path"`
}

// DefaultConfig keeps a trace for ten seconds after its last span came.
func DefaultConfig() Config {
	return Config{Idle: 10 * time.Second, MaxDuration: 5 * time.Minute, MaxOpenSpans: 1_000_000, MaxSpansPerTrace: 20_000, MaxPath: 64}
}

// Bounds of the settings.
const (
	leastIdle      = 10 * time.Millisecond
	mostDuration   = 24 * time.Hour
	mostOpenSpans  = 50_000_000
	mostPathLength = 1000
)

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Idle < leastIdle:
		return fmt.Errorf("idle: %s is less than %s", c.Idle, leastIdle)
	case c.MaxDuration < c.Idle || c.MaxDuration > mostDuration:
		return fmt.Errorf("max_duration: %s is not between idle, %s, and %s", c.MaxDuration, c.Idle, mostDuration)
	case c.MaxOpenSpans < 1 || c.MaxOpenSpans > mostOpenSpans:
		return fmt.Errorf("max_open_spans: %d is not between 1 and %d", c.MaxOpenSpans, mostOpenSpans)
	case c.MaxSpansPerTrace < 1 || c.MaxSpansPerTrace > c.MaxOpenSpans:
		return fmt.Errorf("max_spans_per_trace: %d is not between 1 and max_open_spans, %d", c.MaxSpansPerTrace, c.MaxOpenSpans)
	case c.MaxPath < 0 || c.MaxPath > mostPathLength:
		return fmt.Errorf("max_path: %d is not between 0 and %d", c.MaxPath, mostPathLength)
	}
	return nil
}
