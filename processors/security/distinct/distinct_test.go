package distinct_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/processors/security/distinct"
)

// TestCount adds things more than once, and compares the estimates.
func TestCount(t *testing.T) {
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got-want) > tolerance*want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	for _, n := range []int{0, 1, 3, 20, 100, 400, 5000, 1_000_000} {
		var few distinct.Few
		var many distinct.Many
		for i := range n {
			hash := xxh3.HashString(strconv.Itoa(i))
			for range 2 {
				few.Add(hash)
				many.Add(hash)
			}
		}
		if n <= 400 {
			near("few "+strconv.Itoa(n), float64(few.Count()), float64(n), 0.2)
		} else if few.Count() < 400 {
			t.Errorf("few of %d: %d", n, few.Count())
		}
		near("many "+strconv.Itoa(n), float64(many.Count()), float64(n), 0.2)
	}
}
