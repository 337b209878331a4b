package otlpclient

import (
	"bytes"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestParseAnswer(t *testing.T) {
	response := ptraceotlp.NewExportResponse()
	response.PartialSuccess().SetRejectedSpans(300)
	response.PartialSuccess().SetErrorMessage("too old")
	body, err := response.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	text, err := response.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, contentType string
		body              []byte
		want              answer
		fails             bool
	}{
		{"empty", "application/x-protobuf", nil, answer{}, false},
		{"protobuf", "application/x-protobuf", body, answer{300, "too old"}, false},
		{"JSON", "application/json; charset=utf-8", text, answer{300, "too old"}, false},
		{"empty JSON", "application/json", []byte("{}"), answer{}, false},
		{"number", "application/json", []byte(`{"partialSuccess":{"rejectedSpans":7}}`), answer{7, ""}, false},
		{"other signal", "application/json", []byte(`{"partialSuccess":{"rejectedLogRecords":7}}`), answer{}, false},
		{"unknown field", "", []byte{0x7a, 1, 'x'}, answer{}, false},
		{"cut", "application/x-protobuf", body[:len(body)-1], answer{}, true},
		{"negative", "application/x-protobuf", []byte{0x0a, 11, 0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, answer{}, true},
		{"bad JSON", "application/json", []byte("{"), answer{}, true},
		{"negative JSON", "application/json", []byte(`{"partialSuccess":{"rejectedSpans":-7}}`), answer{}, true},
	} {
		got, err := parseAnswer(test.contentType, test.body, telemetry.Spans)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: %+v, %v; want %+v", test.name, got, err, test.want)
		}
	}
}

// FuzzParseAnswer compares with pdata what any answer says.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte{0x0a, 4, 0x08, 5, 0x12, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseAnswer("application/x-protobuf", body, telemetry.Spans)
		want := ptraceotlp.NewExportResponse()
		if want.UnmarshalProto(body) != nil || err != nil {
			return // either may be stricter on what is broken
		}
		if got.rejected != want.PartialSuccess().RejectedSpans() {
			t.Errorf("%d rejected, pdata says %d", got.rejected, want.PartialSuccess().RejectedSpans())
		}
	})
}

func FuzzParseRetryInfo(f *testing.F) {
	f.Add(retryStatus(f, 3*time.Second))
	f.Fuzz(func(t *testing.T, body []byte) {
		if d, found := parseRetryInfo(body); d < 0 || d > 0 && !found {
			t.Errorf("delay %s, found %t", d, found)
		}
	})
}

func retryStatus(t testing.TB, delay time.Duration) []byte {
	s, err := status.New(codes.ResourceExhausted, "full").WithDetails(&errdetails.ErrorInfo{Reason: "x"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(s.Proto())
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestParseRetryInfo(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond, 1500 * time.Millisecond, time.Hour} {
		if got, found := parseRetryInfo(retryStatus(t, delay)); got != delay || !found {
			t.Errorf("delay %s, found %t; want %s", got, found, delay)
		}
	}
	body, err := proto.Marshal(status.New(codes.ResourceExhausted, "full").Proto())
	if err != nil {
		t.Fatal(err)
	}
	if got, found := parseRetryInfo(body); got != 0 || found {
		t.Errorf("delay %s where there is none", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": time.Millisecond, "7": 7 * time.Second, "-7": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": time.Millisecond,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After %q is %s, want %s", text, got, want)
		}
	}
}

// TestHistogram holds every value's bucket to the value, and quantiles to the data.
func TestHistogram(t *testing.T) {
	for v := int64(1); v > 0 && v < math.MaxInt64/3; v += v/37 + 1 {
		b := bucketOf(v)
		if got := valueOf(b); math.Abs(float64(got-v)) > float64(v)/16 {
			t.Fatalf("%d is in bucket %d, the bucket's value is %d", v, b, got)
		}
	}
	if b := bucketOf(math.MaxInt64); b >= len((&histogram{}).counts) {
		t.Errorf("the largest value is in bucket %d", b)
	}
	var h histogram
	if h.summary() != (Latency{}) {
		t.Errorf("an empty histogram says %+v", h.summary())
	}
	for i := range 1000 {
		h.observe(time.Duration(i+1) * time.Millisecond)
	}
	got := h.summary()
	for _, q := range []struct {
		got  time.Duration
		want int64 // milliseconds
	}{{got.P50, 500}, {got.P90, 900}, {got.P99, 990}, {got.Max, 1000}} {
		if want := time.Duration(q.want) * time.Millisecond; math.Abs(float64(q.got-want)) > float64(want)/20 {
			t.Errorf("quantile %s, want %s", q.got, want)
		}
	}
}

// TestLimiter computes when events may go, without waiting for it.
func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLimiter(100, now)
	var waited time.Duration
	for range 50 { // 500 events at 100 a second, on a clock that only waiting moves
		d := l.reserve(10, now)
		now = now.Add(d)
		waited += d
	}
	if want := 4900 * time.Millisecond; waited != want {
		t.Errorf("the last of 500 events went after %s, want %s", waited, want)
	}
	now = now.Add(time.Minute)
	burst := 0
	for l.reserve(10, now) == 0 {
		burst += 10
	}
	if burst < 100 || burst > 120 {
		t.Errorf("after a pause of a minute %d events went at once, want those of a second", burst)
	}
	if newLimiter(0, now).reserve(1e9, now) != 0 {
		t.Error("no rate limits")
	}
}

func TestProgressLine(t *testing.T) {
	last := Report{Elapsed: time.Second}
	now := Report{Elapsed: 3 * time.Second, LastError: "gateway answered 503"}
	now.Logs = Totals{Acknowledged: 2000, Retried: 4, Rejected: 1}
	now.Spans = Totals{Acknowledged: 1000}
	if got, want := progressLine(&last, &now), "    3s  1,500 events/s  acknowledged 3,000  retried 4  refused 1  (gateway answered 503)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var b bytes.Buffer
	now.WriteSummary(&b)
	if want := "1,000 acknowledged events/s over 3s"; !bytes.Contains(b.Bytes(), []byte(want)) {
		t.Errorf("summary %s", b.String())
	}
}
