package otlp

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRepaired(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for n := range 40 {
		for range 500 {
			p := make([]byte, n)
			for i := range p {
				p[i] = byte('a' + r.IntN(26))
			}
			if n > 0 && r.IntN(2) == 0 {
				p[r.IntN(n)] = byte(r.Uint32())
			}
			plain := true
			for _, c := range p {
				plain = plain && c < utf8.RuneSelf
			}
			if ascii(p) != plain {
				t.Fatalf("%q: %t", p, ascii(p))
			}
			if got, want := repaired(p), strings.ToValidUTF8(string(p), "\uFFFD"); got != want {
				t.Fatalf("%q: %q, want %q", p, got, want)
			}
		}
	}
}
