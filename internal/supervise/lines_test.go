package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// what the parent logs, without its time.
func relayed(t *testing.T, write func(l *lineLog)) []string {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	l := newLineLog(log)
	write(l)
	l.flush()
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestChildsLogKeepsItsMeaning(t *testing.T) {
	for name, handler := range map[string]func(l *lineLog) slog.Handler{
		"text": func(l *lineLog) slog.Handler { return slog.NewTextHandler(l, nil) },
		"JSON": func(l *lineLog) slog.Handler { return slog.NewJSONHandler(l, nil) },
	} {
		got := relayed(t, func(l *lineLog) {
			log := slog.New(handler(l))
			log.Warn("the disk is full", "path", "/a b", "text", `x="y"`, "empty", "")
			log.Error("no", "error", errors.New("a = b"))
		})
		want := []string{
			`level=WARN msg="the disk is full" path="/a b" text="x=\"y\"" empty=""`,
			`level=ERROR msg=no error="a = b"`,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestOtherOutputIsPassedOnWithinLimits(t *testing.T) {
	var l *lineLog
	got := relayed(t, func(lines *lineLog) {
		l = lines
		fmt.Fprint(l, "panic: a b", "ug\n\n{not JSON}\ntime=yesterday\n")
		for i := range 1000 {
			fmt.Fprintln(l, "goroutine", i)
		}
		fmt.Fprint(l, strings.Repeat("x", 100_000))
	})
	if len(got) != maxLines {
		t.Errorf("%d lines were passed on, want %d", len(got), maxLines)
	}
	for i, want := range []string{"panic: a bug", "{not JSON}", "time=yesterday", "goroutine 0"} {
		if !strings.Contains(got[i], want) || !strings.Contains(got[i], "level=WARN") {
			t.Errorf("line %d is %s, want it to say %s", i, got[i], want)
		}
	}
	if words := l.last(); !strings.HasPrefix(words, ": panic: a bug\n") || strings.Count(words, "\n") >= maxWords {
		t.Errorf("last words: %s", words)
	}
}
