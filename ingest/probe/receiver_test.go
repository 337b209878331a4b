package probe_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/ingest/probe"
	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a receiver with both pipelines, and what they got.
type rig struct {
	receiver component.Component
	metrics  consumertest.MetricsSink
	traces   consumertest.TracesSink
	own      *metric.ManualReader
}

func fast(targets ...probe.Target) *probe.Config {
	c := probe.DefaultConfig()
	c.Site, c.Interval, c.Timeout, c.BatchTimeout = "berlin", 20*time.Millisecond, 15*time.Second, 5*time.Millisecond
	for i := range targets {
		// Slow machines must not turn into failures.
		targets[i].Interval, targets[i].Timeout = time.Minute, 30*time.Second
		if targets[i].Labels["fast"] != "" {
			targets[i].Interval, targets[i].Timeout = 100*time.Millisecond, 99*time.Millisecond
		}
	}
	c.Targets = targets
	return c
}

func settings() receiver.Settings {
	set := receivertest.NewNopSettings(probe.Type)
	set.BuildInfo.Version = "1.0"
	return set
}

func start(t *testing.T, cfg *probe.Config) *rig {
	t.Helper()
	r := &rig{own: metric.NewManualReader()}
	set := settings()
	provider := metric.NewMeterProvider(metric.WithReader(r.own))
	set.MeterProvider = provider
	factory := probe.NewFactory()
	m, err := factory.CreateMetrics(t.Context(), set, cfg, &r.metrics)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := factory.CreateTraces(t.Context(), set, cfg, &r.traces)
	if err != nil {
		t.Fatal(err)
	}
	if component.Component(m) != component.Component(tr) {
		t.Fatal("the two pipelines have a scheduler each")
	}
	r.receiver = m
	for _, c := range []component.Component{m, tr} {
		if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, c := range []component.Component{m, tr} {
			if err := c.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
		_ = provider.Shutdown(context.Background())
	})
	return r
}

// until waits for something that is bound to happen.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for range 3000 {
		if happened() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: has not happened", what)
}

func (r *rig) count(t *testing.T, name string) (sum int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.own.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			if m.Name != name {
				continue
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					sum += p.Value
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					sum += p.Value
				}
			}
		}
	}
	return sum
}

// oneOf returns metrics and span of the first result for a target.
func (r *rig) oneOf(t *testing.T, target string) (pmetric.ResourceMetrics, ptrace.ResourceSpans) {
	t.Helper()
	var m pmetric.ResourceMetrics
	var s ptrace.ResourceSpans
	is := func(res pcommon.Resource) bool {
		id, _ := res.Attributes().Get("service.instance.id")
		return id.Str() == target
	}
	until(t, "a result of "+target, func() bool {
		found := 0
		for _, all := range r.metrics.AllMetrics() {
			for _, one := range all.ResourceMetrics().All() {
				if found == 0 && is(one.Resource()) {
					m, found = one, 1
				}
			}
		}
		for _, all := range r.traces.AllTraces() {
			for _, one := range all.ResourceSpans().All() {
				if found == 1 && is(one.Resource()) {
					s, found = one, 2
				}
			}
		}
		return found == 2
	})
	return m, s
}

func value(m pmetric.ResourceMetrics, name string) (float64, pcommon.Map, bool) {
	for _, metric := range m.ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == name {
			p := metric.Gauge().DataPoints().At(0)
			return p.DoubleValue(), p.Attributes(), true
		}
	}
	return 0, pcommon.NewMap(), false
}

func TestReceiver(t *testing.T) {
	seen := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadGateway)
		}
		seen <- r.Header.Get("Traceparent")
	}))
	defer server.Close()
	cfg := fast(probe.Target{
		Name: "checkout", Target: server.URL + "/bad", Module: "http_2xx", Labels: map[string]string{"team": "shop", "fast": "yes"},
	})
	r := start(t, cfg)
	m, s := r.oneOf(t, server.URL+"/bad")

	want := map[string]any{"service.name": "checkout", "service.instance.id": server.URL + "/bad"}
	for _, resource := range []pcommon.Resource{m.Resource(), s.Resource()} {
		if got := resource.Attributes().AsRaw(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the resource is %v, want %v", got, want)
		}
	}
	for name, want := range map[string]float64{"probe_success": 0, "probe_http_status_code": 502, "probe_ip_protocol": 4} {
		got, labels, ok := value(m, name)
		if !ok || got != want {
			t.Errorf("%s is %v (present: %t), want %v", name, got, ok, want)
		}
		if l := labels.AsRaw(); fmt.Sprint(l) != fmt.Sprint(map[string]any{"site": "berlin", "module": "http_2xx", "team": "shop", "fast": "yes"}) {
			t.Errorf("the labels are %v", l)
		}
	}
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	for _, metric := range m.ScopeMetrics().At(0).Metrics().All() {
		translated, err := namer.Build(otlptranslator.Metric{Name: metric.Name(), Unit: metric.Unit(), Type: otlptranslator.MetricTypeGauge})
		if err != nil || translated != metric.Name() {
			t.Errorf("%s becomes %s in Prometheus: %v", metric.Name(), translated, err)
		}
		if metric.Type() != pmetric.MetricTypeGauge || metric.Description() == "" {
			t.Errorf("%s is a %s described as %q", metric.Name(), metric.Type(), metric.Description())
		}
		for _, p := range metric.Gauge().DataPoints().All() {
			if p.Timestamp() == 0 {
				t.Errorf("%s has no time", metric.Name())
			}
		}
	}

	span := s.ScopeSpans().At(0).Spans().At(0)
	if got, want := <-seen, fmt.Sprintf("00-%s-%s-01", span.TraceID(), span.SpanID()); got != want {
		t.Errorf("the server saw the traceparent %s, want %s", got, want)
	}
	if span.Kind() != ptrace.SpanKindClient || span.Name() != "GET" || !span.ParentSpanID().IsEmpty() || span.EndTimestamp() <= span.StartTimestamp() {
		t.Errorf("span %s of kind %s from %d to %d, parent %s", span.Name(), span.Kind(), span.StartTimestamp(), span.EndTimestamp(), span.ParentSpanID())
	}
	if span.Status().Code() != ptrace.StatusCodeError || span.Status().Message() != "status 502 Bad Gateway is not valid" {
		t.Errorf("status %s %q", span.Status().Code(), span.Status().Message())
	}
	attributes := span.Attributes().AsRaw()
	for key, want := range map[string]any{
		"url.full": server.URL + "/bad", "http.request.method": "GET", "http.response.status_code": int64(502), "error.type": "502",
		"server.address": "127.0.0.1", "network.peer.address": "127.0.0.1", "site": "berlin", "module": "http_2xx", "team": "shop",
	} {
		if attributes[key] != want {
			t.Errorf("attribute %s is %v, want %v", key, attributes[key], want)
		}
	}
	var events []string
	for _, e := range span.Events().All() {
		events = append(events, e.Name())
		if e.Timestamp() < span.StartTimestamp() || e.Timestamp() > span.EndTimestamp() {
			t.Errorf("event %s at %d is outside of the span", e.Name(), e.Timestamp())
		}
	}
	if strings.Join(events, " ") != "connect processing transfer" {
		t.Errorf("events %v", events)
	}
	until(t, "runs are counted", func() bool { return r.count(t, "goshawk.probe.runs") >= 1 })
	if n := r.count(t, "goshawk.probe.targets"); n != 1 {
		t.Errorf("%d targets, want 1", n)
	}
}

// tcpServer accepts connections and counts them.
func tcpServer(t testing.TB, address string) (string, *atomic.Int64) {
	t.Helper()
	accepted := new(atomic.Int64)
	return transporttest.Listen(t, "tcp", address, func(net.Conn) { accepted.Add(1) }), accepted
}

func TestOnePipelineIsEnough(t *testing.T) {
	address, _ := tcpServer(t, "127.0.0.1:0")
	target := probe.Target{Target: address, Module: "tcp_connect", Labels: map[string]string{"fast": "yes"}}
	var traces consumertest.TracesSink
	r, err := probe.NewFactory().CreateTraces(t.Context(), settings(), fast(target), &traces)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	until(t, "a span", func() bool { return traces.SpanCount() > 0 })
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	// A configuration may be used again after a reload.
	count := traces.SpanCount()
	time.Sleep(150 * time.Millisecond)
	if traces.SpanCount() != count {
		t.Error("probes go on after the shutdown")
	}
}

func TestShutdownHandsOnWhatWasFound(t *testing.T) {
	address, _ := tcpServer(t, "127.0.0.1:0")
	cfg := fast(probe.Target{Target: address, Module: "tcp_connect", Labels: map[string]string{"fast": "yes"}})
	cfg.BatchTimeout = time.Hour
	var metrics consumertest.MetricsSink
	set := settings()
	own := metric.NewManualReader()
	set.MeterProvider = metric.NewMeterProvider(metric.WithReader(own))
	r, err := probe.NewFactory().CreateMetrics(t.Context(), set, cfg, &metrics)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	counter := rig{own: own}
	until(t, "three probes", func() bool { return counter.count(t, "goshawk.probe.runs") >= 3 })
	if metrics.DataPointCount() != 0 {
		t.Error("results were handed on before the batch was full or old")
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	results := 0
	for _, all := range metrics.AllMetrics() {
		results += all.ResourceMetrics().Len()
	}
	// The last one may have been counted and then given up, because its worker was
	// told to stop.
	if runs := int(counter.count(t, "goshawk.probe.runs")); results < 3 || results > runs || results < runs-1 {
		t.Errorf("%d results of %d probes", results, runs)
	}
}

func TestShutdownDoesNotBlameTheTarget(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	cfg := fast()
	// Each name has another place in the minute, so that one of them is due soon.
	for i := range 300 {
		cfg.Targets = append(cfg.Targets, probe.Target{
			Name: fmt.Sprint("probe-", i), Target: server.URL, Module: "http_2xx", Interval: time.Minute, Timeout: 50 * time.Second,
		})
	}
	cfg.Concurrency = 1
	var metrics consumertest.MetricsSink
	r, err := probe.NewFactory().CreateMetrics(t.Context(), settings(), cfg, &metrics)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := metrics.DataPointCount(); n != 0 {
		t.Errorf("%d points of a probe that was ended by the shutdown", n)
	}
}

func TestTargetsFile(t *testing.T) {
	one, _ := tcpServer(t, "127.0.0.1:0")
	two, _ := tcpServer(t, "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "targets.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	entry := "  - {target: %q, module: tcp_connect, interval: 100ms, labels: {from: file}}\n"
	put("targets:\n" + fmt.Sprintf(entry, one))
	cfg := fast()
	cfg.TargetsFile = path
	r := start(t, cfg)
	m, _ := r.oneOf(t, one)
	if _, labels, _ := value(m, "probe_success"); labels.AsRaw()["from"] != "file" {
		t.Errorf("labels %v", labels.AsRaw())
	}
	put("targets:\n" + fmt.Sprintf(entry, one) + fmt.Sprintf(entry, two))
	r.oneOf(t, two)
	until(t, "two targets", func() bool { return r.count(t, "goshawk.probe.targets") == 2 })
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("targets:\n  - {target: a:1, modul: tcp_connect}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, _ := tcpServer(t, "127.0.0.1:0")
	for want, change := range map[string]func(*probe.Config){
		`did you mean "module"?`: func(c *probe.Config) { c.TargetsFile = bad },
		"targets_file":           func(c *probe.Config) { c.TargetsFile = filepath.Join(dir, "gone") },
		"there is no module":     func(c *probe.Config) { c.Targets[0].Module = "none" },
		"not of the form":        func(c *probe.Config) { c.Targets[0].Target = "h" },
		"module mine: tls: ca_file": func(c *probe.Config) {
			c.Modules = map[string]prober.Config{"mine": withCA(filepath.Join(dir, "gone"))}
		},
		"address already in use":    func(c *probe.Config) { c.Listen = taken },
		"is listed twice":           func(c *probe.Config) { c.Targets = append(c.Targets, c.Targets[0]) },
		"less than the interval":    func(c *probe.Config) { c.Targets[0].Timeout = c.Targets[0].Interval },
		"module mine: prober: \"\"": func(c *probe.Config) { c.Modules = map[string]prober.Config{"mine": {}} },
	} {
		cfg := fast(probe.Target{Target: "127.0.0.1:1", Module: "tcp_connect"})
		change(cfg)
		r, err := probe.NewFactory().CreateMetrics(t.Context(), settings(), cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		err = r.Start(t.Context(), componenttest.NewNopHost())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func withCA(path string) prober.Config {
	c := prober.DefaultConfig("tls")
	c.TLS.CAFile = path
	return c
}
