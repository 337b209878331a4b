package logs_test

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/metric"
)

var update = flag.Bool("update", false, "rewrite the expected answers of scripts")

// testScripts runs the scripts in testdata: lines that are stored, queries, and
// what they answer. Each query is run twice, with all that ClickHouse can do of it
// and with next to nothing, and must be answered the same.
//
//	+1.5s {resource} severity {attributes} body     a line; spaces in values are %20
//	lines [limit=N] [forward] QUERY                 lines, newest first
//	at +10s QUERY                                   numbers at a time
//	range +0s +10s 5s QUERY                         numbers from, to and how far apart
func testScripts(t *testing.T, f *fixture) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runScript(t, f, file) })
	}
}

func runScript(t *testing.T, f *fixture, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	store := f.store(nil)
	tenant := "script-" + filepath.Base(file)
	var got strings.Builder
	var records []record
	for _, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "+"):
			records = append(records, parseRecord(t, line))
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "  "):
			continue // what is expected
		default:
			if len(records) > 0 {
				f.send(t, tenant, records...)
				records = nil
			}
			fmt.Fprintln(&got, line)
			pushed := answered(t, store.For(tenant), line)
			streamed := store.For(tenant)
			streamed.Streamed = true
			if other := answered(t, streamed, line); pushed != other {
				t.Errorf("%s\nin ClickHouse:\n%s\nhere:\n%s", line, pushed, other)
			}
			got.WriteString(pushed)
			continue
		}
		fmt.Fprintln(&got, line)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Errorf("expected (-) and answered (+):\n%s", diff)
	}
}

var severities = map[string]plog.SeverityNumber{
	"-": 0, "trace": plog.SeverityNumberTrace, "debug": plog.SeverityNumberDebug, "info": plog.SeverityNumberInfo,
	"warn": plog.SeverityNumberWarn, "error": plog.SeverityNumberError, "fatal": plog.SeverityNumberFatal,
}

// parseRecord reads a line of a script. The attributes trace, span and event are
// fields of the record.
func parseRecord(t *testing.T, line string) record {
	t.Helper()
	at, rest, _ := strings.Cut(line, " ")
	r := record{at: duration(t, at), resource: map[string]any{}, attrs: map[string]any{}}
	set := func(to map[string]any) {
		inner, after, ok := strings.Cut(rest, "}")
		if !ok || !strings.HasPrefix(inner, "{") {
			t.Fatalf("%s: there is no {...}", line)
		}
		rest = strings.TrimPrefix(after, " ")
		for _, pair := range strings.Fields(inner[1:]) {
			key, value, _ := strings.Cut(pair, "=")
			value, err := url.PathUnescape(value)
			if err != nil {
				t.Fatal(err)
			}
			to[key] = value
		}
	}
	set(r.resource)
	var word string
	word, rest, _ = strings.Cut(rest, " ")
	severity, ok := severities[word]
	if !ok {
		t.Fatalf("%s: %s is no severity", line, word)
	}
	r.severity = severity
	set(r.attrs)
	for key, use := range map[string]func(string){
		"trace": func(v string) { n, _ := strconv.Atoi(v); r.trace = pcommon.TraceID{15: byte(n)} },
		"span":  func(v string) { n, _ := strconv.Atoi(v); r.span = pcommon.SpanID{7: byte(n)} },
		"event": func(v string) { r.event = v },
	} {
		if v, ok := r.attrs[key].(string); ok {
			use(v)
			delete(r.attrs, key)
		}
	}
	r.body = strings.ReplaceAll(rest, `\n`, "\n")
	return r
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.TrimPrefix(text, "+"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// answered runs a command of a script.
func answered(t *testing.T, r *logs.Reader, command string) string {
	t.Helper()
	var b strings.Builder
	kind, rest, _ := strings.Cut(command, " ")
	word := func() (w string) {
		w, rest, _ = strings.Cut(rest, " ")
		return w
	}
	var err error
	switch kind {
	case "lines":
		s := logs.Search{Limit: 100, In: logs.Range{From: noon.UnixNano(), To: noon.Add(time.Hour).UnixNano()}}
		for !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, "(") {
			switch w := word(); {
			case w == "forward":
				s.Forward = true
			case strings.HasPrefix(w, "limit="):
				s.Limit, _ = strconv.Atoi(w[6:])
			case strings.HasPrefix(w, "interval="):
				s.Interval = duration(t, w[9:])
			default:
				t.Fatalf("%s: what is %q?", command, w)
			}
		}
		var e logql.Expr
		if e, err = logql.Parse(rest); err != nil {
			break
		}
		s.Query = e.(*logql.LogExpr)
		var found []logs.Line
		found, err = r.Find(context.Background(), s)
		for _, l := range found {
			fmt.Fprintf(&b, "  +%s %s %s %s %q\n", time.Duration(l.Time-noon.UnixNano()), l.Stream, l.Record, l.Parsed, l.Text)
		}
	case "at", "range":
		steps := metric.Steps{Start: noon.Add(duration(t, word())).UnixNano(), Step: 1, N: 1}
		if kind == "range" {
			end := noon.Add(duration(t, word())).UnixNano()
			steps.Step = int64(duration(t, word()))
			steps.N = int((end-steps.Start)/steps.Step) + 1
		}
		var e logql.Expr
		if e, err = logql.Parse(rest); err != nil {
			break
		}
		var v metric.Value
		v, err = r.Evaluate(context.Background(), e, steps)
		if v.Scalar && err == nil {
			fmt.Fprintf(&b, "  %v\n", v.Number)
		}
		for _, s := range v.Series {
			fmt.Fprintf(&b, "  %s", s.Labels)
			for i, value := range s.Values {
				if s.Present[i] {
					fmt.Fprintf(&b, " %v", value)
					if kind == "range" {
						fmt.Fprintf(&b, "@%s", time.Duration(steps.At(i)-noon.UnixNano()))
					}
				}
			}
			b.WriteByte('\n')
		}
	default:
		t.Fatalf("%q is no command", kind)
	}
	if err != nil {
		fmt.Fprintf(&b, "  error: %v\n", err)
	}
	return b.String()
}
