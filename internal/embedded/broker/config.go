package broker

import (
	"errors"
	"fmt"
	"net"
	"path"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config says where the broker listens, where its log lies and how large it
// may become.
type Config struct {
	// Listen is the address of the port; port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Advertise is the host:port that clients are told to connect to, for a
	// Listen address that clients cannot use, such as 0.0.0.0. Empty means
	// Listen.
	Advertise string `yaml:"advertise"`
	// MetricsListen serves /metrics and /healthz of the broker's process; empty
	// for none.
	MetricsListen string `yaml:"metrics_listen"`
	// DataDir holds the topics and the offsets of the consumer groups.
	DataDir string `yaml:"data_dir"`
	// MaxLogBytes bounds the log of all topics together. Each batch counts for
	// 1 KiB more than its size, since it costs memory as well. The oldest
	// segments are deleted from three quarters of it on, but none that a
	// consumer group in HoldGroups has yet to read; when nothing may be deleted
	// and the log is full, producers are refused until consumers catch up.
	MaxLogBytes config.Bytes `yaml:"max_log_bytes"`
	// ReserveTopics are patterns of topics that may go an eighth above
	// MaxLogBytes. Consumers write to them: were they refused together with
	// everything else, consumers could never catch up.
	ReserveTopics []string `yaml:"reserve_topics"`
	// HoldGroups are patterns of the consumer groups whose unread records are
	// kept at any price. A group that is gone for good must be deleted, or it
	// fills the log.
	HoldGroups []string `yaml:"hold_groups"`
	// HoldTopics are patterns of topics whose records are kept until some group
	// has begun to read them.
	HoldTopics []string `yaml:"hold_topics"`
	// MinFreeBytes is the room on the disk below which producers are refused.
	MinFreeBytes config.Bytes `yaml:"min_free_bytes"`
	// MaxRecordBytes bounds one record batch as it is on the wire, compressed.
	MaxRecordBytes config.Bytes `yaml:"max_record_bytes"`
	// SegmentBytes is the size from which on a segment is closed; what is
	// deleted is deleted by whole segments.
	SegmentBytes config.Bytes `yaml:"segment_bytes"`
	// SyncInterval is the time between two writes of the operating system's
	// cache to the disk: what a power failure can lose. A crash of the broker
	// alone loses nothing.
	SyncInterval time.Duration `yaml:"sync_interval"`
	// SyncWrites writes every batch to the disk before it is acknowledged. It
	// halves the throughput.
	SyncWrites bool `yaml:"sync_writes"`
	// MaxConnections bounds the open connections; more are closed at once.
	MaxConnections int `yaml:"max_connections"`
	// MaxPartitions bounds the partitions of all topics together.
	MaxPartitions int `yaml:"max_partitions"`
	// IdleTimeout closes a connection without requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// RequestTimeout bounds the time from the first to the last byte of one
	// request, and of one response.
	RequestTimeout time.Duration `yaml:"request_timeout"`
}

// DefaultConfig fits one machine: a log of 1 GiB, written to the disk every
// second.
func DefaultConfig() Config {
	return Config{
		Listen:         "127.0.0.1:9092",
		MaxLogBytes:    1 << 30,
		ReserveTopics:  []string{"goshawk_*"},
		HoldGroups:     []string{"*"},
		HoldTopics:     []string{"otlp_*"},
		MinFreeBytes:   256 << 20,
		MaxRecordBytes: 4 << 20,
		SegmentBytes:   4 << 20,
		SyncInterval:   time.Second,
		MaxConnections: 512,
		MaxPartitions:  1024,
		IdleTimeout:    10 * time.Minute,
		RequestTimeout: 15 * time.Second,
	}
}

// Validate says what is wrong with the values. DataDir may still be empty: it
// is derived from the common data directory.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("embedded.kafka."+format, args...))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fail("listen: %w", err)
	}
	if c.Advertise != "" {
		if host, _, err := net.SplitHostPort(c.Advertise); err != nil {
			fail("advertise: %w", err)
		} else if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			fail("advertise: %q names no host that a client can connect to", c.Advertise)
		}
	}
	if c.MetricsListen != "" {
		if _, _, err := net.SplitHostPort(c.MetricsListen); err != nil {
			fail("metrics_listen: %w", err)
		}
	}
	if c.SegmentBytes < 64<<10 || c.SegmentBytes > 64<<20 {
		fail("segment_bytes: %s is not between 64KiB and 64MiB", c.SegmentBytes)
	}
	if c.MaxRecordBytes < 64<<10 || c.MaxRecordBytes > 64<<20 {
		fail("max_record_bytes: %s is not between 64KiB and 64MiB", c.MaxRecordBytes)
	}
	if c.MaxLogBytes < 4*max(c.SegmentBytes, c.MaxRecordBytes) {
		fail("max_log_bytes: %s is below four times the larger of segment_bytes and max_record_bytes", c.MaxLogBytes)
	}
	for name, patterns := range map[string][]string{"reserve_topics": c.ReserveTopics, "hold_groups": c.HoldGroups, "hold_topics": c.HoldTopics} {
		for _, pattern := range patterns {
			if _, err := path.Match(pattern, ""); err != nil {
				fail("%s: %q: %w", name, pattern, err)
			}
		}
	}
	if c.SyncInterval < 10*time.Millisecond {
		fail("sync_interval: %s is below 10ms", c.SyncInterval)
	}
	if c.MaxConnections < 1 {
		fail("max_connections: %d is below 1", c.MaxConnections)
	}
	if c.MaxPartitions < 1 || c.MaxPartitions > 10_000 {
		fail("max_partitions: %d is not between 1 and 10000", c.MaxPartitions)
	}
	if c.IdleTimeout < time.Second {
		fail("idle_timeout: %s is below one second", c.IdleTimeout)
	}
	if c.RequestTimeout < 100*time.Millisecond {
		fail("request_timeout: %s is below 100ms", c.RequestTimeout)
	}
	return errors.Join(errs...)
}

func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}
