package broker

import (
	"sync/atomic"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// room is how much may still be written, between two looks at the disk.
type room struct {
	limit   int64
	reserve int64
	minFree int64

	used    atomic.Int64 // at the last look
	disk    atomic.Int64 // bytes of the log on the disk, at the last look
	free    atomic.Int64 // on the disk, at the last look
	pending atomic.Int64 // let through since
	refused atomic.Int64 // requests refused since the start

	// look asks for a look before its time.
	look chan struct{}
}

func newRoom(cfg Config) *room {
	return &room{
		limit:   int64(cfg.MaxLogBytes),
		reserve: int64(cfg.MaxLogBytes / 8),
		minFree: int64(cfg.MinFreeBytes),
		look:    make(chan struct{}, 1),
	}
}

// take reports whether cost fits and counts it if so. Reserved writes may use
// the reserve.
func (r *room) take(cost int64, reserved bool) bool {
	limit, minFree := r.limit, r.minFree
	if reserved {
		limit, minFree = limit+r.reserve, minFree/2
	}
	pending := r.pending.Load()
	if r.used.Load()+pending+cost > limit || r.free.Load()-pending-cost < minFree {
		r.refused.Add(1)
		r.askForLook()
		return false
	}
	if r.pending.Add(cost) > r.limit/16 {
		r.askForLook()
	}
	return true
}

func (r *room) askForLook() {
	select {
	case r.look <- struct{}{}:
	default:
	}
}

// full reports whether ordinary writes are refused, and why.
func (r *room) full() (reason string) {
	switch {
	case r.used.Load()+r.pending.Load() >= r.limit-fullMargin(r.limit):
		return "the log has reached max_log_bytes (" + config.Bytes(r.limit).String() + ")"
	case r.free.Load()-r.pending.Load() <= r.minFree:
		return "the disk has less than min_free_bytes (" + config.Bytes(r.minFree).String() + ") left"
	}
	return ""
}

// fullMargin is the distance from the limit at which the log counts as full,
// since it fills batch by batch and never exactly.
func fullMargin(limit int64) int64 { return limit / 64 }

// looked replaces the figures. Before is what pending was when the look began;
// what came in since then may be counted twice until the next look, never not
// at all.
func (r *room) looked(used, free, before int64) {
	r.used.Store(used)
	r.free.Store(free)
	r.pending.Add(-before)
}
