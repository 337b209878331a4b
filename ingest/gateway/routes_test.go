package gateway

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// halves is a splitter of a format of its own: every byte is an event, and what
// is not lower case is refused. It needs as much memory as the body has.
type halves struct {
	claim func(int64) error
	parts []otlp.Part
	bad   int64
}

func (h *halves) Split(_ telemetry.Signal, body []byte, _ int, _ int64) error {
	h.Reset()
	if len(body) == 0 {
		return errors.New("an empty body")
	}
	if err := h.claim(int64(len(body))); err != nil {
		return fmt.Errorf("claiming: %w", err)
	}
	var good []byte
	for _, c := range body {
		if c >= 'a' && c <= 'z' {
			good = append(good, c)
		}
	}
	h.bad = int64(len(body) - len(good))
	if len(good) > 0 {
		h.parts = []otlp.Part{{Events: int64(len(good)), Value: good}}
	}
	return nil
}

func (h *halves) Parts() []otlp.Part { return h.parts }
func (h *halves) Accepted() (n int64) {
	for _, p := range h.parts {
		n += p.Events
	}
	return n
}
func (h *halves) Rejected() int64 { return h.bad }
func (h *halves) RejectedBy() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		if h.bad > 0 {
			yield("upper_case", h.bad)
		}
	}
}

func (h *halves) Message() string {
	if h.bad == 0 {
		return ""
	}
	return fmt.Sprintf("%d are not lower case", h.bad)
}
func (h *halves) Reset()              { h.parts, h.bad = nil, 0 }
func (h *halves) Header() http.Header { return http.Header{"Kept": {fmt.Sprint(h.Accepted())}} }

// TestProtocolWithItsOwnSplitter shows the other way in which a protocol can
// bring its format.
func TestProtocolWithItsOwnSplitter(t *testing.T) {
	route := Route{Path: "/letters", Signal: telemetry.Logs, Encoding: "snappy", About: "letters", Formats: []Format{{
		ContentType: "text/letters", AnswerType: "text/plain", Whole: true, Header: http.Header{"Kept": {"0"}},
		NewSplitter: func(_ otlp.Limits, claim func(int64) error) Splitter { return &halves{claim: claim} },
		Body:        func(_ telemetry.Signal, a Answer) []byte { return []byte(a.Message) },
	}}}
	g := start(t, func(cfg *Config) {
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed, cfg.Limits.MaxInflight = 4<<10, 8<<10, 20<<10
	}, route)
	send := func(body, encoding string) answered {
		return g.send(t, request{path: "/letters", contentType: "text/letters", encoding: encoding, body: strings.NewReader(body)})
	}
	packed := func(body string) string { return string(snappy.Encode(nil, []byte(body))) }
	for name, c := range map[string]struct {
		body, encoding string
		status         int
		kept, text     string
		events         int64
	}{
		"everything":              {packed("abc"), "snappy", 204, "3", "", 3},
		"no encoding is named":    {packed("abc"), "", 204, "3", "", 3},
		"a part":                  {packed("aBCd"), "snappy", 400, "2", "2 are not lower case", 2},
		"nothing":                 {packed("ABC"), "snappy", 400, "0", "3 are not lower case", 0},
		"refused by the splitter": {packed(""), "snappy", 400, "0", "an empty body", 0},
		"another encoding":        {"abc", "identity", 415, "0", `Content-Encoding is "identity"; want snappy`, 0},
	} {
		a := send(c.body, c.encoding)
		if a.status != c.status || a.header.Get("Kept") != c.kept || string(a.body) != c.text {
			t.Errorf("%s: %d, kept %s: %q", name, a.status, a.header.Get("Kept"), a.body)
		}
		if n := events(g.recorder.Take()); n != c.events {
			t.Errorf("%s: %d events were produced, want %d", name, n, c.events)
		}
	}
	if a := get(t, g, "/"); !strings.Contains(string(a.body), "POST /letters      letters\n") {
		t.Errorf("/ is %q", a.body)
	}
	for _, line := range []string{
		`goshawk_gateway_requests_total{protocol="http",signal="logs",status="204"} 2`,
		`goshawk_gateway_rejected_events_total{reason="upper_case",signal="logs"} 5`,
	} {
		if a := get(t, g, "/metrics"); !strings.Contains(string(a.body), line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if n := g.http.bodies.memory.used.Load(); n != 0 {
		t.Errorf("%d bytes are in use after the last request", n)
	}
	route.Path, route.Encoding = "/other", "rot13"
	if _, err := New(testConfig(), g.recorder, prometheus.NewRegistry(), slog.New(slog.DiscardHandler), route); err == nil {
		t.Error("an encoding that nobody knows is taken")
	}
}
