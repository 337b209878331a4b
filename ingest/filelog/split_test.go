package filelog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// events returns what a splitter makes of a text, pieces with a mark before them.
func events(s *splitter, r region) (all []string, n int, inside bool) {
	n, inside = s.each(r, func(event []byte, cut bool) bool {
		text := string(event)
		if cut {
			text = "~" + text
		}
		all = append(all, text)
		return true
	})
	return all, n, inside
}

func TestLines(t *testing.T) {
	t.Parallel()
	notBlank := (&Multiline{StartsWith: "not_blank"}).firstLine()
	for name, c := range map[string]struct {
		text  string
		first firstLine
		whole bool
		want  []string
		rest  string
	}{
		"lines":                    {text: "one\ntwo\r\n\n\nthree", want: []string{"one", "two"}, rest: "three"},
		"a last line":              {text: "one\ntwo", whole: true, want: []string{"one", "two"}},
		"nothing":                  {},
		"a long line":              {text: "0123456789abcdefghij\nx\n", want: []string{"~0123456789", "~abcdefghij", "x"}},
		"a longer line":            {text: "0123456789abcdefghijklm\nx\n", want: []string{"~0123456789", "~abcdefghij", "~klm", "x"}},
		"a long line without end":  {text: "0123456789abc", want: []string{"~0123456789"}, rest: "abc"},
		"not longer than allowed":  {text: "0123456789\n0123456789", want: []string{"0123456789"}, rest: "0123456789"},
		"characters stay whole":    {text: "12345678€€€\n", want: []string{"~12345678", "~€€€"}},
		"bytes that are no text":   {text: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\n", want: []string{"~" + strings.Repeat("\xff", 10), "~\xff"}},
		"several lines":            {text: "a\n b\n c\nd\n e\n", first: notBlank, want: []string{"a\n b\n c"}, rest: "d\n e\n"},
		"several lines, whole":     {text: "a\n b\nd\n e", first: notBlank, whole: true, want: []string{"a\n b", "d\n e"}},
		"begins with a later line": {text: " b\na\nc\n", first: notBlank, want: []string{" b", "a"}, rest: "c\n"},
		"too many lines":           {text: "a\n b\n c\n d\n e\nf\n", first: notBlank, whole: true, want: []string{"~a\n b\n c\n d", "~ e", "f"}},
		"half of a first line":     {text: "a\n b\nc", first: notBlank, want: nil, rest: "a\n b\nc"},
		"a long line in many":      {text: "a\n 123456789abcdef\nb\n", first: notBlank, whole: true, want: []string{"~a", "~ 123456789", "~abcdef", "b"}},
	} {
		s := &splitter{maxLine: 10, first: c.first}
		got, n, _ := events(s, region{data: []byte(c.text), whole: c.whole})
		if diff := cmp.Diff(c.want, got); diff != "" || c.text[n:] != c.rest {
			t.Errorf("%s: rest %q, want %q; events -want +got:\n%s", name, c.text[n:], c.rest, diff)
		}
	}
}

func TestBeginsWithTime(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"2026-11-21T12:34:56Z x", "2026/11/21 12:34", "[2026-11-21 12:34:56,123] x", "21/Nov/2026:12:34:56 +0000", "[21/Nov/2026:12:34:56",
		"21.11.2026 12:34", "21 Nov 2026", "Nov 21 12:34:56 host", "Nov  1 12:34:56", "Sat Nov 21 12:34:56 2026", "Sat, 21 Nov 2026 12:34", "[Sat Nov 21",
		"12:34:56.789 INFO", "1790000000.123 x", "1790000000123", "I1121 12:34:56.000000 1 main.go:1]", "20261121T123456Z", "20261121 123456", "9:05:01 x",
	} {
		if !beginsWithTime([]byte(line)) {
			t.Errorf("%q does not begin with a time", line)
		}
	}
	for _, line := range []string{
		"", "[", "\tat x.y.Z(Z.java:12)", "  File \"x.py\", line 3", "Caused by: x", "12 items", "123", "2026", "2026-", "May be", "Mayor", "Sat", "Sat,", "Nov x",
		"Independent", "I112", "1.5 seconds", "4711 apples", "Sun is up",
	} {
		if beginsWithTime([]byte(line)) {
			t.Errorf("%q begins with a time", line)
		}
	}
}

// FuzzSplit cuts a text at once and in regions, as it would be read while it
// grows, and every region once more, as after a crash.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("one\ntwo\r\n\nthree\n 4\n 5\n"), uint8(3), false)
	f.Add([]byte("0123456789abcdefghijklmnopq\n€€€€€€€€\n a\n b\n c\n d\n e"), uint8(7), true)
	f.Fuzz(func(t *testing.T, text []byte, step uint8, multiline bool) {
		s := &splitter{maxLine: 16}
		if multiline {
			s.first = (&Multiline{StartsWith: "not_blank"}).firstLine()
		}
		whole, n, _ := events(s, region{data: text, whole: true})
		if n != len(text) {
			t.Fatalf("%d of %d bytes are events", n, len(text))
		}
		var parts []string
		inside := false
		for at, to := 0, 0; at < len(text); {
			to = min(max(to, at)+int(step)+1, len(text))
			r := region{data: text[at:to], inside: inside, whole: to == len(text)}
			part, n, in := events(s, r)
			again, m, in2 := events(s, region{data: text[at : at+n], inside: inside, whole: true, endsInside: in})
			if fmt.Sprintf("%q", part) != fmt.Sprintf("%q", again) || n != m || in != in2 && n > 0 {
				t.Fatalf("%q gives %q, and the second time %q (%d, %d)", text[at:at+n], part, again, n, m)
			}
			parts, inside, at = append(parts, part...), in, at+n
		}
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("in regions: -want +got:\n%s", diff)
		}
	})
}
