package topic

import (
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func testID(n int) (id BatchID) {
	binary.BigEndian.PutUint64(id[4:], uint64(n)+1)
	return id
}

// TestWindow compares the window with the plain definition of it.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		age := time.Duration(rapid.IntRange(0, 50).Draw(t, "age"))
		limit := rapid.IntRange(1, 200).Draw(t, "limit")
		w := newWindow(age, limit)
		type entry struct {
			id         BatchID
			offset, at int64
		}
		offset := int64(0)
		var model []entry
		latest := int64(-1 << 62)
		now := int64(0)
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			if rapid.IntRange(0, 20).Draw(t, "evict") == 0 {
				w.evict()
				for len(model) > 0 && (len(model) > limit || latest-model[0].at > int64(age)) {
					model = model[1:]
				}
			}
			if rapid.IntRange(0, 30).Draw(t, "truncate") == 0 {
				offset -= int64(rapid.IntRange(0, 20).Draw(t, "back"))
				w.truncate(offset)
				for len(model) > 0 && model[len(model)-1].offset >= offset {
					model = model[:len(model)-1]
				}
			}
			now += int64(rapid.IntRange(-2, 3).Draw(t, "step"))
			id := testID(rapid.IntRange(0, 60).Draw(t, "id"))
			want := false
			for _, e := range model {
				want = want || e.id == id
			}
			if got := w.add(id, offset, now); got != want {
				t.Fatalf("id %x: repeated is %v, want %v", id, got, want)
			}
			model = append(model, entry{id, offset, now})
			offset += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
			latest = max(latest, now)
			if w.len() != len(model) {
				t.Fatalf("%d entries, want %d", w.len(), len(model))
			}
		}
	})
}

func TestWindowOff(t *testing.T) {
	w := newWindow(time.Minute, 0)
	for range 3 {
		if w.add(testID(1), 1, 1) {
			t.Error("a window of no ids recognises one")
		}
	}
}

func BenchmarkWindow(b *testing.B) {
	w := newWindow(10*time.Minute, 1<<16)
	b.ReportAllocs()
	for i := range b.N {
		w.add(testID(i), int64(i), int64(i))
		if i%64 == 0 {
			w.evict()
		}
	}
}
