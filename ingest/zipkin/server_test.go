package zipkin_test

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
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/ingest/topic/topictest"
	"github.com/goshawk-observability/goshawk/ingest/zipkin"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a gateway until the test ends. It returns the URL of a port that
// Zipkin's senders have to themselves.
func start(t *testing.T, r *topictest.Recorder, change func(*gateway.Config)) string {
	t.Helper()
	cfg := gateway.DefaultConfig()
	cfg.OTLPGRPC, cfg.OTLPHTTP, cfg.MoreHTTP = "", "127.0.0.1:0", []string{"127.0.0.1:0"}
	if change != nil {
		change(&cfg)
	}
	g := gatewaytest.Start(t, cfg, r, zipkin.Routes(cfg.Limits.MaxJSONDepth)...)
	return "http://" + g.Addrs().MoreHTTP[0].String()
}

// span is a span of the second version that began so long ago.
func span(ago time.Duration) string {
	return fmt.Sprintf(`{"traceId":"%x","id":"1","name":"get","timestamp":%d}`, 1+ago.Abs().Nanoseconds(), time.Now().Add(-ago).UnixMicro())
}

func events(parts []topic.Part) (n int64) {
	for _, p := range parts {
		n += p.Events
	}
	return n
}

func TestContentTypes(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	one := []byte("[" + span(0) + "]")
	proto := []byte("\x0a\x1e\x0a\x10aaaabbbbccccdddd\x1a\x08aaaabbbb\x20\x01")
	thrift := append([]byte("\x0c\x00\x00\x00\x01\x0a\x00\x01aaaabbbb\x0a\x00\x04aaaabbbb"), 0)
	for name, c := range map[string]struct {
		path, contentType string
		body              []byte
		want              int
	}{
		"v2 JSON":                 {zipkin.PathV2, "application/json", one, 202},
		"v2 JSON, charset":        {zipkin.PathV2, "application/json; charset=UTF-8", one, 202},
		"v2 JSON, no type":        {zipkin.PathV2, "", one, 202},
		"v2 JSON, as curl has it": {zipkin.PathV2, "application/x-www-form-urlencoded", one, 202},
		"v2 protobuf":             {zipkin.PathV2, "application/x-protobuf", proto, 202},
		"v2 Thrift":               {zipkin.PathV2, "application/x-thrift", thrift, 415},
		"v2 XML":                  {zipkin.PathV2, "application/xml", one, 415},
		"v2 JSON as protobuf":     {zipkin.PathV2, "application/x-protobuf", one, 400},
		"v1 JSON":                 {zipkin.PathV1, "application/json", []byte(`[{"traceId":"1","id":"1"}]`), 202},
		"v1 Thrift":               {zipkin.PathV1, "application/x-thrift", thrift, 202},
		"v1 protobuf":             {zipkin.PathV1, "application/x-protobuf", proto, 415},
		"v2 at v1":                {zipkin.PathV1, "application/json", []byte(`[{"traceId":"1","id":"1","tags":{}}]`), 400},
		"v1 at v2":                {zipkin.PathV2, "application/json", []byte(`[{"traceId":"1","id":"1","binaryAnnotations":[]}]`), 400},
		"empty body":              {zipkin.PathV2, "application/json", nil, 400},
		"no spans":                {zipkin.PathV2, "application/json", []byte("[]"), 202},
		"deep":                    {zipkin.PathV2, "application/json", []byte(`[{"x":` + strings.Repeat("[", 600)), 400},
		"cut off":                 {zipkin.PathV2, "application/json", one[:len(one)-3], 400},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Content-Type": c.contentType}
			if c.contentType == "" {
				header = nil
			}
			a := transporttest.Post(t, url+c.path, c.body, header)
			if a.Status != c.want {
				t.Errorf("status is %d, want %d: %s", a.Status, c.want, a.Text)
			}
			if (a.Status == 202) != (a.Text == "") {
				t.Errorf("%d says %q", a.Status, a.Text)
			}
			if kept := events(r.Take()); (kept > 0) != (c.want == 202 && name != "no spans") {
				t.Errorf("%d spans were produced", kept)
			}
		})
	}
}

func TestBadSpansDoNotSpoilARequest(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, func(cfg *gateway.Config) { cfg.Events.MaxAttributes = 3 })
	for name, c := range map[string]struct{ bad, want string }{
		"no id":         {`{"traceId":"1"}`, "span 1: the id is missing"},
		"bad trace id":  {`{"traceId":"1z","id":"1"}`, "span 1: the trace id is no hexadecimal number"},
		"too old":       {span(1000 * time.Hour), "is earlier than"},
		"in the future": {span(-100 * time.Hour), "is later than"},
		"too many tags": {`{"traceId":"1","id":"1","tags":{"a":"","b":"","c":"","d":""}}`, "more than 3 attributes"},
	} {
		t.Run(name, func(t *testing.T) {
			a := transporttest.Post(t, url+zipkin.PathV2, []byte("["+span(0)+","+c.bad+","+span(time.Minute)+"]"), nil)
			if a.Status != 202 || !strings.Contains(a.Text, c.want) {
				t.Errorf("%d %q, want 202 and %q", a.Status, a.Text, c.want)
			}
			if n := events(r.Take()); n != 2 {
				t.Errorf("%d spans are kept, want 2", n)
			}
		})
	}
}

// TestSuccessIsAnsweredAfterKafka holds Kafka back, and lets it fail.
func TestSuccessIsAnsweredAfterKafka(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, nil)
	release := r.Hold()
	answer := make(chan transporttest.Answer, 1)
	go func() { answer <- transporttest.Post(t, url+zipkin.PathV2, []byte("["+span(0)+"]"), nil) }()
	<-r.Entered
	select {
	case a := <-answer:
		t.Errorf("%d is answered before Kafka has acknowledged", a.Status)
	default:
	}
	release()
	if a := <-answer; a.Status != 202 {
		t.Errorf("status is %d", a.Status)
	}
	for want, c := range map[int]struct {
		err   error
		after string
	}{503: {topic.ErrUnavailable, "5"}, 429: {topic.ErrFull, "1"}, 500: {topic.ErrRefused, ""}} {
		r.Fail(c.err, nil)
		if a := transporttest.Post(t, url+zipkin.PathV2, []byte("["+span(0)+"]"), nil); a.Status != want || a.Header.Get("Retry-After") != c.after {
			t.Errorf("%v is answered by %+v", c.err, a)
		}
	}
}

func TestTokensLimitsAndCompression(t *testing.T) {
	r := topictest.NewRecorder()
	url := start(t, r, func(cfg *gateway.Config) {
		cfg.Tokens = []gateway.TokenConfig{{Token: "x", Tenant: "acme"}, {Token: "logs", Tenant: "acme", Signals: []string{"logs"}}}
		cfg.Limits.MaxBody, cfg.Limits.MaxDecompressed, cfg.Limits.MaxInflight = 64<<10, 128<<10, 400<<10
	})
	body := []byte("[" + span(0) + "]")
	zipped := func(b []byte) []byte {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b)
		_ = w.Close()
		return z.Bytes()
	}
	// In version 1 every service makes a span with all the ids and the name.
	var amplified strings.Builder
	amplified.WriteString(`[{"traceId":"1","id":"1"}`)
	for range 100 {
		fmt.Fprintf(&amplified, `,{"traceId":"1","id":"1","name":"%s","annotations":[`, strings.Repeat("n", 500))
		for i := range 30 {
			fmt.Fprintf(&amplified, `{"endpoint":{"serviceName":"%d"},"value":"a"},`, i)
		}
		amplified.WriteString(`{}]}`)
	}
	amplified.WriteString("]")
	for name, c := range map[string]struct {
		path, token, encoding string
		body                  []byte
		want                  int
	}{
		"no token":             {zipkin.PathV2, "", "", body, 401},
		"a token for logs":     {zipkin.PathV2, "logs", "", body, 403},
		"taken":                {zipkin.PathV2, "x", "", body, 202},
		"gzip":                 {zipkin.PathV2, "x", "gzip", zipped(body), 202},
		"not gzip":             {zipkin.PathV2, "x", "gzip", body, 400},
		"large":                {zipkin.PathV2, "x", "", make([]byte, 65<<10), 413},
		"a bomb":               {zipkin.PathV2, "x", "gzip", zipped(make([]byte, 1<<20)), 413},
		"what becomes too big": {zipkin.PathV1, "x", "gzip", zipped([]byte(amplified.String())), 413},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Authorization": "Bearer " + c.token, "Content-Encoding": c.encoding}
			if a := transporttest.Post(t, url+c.path, c.body, header); a.Status != c.want {
				t.Errorf("status is %d, want %d: %s", a.Status, c.want, a.Text)
			}
			if parts := r.Take(); (len(parts) == 1) != (c.want == 202) || len(parts) == 1 && parts[0].Tenant != "acme" {
				t.Errorf("parts are %+v", parts)
			}
		})
	}
}
