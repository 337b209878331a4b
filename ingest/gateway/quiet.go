package gateway

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// quietTime is the least time between two lines about the same trouble.
const quietTime = 10 * time.Second

// quiet lets one line through per quietTime and counts the others.
type quiet struct {
	next   atomic.Int64 // Unix nanoseconds
	silent atomic.Int64
}

func (q *quiet) warn(log *slog.Logger, message string, args ...any) {
	now := time.Now().UnixNano()
	next := q.next.Load()
	if now < next || !q.next.CompareAndSwap(next, now+int64(quietTime)) {
		q.silent.Add(1)
		return
	}
	log.Warn(message, append(args, "not_logged", q.silent.Swap(0))...)
}
