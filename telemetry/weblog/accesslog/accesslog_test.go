package accesslog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

func TestConfigurationErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                       "want nginx:, apache:",
		"combinde":                               "combined_time",
		"nginx:":                                 "empty",
		"nginx: $remote_addr$status $request":    "no text is between $status",
		"nginx: $remote_addr $status":            "neither the request",
		"nginx: ${request":                       "no closing brace",
		"nginx: log_format a escape=xml '$uri'":  "want default, json or none",
		"nginx: log_format a '$uri":              "no end",
		"nginx: log_format a '$uri' $status;":    "want a string in quotes",
		"nginx: " + strings.Repeat("$uri ", 257): "more than 256 values",
		"nginx: " + strings.Repeat("x", 17<<10):  "longer than",
		"apache:":                                "empty",
		"apache: %r %{x":                         "no closing brace",
		"apache: %r %>":                          "ends early",
		"apache: LogFormat %r":                   "want a string in quotes",
		`apache: LogFormat "%r`:                  "no end",
		"apache: %r %{%H}t":                      "times are read as",
		"apache: %h%r":                           "no text is between",
		"envoy:":                                 "empty",
		"envoy: %REQ(:PATH)% %REQ(":              "no closing bracket",
		"envoy: %REQ(:PATH)":                     "no closing percent",
		"envoy: %REQ(:PATH)% %START_TIME(%H)%":   "times are read as",
		"w3c: date time":                         "neither the request",
		"w3c: " + strings.Repeat("cs-uri ", 300): "more than 256",
	} {
		if _, err := accesslog.New(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", spec, err, want)
		}
	}
}

// Any date of the calendar is read as the package time does, and no other.
func TestDates(t *testing.T) {
	var l accesslog.Line
	var scratch accesslog.Scratch
	f, err := accesslog.New("common")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string, want time.Time, valid bool) {
		err := f.Parse(`h - - [`+text+`] "GET / HTTP/1.1" 200 1`, &l, &scratch)
		if valid != (err == nil) || valid && l.Time != want.UnixNano() || !valid && !errors.Is(err, accesslog.ErrTime) {
			t.Fatalf("%s is %v, %v", text, time.Unix(0, l.Time).UTC(), err)
		}
	}
	zones := []*time.Location{time.UTC, time.FixedZone("", -3*3600-1800), time.FixedZone("", 14*3600)}
	for day := time.Date(1970, 1, 3, 0, 0, 0, 0, time.UTC); day.Year() < 2261; day = day.AddDate(0, 0, 1) {
		at := day.Add(time.Duration(day.YearDay()*86399%86400) * time.Second).In(zones[day.YearDay()%3])
		check(at.Format("02/Jan/2006:15:04:05 -0700"), at, true)
	}
	for year := 1970; year < 2262; year++ {
		for month := time.January; month <= time.December; month++ {
			last := time.Date(year, month+1, 0, 12, 0, 0, 0, time.UTC)
			text := last.Format("02/Jan/2006:15:04:05 -0700")
			if last.Day() < 31 {
				check(fmt.Sprintf("%02d", last.Day()+1)+text[2:], last, false)
			}
		}
	}
}

// A line of megabytes is one like any other.
func TestLongLines(t *testing.T) {
	var l accesslog.Line
	var scratch accesslog.Scratch
	const head = `127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1 "-" "`
	for name, long := range map[string]string{
		"letters":     strings.Repeat("a", 10<<20),
		"quotes":      strings.Repeat(`\"`, 1<<20),
		"backslashes": strings.Repeat(`\`, 2<<20),
		"bare quotes": strings.Repeat(`"`, 1<<20),
		"blanks":      strings.Repeat(` `, 1<<20),
		"commas":      strings.Repeat(`, `, 1<<20),
		"brackets":    strings.Repeat(` [`, 1<<20),
		"objects":     strings.Repeat(`{"a":`, 1<<20),
	} {
		for _, line := range []string{head + long + `"`, head + long, long, "{" + long, `{"a":"` + long + `"}`, long + ` - - [`, "h2 " + long, "#Fields: " + long} {
			var d accesslog.Detector
			if err := d.Parse(line, &l, &scratch); err == nil && len(l.UserAgent) < 1<<20 {
				t.Errorf("%s: %.100q is %.100q", name, line, l.UserAgent)
			}
			scratch.Reset()
		}
	}
}

func TestScratchKeepsStrings(t *testing.T) {
	var scratch accesslog.Scratch
	f, err := accesslog.New("combined")
	if err != nil {
		t.Fatal(err)
	}
	var lines []accesslog.Line
	for i := range 5000 {
		var l accesslog.Line
		agent := strings.Repeat(string(rune('a'+i%26)), i%90)
		if err := f.Parse(`127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1 "-" "\"`+agent+`"`, &l, &scratch); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	for i, l := range lines {
		if want := `"` + strings.Repeat(string(rune('a'+i%26)), i%90); l.UserAgent != want {
			t.Fatalf("the agent of line %d has become %q, was %q", i, l.UserAgent, want)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	var l accesslog.Line
	var scratch accesslog.Scratch
	for _, line := range goldenLines(t) {
		if len(line) > 2000 || strings.HasPrefix(line, "#") {
			continue
		}
		var d accesslog.Detector
		parse := func() {
			_ = d.Parse(line, &l, &scratch)
			scratch.Reset()
		}
		parse()
		if n := testing.AllocsPerRun(10, parse); n != 0 {
			t.Errorf("%q: %v allocations", line, n)
		}
	}
}

func FuzzNew(f *testing.F) {
	for _, file := range goldenFiles(f) {
		for _, g := range readGolden(f, file) {
			if g.input && g.spec != "" {
				f.Add(g.spec, g.line)
			}
		}
	}
	f.Fuzz(func(t *testing.T, spec, line string) {
		format, err := accesslog.New(spec)
		if err != nil {
			return
		}
		var l, again accesslog.Line
		var scratch accesslog.Scratch
		err = format.Parse(line, &l, &scratch)
		checkLine(t, line, &l, err)
		if errAgain := format.Parse(line, &again, &scratch); !errors.Is(errAgain, err) || err == nil && l != again {
			t.Fatalf("%q: %q is %+v, %v, and then %+v, %v", spec, line, l, err, again, errAgain)
		}
	})
}
