package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// StateConfig says how often the state of processors is saved. Whatever comes
// between two snapshots is read again after a restart.
type StateConfig struct {
	// IntervalBytes is how much is read of a partition, at least, between two
	// snapshots, and IntervalRatio how many times the size of the last snapshot:
	// large states are saved less often, so that saving them costs the same
	// share of the work.
	IntervalBytes config.Bytes `yaml:"interval_bytes"`
	IntervalRatio int          `yaml:"interval_ratio"`
	// ReplayRecords is how many records are read again where there is no snapshot
	// that can be used, such as when a processor was added; 0 for none.
	ReplayRecords int64 `yaml:"replay_records"`
	// IdleAfter is how long nothing comes of a partition, while processors have
	// something of it that waits, until an idle record is written to it, which
	// lets their clock go on; 0 for never.
	IdleAfter time.Duration `yaml:"idle_after"`
}

// DefaultStateConfig reads a second's worth of busy traffic again after a restart.
func DefaultStateConfig() StateConfig {
	return StateConfig{IntervalBytes: 16 << 20, IntervalRatio: 20, ReplayRecords: 10_000, IdleAfter: 5 * time.Second}
}

// The bounds keep a wrong unit from flooding partitions.
const (
	leastIdle = 100 * time.Millisecond
	mostIdle  = time.Hour
)

// Validate says what is wrong with the values.
func (c StateConfig) Validate() error {
	switch {
	case c.IntervalBytes < 1 || c.IntervalBytes > 1<<40:
		return errors.New("interval_bytes: want at least 1 and at most 1TiB")
	case c.IntervalRatio < 0 || c.IntervalRatio > 1000:
		return errors.New("interval_ratio: want 0 to 1000")
	case c.ReplayRecords < 0:
		return errors.New("replay_records: is negative; 0 is none")
	case c.IdleAfter != 0 && (c.IdleAfter < leastIdle || c.IdleAfter > mostIdle):
		return fmt.Errorf("idle_after: %s is not between %s and %s; 0 is never", c.IdleAfter, leastIdle, mostIdle)
	}
	return nil
}
