package engine

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config says where the engine keeps its data, where it listens and how much
// of the machine it may use.
type Config struct {
	// Library is the path of the engine library. Empty means it is looked for,
	// see FindLibrary.
	Library string `yaml:"library"`
	// DataDir holds tables, configuration, passwords and the engine's log.
	DataDir string `yaml:"data_dir"`
	// Listen is the address both ports are opened on. It must be a loopback
	// address: the engine has no TLS and lets reader in without a password.
	Listen string `yaml:"listen"`
	// NativePort and HTTPPort are the ports of the two protocols; 0 takes a
	// free one.
	NativePort int `yaml:"native_port"`
	HTTPPort   int `yaml:"http_port"`
	// MaxMemory bounds what the engine allocates. A query or insert that would
	// pass it fails with MEMORY_LIMIT_EXCEEDED and can be repeated.
	MaxMemory config.Bytes `yaml:"max_memory"`
	// MinFreeBytes is the room on the disk below which inserts and merges are
	// refused, so that the broker, on the same disk, can still keep offsets.
	MinFreeBytes config.Bytes `yaml:"min_free_bytes"`
	// Sandbox confines the engine to its own files, if the kernel can. Without
	// it a query of any user may read every file that this process may, with
	// the function file(), and reader gets a password.
	Sandbox bool `yaml:"sandbox"`
	// Reader bounds the queries of the user reader.
	Reader ReaderConfig `yaml:"reader"`
	// RowFilters makes the user tenant_reader, who may read these tables and no
	// others, and of each only the rows that meet the condition; all rows, where
	// it is empty, as for views over the others.
	RowFilters map[string]string `yaml:"-"`
	// QueryLog keeps system.query_log for a day. It costs disk and CPU.
	QueryLog bool `yaml:"query_log"`
	// MaxLogBytes bounds the file with the engine's own output; the file before
	// the current one is kept.
	MaxLogBytes config.Bytes `yaml:"max_log_bytes"`
	// StopGrace is how long the engine may take to end once it is asked to.
	// After it the process ends without it, which is safe: what was
	// acknowledged is on disk.
	StopGrace time.Duration `yaml:"stop_grace"`
}

// ReaderConfig bounds what one query of the user reader may take.
type ReaderConfig struct {
	MaxExecutionTime time.Duration `yaml:"max_execution_time"`
	MaxMemory        config.Bytes  `yaml:"max_memory"`
	MaxResultRows    uint64        `yaml:"max_result_rows"`
	MaxResultBytes   config.Bytes  `yaml:"max_result_bytes"`
	MaxRowsToRead    uint64        `yaml:"max_rows_to_read"`
	// MaxConcurrentQueries is how many queries of reader may run at once.
	MaxConcurrentQueries int `yaml:"max_concurrent_queries"`
}

// DefaultConfig listens on the usual ports of loopback and keeps the engine
// small enough to share a laptop with everything else.
func DefaultConfig() Config {
	return Config{
		Listen:       "127.0.0.1",
		NativePort:   9000,
		HTTPPort:     8123,
		MaxMemory:    768 << 20,
		MinFreeBytes: 128 << 20,
		Sandbox:      true,
		Reader: ReaderConfig{
			MaxExecutionTime:     30 * time.Second,
			MaxMemory:            384 << 20,
			MaxResultRows:        1_000_000,
			MaxResultBytes:       256 << 20,
			MaxRowsToRead:        1_000_000_000,
			MaxConcurrentQueries: 8,
		},
		MaxLogBytes: 4 << 20,
		StopGrace:   1500 * time.Millisecond,
	}
}

// minMemory is the least the engine can merge parts with.
const minMemory = 256 << 20

// Validate says what is wrong with the values. DataDir may still be empty: it
// is derived from the common data directory.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("embedded.clickhouse."+format, args...))
	}
	if ip := net.ParseIP(c.Listen); ip == nil || !ip.IsLoopback() {
		fail("listen: %q is no loopback address; for access from elsewhere run a ClickHouse server", c.Listen)
	}
	for _, port := range []struct {
		name  string
		value int
	}{{"native_port", c.NativePort}, {"http_port", c.HTTPPort}} {
		if port.value < 0 || port.value > 65535 {
			fail("%s: %d is no port", port.name, port.value)
		}
	}
	if c.NativePort != 0 && c.NativePort == c.HTTPPort {
		fail("http_port: %d is already native_port", c.HTTPPort)
	}
	if c.MaxMemory < minMemory {
		fail("max_memory: %s is below %s", c.MaxMemory, config.Bytes(minMemory))
	}
	if c.Reader.MaxExecutionTime < time.Second {
		fail("reader.max_execution_time: %s is below one second", c.Reader.MaxExecutionTime)
	}
	if c.Reader.MaxMemory == 0 || c.Reader.MaxMemory > c.MaxMemory {
		fail("reader.max_memory: %s is not between 1 and max_memory (%s)", c.Reader.MaxMemory, c.MaxMemory)
	}
	if c.Reader.MaxResultRows == 0 || c.Reader.MaxResultBytes == 0 || c.Reader.MaxRowsToRead == 0 {
		fail("reader: max_result_rows, max_result_bytes and max_rows_to_read must be above 0")
	}
	if c.Reader.MaxConcurrentQueries < 1 {
		fail("reader.max_concurrent_queries: %d is below 1", c.Reader.MaxConcurrentQueries)
	}
	if c.MaxLogBytes < 64<<10 {
		fail("max_log_bytes: %s is below 64KiB", c.MaxLogBytes)
	}
	if c.StopGrace <= 0 {
		fail("stop_grace: %s is not above 0", c.StopGrace)
	}
	return errors.Join(errs...)
}
