package spanwriter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// script is a decoder of a format in which a body is read by a function.
type script func(s *Splitter, body []byte) error

func (d script) Decode(s *Splitter, body []byte) error { return d(s, body) }

func (script) Reset() {}

// writeSpan writes a span with an id of its own.
func writeSpan(s *Splitter, i int, service, scope string) {
	s.StartSpan()
	binary.BigEndian.PutUint64(s.Span.TraceID[8:], uint64(i+1))
	binary.BigEndian.PutUint64(s.Span.SpanID[:], uint64(i+1))
	s.Span.ScopeName = []byte(scope)
	if service == "shared" {
		s.ShareResource()
	} else {
		s.Resource.String([]byte("service.name"), []byte(service))
	}
	s.EndSpan()
}

// shape says how spans are wrapped.
func shape(t *testing.T, s *Splitter) (text string) {
	t.Helper()
	for _, p := range s.Parts() {
		req := ptraceotlp.NewExportRequest()
		if err := req.UnmarshalProto(p.Value); err != nil {
			t.Fatal(err)
		}
		for _, r := range req.Traces().ResourceSpans().All() {
			name, _ := r.Resource().Attributes().Get("service.name")
			text += name.Str() + "("
			for _, scope := range r.ScopeSpans().All() {
				text += fmt.Sprintf("%s:%d ", scope.Scope().Name(), scope.Spans().Len())
			}
			text = strings.TrimSpace(text) + ")"
		}
	}
	return text
}

func TestSpansNextToEachOtherShareWrappers(t *testing.T) {
	s := New(otlp.DefaultLimits(), func(int64) error { return nil }, script(func(s *Splitter, body []byte) error {
		s.Shared.String([]byte("service.name"), []byte("all"))
		for i, of := range strings.Fields(string(body)) {
			service, scope, _ := strings.Cut(of, "/")
			writeSpan(s, i, service, scope)
		}
		return nil
	}))
	for body, want := range map[string]string{
		"":                         "",
		"a a a":                    "a(:3)",
		"a a/x a/x a/y a/x":        "a(:1 x:2 y:1 x:1)",
		"a b a":                    "a(:1)b(:1)a(:1)",
		"a/x b/x b/x":              "a(x:1)b(x:2)",
		"shared shared a shared":   "all(:2)a(:1)all(:1)",
		"all shared all":           "all(:1)all(:1)all(:1)",
		"shared/x shared/x shared": "all(x:2 :1)",
	} {
		if err := s.Split(telemetry.Spans, []byte(body), 1, 0); err != nil {
			t.Fatal(err)
		}
		if got := shape(t, s); got != want {
			t.Errorf("%q is %s, want %s", body, got, want)
		}
	}
}

// TestMemoryIsClaimedTwice makes sure that a request that has to be cut is claimed
// for itself and for its parts.
func TestMemoryIsClaimedTwice(t *testing.T) {
	claimed := int64(0)
	s := New(otlp.DefaultLimits(), func(n int64) error { claimed += n; return nil }, script(func(s *Splitter, _ []byte) error {
		for i := range 20000 {
			writeSpan(s, i, "service", "scope")
		}
		return nil
	}))
	if err := s.Split(telemetry.Spans, nil, 8, 0); err != nil {
		t.Fatal(err)
	}
	parts := int64(0)
	for _, p := range s.Parts() {
		parts += int64(len(p.Value))
	}
	if len(s.Parts()) < 8 || claimed < 2*parts || claimed > 4*parts {
		t.Errorf("%d bytes are claimed for %d parts of %d bytes", claimed, len(s.Parts()), parts)
	}
}

func TestErrors(t *testing.T) {
	none := errors.New("no memory")
	bad := errors.New("bad body")
	full := New(otlp.DefaultLimits(), func(int64) error { return none }, script(func(s *Splitter, _ []byte) error {
		writeSpan(s, 0, "a", "")
		if !s.Full() {
			t.Error("memory that was not given is not missed")
		}
		return bad
	}))
	if err := full.Split(telemetry.Spans, nil, 1, 0); !errors.Is(err, none) {
		t.Errorf("error is %v, want that of who hands memory out", err)
	}
	s := New(otlp.DefaultLimits(), func(int64) error { return nil }, script(func(s *Splitter, body []byte) error {
		writeSpan(s, 0, "a", "")
		for i := range 10 {
			s.Reject(i, otlp.ReasonSpanID, "no id")
		}
		s.Reject(10, otlp.ReasonTraceID, "no trace id")
		if len(body) > 0 {
			return bad
		}
		return nil
	}))
	if err := s.Split(telemetry.Spans, []byte("x"), 1, 0); !errors.Is(err, bad) || s.Accepted() != 0 {
		t.Errorf("error is %v, %d spans are accepted", err, s.Accepted())
	}
	if err := s.Split(telemetry.Spans, nil, 1, 0); err != nil || s.Accepted() != 1 || s.Rejected() != 11 {
		t.Errorf("%v, %d are accepted and %d refused", err, s.Accepted(), s.Rejected())
	}
	if m := s.Message(); !strings.HasPrefix(m, "span 0: no id; span 1: no id;") || !strings.HasSuffix(m, "; and 3 more") {
		t.Errorf("message is %q", m)
	}
	for code, n := range s.RejectedBy() {
		if want := map[string]int64{otlp.ReasonSpanID: 10, otlp.ReasonTraceID: 1}[code]; n != want {
			t.Errorf("%d are refused for %s, want %d", n, code, want)
		}
	}
	if s.Reset(); s.Rejected() != 0 || s.Message() != "" || len(s.Parts()) != 0 {
		t.Error("a reset leaves something")
	}
}
