package pipeline

import (
	"errors"

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
}

// DefaultStateConfig reads a second's worth of busy traffic again after a restart.
func DefaultStateConfig() StateConfig {
	return StateConfig{IntervalBytes: 16 << 20, IntervalRatio: 10, ReplayRecords: 10_000}
}

// Validate says what is wrong with the values.
func (c StateConfig) Validate() error {
	switch {
	case c.IntervalBytes < 1 || c.IntervalBytes > 1<<40:
		return errors.New("interval_bytes: want at least 1 and at most 1TiB")
	case c.IntervalRatio < 0 || c.IntervalRatio > 1000:
		return errors.New("interval_ratio: want 0 to 1000")
	case c.ReplayRecords < 0:
		return errors.New("replay_records: is negative; 0 is none")
	}
	return nil
}
