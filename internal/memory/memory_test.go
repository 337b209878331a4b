package memory

import (
	"context"
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

// sink keeps the compiler from removing what a test allocates.
var sink []byte

// TestReturnIdle checks that memory that nobody uses any more leaves the heap.
func TestReturnIdle(t *testing.T) {
	const size = 256 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nobody else collects
	sink = make([]byte, size)
	for i := 0; i < size; i += 4096 {
		sink[i] = 1
	}
	sink = nil
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ReturnIdle(ctx, 5*time.Millisecond)
	}()
	var h heap
	for _, held := h.read(); held >= size; _, held = h.read() {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
}
