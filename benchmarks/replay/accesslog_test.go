package replay_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/benchmarks/replay"
)

func TestParseHit(t *testing.T) {
	at := time.Date(2015, 5, 17, 10, 5, 3, 0, time.UTC)
	const when = "[17/May/2015:10:05:03 +0000]"
	for _, test := range []struct {
		name, line string
		want       replay.Hit
		err        string
	}{
		{
			name: "combined", line: `83.149.9.216 - - ` + when + ` "GET /a.png?x=1&y=? HTTP/1.1" 200 203023 "http://example.com/" "Mozilla/5.0 (X11)"`,
			want: replay.Hit{Client: "83.149.9.216", Time: at, Method: "GET", Path: "/a.png", Query: "x=1&y=?", Protocol: "1.1", Status: 200, Size: 203023, Referrer: "http://example.com/", Agent: "Mozilla/5.0 (X11)"},
		},
		{
			name: "common, user with a space, no size", line: `::1 - Jane Doe ` + when + ` "HEAD / HTTP/2.0" 304 -`,
			want: replay.Hit{Client: "::1", User: "Jane Doe", Time: at, Method: "HEAD", Path: "/", Protocol: "2.0", Status: 304, Size: -1},
		},
		{
			name: "virtual host and port", line: `shop.example.com:443 10.0.0.1 - bob ` + when + ` "GET / HTTP/1.1" 200 5`,
			want: replay.Hit{Host: "shop.example.com", Client: "10.0.0.1", User: "bob", Time: at, Method: "GET", Path: "/", Protocol: "1.1", Status: 200, Size: 5},
		},
		{
			name: "zone, escapes, fields behind", line: `h - - [17/May/2015:12:05:03 +0200] "GET /\"q\"\\ HTTP/1.1" 404 0 "-" "a\x22b\tc" "10.1.2.3" rt=0.004`,
			want: replay.Hit{Client: "h", Time: at, Method: "GET", Path: `/"q"\`, Protocol: "1.1", Status: 404, Size: 0, Agent: "a\"b\tc"},
		},
		{
			name: "no HTTP at all", line: `h - - ` + when + ` "\x16\x03\x01" 400 150 "-" "-"`,
			want: replay.Hit{Client: "h", Time: at, Status: 400, Size: 150},
		},
		{
			name: "HTTP/0.9 and an empty request", line: `h - - ` + when + ` "GET /old" 200 1`,
			want: replay.Hit{Client: "h", Time: at, Method: "GET", Path: "/old", Status: 200, Size: 1},
		},
		{name: "empty request", line: `h - - ` + when + ` "" 408 -`, want: replay.Hit{Client: "h", Time: at, Status: 408, Size: -1}},
		{name: "prose", line: "hello world", err: "no time in brackets"},
		{name: "no client", line: "- [x] y", err: "want client, identity and user before the time"},
		{name: "open bracket", line: "a b c [17/May/2015", err: "no end of the time in brackets"},
		{name: "bad time", line: `a b c [17/Foo/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1`, err: `time "17/Foo/2015:10:05:03 +0000": want one like 02/Jan/2006:15:04:05 -0700`},
		{name: "year", line: `a b c [17/May/0015:10:05:03 +0000] "GET / HTTP/1.1" 200 1`, err: `time "17/May/0015:10:05:03 +0000": want a year between 1970 and 2261`},
		{name: "open quote", line: `a b c ` + when + ` "GET /`, err: "request line: no closing quote"},
		{name: "status", line: `a b c ` + when + ` "GET / HTTP/1.1" 20 1`, err: `status "20": want three digits`},
		{name: "size", line: `a b c ` + when + ` "GET / HTTP/1.1" 200 x`, err: `size "x": want a number or -`},
		{name: "cut referrer", line: `a b c ` + when + ` "GET / HTTP/1.1" 200 1 "http`, err: "referrer: no closing quote"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := replay.ParseHit(test.line)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestExcerpt parses real lines.
func TestExcerpt(t *testing.T) {
	text, err := os.ReadFile("testdata/apache_combined.log")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		h, err := replay.ParseHit(strings.TrimSpace(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if h.Method == "" || h.Path == "" || h.Time.Year() != 2015 || h.Status < 200 {
			t.Errorf("%s: parsed as %+v", line, h)
		}
	}
}

func FuzzParseHit(f *testing.F) {
	f.Add(`83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a.png?x=1 HTTP/1.1" 200 203023 "http://example.com/" "Mozilla/5.0"`)
	f.Add(`v:80 ::1 - u v [17/May/2015:10:05:03 +0000] "\x16\x0" 400 - "-" "\"`)
	f.Add(`a b c [17/May/2015:10:05:03 +0000] "" 000 -`)
	f.Fuzz(func(t *testing.T, line string) {
		h, err := replay.ParseHit(line)
		if err != nil {
			return
		}
		if h.Status < 0 || h.Status > 999 || h.Size < -1 || h.Client == "" || h.Time.UnixNano() < 0 {
			t.Errorf("%q parsed as %+v", line, h)
		}
		// Nothing is invented: what has no escape stands in the line.
		if !strings.Contains(line, `\`) {
			for _, part := range []string{h.Host, h.Client, h.User, h.Method, h.Path, h.Query, h.Protocol, h.Referrer, h.Agent} {
				if !strings.Contains(line, part) {
					t.Errorf("%q parsed as %+v: %q is not in it", line, h, part)
				}
			}
		}
	})
}
