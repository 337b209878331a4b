package sentry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

const (
	depth = 64
	// received is soon after the times in testdata.
	received = 1615392000e9
)

var partitions = [len(telemetry.Signals)]int{4, 4, 4}

// newTest returns a splitter of requests to the project.
func newTest(t testing.TB, single bool, claim func(int64) error) *splitter {
	t.Helper()
	s := newSplitter(Config{Projects: map[string]string{"1": "checkout"}, MaxItems: 1000}, otlp.DefaultLimits(), claim, depth, single)
	describe(t, s)
	return s
}

// describe names the project of the request that follows.
func describe(t testing.TB, s *splitter) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.SetPathValue("project", "1")
	if _, err := s.Describe(r); err != nil {
		t.Fatal(err)
	}
}

// decoded says what is in the parts.
func decoded(t testing.TB, s *splitter) string {
	t.Helper()
	var text strings.Builder
	limits := otlp.DefaultLimits()
	events := int64(0)
	for i, p := range s.Parts() {
		b := &telemetry.Batch{Block: telemetry.Block{Signal: s.SignalOf(i)}}
		b.Records = append(b.Records, telemetry.Record{Value: p.Value, Declared: p.Events, ReceiveTime: received, Tenant: "t"})
		otlp.Decode(b, &limits)
		if len(b.Rejects) > 0 || int64(b.EventCount()) != p.Events {
			t.Errorf("part %d of %d events has %d, rejected: %d", i, p.Events, b.EventCount(), len(b.Rejects))
		}
		events += p.Events
		printBatch(&text, b)
	}
	if events != s.Accepted() || events != s.AcceptedOf(telemetry.Logs)+s.AcceptedOf(telemetry.Spans)+s.AcceptedOf(telemetry.Metrics) {
		t.Errorf("the parts have %d events, %d are accepted", events, s.Accepted())
	}
	return text.String()
}

// printBatch writes a line for every resource and every event of it.
func printBatch(w *strings.Builder, b *telemetry.Batch) {
	for i := range b.Resources {
		fmt.Fprintf(w, "resource%s\n", attributesText(b, b.Resources[i].Attrs))
		for j := range b.Logs {
			if l := &b.Logs[j]; int(l.Resource) == i {
				fmt.Fprintf(w, "log %d %d %q %q %q trace %x/%x%s\n", l.Time, l.Severity, l.SeverityText, l.EventName, l.Body.Str, l.TraceID, l.SpanID, attributesText(b, l.Attrs))
			}
		}
		for j := range b.Spans {
			if x := &b.Spans[j]; int(x.Resource) == i {
				fmt.Fprintf(w, "span %x/%x/%x %q %d..+%d kind %d status %d %q%s\n", x.TraceID, x.ParentID, x.SpanID, x.Name, x.Start, x.End-x.Start, x.Kind, x.Status, x.StatusMessage, attributesText(b, x.Attrs))
			}
		}
		for j := range b.Numbers {
			n := &b.Numbers[j]
			if m := &b.Metrics[n.Metric]; int(m.Resource) == i {
				fmt.Fprintf(w, "point %s %d %v temporality %d%s\n", m.Name, n.Time, n.Value, m.Temporality, attributesText(b, n.Attrs))
			}
		}
	}
}

func attributesText(b *telemetry.Batch, r telemetry.Range) string {
	var text strings.Builder
	for _, a := range b.AttrsOf(r) {
		fmt.Fprintf(&text, "\n  %s ", a.Key)
		switch v := &a.Value; v.Kind {
		case telemetry.KindString:
			fmt.Fprintf(&text, "%q", v.Str)
		case telemetry.KindBool:
			fmt.Fprint(&text, v.Bool())
		case telemetry.KindInt:
			fmt.Fprint(&text, v.Int())
		case telemetry.KindDouble:
			fmt.Fprintf(&text, "%g (double)", v.Double())
		default:
			fmt.Fprint(&text, v.Kind)
		}
	}
	return text.String()
}

// TestGolden converts the envelopes in testdata.
func TestGolden(t *testing.T) {
	s := newTest(t, false, spanwritertest.Unlimited)
	spanwritertest.Golden(t, "testdata/envelopes.txt", func(t *testing.T, request string) string {
		describe(t, s)
		if err := s.SplitMixed([]byte(request), partitions, received); err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		text := decoded(t, s)
		if m := s.Message(); m != "" {
			text += fmt.Sprintf("%d refused: %s\n", s.Rejected(), m)
		}
		return text + fmt.Sprintf("answer %s\n", s.Answer())
	})
}

// TestStored takes an event without an envelope.
func TestStored(t *testing.T) {
	s := newTest(t, true, spanwritertest.Unlimited)
	if err := s.SplitMixed([]byte(`{"event_id":"fc6d8c0c43fc4630ad850ee518f1b9d0","message":"hello","level":"info"}`), partitions, received); err != nil {
		t.Fatal(err)
	}
	if text := decoded(t, s); !strings.Contains(text, " 9 \"info\" \"\" \"hello\" ") {
		t.Error(text)
	}
	if got := string(s.Answer()); got != `{"id":"fc6d8c0c43fc4630ad850ee518f1b9d0"}` {
		t.Error(got)
	}
}

// TestIdentity recognises an envelope that is sent again at another time.
func TestIdentity(t *testing.T) {
	s := newTest(t, false, spanwritertest.Unlimited)
	identity := func(envelope string) string {
		describe(t, s)
		if err := s.SplitMixed([]byte(envelope), partitions, received); err != nil {
			t.Fatal(err)
		}
		return string(s.Identity())
	}
	item := "{\"type\":\"event\"}\n{\"message\":\"x\"}\n"
	first := identity(`{"sent_at":"2026-01-01T00:00:00Z"}` + "\n" + item)
	if again := identity(`{"sent_at":"2026-01-01T00:00:09Z"}` + "\n" + item); again != first {
		t.Errorf("%q is another request than %q", again, first)
	}
	if other := identity("{}\n" + strings.Replace(item, "x", "y", 1)); other == first {
		t.Error("another event is the same request")
	}
}

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		path, header, value, body, want string
	}{
		"header":         {"/api/1/envelope/", "X-Sentry-Auth", "Sentry sentry_version=7, sentry_client=x/1, sentry_key=abc", "", "Bearer abc"},
		"query":          {"/api/1/envelope/?sentry_version=7&sentry_key=abc", "", "", "", "Bearer abc"},
		"authorization":  {"/api/1/store/", "Authorization", "Sentry sentry_key=abc,sentry_version=7", "", "Bearer abc"},
		"bearer":         {"/api/1/store/", "Authorization", "Bearer xyz", "", "Bearer xyz"},
		"envelope":       {"/api/1/envelope/", "", "", `{"dsn":"https://abc@example.com/1"}` + "\nrest", "Bearer abc"},
		"other header":   {"/api/1/envelope/", "", "", `{"event_id":"x"}` + "\nrest", ""},
		"no JSON":        {"/api/1/envelope/", "", "", strings.Repeat("x", 10_000), ""},
		"nothing":        {"/api/1/store/", "", "", `{"dsn":"https://abc@example.com/1"}`, ""},
		"header, no key": {"/api/1/envelope/", "X-Sentry-Auth", "Sentry sentry_version=7", "", ""},
	} {
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		if got := token(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		var rest bytes.Buffer
		if _, err := rest.ReadFrom(r.Body); err != nil || rest.String() != c.body {
			t.Errorf("%s: the body is %d bytes afterwards: %v", name, rest.Len(), err)
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]uint64{
		"1615389600.5": 1615389600_500000000, "1615389600": 1615389600_000000000, "1615389600.123456789999": 1615389600_123456789,
		"2021-03-10T15:20:00Z": 1615389600_000000000, "2021-03-10T16:20:00.25+01:00": 1615389600_250000000, "2021-03-10T15:20:00.000001": 1615389600_000001000,
		"1.6153896e9": 1615389600_000000000, "": 0, "-1": 0, "x": 0, "99999999999999": 0, "1e300": 0, "NaN": 0, "0": 0, "2021-13-10T15:20:00Z": 0,
	} {
		if got, _ := nanoseconds([]byte(text)); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	for _, cfg := range []Config{{}, {MaxItems: 1e9}, {MaxItems: 1, Projects: map[string]string{"": "x"}}, {MaxItems: 1, Projects: map[string]string{"x": ""}}} {
		if cfg.Validate() == nil {
			t.Errorf("%+v is valid", cfg)
		}
	}
}

var errNoMemory = errors.New("no memory")

// TestMemoryIsClaimed converts envelopes that need more than they are given.
func TestMemoryIsClaimed(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	item := func(kind, payload string) string { return fmt.Sprintf("{}\n{\"type\":%q}\n%s\n", kind, payload) }
	for name, body := range map[string]string{
		"frames":      item("event", `{"exception":[{"stacktrace":{"frames":[`+strings.Repeat("{},", 20_000)+`{}]}}]}`),
		"exceptions":  item("event", `{"exception":[`+strings.Repeat(`{"type":"a"},`, 20_000)+`{}]}`),
		"tags":        item("event", `{"extra":"\n`+long+`","contexts":{`+strings.Repeat(`"abcdefghijkl":{"a":"b"},`, 8000)+`"b":{}}}`),
		"escaped":     item("event", `{"message":"\n`+long+`"}`),
		"logs":        item("log", `{"items":[`+strings.Repeat(`{"body":"a"},`, 20_000)+`{}]}`),
		"spans":       item("transaction", `{"contexts":{"trace":{"trace_id":"`+strings.Repeat("a", 32)+`","span_id":"`+strings.Repeat("b", 16)+`"}},"spans":[`+strings.Repeat(`{"span_id":"bbbbbbbbbbbbbbbb"},`, 5000)+`{}]}`),
		"sessions":    item("sessions", `{"aggregates":[`+strings.Repeat(`{"started":"1615389600","exited":1},`, 5000)+`{}]}`),
		"many events": "{}\n" + strings.Repeat("{\"type\":\"event\"}\n{\"tags\":{\"a\":\"b\",\"c\":\"d\",\"e\":\"f\"}}\n", 990),
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int64{100 << 10, 1 << 30} {
				claimed := int64(0)
				s := newTest(t, false, func(n int64) error {
					if claimed += n; claimed > limit {
						return errNoMemory
					}
					return nil
				})
				err := s.SplitMixed([]byte(body), partitions, received)
				if small := limit < 1<<30; small != errors.Is(err, errNoMemory) || !small && err != nil {
					t.Errorf("with %d bytes: %v (%d claimed)", limit, err, claimed)
				}
			}
		})
	}
}

// FuzzEnvelope makes sure that what becomes of an envelope is OTLP and depends on
// nothing but the envelope.
func FuzzEnvelope(f *testing.F) {
	script, err := os.ReadFile("testdata/envelopes.txt")
	if err != nil {
		f.Fatal(err)
	}
	for part := range strings.SplitSeq(string(script), "\n=== ") {
		_, rest, _ := strings.Cut(part, "\n")
		request, _, _ := strings.Cut(rest, "\n---")
		f.Add([]byte(request), false)
		if _, rest, ok := strings.Cut(request, "\n{"); ok {
			_, event, _ := strings.Cut(rest, "\n")
			f.Add([]byte(event), true)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, single bool) {
		s, again := newTest(t, single, spanwritertest.Unlimited), newTest(t, single, spanwritertest.Unlimited)
		first, second := s.SplitMixed(body, partitions, received), again.SplitMixed(body, partitions, received)
		if (first == nil) != (second == nil) || len(s.Parts()) != len(again.Parts()) {
			t.Fatalf("a repeat is another request: %v, %v", first, second)
		}
		if first != nil {
			return
		}
		decoded(t, s)
		for i, p := range s.Parts() {
			if q := again.Parts()[i]; p.Partition != q.Partition || !bytes.Equal(p.Value, q.Value) || s.SignalOf(i) != again.SignalOf(i) {
				t.Fatalf("part %d of a repeat differs", i)
			}
		}
		if !json.Valid(s.Answer()) {
			t.Errorf("the answer is %q", s.Answer())
		}
		s.Reset()
		if s.Accepted() != 0 || s.Rejected() != 0 || len(s.Parts()) != 0 {
			t.Error("something is left after a reset")
		}
	})
}

// BenchmarkEvent takes an envelope with an error, a stack of thirty frames and ten
// breadcrumbs.
func BenchmarkEvent(b *testing.B) {
	var frames, crumbs []string
	for i := range 30 {
		frames = append(frames, fmt.Sprintf(`{"function":"handle%d","module":"example.com/shop/web","abs_path":"/src/shop/web/handle%d.go","filename":"handle%d.go","lineno":%d,"in_app":true}`, i, i, i, 10+i))
	}
	for i := range 10 {
		crumbs = append(crumbs, fmt.Sprintf(`{"timestamp":"2026-01-31T12:00:%02dZ","category":"http","message":"GET /cart/%d","level":"info"}`, i, i))
	}
	event := fmt.Sprintf(`{"event_id":"fc6d8c0c43fc4630ad850ee518f1b9d0","timestamp":%q,"level":"error","platform":"go","release":"1.4.2","environment":"prod","server_name":"app-1","sdk":{"name":"sentry.go","version":"0.50.0"},"tags":{"region":"eu","shard":"7"},"user":{"id":"u7","email":"ann@example.com"},"contexts":{"trace":{"trace_id":"5b8aa5a2d2c872e8321cf37308d69df2","span_id":"5fb397be34d26b51"},"runtime":{"name":"go","version":"1.26"}},"exception":[{"type":"*errors.errorString","value":"order 4711 is closed","stacktrace":{"frames":[%s]}}],"breadcrumbs":[%s]}`,
		time.Now().UTC().Format(time.RFC3339Nano), strings.Join(frames, ","), strings.Join(crumbs, ","))
	body := fmt.Appendf(nil, "{\"event_id\":\"fc6d8c0c43fc4630ad850ee518f1b9d0\",\"sent_at\":\"2026-01-31T12:00:00Z\"}\n{\"type\":\"event\",\"length\":%d}\n%s\n", len(event), event)
	s := newTest(b, false, spanwritertest.Unlimited)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	now := time.Now().UnixNano()
	before := observetest.CPUTime(b)
	for b.Loop() {
		if err := s.SplitMixed(body, partitions, now); err != nil || s.Accepted() != 1 {
			b.Fatal(err, s.Message())
		}
	}
	b.ReportMetric(float64(observetest.CPUTime(b)-before)/float64(b.N), "cpu-ns/event")
}

var _ gateway.Splitter = (*splitter)(nil)
