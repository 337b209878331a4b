package shop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway is an OTLP/HTTP server that decodes what it gets and, request by
// request, does what its script says before it works well.
type gateway struct {
	t      *testing.T
	script []string

	mu      sync.Mutex
	arrived int
	// said counts how often each body was acknowledged, stored is the bodies
	// that were processed, acknowledged or not, with their events.
	said   map[string]int
	stored map[string]int
	events map[string]int64 // acknowledged, by path
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	action := "ok"
	if g.arrived < len(g.script) {
		action = g.script[g.arrived]
	}
	g.arrived++
	n := 0
	var answer []byte
	switch r.URL.Path {
	case "/v1/logs":
		d, response := plogotlp.NewExportRequest(), plogotlp.NewExportResponse()
		err, n = d.UnmarshalProto(body), d.Logs().LogRecordCount()
		if action == "partial" {
			response.PartialSuccess().SetRejectedLogRecords(1)
		}
		answer, _ = response.MarshalProto()
	case "/v1/traces":
		d, response := ptraceotlp.NewExportRequest(), ptraceotlp.NewExportResponse()
		err, n = d.UnmarshalProto(body), d.Traces().SpanCount()
		if action == "partial" {
			response.PartialSuccess().SetRejectedSpans(1)
		}
		answer, _ = response.MarshalProto()
	case "/v1/metrics":
		d, response := pmetricotlp.NewExportRequest(), pmetricotlp.NewExportResponse()
		err, n = d.UnmarshalProto(body), d.Metrics().DataPointCount()
		if action == "partial" {
			response.PartialSuccess().SetRejectedDataPoints(1)
		}
		answer, _ = response.MarshalProto()
	}
	if err != nil || n == 0 {
		g.t.Errorf("%s with %d events: %v", r.URL.Path, n, err)
	}
	switch action {
	case "ok", "partial":
		if action == "partial" {
			n--
		}
		g.stored[string(body)] = n
		g.said[string(body)]++
		g.events[r.URL.Path] += int64(n)
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	case "503":
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	case "lose the answer":
		g.stored[string(body)] = n
		panic(http.ErrAbortHandler)
	case "disconnect":
		panic(http.ErrAbortHandler)
	}
}

func newGateway(t *testing.T, script ...string) *gateway {
	return &gateway{t: t, script: script, said: map[string]int{}, stored: map[string]int{}, events: map[string]int64{}}
}

// check compares what the gateway acknowledged with what the run says.
func (g *gateway) check(t *testing.T, r shop.Report) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.said {
		if n != 1 {
			t.Errorf("a request was acknowledged %d times", n)
		}
	}
	if len(g.said) != len(g.stored) {
		t.Errorf("%d requests were stored, %d acknowledged", len(g.stored), len(g.said))
	}
	if r.Logs.Acknowledged != g.events["/v1/logs"] || r.Spans.Acknowledged != g.events["/v1/traces"] || r.Metrics.Acknowledged != g.events["/v1/metrics"] {
		t.Errorf("the run says %d, %d, %d were acknowledged, the gateway %v", r.Logs.Acknowledged, r.Spans.Acknowledged, r.Metrics.Acknowledged, g.events)
	}
	if r.Logs.Acknowledged == 0 || r.Spans.Acknowledged < r.Logs.Acknowledged || r.Metrics.Acknowledged < (r.Spans.Acknowledged+r.Logs.Acknowledged)/40 {
		t.Errorf("a signal has too little: %v", g.events)
	}
}

// TestRun sends 40,000 events through a gateway that fails in every way that
// can pass: each request ends up acknowledged once, with the bytes it began with.
func TestRun(t *testing.T) {
	var script []string
	for range 5 {
		script = append(script, "503", "lose the answer", "ok", "partial", "disconnect", "ok")
	}
	g := newGateway(t, script...)
	server := httptest.NewServer(g)
	defer server.Close()
	var progress bytes.Buffer
	report, err := shop.Run(t.Context(), shop.Options{Endpoint: server.URL, Events: 40000, Seed: 3, Start: start, Incidents: "none", Progress: &progress})
	if err != nil {
		t.Fatal(err)
	}
	g.check(t, report)
	total := report.Total()
	if total.Events < 40000 || total.Events > 40600 || total.Rejected != 5 || total.Acknowledged+total.Rejected != total.Events || total.Retried != 15 {
		t.Errorf("totals %+v", total)
	}
	if text := progress.String(); !strings.Contains(text, "spans") || !strings.Contains(text, "acknowledged events/s over") {
		t.Errorf("summary %q", text)
	}
}

// TestRunTruth runs a simulated quarter of an hour and reads the truth file.
func TestRunTruth(t *testing.T) {
	g := newGateway(t)
	server := httptest.NewServer(g)
	defer server.Close()
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	report, err := shop.Run(t.Context(), shop.Options{
		Endpoint: server.URL, Rate: 20000, Speed: 1000, Duration: 900 * time.Millisecond, Start: start, Flat: true, Truth: path,
		Incidents: "bad_deploy@1m+2m,sql_injection@4m+1m,disk_full@20m", Quiet: true, Progress: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.check(t, report)
	if n := report.Total().Events; n < 16000 || n > 22000 {
		t.Errorf("%d events, want about 18,000", n)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var incidents []shop.Incident
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var i shop.Incident
		if err := json.Unmarshal(lines.Bytes(), &i); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		incidents = append(incidents, i)
	}
	if len(incidents) != 2 || report.Incidents != 2 {
		t.Fatalf("%d incidents in the truth file, %d in the report; want the two that began", len(incidents), report.Incidents)
	}
	a, b := incidents[0], incidents[1]
	if a.Kind != shop.BadDeploy || !a.Start.Equal(start.Add(time.Minute)) || !a.End.Equal(start.Add(3*time.Minute)) || len(a.Services) == 0 || a.Effect == "" || len(a.Symptoms) == 0 {
		t.Errorf("incident %+v", a)
	}
	if b.Kind != shop.SQLInjection || b.Client == "" || !b.Start.Equal(start.Add(4*time.Minute)) {
		t.Errorf("incident %+v", b)
	}
}

// TestRunGatewayAway begins before there is a gateway.
func TestRunGatewayAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	g := newGateway(t)
	type result struct {
		report shop.Report
		err    error
	}
	done := make(chan result, 1)
	go func() {
		report, err := shop.Run(t.Context(), shop.Options{Endpoint: address, Events: 5000, Start: start, Connections: 2})
		done <- result{report, err}
	}()
	time.Sleep(20 * time.Millisecond) // some refused connections; none is needed
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: g}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	g.check(t, r.report)
}

// TestRunStops ends a run that has no end, with a gateway and without one.
func TestRunStops(t *testing.T) {
	for _, present := range []bool{true, false} {
		g := newGateway(t)
		server := httptest.NewServer(g)
		if !present {
			server.Close()
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := shop.Run(ctx, shop.Options{Endpoint: server.URL, Rate: 2000, Grace: time.Millisecond})
			done <- err
		}()
		for present {
			g.mu.Lock()
			n := g.arrived
			g.mu.Unlock()
			if n > 3 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("gateway present %t: %v", present, err)
		}
		server.Close()
	}
}

func TestRunErrors(t *testing.T) {
	for want, o := range map[string]shop.Options{
		"rate, speed, duration and events must not be negative":                    {Rate: -1},
		`protocol "tcp": want http or grpc`:                                        {Protocol: "tcp"},
		"making the truth file: open /no/such/folder/x: no such file or directory": {Truth: "/no/such/folder/x"},
		"rate 0.5: want 1 to 10,000,000 events a second":                           {Rate: .5},
	} {
		if _, err := shop.Run(t.Context(), o); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	report, err := shop.Run(t.Context(), shop.Options{Endpoint: server.URL, Events: 100, Start: start})
	if err == nil || !strings.Contains(err.Error(), "events were refused: request refused: gateway answered 404 Not Found") || report.Total().Refused == 0 {
		t.Errorf("error %v, report %+v", err, report)
	}
}
