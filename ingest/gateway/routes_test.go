package gateway

import (
	"encoding/base64"
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
	route := Route{Path: "/letters", Signal: telemetry.Logs, About: "letters", Formats: []Format{{
		ContentType: "text/letters", Encoding: "snappy", AnswerType: "text/plain", Whole: true, Header: http.Header{"Kept": {"0"}},
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
	route.Path, route.Formats[0].Encoding = "/other", "rot13"
	if _, err := New(testConfig(), g.recorder, prometheus.NewRegistry(), slog.New(slog.DiscardHandler), route); err == nil {
		t.Error("an encoding that nobody knows is taken")
	}
}

// pairs is a splitter of two signals that looks at more than the body: its body
// has numbers of logs and spans.
type pairs struct {
	logs, spans int64
	where       string
	parts       []otlp.Part
}

func (p *pairs) Describe(r *http.Request) (string, error) {
	if p.where = r.PathValue("shelf"); p.where == "none" {
		return "", errors.New("there is no such shelf")
	}
	return p.where, nil
}

func (*pairs) Split(telemetry.Signal, []byte, int, int64) error { panic("not called") }

func (p *pairs) SplitMixed(body []byte, partitions [len(telemetry.Signals)]int, _ int64) error {
	if _, err := fmt.Sscan(string(body), &p.logs, &p.spans); err != nil {
		return err
	}
	if partitions[telemetry.Logs] == 0 || partitions[telemetry.Spans] == 0 || partitions[telemetry.Metrics] != 0 {
		return fmt.Errorf("partitions are %v", partitions)
	}
	p.parts = []otlp.Part{{Events: p.logs, Value: []byte("logs")}, {Events: p.spans, Value: []byte("spans")}}
	return nil
}

func (*pairs) SignalOf(part int) telemetry.Signal {
	return []telemetry.Signal{telemetry.Logs, telemetry.Spans}[part]
}

func (p *pairs) AcceptedOf(s telemetry.Signal) int64 {
	return map[telemetry.Signal]int64{telemetry.Logs: p.logs, telemetry.Spans: p.spans}[s]
}

func (p *pairs) Parts() []otlp.Part                 { return p.parts }
func (p *pairs) Accepted() int64                    { return p.logs + p.spans }
func (*pairs) Rejected() int64                      { return 0 }
func (*pairs) RejectedBy() iter.Seq2[string, int64] { return func(func(string, int64) bool) {} }
func (*pairs) Message() string                      { return "" }
func (p *pairs) Answer() []byte                     { return []byte("kept on " + p.where) }
func (p *pairs) Reset()                             { *p = pairs{} }

// TestProtocolOfSeveralSignals shows what a protocol can do that is more than a
// body of one signal: names in paths, a token of its own, answers of its own.
func TestProtocolOfSeveralSignals(t *testing.T) {
	route := Route{
		Path: "/shelves/{shelf}/pairs/", Signal: telemetry.Logs, Also: []telemetry.Signal{telemetry.Spans}, About: "pairs",
		Token: func(r *http.Request) string { return "Bearer " + r.URL.Query().Get("key") },
		Other: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "shelf ", r.PathValue("shelf")) }),
		Formats: []Format{{
			ContentType: "text/pairs", AnswerType: "text/plain", ErrorHeader: "Why",
			NewSplitter: func(otlp.Limits, func(int64) error) Splitter { return &pairs{} },
			Body:        func(_ telemetry.Signal, a Answer) []byte { return []byte(a.Message) },
		}},
	}
	g := start(t, func(cfg *Config) {
		cfg.Tokens = []TokenConfig{
			{Token: "all", Tenant: "acme"}, {Token: "logs", Tenant: "acme", Signals: []string{"logs"}},
		}
	}, route)
	ids := map[string]string{}
	for name, c := range map[string]struct {
		path, body, text string
		status           int
		produced         int64
	}{
		"two signals":      {"/shelves/top/pairs/?key=all", "2 3", "kept on top", 200, 5},
		"another shelf":    {"/shelves/low/pairs/?key=all", "2 3", "kept on low", 200, 5},
		"refused early":    {"/shelves/none/pairs/?key=all", "2 3", "there is no such shelf", 400, 0},
		"no name":          {"/shelves//pairs/?key=all", "2 3", "no such path", 404, 0},
		"more behind":      {"/shelves/top/pairs/x?key=all", "2 3", "no such path", 404, 0},
		"not all signals":  {"/shelves/top/pairs/?key=logs", "2 3", "does not allow to send spans", 403, 0},
		"an unknown token": {"/shelves/top/pairs/?key=x", "2 3", "not known", 401, 0},
	} {
		a := g.send(t, request{path: c.path, contentType: "text/pairs", body: strings.NewReader(c.body)})
		if a.status != c.status || !strings.Contains(string(a.body), c.text) {
			t.Errorf("%s: %d %q", name, a.status, a.body)
		}
		if why := a.header.Get("Why"); c.status != 404 && (why == "") != (c.status == 200) {
			t.Errorf("%s: the reason in the header is %q", name, why)
		}
		parts := g.recorder.Take()
		if n := events(parts); n != c.produced {
			t.Errorf("%s: %d events were produced, want %d", name, n, c.produced)
		}
		for _, p := range parts {
			id := fmt.Sprintf("%x", p.BatchID)
			if other, ok := ids[id]; ok {
				t.Errorf("%s and %s have the same batch id", name, other)
			}
			ids[id] = name
			if want := "otlp_" + string(p.Value); p.Topic != want {
				t.Errorf("%s: %s went to %s", name, p.Value, p.Topic)
			}
		}
	}
	if a := get(t, g, "/shelves/top/pairs/"); string(a.body) != "shelf top" {
		t.Errorf("GET answers %q", a.body)
	}
}

func TestTokenIn(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc ": "abc", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:a:b")): "a:b",
		"ApiKey " + base64.StdEncoding.EncodeToString([]byte("id:key")): "key",
		"Digest abc": "-", "Basic ???": "-", "Basic " + base64.StdEncoding.EncodeToString([]byte("user")): "-", "": "-",
	} {
		got, ok := tokenIn(header)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
