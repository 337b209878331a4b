package accesslog_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/internal/datasetstest"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

// knownFormats are those that a Detector tries.
func knownFormats(t testing.TB) []*accesslog.Format {
	t.Helper()
	var all []*accesslog.Format
	for _, name := range accesslog.Names() {
		f, err := accesslog.New(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// taking returns the names of the known formats that take a line.
func taking(formats []*accesslog.Format, line string) (names []string) {
	var l accesslog.Line
	var scratch accesslog.Scratch
	for _, f := range formats {
		if f.Parse(line, &l, &scratch) == nil {
			names = append(names, f.Name())
		}
	}
	return names
}

// goldenLines are the lines of all golden files.
func goldenLines(t testing.TB) (lines []string) {
	t.Helper()
	for _, file := range goldenFiles(t) {
		for _, g := range readGolden(t, file) {
			if g.input {
				lines = append(lines, g.line)
			}
		}
	}
	return lines
}

func TestFormatsAreDisjoint(t *testing.T) {
	formats := knownFormats(t)
	lines := goldenLines(t)
	seen := make(map[string]bool)
	for _, line := range lines {
		names := taking(formats, line)
		if len(names) > 1 {
			t.Errorf("%q is in the formats %q", line, names)
		}
		for _, name := range names {
			seen[name] = true
		}
	}
	// Without a line of a format the test would say nothing of it.
	for _, f := range formats {
		if !seen[f.Name()] {
			t.Errorf("no golden line is in the format %s", f.Name())
		}
	}
}

// What a line becomes does not depend on the lines before it.
func TestDetectorForgets(t *testing.T) {
	var lines []string
	for _, line := range goldenLines(t) {
		if line == "" || line[0] != '#' {
			lines = append(lines, line)
		}
	}
	var scratch accesslog.Scratch
	for _, line := range lines {
		var alone, after accesslog.Line
		err := new(accesslog.Detector).Parse(line, &alone, &scratch)
		for _, before := range lines {
			var d accesslog.Detector
			_ = d.Parse(before, &after, &scratch)
			errAfter := d.Parse(line, &after, &scratch)
			if !errors.Is(errAfter, err) || err == nil && after != alone {
				t.Fatalf("%q is\n%+v, %v; after %q it is\n%+v, %v", line, alone, err, before, after, errAfter)
			}
		}
	}
}

func TestFieldsOfASource(t *testing.T) {
	const directive = "#Fields: date time c-ip cs-method cs-uri-stem sc-status"
	const line = "2024-02-29 23:59:59 203.0.113.9 GET /a 200"
	var l accesslog.Line
	var scratch accesslog.Scratch
	var first, second accesslog.Detector
	if err := first.Parse(line, &l, &scratch); !errors.Is(err, accesslog.ErrSyntax) {
		t.Errorf("before the directive: %v", err)
	}
	if err := first.Parse(directive+"\r\n", &l, &scratch); !errors.Is(err, accesslog.ErrDirective) || first.Fields() != directive {
		t.Errorf("directive: %v, kept as %q", err, first.Fields())
	}
	if err := first.Parse(line, &l, &scratch); err != nil || l.Client != "203.0.113.9" {
		t.Errorf("after the directive: %v, %+v", err, l)
	}
	// A directive that is passed on gives the same state.
	if err := second.Parse(first.Fields(), &l, &scratch); !errors.Is(err, accesslog.ErrDirective) {
		t.Error(err)
	}
	if err := second.Parse(line, &l, &scratch); err != nil || l.Status != 200 || second.Format().Name() != "w3c" {
		t.Errorf("after the directive that was passed on: %v, %+v", err, l)
	}
	// One whose columns hold no request ends the columns before it.
	if err := second.Parse("#Fields: date time s-comment", &l, &scratch); !errors.Is(err, accesslog.ErrDirective) || second.Fields() != "" {
		t.Errorf("directive without a request: %v, kept as %q", err, second.Fields())
	}
	if err := second.Parse(line, &l, &scratch); !errors.Is(err, accesslog.ErrSyntax) {
		t.Errorf("after it: %v", err)
	}
	if err := second.Parse("#Fields: "+strings.Repeat("cs-uri ", 1000), &l, &scratch); !errors.Is(err, accesslog.ErrDirective) || second.Fields() != "" {
		t.Errorf("a thousand columns: %v, kept as %.40q", err, second.Fields())
	}
}

func TestDetect(t *testing.T) {
	common := `127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1`
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"one":                  {[]string{common}, "common"},
		"most":                 {[]string{"x", common, common, combinedLine}, ""},
		"more than half":       {[]string{"x", common, common, common, combinedLine}, "common"},
		"none":                 {nil, ""},
		"only others":          {[]string{"x", "y"}, ""},
		"directives and space": {[]string{"#Version: 1.0", "", "\n", "#Fields: date time cs-uri sc-status", "2024-02-29 23:59:59 /a 200"}, "w3c"},
	} {
		f, ok := accesslog.Detect(c.lines)
		if ok != (c.want != "") || ok && f.Name() != c.want {
			t.Errorf("%s: %v, %v", name, f, ok)
		}
	}
}

// The one line of the file that does not parse ends within its agent.
func TestTenThousandLines(t *testing.T) {
	content, err := os.ReadFile(datasetstest.File(t, "weblog/apache_combined_10k.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if f, ok := accesslog.Detect(lines); !ok || f.Name() != "combined" {
		t.Fatalf("format is %v", f)
	}
	var d accesslog.Detector
	var l accesslog.Line
	var scratch accesslog.Scratch
	for i, line := range lines {
		err := d.Parse(line, &l, &scratch)
		if i == 8898 {
			if !errors.Is(err, accesslog.ErrSyntax) {
				t.Errorf("line %d is cut off, and parsed with %v: %s", i+1, err, line)
			}
		} else if err != nil || l.Method == "" || l.Time == 0 || l.Status < 200 || l.Client == "" || l.Sent < 0 || l.UserAgent == "" && !strings.HasSuffix(line, `"-"`) {
			t.Errorf("line %d: %v, %+v: %s", i+1, err, l, line)
		}
	}
	if len(lines) != 10000 {
		t.Errorf("the file has %d lines", len(lines))
	}
}

func FuzzDetector(f *testing.F) {
	for _, line := range goldenLines(f) {
		f.Add(line, "")
	}
	f.Add("#Fields: date time cs-uri", "2024-02-29 23:59:59 /a")
	formats := knownFormats(f)
	f.Fuzz(func(t *testing.T, before, line string) {
		for _, text := range []string{before, line} {
			if names := taking(formats, text); len(names) > 1 {
				t.Fatalf("%q is in the formats %q", text, names)
			}
		}
		var d accesslog.Detector
		var l, again accesslog.Line
		var scratch accesslog.Scratch
		_ = d.Parse(before, &l, &scratch)
		err := d.Parse(line, &l, &scratch)
		checkLine(t, line, &l, err)
		if errAgain := d.Parse(line, &again, &scratch); !errors.Is(errAgain, err) || err == nil && l != again {
			t.Fatalf("%q is %+v, %v, and then %+v, %v", line, l, err, again, errAgain)
		}
	})
}

// checkLine checks what holds for the fields of any line.
func checkLine(t *testing.T, line string, l *accesslog.Line, err error) {
	t.Helper()
	if err != nil {
		var e *accesslog.Error
		if !errors.As(err, &e) || e.Kind() == "" {
			t.Fatalf("%q: %v is no error of parsing", line, err)
		}
		return
	}
	size := 0
	for _, s := range []string{
		l.Client, l.ForwardedFor, l.User, l.VHost, l.Method, l.Target, l.Protocol, l.Referrer, l.UserAgent, l.TLSVersion, l.Cache, l.RequestID,
	} {
		size += len(s)
	}
	if size > 2*len(line)+8 || l.Time < 0 || l.Status > 999 || l.Sent < -1 || l.Duration < -1 || l.Method == "-" || l.UserAgent == "-" {
		t.Fatalf("%q: %+v", line, *l)
	}
}
