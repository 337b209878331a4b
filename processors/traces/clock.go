package traces

import (
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// clock is the watermark of event time: the latest end of a span that is
// plausible, which means that it is not after the receipt of its record. A host
// whose clock is a year ahead moves it no further than to the present.
type clock struct {
	// now is in Unix nanoseconds, 0 before the first span.
	now int64
	// behind counts the records in a row that were received long before now.
	behind uint32
}

const (
	// longBefore is from where on a receipt before the watermark says that one
	// of the two is wrong.
	longBefore = int64(time.Minute)
	// believed is how many records in a row must say so until the watermark is
	// what is wrong: a foreign producer stamped records with a wrong clock.
	believed = 1000
)

// advance moves the watermark on by the spans of a record. It reports whether it
// was set back instead.
func (c *clock) advance(received int64, spans []telemetry.Span) (setBack bool) {
	now := c.now
	for i := range spans {
		now = max(now, min(spans[i].End, received))
	}
	if now == c.now && received < c.now-longBefore {
		if c.behind++; c.behind >= believed {
			*c = clock{now: max(received, 0)}
			return true
		}
		return false
	}
	*c = clock{now: now}
	return false
}
