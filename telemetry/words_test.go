package telemetry_test

import (
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// longestWord is the plain way to LongestWord.
func longestWord(text string) int {
	longest, run := 0, 0
	for i := range len(text) {
		if run++; !telemetry.IsWordByte(text[i]) {
			run = 0
		}
		longest = max(longest, run)
	}
	return min(longest, telemetry.LongestWordMax)
}

func TestLongestWord(t *testing.T) {
	for _, c := range []struct {
		text string
		want uint8
	}{
		{"", 0},
		{" -/", 0},
		{"a", 1},
		{"a bc d", 2},
		{"GET /api/v1/orders HTTP/1.1", 6},
		{"id=24cf9509e18b7cd0 done", 16},
		{"24cf9509e18b7cd0", 16},
		{"naïve\x00x", 6},
		{"snake_case", 5},
		{strings.Repeat("x", 254), 254},
		{"a " + strings.Repeat("x", 255), 255},
		{strings.Repeat("x", 1000) + " b", 255},
	} {
		if got := telemetry.LongestWord(c.text); got != c.want {
			t.Errorf("LongestWord(%.40q) = %d, not %d", c.text, got, c.want)
		}
	}
}

func FuzzLongestWord(f *testing.F) {
	f.Add("a bc  def\tg\x80\xff-hij")
	f.Add("GET /api/v1/orders/4711 from 10.0.7.7 took 12ms id=24cf9509e18b7cd0 done")
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := telemetry.LongestWord(text), longestWord(text); int(got) != want {
			t.Errorf("LongestWord(%q) = %d, not %d", text, got, want)
		}
	})
}

func BenchmarkLongestWord(b *testing.B) {
	const text = `10.0.7.7 - - [22/Nov/2026:05:14:32 +0000] "GET /api/v1/orders/4711?page=2 HTTP/1.1" 200 5120 "https://shop.example/cart" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"`
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		telemetry.LongestWord(text)
	}
}
