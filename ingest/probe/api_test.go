package probe_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ask makes a request as Prometheus does. Pairs are name, value, ...
func ask(t *testing.T, address string, header http.Header, pairs ...string) (int, string) {
	t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/probe?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Host = header.Get("Host")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := transporttest.Ask(&client, req)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status, a.Text
}

func TestOnDemand(t *testing.T) {
	traceparent := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { traceparent <- r.Header.Get("Traceparent") }))
	defer server.Close()
	cfg := fast()
	cfg.Listen, cfg.AllowPrivateTargets = freeAddress(t), true
	r := start(t, cfg)
	code, text := ask(t, cfg.Listen, nil, "target", server.URL)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, want := range map[string]float64{"probe_success": 1, "probe_http_status_code": 200} {
		if got := families[name].GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if n := len(families["probe_http_duration_seconds"].GetMetric()); n != 5 {
		t.Errorf("%d phases, want 5", n)
	}
	// The span goes to the pipeline, the points only to who asked.
	until(t, "a span", func() bool { return r.traces.SpanCount() == 1 })
	span := r.traces.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	if got, want := <-traceparent, fmt.Sprintf("00-%s-%s-01", span.TraceID(), span.SpanID()); got != want {
		t.Errorf("traceparent %s, want %s", got, want)
	}
	if r.metrics.DataPointCount() != 0 {
		t.Error("points went to the pipeline, too")
	}

	code, text = ask(t, cfg.Listen, nil, "target", server.URL, "debug", "true", "module", "http_2xx")
	for _, want := range []string{"connect took", "answered HTTP/1.1 200 OK", "succeeded", "probe_success 1"} {
		if code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%d, no %q in\n%s", code, want, text)
		}
	}
	<-traceparent
	code, text = ask(t, cfg.Listen, nil, "target", freeAddress(t), "module", "tcp_connect")
	if code != http.StatusOK || !strings.Contains(text, "probe_success 0") {
		t.Errorf("a target that is down: %d\n%s", code, text)
	}
}

func TestOnDemandRefusals(t *testing.T) {
	reached := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	defer server.Close()
	withKey := prober.DefaultConfig("http")
	withKey.HTTP.Headers = map[string]string{"X-Key": "secret"}
	cfg := fast()
	cfg.Listen, cfg.Modules = freeAddress(t), map[string]prober.Config{"with_key": withKey}
	start(t, cfg)
	for name, c := range map[string]struct {
		header http.Header
		pairs  []string
		code   int
		text   string
	}{
		"no target":         {nil, nil, 400, "target"},
		"unknown module":    {nil, []string{"target", server.URL, "module", "none"}, 400, `no module "none"`},
		"secrets":           {nil, []string{"target", server.URL, "module", "with_key"}, 400, "may not be used on demand"},
		"password":          {nil, []string{"target", "http://u:hunter2@127.0.0.1"}, 400, "basic_auth"},
		"another host name": {http.Header{"Host": {"rebound.example:9115"}}, []string{"target", server.URL}, 403, "Host header"},
		"timeout":           {http.Header{"X-Prometheus-Scrape-Timeout-Seconds": {"soon"}}, []string{"target", server.URL}, 400, "no number"},
		"private address":   {nil, []string{"target", server.URL, "debug", "true"}, 200, "no public address"},
		"by name":           {nil, []string{"target", strings.Replace(server.URL, "127.0.0.1", "localhost", 1), "debug", "true"}, 200, "no public address"},
	} {
		code, text := ask(t, cfg.Listen, c.header, c.pairs...)
		if code != c.code || !strings.Contains(text, c.text) || strings.Contains(text, "probe_success 1") || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %d %s, want %d with %q", name, code, text, c.code, c.text)
		}
	}
	if len(reached) > 0 {
		t.Error("a private target was reached")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+cfg.Listen+"/probe", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered %s", resp.Status)
	}
}

func TestOnDemandModules(t *testing.T) {
	withKey := prober.DefaultConfig("http")
	withKey.HTTP.Headers = map[string]string{"X-Key": "secret"}
	cfg := fast()
	cfg.Listen, cfg.Modules, cfg.OnDemandModules = freeAddress(t), map[string]prober.Config{"with_key": withKey}, []string{"with_key"}
	start(t, cfg)
	if code, text := ask(t, cfg.Listen, nil, "target", "http://127.0.0.1:1", "module", "with_key"); code != http.StatusOK {
		t.Errorf("a module that is listed: %d %s", code, text)
	}
	if code, _ := ask(t, cfg.Listen, nil, "target", "http://127.0.0.1:1"); code != http.StatusBadRequest {
		t.Errorf("a module that is not listed: %d", code)
	}
}

func TestOnDemandBoundsRequests(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer server.Close()
	cfg := fast()
	cfg.Listen, cfg.AllowPrivateTargets, cfg.MaxRequests = freeAddress(t), true, 2
	start(t, cfg)
	answers := make(chan int, 2)
	for range 2 {
		go func() {
			code, _ := ask(t, cfg.Listen, nil, "target", server.URL)
			answers <- code
		}()
	}
	<-arrived
	<-arrived
	if code, text := ask(t, cfg.Listen, nil, "target", server.URL); code != http.StatusTooManyRequests {
		t.Errorf("a third request: %d %s", code, text)
	}
	close(release)
	if a, b := <-answers, <-answers; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("the first two: %d, %d", a, b)
	}
}

func TestListenWithoutHostIsLoopback(t *testing.T) {
	cfg := fast()
	_, port, _ := net.SplitHostPort(freeAddress(t))
	cfg.Listen = ":" + port
	start(t, cfg)
	if code, _ := ask(t, "127.0.0.1:"+port, nil, "target", "127.0.0.1:1", "module", "tcp_connect"); code != http.StatusOK {
		t.Errorf("on loopback: %d", code)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		if conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), port)); err == nil {
			_ = conn.Close()
			t.Errorf("%s is answered, too", ip)
		}
	}
}
