package memory

import (
	"context"
	"math"
	"runtime/debug"
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name        string
		since, held []uint64 // of one look after the other
		want        string   // q: quiet, a collection; -: nothing
	}{
		{"a process that does nothing", []uint64{0, 0, 0}, []uint64{100 * mib, 100 * mib, 100 * mib}, "q--"},
		{"a small one", []uint64{0, 0}, []uint64{10 * mib, 10 * mib}, "--"},
		{"a busy one", []uint64{500 * mib, 500 * mib}, []uint64{100 * mib, 100 * mib}, "--"},
		{
			"once after every busy time",
			[]uint64{500 * mib, 10 * mib, 10 * mib, 60 * mib, 1 * mib, 1 * mib},
			[]uint64{400 * mib, 400 * mib, 60 * mib, 80 * mib, 80 * mib, 60 * mib},
			"-q--q-",
		},
		{"as busy as the size of its heap", []uint64{50 * mib, 49 * mib}, []uint64{100 * mib, 100 * mib}, "-q"},
	} {
		w := watch{busy: true}
		var allocated uint64
		got := ""
		for i := range c.since {
			allocated += c.since[i]
			if w.quiet(allocated, c.held[i]) {
				got += "q"
			} else {
				got += "-"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPace(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live    uint64
		percent int
		// heap is how large the heap gets, and limit what the process may take, in MiB;
		// 0 for any.
		heap, limit uint64
	}{
		{0, 100, 2, 0},
		{100, 100, 200, 0},
		{128, 100, 256, 0},
		{256, 100, 409, 536},
		{640, 100, 896, 1016},
		{4096, 100, 5120, 5336},
		{10, 400, 50, 0},
		{32, 400, 96, 0},
		{64, 400, 128, 0},
		{256, 400, 345, 472},
	} {
		var heap, limit uint64
		p := pace{
			set: func(percent int) int {
				live := max(c.live, 1) * mib
				heap = (live + live*uint64(percent)/100) / mib
				return 0
			},
			limit: func(bytes int64) int64 {
				if limit = 0; bytes != math.MaxInt64 {
					limit = uint64(bytes) / mib
				}
				return 0
			},
		}
		p.follow(reading{live: c.live * mib, beside: 104 * mib}, c.percent)
		if heap != c.heap || limit != c.limit {
			t.Errorf("with %d MiB in use and %d %%: a heap of %d MiB, want %d, and a limit of %d MiB, want %d", c.live, c.percent, heap, c.heap, limit, c.limit)
		}
	}
}

// sink keeps the compiler from removing what a test allocates.
var sink []byte

// TestKeep checks that memory that nobody uses any more leaves the heap.
func TestKeep(t *testing.T) {
	const size = 256 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nobody else collects
	sink = make([]byte, size)
	for i := 0; i < size; i += 4096 {
		sink[i] = 1
	}
	OnQuiet(func() { sink = nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Keep(ctx, 5*time.Millisecond)
	}()
	var h heap
	for h.read().held >= size {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
}
