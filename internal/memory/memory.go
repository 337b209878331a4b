// Package memory gives memory back to the operating system when a process has
// become quiet.
//
// Go's collector runs when the heap has grown, and at least every two minutes; what it
// frees goes back slowly. So a process that was busy and falls silent would keep for
// minutes what the busy time needed.
package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// least is the heap, in bytes, below which nothing is worth a collection.
const least = 24 << 20

// names are the readings of a heap: what was allocated since the process began,
// and the memory that it holds.
var names = [...]string{
	"/gc/heap/allocs:bytes",
	"/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes",
}

// heap reads a heap.
type heap struct {
	samples [len(names)]metrics.Sample
}

// read returns how many bytes were allocated since the process began, and how many
// are held.
func (h *heap) read() (allocated, held uint64) {
	for i := range names {
		h.samples[i].Name = names[i]
	}
	metrics.Read(h.samples[:])
	for i := 1; i < len(names); i++ {
		held += h.samples[i].Value.Uint64()
	}
	return h.samples[0].Value.Uint64(), held
}

// watch decides when to collect.
type watch struct {
	allocated uint64 // at the last look
	busy      bool   // since the last collection
}

// quiet takes a look at the heap, and says whether the time since the last look was
// the first quiet one after a busy one: busy is a process that allocates at
// least half of what it holds.
func (w *watch) quiet(allocated, held uint64) bool {
	since := allocated - w.allocated
	w.allocated = allocated
	if since >= held/2 {
		w.busy = true
		return false
	}
	if !w.busy || held < least {
		return false
	}
	w.busy = false
	return true
}

// ReturnIdle looks at the heap so often, and gives back what is not in use after every
// busy time, until the context ends.
func ReturnIdle(ctx context.Context, every time.Duration) {
	var h heap
	w := watch{busy: true}
	w.allocated, _ = h.read()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if w.quiet(h.read()) {
				runtime.GC() // what lies in pools takes two collections
				debug.FreeOSMemory()
			}
		}
	}
}
