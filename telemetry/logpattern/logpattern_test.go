package logpattern_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

// shapes are bodies with their shapes.
var shapes = []struct{ name, body, want string }{
	{"words", "connection closed", "connection closed"},
	{"spaces", "  a\t b  \r\nsecond line", "a b"},
	{"empty", " \n\t ", ""},
	{"lines", "\n\nfirst\nsecond", "first"},
	{"numbers", "took 12 of 3.5 at -7 or +8, 1e-05 50% 2nd 12ms 4KiB", "took <*> of <*> at <*> or <*>, <*> <*>% <*> <*> <*>"},
	{"version", "version v1.2.3 (1.0.4-rc)", "version <*> (<*>-rc)"},
	{"letters and digits", "ssh2 eth0 utf8 IPv4", "ssh2 eth0 utf8 IPv4"},
	{"identifiers", "req_8812 rdd_4_2 blk_-99120 a1b2c3d4 x12345 task_m_000", "<*> <*> <*> <*> <*> <*>"},
	{"hexadecimal", "0x7fff at deadbeef in 3f9ac1 of Token@9a1b2c", "<*> at <*> in <*> of Token@<*>"},
	{"UUID", "request 123e4567-e89b-12d3-a456-426614174000 done", "request <*> done"},
	{"addresses", "from 10.0.0.1:8080 to ::1 via fe80::1ff:fe23:4567:890a and 00:1b:44:11:3a:b7", "from <*>:<*> to <*> via <*> and <*>"},
	{"no address", "std::vector a::b 12:30:59 x:", "std::vector a::b <*>:<*>:<*> x:"},
	{"hosts", "db.eu.example.org:5432 example.com node-7:9092 web/10.1.2.3:80 user@example.org", "<*>:<*> <*> <*>:<*> <*>/<*>:<*> <*>"},
	{"end of a sentence", "resolved db.eu.example.org.", "resolved <*>."},
	{"classes", "java.io.IOException at org.acme.Cart$Item", "java.io.IOException at org.acme.Cart$Item"},
	{"paths", "open /var/log/x.log ../a/b ~/c conf/app.yaml read/write I/O 3/4", "open <*> <*> <*> <*> read/write I/O <*>/<*>"},
	{"paths of Windows", `loaded C:\Windows\a.dll, \\host\share`, "loaded <*>, <*>"},
	{"URLs", "GET https://example.org/a?b=1&c=2, then (http://x/y)", "GET <*>, then (<*>)"},
	{"times", "2026-11-21T10:00:00.123Z at 2026-11-21 10:00:00,123", "<*>:<*>:<*> at <*> <*>:<*>:<*>,<*>"},
	{"dates", "Sat Nov 21 10:00:00 2026 up, 21 Nov, Sun on Mar", "<*>:<*>:<*> up, <*> Nov, Sun on Mar"},
	{"truth", "ok=true, ready: False, owner root, next null", "ok=<*>, ready: <*>, owner <*>, next <*>"},
	{"key and value", "user=alice id=7 name=a.b.cd", "user=alice id=<*> name=<*>"},
	{"quoted", `said "hello there" to "bob" and ""`, `said "<*>" to "bob" and ""`},
	{"half quoted", `said "hello there`, `said "hello there`},
	{"logfmt", `level=info msg="listening on port 80" took=3ms`, `level=info msg="listening on port <*>" took=<*>`},
	{
		"access log", `10.0.0.1 - - [21/Nov/2026:10:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11; Linux)"`,
		`<*> - - [<*>:<*>:<*>:<*> <*>] "GET <*>" <*> <*> "-" "<*>"`,
	},
	{"wild", "a <*> b<*>c <*><*> <*>.<*>", "a <*> <*> <*> <*>"},
	{"message", `{"level":"info","msg":"took 7 ms","n":{"msg":"x"}}`, "took <*> ms"},
	{"message before log", `{"log":"a","message":"b"}`, "b"},
	{"log of containers", `{"log":"line 1\nline 2","stream":"stdout"}`, "line <*>"},
	{"escapes", `{"msg":"caf\u00e9 \"bar\"\t\\d"}`, `café "bar" \d`},
	{"message that is no text", `{"msg":{"a":1},"b":[1,2]}`, `{"b","msg"}`},
	{"keys", `{"b": 1, "a": {"c": "}"}, "b": null}`, `{"a","b"}`},
	{"not JSON", `{"a" b} c 7`, `{"a" b} c <*>`},
	{"JSON on lines", "{\n  \"msg\": \"hello\"\n}", "hello"},
	{"cut JSON", `{"msg":"hello`, "hello"},
	{"not UTF-8", "a\xffb \xfe7", "a\uFFFDb \uFFFD7"},
	{"other alphabets", "Größe 12 überschritten: 値 7", "Größe <*> überschritten: 値 <*>"},
	{"control", "a\x00b\x1b[31mred", "a b [<*>"},
}

func TestShape(t *testing.T) {
	var m logpattern.Masker
	for _, c := range shapes {
		if got := string(m.Shape(c.body)); got != c.want {
			t.Errorf("%s: %q\n got %q\nwant %q", c.name, c.body, got, c.want)
		}
	}
}

// TestLong gives it lines that go on and on.
func TestLong(t *testing.T) {
	var m logpattern.Masker
	long := strings.Repeat("word 7 ", 2<<20)
	if got := strings.Fields(string(m.Shape(long))); len(got) != 128 {
		t.Errorf("%d words count", len(got))
	}
	if got := m.Shape(strings.Repeat("x", 10<<20)); len(got) != 4096 {
		t.Errorf("%d bytes count", len(got))
	}
	if a, b := string(m.Shape(long)), string(m.Shape(long[:len(long)-3])); a != b {
		t.Error("what does not count counts")
	}
}

func TestAllocations(t *testing.T) {
	var m logpattern.Masker
	sum := uint64(0)
	run := func() {
		for _, c := range shapes {
			if utf8.ValidString(c.body) {
				sum += logpattern.ID(m.Shape(c.body))
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(10, run); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzShape(f *testing.F) {
	for _, c := range shapes {
		f.Add(c.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var a, b logpattern.Masker
		shape := string(a.Shape(body))
		b.Shape("something else 7")
		if again := string(b.Shape(body)); again != shape {
			t.Fatalf("%q has the shapes %q and %q", body, shape, again)
		}
		if !utf8.ValidString(shape) || strings.ContainsAny(shape, "\n\t\x00") || strings.Contains(shape, "  ") || strings.TrimSpace(shape) != shape {
			t.Fatalf("%q has the shape %q", body, shape)
		}
		if len(shape) > 4*len(body) {
			t.Fatalf("%q has a shape of %d bytes", body, len(shape))
		}
		// The shape of a shape may have less in it, and comes to rest.
		last := shape
		for range 8 {
			next := string(b.Shape(last))
			if next == last {
				return
			}
			last = next
		}
		t.Fatalf("the shape of %q does not come to rest: %q", body, last)
	})
}
