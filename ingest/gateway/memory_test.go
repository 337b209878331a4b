package gateway

import (
	"errors"
	"testing"
)

func TestClassesFitTheirSizes(t *testing.T) {
	seen := map[int]int64{}
	for _, n := range []int{0, 1, 4095, 4096, 4097, 485_000, 1 << 20, 1<<20 + 1, 5 << 18, 5<<18 + 1, 2 << 20, 20 << 20, 20<<20 + 1, 1 << 30} {
		class, size := classOf(n)
		if size < int64(n) || n > 4096 && size > 2*int64(n) || n > 1<<20 && size > int64(n)+int64(n)/4 {
			t.Errorf("%d bytes are put into a buffer of %d", n, size)
		}
		if other, ok := seen[class]; ok && other != size || class < 0 || class >= classes {
			t.Errorf("class %d of %d bytes has sizes %d and %d", class, n, other, size)
		}
		seen[class] = size
	}
	if _, size := classOf(20 << 20); size != 20<<20 {
		t.Errorf("the largest body takes %d bytes", size)
	}
}

func TestMemoryIsBoundedAndUsedAgain(t *testing.T) {
	m := newMemory(1 << 20)
	var held []*buffer
	for {
		b, err := m.get(64 << 10)
		if err != nil {
			if r := new(refusal); !errors.As(err, &r) || r.outcome != overloaded {
				t.Fatal(err)
			}
			break
		}
		held = append(held, b)
	}
	if len(held) != 16 {
		t.Errorf("%d buffers were handed out, want 16", len(held))
	}
	last := held[len(held)-1]
	for _, b := range held {
		b.release()
	}
	if m.used.Load() != 0 || m.idleBytes != 1<<20 {
		t.Errorf("%d bytes in use and %d idle, want 0 and a MiB", m.used.Load(), m.idleBytes)
	}
	again, err := m.get(50_000)
	if err != nil || again != last {
		t.Errorf("the buffer used last is not used again (%v)", err)
	}
	// A buffer of another size takes the place of idle ones.
	if _, err := m.get(900 << 10); err == nil {
		t.Errorf("a MiB was handed out beside 64 KiB of a MiB")
	}
	again.release()
	large, err := m.get(900 << 10)
	if err != nil {
		t.Fatal(err)
	}
	if m.idleBytes != 0 {
		t.Errorf("%d bytes are idle beside a full bound", m.idleBytes)
	}
	large.release()
	m.trim()
	if m.idleBytes == 0 {
		t.Errorf("a buffer was dropped that was in use since the last trim")
	}
	m.trim()
	if m.idleBytes != 0 {
		t.Errorf("%d bytes are idle after two trims", m.idleBytes)
	}
}
