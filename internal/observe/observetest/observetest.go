// Package observetest keeps what is logged, for tests that look at it, and tells
// what benchmarks have used.
package observetest

import (
	"bytes"
	"sync"
)

// Log keeps the first 256 KiB of what is written to it. The zero value is ready;
// it is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := 256<<10 - l.text.Len(); room > 0 {
		l.text.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
