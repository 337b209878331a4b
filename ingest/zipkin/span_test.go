package zipkin

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestDottedIsNetip holds the short way to an address against the long one.
func TestDottedIsNetip(t *testing.T) {
	parts := []string{"", "0", "1", "01", "00", "99", "255", "256", "1000", "-1", "+1", "a", " 1", "1 "}
	check := func(text string) {
		t.Helper()
		want, err := netip.ParseAddr(text)
		got, ok := dotted([]byte(text))
		if ok != (err == nil && want.Is4()) || ok && netip.AddrFrom4(got) != want {
			t.Errorf("%q is %v, %t; want %v", text, got, ok, want)
		}
	}
	for _, a := range parts {
		check(a)
		check("1.2.3." + a)
		check(a + ".2.3.4")
		check("1.2.3.4" + a)
		for _, b := range parts {
			check(fmt.Sprintf("1.%s.%s.4", a, b))
			check(a + "." + b)
			check(a + ".1." + b)
			check("1.2.3.4." + a + "." + b)
		}
	}
}
