package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Limits are the settings that all APIs have.
type Limits struct {
	// Timeout bounds one request.
	Timeout time.Duration
	// Concurrency is how many requests are answered at a time; others wait.
	Concurrency int
	// MaxRows is how many rows one statement may read in ClickHouse, MaxMemory
	// what it may take.
	MaxRows   uint64
	MaxMemory config.Bytes
}

// Validate says what is wrong with the values of settings with a prefix.
func (l Limits) Validate(prefix string) error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(prefix+"."+format, args...)) }
	if l.Timeout < time.Second {
		fail("timeout: %s is below 1s", l.Timeout)
	}
	if l.Concurrency < 1 {
		fail("concurrency: %d is below 1", l.Concurrency)
	}
	if l.MaxRows < 1 {
		fail("max_rows: must be above 0")
	}
	if l.MaxMemory < 64<<20 {
		fail("max_memory: %s is below 64MiB", l.MaxMemory)
	}
	return errors.Join(errs...)
}
