package otlp

import (
	"fmt"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Limits bounds what one request may hold. What exceeds them is rejected row by
// row; the rest of the request is kept. A gateway and the processes behind it
// should have the same limits, so that nothing is refused after it was accepted.
type Limits struct {
	// MaxAttributes is the largest number of entries in one list of attributes
	// or in one map inside of a value.
	MaxAttributes int `yaml:"max_attributes"`
	// MaxDepth is how deep arrays and maps may be nested in one value.
	MaxDepth int `yaml:"max_depth"`
	// MaxValueBytes bounds every key and every string. In the body of a log
	// record MaxRecordBytes does.
	MaxValueBytes config.Bytes `yaml:"max_value_bytes"`
	// MaxRecordBytes bounds one part of a request, which is the value of one
	// Kafka record.
	MaxRecordBytes config.Bytes `yaml:"max_record_bytes"`
	// MaxFuture and MaxAge bound a row's time, relative to the time at which the
	// request was received.
	MaxFuture time.Duration `yaml:"max_future"`
	MaxAge    time.Duration `yaml:"max_age"`
}

// DefaultLimits returns the limits that hold where nothing else is configured.
func DefaultLimits() Limits {
	return Limits{
		MaxAttributes:  1024,
		MaxDepth:       64,
		MaxValueBytes:  256 << 10,
		MaxRecordBytes: 900 << 10,
		MaxFuture:      24 * time.Hour,
		MaxAge:         30 * 24 * time.Hour,
	}
}

const (
	// deepest bounds MaxDepth: values are walked by recursion.
	deepest = 1000
	// minRecordBytes is what MaxRecordBytes is at least.
	minRecordBytes = 1 << 10
	// maxRequestBytes bounds what is walked at all: positions have 32 bits.
	maxRequestBytes = 1<<31 - 1
)

// Validate reports the first limit that makes no sense.
func (l *Limits) Validate() error {
	switch {
	case l.MaxAttributes < 1:
		return fmt.Errorf("max_attributes is %d: want at least 1", l.MaxAttributes)
	case l.MaxDepth < 1 || l.MaxDepth > deepest:
		return fmt.Errorf("max_depth is %d: want 1 to %d", l.MaxDepth, deepest)
	case l.MaxValueBytes < 1:
		return fmt.Errorf("max_value_bytes is %s: want at least 1", l.MaxValueBytes)
	case l.MaxRecordBytes < minRecordBytes || l.MaxRecordBytes > maxRequestBytes:
		return fmt.Errorf("max_record_bytes is %s: want 1KiB to 2GiB", l.MaxRecordBytes)
	case l.MaxValueBytes > l.MaxRecordBytes:
		return fmt.Errorf("max_value_bytes is %s: want at most max_record_bytes, %s", l.MaxValueBytes, l.MaxRecordBytes)
	case l.MaxFuture <= 0:
		return fmt.Errorf("max_future is %s: want more than 0", l.MaxFuture)
	case l.MaxAge <= 0:
		return fmt.Errorf("max_age is %s: want more than 0", l.MaxAge)
	}
	return nil
}
