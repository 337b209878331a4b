package replay_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/benchmarks/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is an OTLP/HTTP server that decodes and keeps what it gets. Its
// first answers can be failures.
type receiver struct {
	t        *testing.T
	failures []int // statuses of the first answers

	mu      sync.Mutex
	arrived int
	seen    map[string]bool // bodies that were acknowledged
	doubled int
	logs    []plog.LogRecord
	service string
	spans   []ptrace.Span
	points  int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Error(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrived++
	if r.arrived <= len(r.failures) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(r.failures[r.arrived-1])
		return
	}
	if r.seen[string(body)] {
		r.doubled++
	}
	r.seen[string(body)] = true
	switch request.URL.Path {
	case "/v1/logs":
		d := plogotlp.NewExportRequest()
		if err := d.UnmarshalProto(body); err != nil {
			r.t.Error(err)
		}
		for _, rl := range d.Logs().ResourceLogs().All() {
			if s, ok := rl.Resource().Attributes().Get("service.name"); ok {
				r.service = s.Str()
			}
			for _, sl := range rl.ScopeLogs().All() {
				for _, l := range sl.LogRecords().All() {
					r.logs = append(r.logs, l)
				}
			}
		}
	case "/v1/traces":
		d := ptraceotlp.NewExportRequest()
		if err := d.UnmarshalProto(body); err != nil {
			r.t.Error(err)
		}
		for _, rs := range d.Traces().ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					r.spans = append(r.spans, s)
				}
			}
		}
	case "/v1/metrics":
		d := pmetricotlp.NewExportRequest()
		if err := d.UnmarshalProto(body); err != nil {
			r.t.Error(err)
		}
		r.points += d.Metrics().DataPointCount()
	default:
		r.t.Errorf("path %s", request.URL.Path)
	}
}

func receive(t *testing.T, failures ...int) (*receiver, string) {
	t.Helper()
	r := &receiver{t: t, failures: failures, seen: map[string]bool{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, server.URL
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var b bytes.Buffer
	switch filepath.Ext(name) {
	case ".gz":
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, content)
		_ = w.Close()
	case ".zst":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, content)
		_ = w.Close()
	default:
		b.WriteString(content)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	logLine    = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000","observedTimeUnixNano":"1544712660400000000","body":{"stringValue":"one"}},{"timeUnixNano":"1544712659300000000","body":{"stringValue":"two"}}]}]}]}`
	spanLine   = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"s","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712660500000000","events":[{"timeUnixNano":"1544712660400000000","name":"e"}]}]}]}]}`
	metricLine = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"startTimeUnixNano":"1544712600000000000","timeUnixNano":"1544712660000000000","asInt":"3"}]}}]}]}]}`
)

// TestJSON replays all three signals with malformed lines between them, through
// a gateway that fails at first: everything arrives once, moved to now.
func TestJSON(t *testing.T) {
	r, url := receive(t, 503, 429, 502)
	path := write(t, "recorded.json.zst", logLine+"\n"+`{"resourceLogs":[{"scope`+"\n\n"+spanLine+"\r\n"+"what is this\n"+metricLine+"\n"+`{"resourceLogs":[]}`+"\n"+`{"foo":1}`)
	before := time.Now()
	report, err := replay.Run(t.Context(), replay.Options{Endpoint: url, Files: []string{path}, Fast: true, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	if r.doubled != 0 || len(r.logs) != 2 || len(r.spans) != 1 || r.points != 1 {
		t.Errorf("%d log records, %d spans, %d points, %d doubled", len(r.logs), len(r.spans), r.points, r.doubled)
	}
	if total := report.Total(); total.Acknowledged != 4 || total.Retried != 3 {
		t.Errorf("totals %+v", total)
	}
	if report.Lines != 8 || report.Malformed != 3 || report.Empty != 2 {
		t.Errorf("%d lines, %d malformed, %d empty; want 8, 3, 2", report.Lines, report.Malformed, report.Empty)
	}
	wantStarts := []string{path + ":2: decoding logs: ", path + ":5: want a JSON object", path + ":8: want resourceLogs, resourceSpans or resourceMetrics"}
	if len(report.Problems) != len(wantStarts) {
		t.Fatalf("problems %q", report.Problems)
	}
	for i, want := range wantStarts {
		if !strings.HasPrefix(report.Problems[i], want) {
			t.Errorf("problem %q, want %q", report.Problems[i], want)
		}
	}
	latest := r.logs[0].Timestamp().AsTime()
	if latest.Before(before) || latest.After(after) {
		t.Errorf("the latest log record is of %s, want between %s and %s", latest, before, after)
	}
	if d := r.logs[0].Timestamp() - r.logs[1].Timestamp(); d != 1e9 {
		t.Errorf("log records are %d ns apart, want as recorded", d)
	}
	if d := r.logs[0].ObservedTimestamp() - r.logs[0].Timestamp(); d != 1e8 {
		t.Errorf("observed %d ns later, want as recorded", d)
	}
	s := r.spans[0]
	if s.EndTimestamp()-s.StartTimestamp() != 5e8 || s.EndTimestamp()-s.Events().At(0).Timestamp() != 1e8 {
		t.Errorf("span from %d to %d, event at %d", s.StartTimestamp(), s.EndTimestamp(), s.Events().At(0).Timestamp())
	}
}

func TestKeepTime(t *testing.T) {
	r, url := receive(t)
	_, err := replay.Run(t.Context(), replay.Options{Endpoint: url, Files: []string{write(t, "x.json", logLine)}, Fast: true, KeepTime: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.logs[0].Timestamp() != 1544712660300000000 || r.logs[0].ObservedTimestamp() != 1544712660400000000 {
		t.Errorf("moved to %d", r.logs[0].Timestamp())
	}
}

func TestProto(t *testing.T) {
	d := plogotlp.NewExportRequest()
	if err := d.UnmarshalJSON([]byte(logLine)); err != nil {
		t.Fatal(err)
	}
	body, err := d.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	for _, message := range [][]byte{body, []byte("\xff\xff broken"), body} {
		file = binary.BigEndian.AppendUint32(file, uint32(len(message)))
		file = append(file, message...)
	}
	r, url := receive(t)
	o := replay.Options{Endpoint: url, Files: []string{write(t, "x.bin", string(file))}, Format: replay.FormatProto, Signal: "logs", Fast: true}
	report, err := replay.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.logs) != 4 || report.Lines != 3 || report.Malformed != 1 {
		t.Errorf("%d log records, report %+v", len(r.logs), report)
	}
	// A file that ends in the middle of a message is an error that says where.
	o.Files = []string{write(t, "cut.bin", string(file[:len(file)-3]))}
	if _, err := replay.Run(t.Context(), o); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "message 3") {
		t.Errorf("error %v, want an unexpected end in message 3", err)
	}
}

func TestAccessLog(t *testing.T) {
	text, err := os.ReadFile("testdata/apache_combined.log")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	r, url := receive(t, 503)
	content := "\xef\xbb\xbf" + strings.Join(lines[:20], "\n") + "\nno such line\n" + strings.Join(lines[20:], "\r\n") // and no newline at the end
	report, err := replay.Run(t.Context(), replay.Options{
		Endpoint: url, Files: []string{write(t, "access.log.gz", content)}, Rate: 1e6, Service: "blog", EventsPerRequest: 16, Connections: 1, KeepTime: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Lines != 41 || report.Malformed != 1 || report.Logs.Acknowledged != 40 || report.Logs.Requests != 3 {
		t.Errorf("report %+v", report)
	}
	if want := ":21: no time in brackets"; len(report.Problems) != 1 || !strings.HasSuffix(report.Problems[0], want) {
		t.Errorf("problems %q, want %q", report.Problems, want)
	}
	if r.service != "blog" {
		t.Errorf("service %q", r.service)
	}
	bodies := map[string]bool{}
	for _, l := range r.logs {
		bodies[l.Body().Str()] = true
	}
	for _, line := range lines {
		if !bodies[line] {
			t.Errorf("missing: %s", line)
		}
	}
	first := r.logs[0]
	want := map[string]any{
		"client.address": "83.149.9.216", "http.request.method": "GET", "url.path": "/presentations/logstash-monitorama-2013/images/kibana-search.png",
		"network.protocol.version": "1.1", "http.response.status_code": int64(200), "http.response.body.size": int64(203023),
		"http.request.header.referer": "http://semicomplete.com/presentations/logstash-monitorama-2013/",
		"user_agent.original":         "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36",
	}
	if diff := cmp.Diff(want, first.Attributes().AsRaw()); diff != "" {
		t.Errorf("attributes (-want +got)\n%s", diff)
	}
	if at := first.Timestamp().AsTime(); !at.Equal(time.Date(2015, 5, 17, 10, 5, 3, 0, time.UTC)) {
		t.Errorf("time %s", at)
	}
}

// TestPace replays two minutes 1000 times as fast: the times that arrive are
// as far apart as they were sent.
func TestPace(t *testing.T) {
	var lines []string
	for second := range 121 {
		for range 3 {
			at := time.Date(2015, 5, 17, 10, 0, second, 0, time.UTC)
			lines = append(lines, fmt.Sprintf(`h - - [%s] "GET / HTTP/1.1" 200 1`, at.Format("02/Jan/2006:15:04:05 -0700")))
		}
	}
	// A day of silence, which is not waited for at its length.
	lines = append(lines, `h - - [19/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 1`)
	r, url := receive(t)
	report, err := replay.Run(t.Context(), replay.Options{Endpoint: url, Files: []string{"-"}, Stdin: strings.NewReader(strings.Join(lines, "\n")), Speed: 1e5, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	if report.Logs.Requests != 122 || report.Logs.Acknowledged != 364 {
		t.Fatalf("%d requests, %d acknowledged; want one request for each second", report.Logs.Requests, report.Logs.Acknowledged)
	}
	first := r.logs[0].Timestamp()
	for i, l := range r.logs[:363] {
		want := int64(i/3) * int64(time.Second) / 1e5
		if got := int64(l.Timestamp() - first); got < want-1000 || got > want+1000 {
			t.Fatalf("line %d is %d ns after the first, want %d", i, got, want)
		}
	}
	if gap := int64(r.logs[363].Timestamp() - r.logs[362].Timestamp()); gap < 35e6 || gap > 37e6 {
		t.Errorf("a silence of two days became %d ns, want an hour at speed 1e5", gap)
	}
}

func TestStopsWhileWaiting(t *testing.T) {
	for _, name := range []string{"pace", "input"} {
		t.Run(name, func(t *testing.T) {
			r, url := receive(t)
			line := `h - - [17/May/2015:10:%02d:00 +0000] "GET / HTTP/1.1" 200 1` + "\n"
			var stdin io.Reader = strings.NewReader(fmt.Sprintf(line, 0) + fmt.Sprintf(line, 5) + fmt.Sprintf(line, 10))
			if name == "input" {
				reader, writer := io.Pipe()
				defer writer.Close()
				go func() { _, _ = io.WriteString(writer, fmt.Sprintf(line, 0)+fmt.Sprintf(line, 5)) }()
				stdin = reader
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := replay.Run(ctx, replay.Options{Endpoint: url, Files: []string{"-"}, Stdin: stdin, Speed: 1})
				done <- err
			}()
			for {
				r.mu.Lock()
				n := len(r.logs)
				r.mu.Unlock()
				if n > 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		options replay.Options
		want    string
	}{
		{replay.Options{}, "files: want at least one, or - for the standard input"},
		{replay.Options{Files: []string{"x"}, Speed: -1}, "speed -1: want a positive number"},
		{replay.Options{Files: []string{"x"}, Format: "xml"}, `format "xml": want auto, otlp-json, otlp-proto or access`},
		{replay.Options{Files: []string{"x"}, Format: "otlp-proto"}, `signal "": format otlp-proto needs logs, spans or metrics`},
		{replay.Options{Files: []string{"/no/such/file"}}, "opening the input: open /no/such/file: no such file or directory"},
	} {
		if _, err := replay.Run(t.Context(), test.options); err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	// What the gateway refuses for good is an error of the run.
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	report, err := replay.Run(t.Context(), replay.Options{Endpoint: server.URL, Files: []string{"-"}, Stdin: strings.NewReader(logLine), Fast: true})
	if err == nil || report.Logs.Refused != 2 {
		t.Errorf("error %v, report %+v", err, report)
	}
}
