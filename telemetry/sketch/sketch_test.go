package sketch

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// exact is the bucket by the formula of the data model, in numbers that are wide
// enough.
func exact(v int64) int16 {
	if v <= 0 {
		return Zero
	}
	// The least i with v^32 <= 2^(i+1).
	power := new(big.Int).Exp(big.NewInt(v), big.NewInt(perDoubling), nil)
	n := power.BitLen() // 2^(n-1) <= power < 2^n
	if power.TrailingZeroBits() == uint(n-1) {
		n--
	}
	return int16(n - 1)
}

func TestIndex(t *testing.T) {
	check := func(v int64) {
		t.Helper()
		if got, want := Index(v), exact(v); got != want {
			t.Fatalf("bucket of %d is %d, want %d", v, got, want)
		}
	}
	for v := int64(-2); v < 200_000; v++ {
		check(v)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		check(random.Int64() >> random.IntN(63))
	}
	for e := range 63 {
		for _, d := range []int64{-1, 0, 1} {
			check(1<<e + d)
		}
	}
	check(math.MaxInt64)
	for i := int16(0); i <= Index(math.MaxInt64); i++ {
		upper := Upper(i)
		if got := Index(upper); got > i {
			t.Fatalf("upper bound %d of bucket %d is in bucket %d", upper, i, got)
		}
		if upper < math.MaxInt64 {
			if got := Index(upper + 1); got <= i {
				t.Fatalf("%d is beyond bucket %d, and found in %d", upper+1, i, got)
			}
		}
	}
	if Upper(Zero) != 0 || Upper(-1) != 1 || Upper(math.MaxInt16) != math.MaxInt64 {
		t.Errorf("upper bounds %d, %d, %d", Upper(Zero), Upper(-1), Upper(math.MaxInt16))
	}
}

func TestQuantile(t *testing.T) {
	if !math.IsNaN(Quantile(0.5, nil)) {
		t.Error("a quantile of nothing")
	}
	random := rand.New(rand.NewPCG(3, 4))
	var s Sketch
	values := make([]int64, 0, 20_000)
	for range cap(values) {
		v := int64(math.Exp(random.NormFloat64()*2 + 15))
		values = append(values, v)
		s.Add(v)
	}
	slices.Sort(values)
	buckets := s.Append(nil)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
		want := float64(values[max(1, int(math.Ceil(q*float64(len(values)))))-1])
		if got := Quantile(q, buckets); math.Abs(got-want) > 0.011*want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := Quantile(0.5, []Bucket{{Zero, 3}, {-1, 1}}); got != 0 {
		t.Errorf("the middle of nothing is %v", got)
	}
}

// TestMerge counts the same durations in one sketch and in several.
func TestMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var whole, merged Sketch
		parts := make([]Sketch, 1+random.IntN(5))
		for range random.IntN(300) {
			v := random.Int64()>>random.IntN(64) - int64(random.IntN(3))
			whole.Add(v)
			parts[random.IntN(len(parts))].Add(v)
		}
		for i := range parts {
			merged.Merge(parts[i].Append(nil), parts[i].Sum())
		}
		if !slices.Equal(whole.Append(nil), merged.Append(nil)) || whole.Count() != merged.Count() || whole.Sum() != merged.Sum() {
			t.Fatalf("whole %v, merged %v", whole, merged)
		}
		whole.Reset()
		if whole.Count() != 0 || len(whole.Append(nil)) != 0 {
			t.Fatal("something is left after a reset")
		}
		whole.Add(1 << 40)
		whole.Add(7)
		if got := whole.Append(nil); len(got) != 2 || got[0].Count != 1 || got[1].Count != 1 {
			t.Fatalf("after a reset: %v", got)
		}
	}
	var s Sketch
	s.Merge([]Bucket{{math.MinInt16 + 1, 1}, {math.MaxInt16, 1}}, 0)
	if s.Count() != 0 {
		t.Error("a bucket that cannot be was counted")
	}
}

func BenchmarkAdd(b *testing.B) {
	var s Sketch
	v := int64(1)
	for b.Loop() {
		v = v*6364136223846793005 + 1442695040888963407
		s.Add(v >> 30 & 0xffffffff)
	}
}
