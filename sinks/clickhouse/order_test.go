package clickhouse

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestOrder sorts keys of every kind and holds the result to a plain sort.
func TestOrder(t *testing.T) {
	var s sorter
	byDigits := 0
	rapid.Check(t, func(t *rapid.T) {
		word := func(name string) *rapid.Generator[uint64] {
			mask := rapid.SampledFrom([]uint64{0, 1, 0xff, 1<<63 | 1, 0x1f<<32 | 0x3, 0x1f<<32 | 0x3, ^uint64(0), ^uint64(0), 0x5555555555555555}).Draw(t, name)
			base := rapid.Uint64().Draw(t, name)
			return rapid.Custom(func(t *rapid.T) uint64 { return base ^ rapid.Uint64().Draw(t, "word")&mask })
		}
		prefix, second, time := word("prefix"), word("second"), word("time")
		pool := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sortKey {
			return sortKey{prefix: prefix.Draw(t, "p"), second: second.Draw(t, "s"), time: int64(time.Draw(t, "t"))}
		}), 1, 40).Draw(t, "keys")
		n := rapid.SampledFrom([]int{0, 1, 100, fewRows - 1, fewRows, 2000}).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		s.reset(n)
		var want []sortKey
		for i := range n {
			seed = mix(seed, uint64(i))
			k := pool[seed%uint64(len(pool))]
			if seed>>32&1 == 0 { // ties in what comes first
				k.time = pool[seed>>40%uint64(len(pool))].time
			}
			k.row = uint32(i)
			want = append(want, k)
			s.add(k.prefix, k.second, k.time)
		}
		slices.SortFunc(want, func(a, b sortKey) int { return compareKeys(&a, &b) })
		if n >= fewRows {
			if _, _, ok := s.differing(40); ok {
				byDigits++
			}
		}
		for i, row := range s.sorted() {
			if row != want[i].row {
				t.Fatalf("place %d of %d has row %d, want %d", i, n, row, want[i].row)
			}
		}
	})
	if byDigits == 0 {
		t.Error("nothing was sorted by digits")
	}
}

func BenchmarkOrder(b *testing.B) {
	for _, n := range []int{1_000, 60_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var s sorter
			for range b.N {
				s.reset(n)
				for i := range n {
					s.add(uint64(i%20)<<32|988_000, mix(uint64(i%20_000), 1), int64(i/20_000))
				}
				s.sorted()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
