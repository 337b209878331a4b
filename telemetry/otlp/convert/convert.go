// Package convert is what splitters of formats other than OTLP have in common:
// what they refuse, and the memory that they claim.
//
// It must not know the formats.
package convert

import (
	"fmt"
	"iter"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Cutter cuts requests that were converted to OTLP, and counts what was refused
// before that together with what the limits refuse. It is used by one goroutine at
// a time.
type Cutter struct {
	*otlp.Splitter

	noun, prefix string
	rejected     int64
	byReason     []count
	notes        []string
}

// count is a number of events that were refused for a reason.
type count struct {
	code   string
	events int64
}

// NewCutter returns a cutter with limits that are valid. In messages an event is
// called by the noun, and the prefix stands before what the limits refuse.
func NewCutter(limits otlp.Limits, noun, prefix string) Cutter {
	return Cutter{Splitter: otlp.NewSplitter(limits), noun: noun, prefix: prefix}
}

// Reset lets go of the request.
func (c *Cutter) Reset() {
	c.Splitter.Reset()
	c.rejected, c.byReason, c.notes = 0, c.byReason[:0], c.notes[:0]
}

// maxNoted is how many refused events the message names.
const maxNoted = 8

// Reject refuses an event, by its place in the request, for a reason whose code is
// one of otlp's. Nothing of the data should be quoted: it could be secret.
func (c *Cutter) Reject(place int, code, text string) {
	c.rejected++
	if len(c.notes) < maxNoted {
		c.notes = append(c.notes, fmt.Sprintf("%s %d: %s", c.noun, place, text))
	}
	for i := range c.byReason {
		if c.byReason[i].code == code {
			c.byReason[i].events++
			return
		}
	}
	c.byReason = append(c.byReason, count{code, 1})
}

// Rejected returns how many events were refused.
func (c *Cutter) Rejected() int64 { return c.rejected + c.Splitter.Rejected() }

// RejectedBy yields the codes of the reasons with the numbers of events.
func (c *Cutter) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, r := range c.byReason {
			if !yield(r.code, r.events) {
				return
			}
		}
		for code, n := range c.Splitter.RejectedBy() {
			if !yield(code, n) {
				return
			}
		}
	}
}

// Message says which events were refused and why, the first few of them.
func (c *Cutter) Message() string {
	parts := append([]string(nil), c.notes...)
	if more := c.rejected - int64(len(c.notes)); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	if limits := c.Splitter.Message(); limits != "" {
		parts = append(parts, c.prefix+limits)
	}
	return strings.Join(parts, "; ")
}
