// Package logpushtest helps to test protocols that push logs: it shows what a body
// becomes.
package logpushtest

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Received is when requests are received, Unix nanoseconds.
const Received = int64(1_790_000_000_000_000_000)

// Unlimited hands out any memory.
func Unlimited(int64) error { return nil }

// Splitter returns the splitter of the route with a path for a content type.
func Splitter(t testing.TB, routes []gateway.Route, path, contentType string) gateway.Splitter {
	t.Helper()
	for _, r := range routes {
		if r.Path != path {
			continue
		}
		for _, f := range r.Formats {
			if f.Matches(contentType) {
				return f.NewSplitter(otlp.DefaultLimits(), Unlimited)
			}
		}
	}
	t.Fatalf("%s takes no %q", path, contentType)
	return nil
}

// Describe sends a body through a splitter and returns the resources and records
// that come out, a line each, and what was refused. The request may be nil.
func Describe(t testing.TB, s gateway.Splitter, request *http.Request, body string) string {
	t.Helper()
	defer s.Reset()
	if request != nil {
		if _, err := s.(gateway.RequestSplitter).Describe(request); err != nil {
			return "refused: " + err.Error() + "\n"
		}
	}
	if err := s.Split(telemetry.Logs, []byte(body), 1, Received); err != nil {
		return "refused: " + err.Error() + "\n"
	}
	var out strings.Builder
	for _, p := range s.Parts() {
		describe(t, &out, p)
	}
	if s.Rejected() > 0 {
		fmt.Fprintf(&out, "rejected %d: %s\n", s.Rejected(), s.Message())
	}
	return out.String()
}

func describe(t testing.TB, out *strings.Builder, p otlp.Part) {
	t.Helper()
	b := &telemetry.Batch{Block: telemetry.Block{Signal: telemetry.Logs}, Records: []telemetry.Record{{Value: p.Value, ReceiveTime: Received, Declared: p.Events}}}
	limits := otlp.DefaultLimits()
	otlp.Decode(b, &limits)
	if len(b.Rejects) > 0 || int64(len(b.Logs)) != p.Events {
		t.Errorf("%d logs of %d, rejects %+v", len(b.Logs), p.Events, b.Rejects)
	}
	attributes := func(r telemetry.Range) string {
		var all []string
		for _, a := range b.AttrsOf(r) {
			text := string(otlp.AppendText(nil, &a.Value))
			if a.Value.Kind == telemetry.KindString {
				text = fmt.Sprintf("%q", text)
			}
			all = append(all, a.Key+"="+text)
		}
		sort.Strings(all)
		return strings.Join(all, " ")
	}
	last := -1
	for i := range b.Logs {
		l := &b.Logs[i]
		if int(l.Resource) != last {
			last = int(l.Resource)
			fmt.Fprintf(out, "resource %s\n", attributes(b.Resources[last].Attrs))
		}
		at := "+0"
		if l.Time != Received {
			at = fmt.Sprintf("%+d", l.Time-Received)
		}
		fmt.Fprintf(out, "  %s %d %q", at, l.Severity, l.Body.Str)
		if text := attributes(l.Attrs); text != "" {
			out.WriteString(" " + text)
		}
		if l.TraceID != (telemetry.TraceID{}) {
			fmt.Fprintf(out, " trace=%x", l.TraceID)
		}
		if l.SpanID != (telemetry.SpanID{}) {
			fmt.Fprintf(out, " span=%x", l.SpanID)
		}
		out.WriteByte('\n')
	}
}
