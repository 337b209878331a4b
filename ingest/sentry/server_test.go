package sentry_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/gateway/gatewaytest"
	"github.com/goshawk-observability/goshawk/ingest/sentry"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a gateway until the test ends and returns the URL of its port.
func start(t *testing.T, r *topictest.Recorder, change func(*gateway.Config)) string {
	t.Helper()
	cfg := gateway.DefaultConfig()
	cfg.OTLPGRPC, cfg.OTLPHTTP, cfg.MoreHTTP = "", "127.0.0.1:0", []string{"127.0.0.1:0"}
	if change != nil {
		change(&cfg)
	}
	g := gatewaytest.Start(t, cfg, r, sentry.Routes(sentry.DefaultConfig(), cfg.Limits.MaxJSONDepth)...)
	return "http://" + g.Addrs().MoreHTTP[0].String()
}

const (
	id    = "fc6d8c0c43fc4630ad850ee518f1b9d0"
	event = `{"event_id":"` + id + `","message":"hello"}`
)

// envelope is one that was sent at a time.
func envelope(sent string) []byte {
	return []byte(`{"event_id":"` + id + `","sent_at":"` + sent + `"}` + "\n{\"type\":\"event\"}\n" + event + "\n")
}

func zipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

// TestRequests sends as clients do, to a gateway with tokens.
func TestRequests(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, func(cfg *gateway.Config) {
		cfg.Tokens = []gateway.TokenConfig{{Token: "key", Tenant: "acme"}, {Token: "logs", Tenant: "acme", Signals: []string{"logs"}}}
		cfg.CORS.AllowedOrigins = []string{"https://shop.example"}
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed, cfg.Limits.MaxInflight = 64<<10, 128<<10, 400<<10
	})
	auth := map[string]string{"X-Sentry-Auth": "Sentry sentry_version=7, sentry_client=sentry.go/1, sentry_key=key", "Content-Type": "application/x-sentry-envelope"}
	with := func(name, value string) map[string]string {
		header := map[string]string{name: value}
		for name, value := range auth {
			header[name] = value
		}
		return header
	}
	browser := map[string]string{"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://shop.example"}
	answer := `{"id":"` + id + `"}`
	for name, c := range map[string]struct {
		path   string
		body   []byte
		header map[string]string
		status int
		text   string
	}{
		"an envelope":            {"/api/1/envelope/", envelope(""), auth, 200, answer},
		"without the last slash": {"/api/1/envelope", envelope(""), auth, 200, answer},
		"gzip":                   {"/api/1/envelope/", zipped(envelope("")), with("Content-Encoding", "gzip"), 200, answer},
		"a browser":              {"/api/1/envelope/?sentry_version=7&sentry_key=key", envelope(""), browser, 200, answer},
		"a page of another site": {"/api/1/envelope/?sentry_key=key", envelope(""), map[string]string{"Origin": "https://other.example"}, 403, "cors.allowed_origins"},
		"through a tunnel":       {"/api/1/envelope/", []byte(`{"dsn":"https://key@example.com/1","event_id":"` + id + "\"}\n{\"type\":\"event\"}\n{}\n"), nil, 200, answer},
		"stored":                 {"/api/1/store/", []byte(event), auth, 200, answer},
		"no id":                  {"/api/1/envelope/", []byte("{}\n{\"type\":\"client_report\"}\n{}\n"), auth, 200, "{}"},
		"no key":                 {"/api/1/envelope/", envelope(""), nil, 401, "no token"},
		"another key":            {"/api/1/envelope/?sentry_key=x", envelope(""), nil, 401, "not known"},
		"a key for logs":         {"/api/1/envelope/?sentry_key=logs", envelope(""), nil, 403, "does not allow to send spans"},
		"broken":                 {"/api/1/envelope/", []byte("hello"), auth, 400, "the header of the envelope"},
		"empty":                  {"/api/1/envelope/", nil, auth, 400, "the header of the envelope"},
		"too large":              {"/api/1/envelope/", make([]byte, 70<<10), auth, 413, "bytes"},
		"a long project":         {"/api/" + strings.Repeat("1", 200) + "/envelope/", envelope(""), auth, 400, "project"},
		"no project":             {"/api//envelope/", envelope(""), auth, 404, "no such path"},
	} {
		t.Run(name, func(t *testing.T) {
			a := transporttest.Post(t, url+c.path, c.body, c.header)
			if a.Status != c.status || !strings.Contains(a.Text, c.text) {
				t.Errorf("%d %s", a.Status, a.Text)
			}
			if why := a.Header.Get("X-Sentry-Error"); (why == "") != (c.status == 200 || c.status == 404) || why != "" && !strings.Contains(why, c.text) {
				t.Errorf("X-Sentry-Error is %q", why)
			}
			if origin := a.Header.Get("Access-Control-Allow-Origin"); name == "a browser" && origin != "https://shop.example" {
				t.Errorf("the browser is told %q", origin)
			}
			for _, p := range r.Take() {
				if c.status != 200 || p.Tenant != "acme" || p.Topic != "otlp_logs" {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

// TestRepeats sends the same event again, at another time and to another project.
func TestRepeats(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	batch := func(path, sent string) string {
		t.Helper()
		if a := transporttest.Post(t, url+path, envelope(sent), nil); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Text)
		}
		parts := r.Take()
		if len(parts) != 1 {
			t.Fatalf("%d parts", len(parts))
		}
		return fmt.Sprintf("%x", parts[0].BatchID)
	}
	first := batch("/api/1/envelope/", "2026-01-31T12:00:00Z")
	if again := batch("/api/1/envelope/", "2026-01-31T12:00:09Z"); again != first {
		t.Error("what is sent again is another batch")
	}
	if other := batch("/api/2/envelope/", "2026-01-31T12:00:00Z"); other == first {
		t.Error("another project's event is the same batch")
	}
}

// TestKafka lets Kafka fail: clients are told when to come back.
func TestKafka(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	for want, c := range map[int]struct {
		err   error
		after string
	}{503: {topic.ErrUnavailable, "5"}, 429: {topic.ErrFull, "1"}, 500: {topic.ErrRefused, ""}} {
		r.Fail(c.err, nil)
		if a := transporttest.Post(t, url+"/api/1/envelope/", envelope(""), nil); a.Status != want || a.Header.Get("Retry-After") != c.after || a.Header.Get("X-Sentry-Error") == "" {
			t.Errorf("%v is answered by %+v", c.err, a)
		}
	}
}

// TestSignals sends an envelope with an event, a transaction and a session.
func TestSignals(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	body := "{}\n{\"type\":\"event\"}\n" + event + "\n{\"type\":\"transaction\"}\n" +
		`{"transaction":"a","start_timestamp":"` + now + `","timestamp":"` + now + `","contexts":{"trace":{"trace_id":"` + id + `","span_id":"0123456789abcdef"}}}` +
		"\n{\"type\":\"session\"}\n" + `{"sid":"a","init":true,"timestamp":"` + now + `","status":"ok"}` + "\n"
	if a := transporttest.Post(t, url+"/api/1/envelope/", []byte(body), nil); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	topics := map[string]int64{}
	for _, p := range r.Take() {
		topics[p.Topic] += p.Events
	}
	if len(topics) != 3 || topics["otlp_logs"] != 1 || topics["otlp_spans"] != 1 || topics["otlp_metrics"] != 1 {
		t.Errorf("%v", topics)
	}
}
