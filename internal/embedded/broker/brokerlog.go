package broker

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// brokerLog passes the broker's warnings on, one of a kind in a minute, and
// repairs at once what a failed write of a group's offsets leaves behind.
type brokerLog struct {
	log *slog.Logger
	dir string

	mu   sync.Mutex
	last map[string]time.Time
}

// repeatAfter is the time after which a warning of one kind is logged again.
const repeatAfter = time.Minute

// Logf is called by the broker, in the goroutine that handles all requests
// where it concerns files.
func (b *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn || level == kfake.LogLevelNone {
		return
	}
	// A write that found the disk full leaves a part of an entry. The broker
	// closes the file after this call and later appends behind that part, where
	// nothing would ever be read again.
	for prefix, file := range map[string]string{
		"persist group entry write": groupsFile,
		"persist pid entry write":   producerFile,
	} {
		if strings.HasPrefix(format, prefix) {
			if err := repairFrames(filepath.Join(b.dir, file), slog.New(slog.DiscardHandler)); err != nil {
				b.log.Error("Kafka log: cutting an incomplete entry", "file", file, "error", err)
			}
		}
	}
	b.mu.Lock()
	now := time.Now()
	if b.last == nil {
		b.last = map[string]time.Time{}
	}
	quiet := now.Sub(b.last[format]) < repeatAfter
	if !quiet {
		b.last[format] = now
	}
	b.mu.Unlock()
	if !quiet {
		b.log.Warn("Kafka log: " + fmt.Sprintf(format, args...))
	}
}
