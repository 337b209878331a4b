package accesslog_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
)

var update = flag.Bool("update", false, "rewrite the expected fields of golden files")

// A golden file has lines of access logs and what they become. A line "format
// SPEC" says what the next ones are in, "detect" that nobody says; "< LINE" is a
// line, "<q" one that is quoted as in Go, and what follows until the next are its
// fields.
type golden struct {
	spec  string
	line  string
	input bool
	text  string // of the file
}

func readGolden(t testing.TB, file string) []golden {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	spec := ""
	for text := range strings.Lines(string(content)) {
		text = strings.TrimSuffix(text, "\n")
		g := golden{text: text}
		switch {
		case strings.HasPrefix(text, "format "):
			spec = text[len("format "):]
		case text == "detect":
			spec = ""
		case strings.HasPrefix(text, "< "):
			g.input, g.line = true, text[2:]
		case strings.HasPrefix(text, "<q "):
			g.input = true
			if g.line, err = strconv.Unquote(text[3:]); err != nil {
				t.Fatalf("%s: %s: %v", file, text, err)
			}
		case strings.HasPrefix(text, "    "):
			continue
		}
		g.spec = spec
		all = append(all, g)
	}
	return all
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, file := range goldenFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out strings.Builder
			parse, spec := (func(string, *accesslog.Line) (string, error))(nil), "none"
			var scratch accesslog.Scratch
			for _, g := range readGolden(t, file) {
				out.WriteString(g.text + "\n")
				if g.spec != spec || g.text == "detect" {
					spec = g.spec
					parse = parserOf(t, spec, &scratch)
				}
				if !g.input {
					continue
				}
				var l accesslog.Line
				name, err := parse(g.line, &l)
				writeFields(&out, name, &l, err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil { //nolint:gosec // a test's file, for everybody
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("differs (- expected, + came out):\n%s", diff)
			}
		})
	}
}

// parserOf returns what parses lines of a format, or of an unknown one.
func parserOf(t *testing.T, spec string, scratch *accesslog.Scratch) func(string, *accesslog.Line) (string, error) {
	if spec == "" {
		d := new(accesslog.Detector)
		return func(line string, l *accesslog.Line) (string, error) {
			err := d.Parse(line, l, scratch)
			if err != nil {
				return "", err
			}
			return d.Format().Name(), nil
		}
	}
	f, err := accesslog.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return func(line string, l *accesslog.Line) (string, error) { return f.Name(), f.Parse(line, l, scratch) }
}

// writeFields writes what a line became, four fields to a row.
func writeFields(out *strings.Builder, name string, l *accesslog.Line, err error) {
	if err != nil {
		var e *accesslog.Error
		if !errors.As(err, &e) {
			panic(err)
		}
		fmt.Fprintf(out, "    error %s\n", e.Kind())
		return
	}
	fields := []string{"format=" + name}
	add := func(name, value string) { fields = append(fields, name+"="+value) }
	if l.Time != 0 {
		add("time", time.Unix(0, l.Time).UTC().Format(time.RFC3339Nano))
	}
	if l.Status != 0 {
		add("status", fmt.Sprint(l.Status))
	}
	if l.Sent != -1 {
		add("sent", fmt.Sprint(l.Sent))
	}
	if l.Duration != -1 {
		add("duration", time.Duration(l.Duration).String())
	}
	v := reflect.ValueOf(l).Elem()
	for i := range v.NumField() {
		if s := v.Field(i); s.Kind() == reflect.String && s.Len() > 0 {
			add(v.Type().Field(i).Name, strconv.QuoteToASCII(s.String()))
		}
	}
	for i, f := range fields {
		if i%5 == 0 {
			out.WriteString("    ")
		}
		out.WriteString(f)
		if i%5 == 4 || i == len(fields)-1 {
			out.WriteByte('\n')
		} else {
			out.WriteByte(' ')
		}
	}
}
