package clickhouse

import (
	"testing"

	"pgregory.net/rapid"
)

func TestKeySet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s keySet
		want := map[uint64]bool{}
		for range rapid.IntRange(1, 500).Draw(t, "n") {
			// Many begin at the same place, the last one too.
			key := rapid.SampledFrom([]uint64{0, 2, 63, 127, 1 << 40}).Draw(t, "base") + rapid.Uint64Range(0, 3).Draw(t, "high")<<20
			if rapid.IntRange(0, 100).Draw(t, "clear") == 0 {
				s.clear()
				clear(want)
			}
			if s.has(key) != want[key] {
				t.Fatalf("has(%#x) = %t", key, !want[key])
			}
			if !want[key] {
				s.add(key)
			}
			want[key] = true
			if !s.find(key) || s.size() != len(want) {
				t.Fatalf("after adding %#x: %d keys, want %d", key, s.size(), len(want))
			}
		}
	})
}

// BenchmarkKeySet looks up what is known in the order in which it came first,
// and in any order.
func BenchmarkKeySet(b *testing.B) {
	const keys = 20_000
	for name, step := range map[string]uint64{"ordered": 1, "any": 7919} {
		b.Run(name, func(b *testing.B) {
			var s keySet
			for i := range uint64(keys) {
				s.add(mix(i, 1))
			}
			for i := range uint64(b.N) {
				if !s.has(mix(i*step%keys, 1)) {
					b.Fatal("forgotten")
				}
			}
		})
	}
}
