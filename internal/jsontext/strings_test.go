package jsontext

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// claims is memory of so many bytes.
type claims struct {
	left  int
	asked []int
}

func (c *claims) Claim(n int) bool {
	c.asked = append(c.asked, n)
	c.left -= n
	return c.left >= 0
}

func TestKeptStringsStay(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`\n`, 2000)
	var s Scanner
	s.Reset([]byte(`"plain" "a\tb" "`+long+`" "c\"\u00e9" "`+long+`"`), 1)
	memory := &claims{left: 1 << 20}
	var texts []byte
	var got [][]byte
	for range 5 {
		text, err := s.KeptString(&texts, 1<<10, memory)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	newlines := strings.Repeat("\n", 2000)
	for i, want := range []string{"plain", "a\tb", newlines, `c"é`, newlines} {
		if string(got[i]) != want {
			t.Errorf("string %d is %.40q, want %.40q", i, got[i], want)
		}
	}
	if want := []int{len(long), 2 * len(long)}; !slices.Equal(memory.asked, want) { // the first was free
		t.Errorf("claimed %d, want %d", memory.asked, want)
	}
}

func TestKeptStringIsRefused(t *testing.T) {
	t.Parallel()
	var texts []byte
	var s Scanner
	s.Reset([]byte(`"\n"`), 1)
	if _, err := s.KeptString(&texts, 0, &claims{left: 1023}); !errors.Is(err, ErrFull) {
		t.Errorf("without memory: %v", err)
	}
	for text, want := range map[string]string{
		`"\x"`: "JSON at byte 4: a string holds an unknown escape", `"\n`: "JSON at byte 1: a string has no end", `1`: `JSON at byte 0: want '"', found '1'`,
	} {
		s.Reset([]byte(text), 1)
		if _, err := s.KeptString(&texts, 1<<20, nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
