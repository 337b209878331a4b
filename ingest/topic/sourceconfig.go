package topic

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// SourceConfig says how records are gathered into blocks.
type SourceConfig struct {
	// MaxEvents, MaxBytes and MaxWait close a block: the number of events as
	// the headers declare them, the decompressed size, and the time since its
	// first record was fetched. While the pipeline is busy with the block
	// before, a block grows beyond MaxWait.
	MaxEvents int           `yaml:"max_events"`
	MaxBytes  config.Bytes  `yaml:"max_bytes"`
	MaxWait   time.Duration `yaml:"max_wait"`
	// FetchBytes and FetchWait bound one fetch request.
	FetchBytes config.Bytes  `yaml:"fetch_bytes"`
	FetchWait  time.Duration `yaml:"fetch_wait"`
	// RepeatWindow is how long a record's batch id is remembered, RepeatIDs
	// bounds how many are remembered for a partition, and RepeatBytes how much
	// is read back to remember them when a partition is assigned.
	RepeatWindow time.Duration `yaml:"repeat_window"`
	RepeatIDs    int           `yaml:"repeat_ids"`
	RepeatBytes  config.Bytes  `yaml:"repeat_bytes"`
	// SessionTimeout is after how long without a heartbeat the group gives the
	// partitions of a process to others.
	SessionTimeout    time.Duration `yaml:"session_timeout"`
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	// RebalanceTimeout is how long the group waits for its members to join.
	RebalanceTimeout time.Duration `yaml:"rebalance_timeout"`
	// PartitionWatch is how often new partitions are looked for.
	PartitionWatch time.Duration `yaml:"partition_watch"`
}

// DefaultSourceConfig makes events queryable within a second when there
// are few, and inserts large when there are many.
func DefaultSourceConfig() SourceConfig {
	return SourceConfig{
		MaxEvents: 100_000, MaxBytes: 64 << 20, MaxWait: 700 * time.Millisecond,
		FetchBytes: 4 << 20, FetchWait: 500 * time.Millisecond,
		RepeatWindow: 10 * time.Minute, RepeatIDs: 1 << 18, RepeatBytes: 256 << 20,
		SessionTimeout: 10 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 30 * time.Second,
		PartitionWatch: 10 * time.Second,
	}
}

// Validate says what is wrong with the configuration.
func (c SourceConfig) Validate() error {
	switch {
	case c.MaxEvents < 1:
		return fmt.Errorf("max_events: %d is not positive", c.MaxEvents)
	case c.MaxBytes < 1<<10:
		return fmt.Errorf("max_bytes: %s is less than 1KiB", c.MaxBytes)
	case c.MaxWait < 0 || c.MaxWait > time.Minute:
		return fmt.Errorf("max_wait: %s is not between 0 and 1m", c.MaxWait)
	case c.FetchBytes < 1<<10 || c.FetchBytes > 64<<20:
		return fmt.Errorf("fetch_bytes: %s is not between 1KiB and 64MiB", c.FetchBytes)
	case c.FetchWait < 10*time.Millisecond || c.FetchWait > time.Minute:
		return fmt.Errorf("fetch_wait: %s is not between 10ms and 1m", c.FetchWait)
	case c.RepeatWindow < 0:
		return errors.New("repeat_window: is negative")
	case c.RepeatIDs < 0 || c.RepeatIDs > 1<<24:
		return fmt.Errorf("repeat_ids: %d is not between 0 and %d", c.RepeatIDs, 1<<24)
	case c.HeartbeatInterval <= 0 || c.SessionTimeout < 2*c.HeartbeatInterval:
		return fmt.Errorf("session_timeout: %s is less than twice the heartbeat_interval %s", c.SessionTimeout, c.HeartbeatInterval)
	case c.RebalanceTimeout <= 0 || c.PartitionWatch <= 0:
		return errors.New("rebalance_timeout and partition_watch: want positive times")
	}
	return nil
}
