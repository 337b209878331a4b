//go:build !linux

package timerslack

import "time"

// Allow does nothing where the kernel has no such setting.
func Allow(time.Duration) error { return nil }
