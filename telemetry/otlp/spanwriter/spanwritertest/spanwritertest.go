// Package spanwritertest helps tests of formats whose spans become OTLP: it reads
// what became of a body with the collector's decoder, prints it for people and
// compares it with what another translator made.
package spanwritertest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Splitter is what the gateway has of a format.
type Splitter interface {
	Split(signal telemetry.Signal, body []byte, partitions int, received int64) error
	Parts() []otlp.Part
	Accepted() int64
	Rejected() int64
	RejectedBy() iter.Seq2[string, int64]
	Message() string
	Reset()
}

// Unlimited hands out any memory.
func Unlimited(int64) error { return nil }

// Convert returns what is in the parts of a body for which no time is wrong.
func Convert(t testing.TB, s Splitter, body []byte) (ptrace.Traces, error) {
	t.Helper()
	all := ptrace.NewTraces()
	if err := s.Split(telemetry.Spans, body, 4, 0); err != nil {
		return all, err
	}
	events := int64(0)
	for _, p := range s.Parts() {
		req := ptraceotlp.NewExportRequest()
		if err := req.UnmarshalProto(p.Value); err != nil {
			t.Fatalf("a part is no OTLP: %v", err)
		}
		req.Traces().ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		events += p.Events
	}
	if events != s.Accepted() || events != int64(all.SpanCount()) {
		t.Errorf("%d spans are accepted, but the parts have %d and say %d", s.Accepted(), all.SpanCount(), events)
	}
	byReason := int64(0)
	for _, n := range s.RejectedBy() {
		byReason += n
	}
	if byReason != s.Rejected() || (s.Rejected() == 0) != (s.Message() == "") {
		t.Errorf("%d are refused, %d by reason: %q", s.Rejected(), byReason, s.Message())
	}
	return all, nil
}

var update = flag.Bool("update", false, "rewrite the golden files")

// Golden holds a script against what becomes of its requests. A script has cases
// of a title, a request and what run says of it:
//
//	=== title
//	request
//	---
//	result
func Golden(t *testing.T, file string, run func(t *testing.T, request string) string) {
	t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for part := range strings.SplitSeq(string(script), "\n=== ") {
		title, rest, _ := strings.Cut(strings.TrimPrefix(part, "=== "), "\n")
		request, _, _ := strings.Cut(rest, "\n---")
		if got.Len() > 0 {
			got.WriteString("\n")
		}
		fmt.Fprintf(&got, "=== %s\n%s\n---\n%s", title, strings.TrimRight(request, "\n"), run(t, request))
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(script), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// Describe says what becomes of a body: what is refused of it, and the spans in
// the JSON of OTLP, after every resource and every scope that is not empty.
func Describe(t testing.TB, s Splitter, body []byte) string {
	t.Helper()
	traces, err := Convert(t, s, body)
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	var w strings.Builder
	if m := s.Message(); m != "" {
		fmt.Fprintf(&w, "%d refused: %s\n", s.Rejected(), m)
	}
	text, err := ptraceotlp.NewExportRequestFromTraces(traces).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var request struct {
		ResourceSpans []struct {
			Resource   json.RawMessage
			ScopeSpans []struct {
				Scope json.RawMessage
				Spans []json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(text, &request); err != nil {
		t.Fatal(err)
	}
	for _, r := range request.ResourceSpans {
		printJSON(&w, r.Resource, "", "resource ")
		w.WriteString("\n")
		for _, scope := range r.ScopeSpans {
			if string(scope.Scope) != "{}" {
				printJSON(&w, scope.Scope, "", "scope ")
				w.WriteString("\n")
			}
			for _, span := range scope.Spans {
				printJSON(&w, span, "", "span ")
				w.WriteString("\n")
			}
		}
	}
	return w.String()
}

// printJSON writes a value in one line, where it is short, else indented.
func printJSON(w *strings.Builder, text json.RawMessage, indent, prefix string) {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		panic(err)
	}
	w.WriteString(indent + prefix)
	const short = 160
	if line.Len() < short || line.Bytes()[0] == '"' {
		w.Write(line.Bytes())
		return
	}
	d := json.NewDecoder(&line)
	open, _ := d.Token()
	fmt.Fprint(w, open)
	separator := "\n"
	for d.More() {
		w.WriteString(separator)
		separator = ",\n"
		key := ""
		if open == json.Delim('{') {
			name, _ := d.Token()
			key = fmt.Sprintf("%q: ", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		printJSON(w, value, indent+" ", key)
	}
	end, _ := d.Token()
	fmt.Fprintf(w, "\n%s%s", indent, end)
}

// Span is a span with all that it is in, to be compared with another one.
type Span struct {
	Resource, Attributes             map[string]any
	ScopeName, ScopeVersion          string
	TraceID, SpanID, ParentID        string
	Name, TraceState                 string
	Kind, Status                     string
	Message                          string
	Start, End                       uint64
	Flags                            uint32
	DroppedAttributes, DroppedEvents uint32
	DroppedLinks                     uint32
	Events                           []Event
	Links                            []Link
}

// Event is an event of a span.
type Event struct {
	Time       uint64
	Name       string
	Attributes map[string]any
	Dropped    uint32
}

// Link is a link of a span.
type Link struct {
	TraceID, SpanID string
	Attributes      map[string]any
}

// Spans returns all spans in a canonical order. Of attributes with the same key
// the last one counts.
func Spans(traces ptrace.Traces) (spans []Span) {
	for _, r := range traces.ResourceSpans().All() {
		for _, scope := range r.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				span := Span{
					Resource: attributes(r.Resource().Attributes()), Attributes: attributes(s.Attributes()),
					ScopeName: scope.Scope().Name(), ScopeVersion: scope.Scope().Version(),
					TraceID: s.TraceID().String(), SpanID: s.SpanID().String(), ParentID: s.ParentSpanID().String(),
					Name: s.Name(), TraceState: s.TraceState().AsRaw(), Kind: s.Kind().String(),
					Status: s.Status().Code().String(), Message: s.Status().Message(),
					Start: uint64(s.StartTimestamp()), End: uint64(s.EndTimestamp()), Flags: s.Flags(),
					DroppedAttributes: s.DroppedAttributesCount(), DroppedEvents: s.DroppedEventsCount(), DroppedLinks: s.DroppedLinksCount(),
				}
				for _, e := range s.Events().All() {
					span.Events = append(span.Events, Event{uint64(e.Timestamp()), e.Name(), attributes(e.Attributes()), e.DroppedAttributesCount()})
				}
				for _, l := range s.Links().All() {
					span.Links = append(span.Links, Link{l.TraceID().String(), l.SpanID().String(), attributes(l.Attributes())})
				}
				spans = append(spans, span)
			}
		}
	}
	return spans
}

func attributes(m pcommon.Map) map[string]any {
	all := make(map[string]any, m.Len())
	for key, value := range m.All() {
		all[key] = value.AsRaw()
	}
	return all
}
