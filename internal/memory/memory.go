// Package memory keeps what a process holds near to what it uses.
//
// Go's collector runs when the heap has doubled, and at least every two minutes; what
// it frees goes back slowly. So a process that was busy and falls silent would keep
// for minutes what the busy time needed, and one with much state twice as much as that.
package memory

import (
	"cmp"
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// least is the heap, in bytes, below which nothing is worth a collection.
const least = 24 << 20

// names are the readings of a heap: what was in use after the last collection, what
// was allocated since the process began, and the memory that it holds.
var names = [...]string{
	"/gc/heap/live:bytes", "/gc/heap/allocs:bytes",
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
	for i := 2; i < len(names); i++ {
		held += h.samples[i].Value.Uint64()
	}
	return h.samples[1].Value.Uint64(), held
}

// live is what was in use after the last collection before read, in bytes.
func (h *heap) live() uint64 { return h.samples[0].Value.Uint64() }

// defaultPercent is Go's default of GOGC.
const defaultPercent = 100

// spare is by how much a heap may grow before a collection, whatever is in use.
const spare = 128 << 20

// growth is by how many bytes a heap grows until the next collection where so many are
// in use: by a share of them, but by no more than spare and a quarter of what is
// in use beyond that. Most of a large heap is state that stays.
func growth(live uint64, percent int) uint64 {
	most := uint64(spare)
	if percent > defaultPercent {
		most /= 2 // little is in use: what grows is for speed alone
	}
	if live > spare {
		most += (live - spare) / 4
	}
	return min(live*uint64(percent)/100, most) //nolint:gosec // not negative
}

// pace tells the collector how much the heap may grow.
type pace struct {
	percent int // what it was told
	// set and limit are debug.SetGCPercent and debug.SetMemoryLimit, nil where the
	// environment says what they are told.
	set   func(percent int) int
	limit func(bytes int64) int64
}

// beside is what a process holds beside its heap, about.
const beside = 24 << 20

// follow adapts to what is in use, where no more is asked for than percent.
func (p *pace) follow(live uint64, percent int) {
	if p.set == nil {
		return
	}
	live = max(live, 1<<20)
	most := growth(live, percent)
	if now := int(100 * most / live / 5 * 5); now != p.percent { //nolint:gosec // at most percent
		p.percent = now
		p.set(now)
	}
	switch {
	case live <= spare:
		p.limit(math.MaxInt64)
	default:
		// The limit has what lies unused between rows of changing sizes given back.
		p.limit(int64(live + most + beside)) //nolint:gosec // memory
	}
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

// percent is what Percent was told.
var percent atomic.Int32

// Percent lets the heap of the process grow by a share of what is in use before it is
// collected, in percent; Go's default is 100. GOGC in the environment has the last
// word.
func Percent(p int) { percent.Store(int32(p)) } //nolint:gosec // small

var onQuiet struct {
	sync.Mutex
	calls []func()
}

// OnQuiet has a function called before a process that has become quiet gives memory
// back: it lets go of what is kept for the next busy time.
func OnQuiet(f func()) {
	onQuiet.Lock()
	defer onQuiet.Unlock()
	onQuiet.calls = append(onQuiet.calls, f)
}

// giveBack gives what is not in use to the operating system.
func giveBack() {
	onQuiet.Lock()
	defer onQuiet.Unlock()
	for _, f := range onQuiet.calls {
		f()
	}
	runtime.GC() // what lies in pools takes two collections
	debug.FreeOSMemory()
}

// looks is how many looks at what is in use go on one at what was allocated.
const looks = 10

// Keep looks after the heap until the context ends. A process that has little to do
// for so long after a busy time gives back what is not in use, and a large heap
// grows by less before a collection, unless GOGC or GOMEMLIMIT say otherwise.
func Keep(ctx context.Context, quietAfter time.Duration) {
	var h heap
	w := watch{busy: true}
	w.allocated, _ = h.read()
	p := pace{percent: defaultPercent}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		p.set, p.limit = debug.SetGCPercent, debug.SetMemoryLimit
	}
	ticker := time.NewTicker(quietAfter / looks)
	defer ticker.Stop()
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			allocated, held := h.read()
			if look%looks == 0 && w.quiet(allocated, held) {
				giveBack()
			}
			p.follow(h.live(), int(cmp.Or(percent.Load(), defaultPercent)))
		}
	}
}
