//go:build remove_all_sd

package agent_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goshawk-observability/goshawk/ingest/agent"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// TestScrape scrapes targets of a static list and of a file.
func TestScrape(t *testing.T) {
	b := brokertest.Start(t)
	topics(t, b.Addr)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "# TYPE requests_total counter\nrequests_total{path=%q} 7\n", r.URL.Path)
	}))
	defer site.Close()
	address := site.Listener.Addr().String()
	file := filepath.Join(t.TempDir(), "targets.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `[{"targets": [%q]}]`, address), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(b.Addr, slog.New(slog.NewTextHandler(io.Discard, nil)))
	o.Config = []string{"yaml:" + fmt.Sprintf(`
receivers:
  prometheus:
    config:
      global: {scrape_interval: 200ms, scrape_timeout: 200ms}
      scrape_configs:
        - {job_name: listed, static_configs: [{targets: [%q]}]}
        - {job_name: filed, metrics_path: /other, file_sd_configs: [{files: [%q]}]}
exporters: {goshawk_kafka: {}}
service: {pipelines: {metrics: {receivers: [prometheus], exporters: [goshawk_kafka]}}}
`, address, file)}
	run(t, o)
	want := map[string]string{"listed": "/metrics", "filed": "/other"}
	read(t, b.Addr, "otlp_metrics").until(t, "scrapes", func(r *kgo.Record) {
		for _, resource := range decodeMetrics(t, r).ResourceMetrics().All() {
			job := fmt.Sprint(resource.Resource().Attributes().AsRaw()["service.name"])
			for _, scope := range resource.ScopeMetrics().All() {
				for _, m := range scope.Metrics().All() {
					if m.Name() != "requests_total" {
						continue
					}
					if p := m.Sum().DataPoints().At(0); p.DoubleValue() == 7 && p.Attributes().AsRaw()["path"] == want[job] {
						delete(want, job)
					}
				}
			}
		}
	}, func() bool { return len(want) == 0 })
	for _, c := range agent.Components() {
		if c.Kind == "receiver" && c.Type == "prometheus" {
			return
		}
	}
	t.Error("prometheus is not among the components")
}
