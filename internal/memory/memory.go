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

// names are the readings of a process, in the order of reading.
var names = [...]string{
	"/gc/heap/live:bytes", "/gc/heap/allocs:bytes", "/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes",
	"/memory/classes/heap/free:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/total:bytes",
}

// reading is what a process has, in bytes.
type reading struct {
	live      uint64 // in use after the last collection
	allocated uint64 // since the process began
	held      uint64 // by the heap
	beside    uint64 // beside what objects and free memory take: stacks, and what lies between objects
}

// heap reads the memory of the process.
type heap struct {
	samples [len(names)]metrics.Sample
}

func (h *heap) read() reading {
	for i := range names {
		h.samples[i].Name = names[i]
	}
	metrics.Read(h.samples[:])
	at := func(i int) uint64 { return h.samples[i].Value.Uint64() }
	objects, unused, free, released, total := at(2), at(3), at(4), at(5), at(6)
	return reading{live: at(0), allocated: at(1), held: objects + unused + free, beside: total - released - free - objects}
}

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

// slack is what the memory of a process may differ from one collection to the next.
const slack = 16 << 20

// follow adapts to what is in use, where no more is asked for than percent.
func (p *pace) follow(r reading, percent int) {
	live := max(r.live, 1<<20)
	most := growth(live, percent)
	if now := int(100 * most / live / 5 * 5); p.set != nil && now != p.percent { //nolint:gosec // at most percent
		p.percent = now
		p.set(now)
	}
	switch {
	case p.limit == nil:
	case live <= spare:
		p.limit(math.MaxInt64)
	default:
		// The limit has what lies free between rows of changing sizes given back.
		p.limit(int64(live + most + r.beside + slack)) //nolint:gosec // memory
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

// Keep looks after the memory of the process until the context ends. It begins with
// ForgetStart. A process that has little to do
// for so long after a busy time gives back what is not in use, and a large heap
// grows by less before a collection, unless GOGC or GOMEMLIMIT say otherwise.
func Keep(ctx context.Context, quietAfter time.Duration) {
	ForgetStart()
	var h heap
	w := watch{busy: true, allocated: h.read().allocated}
	p := pace{percent: defaultPercent}
	if os.Getenv("GOGC") == "" {
		p.set = debug.SetGCPercent
	}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		p.limit = debug.SetMemoryLimit
	}
	ticker := time.NewTicker(quietAfter / looks)
	defer ticker.Stop()
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r := h.read()
			if look%looks == 0 && w.quiet(r.allocated, r.held) {
				giveBack()
			}
			p.follow(r, int(cmp.Or(percent.Load(), defaultPercent)))
		}
	}
}
