package prometheus

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// exporterPackage is the Debian package of the node exporter.
const exporterPackage = "prometheus-node-exporter"

// startExporter starts a node exporter and returns its address. It skips the
// test where none is installed.
func startExporter(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("prometheus-node-exporter")
	if err != nil {
		t.Skipf("SKIP: there is no prometheus-node-exporter in PATH; the Debian package is %s", exporterPackage)
	}
	address := cluster.FreePorts(t, 1)[0]
	log, err := os.Create(filepath.Join(t.TempDir(), "exporter.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(binary, "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the node exporter: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	if err := cluster.Eventually(20*time.Second, func() error { return ready("http://" + address + "/metrics") }); err != nil {
		t.Fatalf("the node exporter does not answer: %v", err)
	}
	return address
}

// leastScrapes is how many scrapes the questions are about.
const leastScrapes = 25

// TestScrape lets a real Prometheus scrape a real node exporter and write what
// it gets to goshawk, and asks both the same.
func TestScrape(t *testing.T) {
	t.Parallel()
	exporter := startExporter(t)
	c := cluster.Start(t, cluster.Options{Up: true})
	server := Start(t, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
  - job_name: node
    static_configs: [{targets: [%q], labels: {rack: "R 1/é"}}]
  - job_name: gone
    static_configs: [{targets: ["127.0.0.1:9"]}]
remote_write:
  - url: http://%s/api/v1/write
    metadata_config: {send_interval: 1s}
    queue_config: {batch_send_deadline: 500ms}
`, exporter, c.HTTP))
	goshawk := "http://" + c.Query

	// Half a second after a scrape no sample is on the edge of a range.
	at, err := afterScrapes(t.Context(), server.URL)
	if err != nil {
		t.Fatalf("%v\n%s", err, server.Log())
	}
	for _, query := range []string{
		"up", `up{job="gone"}`, "count by (__name__) ({job=~\".+\"})", `{job="node"}`, "rate(node_cpu_seconds_total[10s])",
		"sum by (mode) (rate(node_cpu_seconds_total[10s]))", "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
		`1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[10s]))`, "topk(3, node_filesystem_size_bytes)", "scrape_samples_scraped",
		"node_load1", "irate(node_network_receive_bytes_total[10s])", "count_over_time(up[10s])", `node_uname_info{rack="R 1/é"}`, "max_over_time(scrape_duration_seconds[10s])",
		`{__name__=~"node_(disk|network)_.*"}`, "changes(node_time_seconds[10s])", "sum(go_goroutines)",
	} {
		for _, q := range []question{{query: query, at: at}, {query: query, start: at - 10_000, end: at, step: 1000}} {
			if err := cluster.Eventually(30*time.Second, func() error { return same(t.Context(), goshawk, server.URL, q) }); err != nil {
				t.Errorf("%s\n%v", q, err)
			}
		}
	}

	metrics, err := page(t.Context(), server.URL+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sent := 0.0
	for _, name := range []string{
		"samples_failed_total", "samples_dropped_total", "samples_retried_total", "metadata_failed_total", "metadata_retried_total",
		"exemplars_failed_total", "histograms_failed_total", "samples_total",
	} {
		name = "prometheus_remote_storage_" + name
		value, ok := sumOf(metrics, name)
		switch {
		case !ok:
			t.Errorf("Prometheus has no metric %s", name)
		case name == "prometheus_remote_storage_samples_total":
			sent = value
		case value != 0:
			t.Errorf("%s is %v\n%s", name, value, server.Log())
		}
	}
	if sent < leastScrapes*100 {
		t.Errorf("Prometheus has sent %v samples", sent)
	}
	t.Logf("Prometheus has sent %.0f samples", sent)
	if err := cluster.Eventually(30*time.Second, func() error { return sameMetadata(t.Context(), goshawk, server.URL) }); err != nil {
		t.Error(err)
	}
	t.Run("status", func(t *testing.T) { scraped(t, goshawk, exporter) })
}

// afterScrapes waits until a Prometheus has scraped often enough and returns the
// time half a second after the last scrape but one, Unix milliseconds.
func afterScrapes(ctx context.Context, server string) (at int64, err error) {
	err = cluster.Eventually(2*time.Minute, func() error {
		a, err := ask(ctx, server, http.MethodGet, "/api/v1/query", url.Values{"query": {`up{job="node"}[5m]`}})
		if err != nil {
			return err
		}
		var data struct {
			Result []struct{ Values [][2]any }
		}
		if err := json.Unmarshal(a.Data, &data); err != nil {
			return fmt.Errorf("%w in %s", err, a.text)
		}
		if len(data.Result) != 1 || len(data.Result[0].Values) < leastScrapes {
			return errors.New("too few scrapes")
		}
		values := data.Result[0].Values
		last, ok := values[len(values)-2][0].(float64)
		if !ok {
			return fmt.Errorf("the times are %v", values)
		}
		at = int64(last*1000+0.5) + 500
		return nil
	})
	return at, err
}

// same says how the answers of two servers differ.
func same(ctx context.Context, goshawk, server string, q question) error {
	got, err := ask(ctx, goshawk, http.MethodPost, q.path(), q.form())
	if err != nil {
		return err
	}
	want, err := ask(ctx, server, http.MethodPost, q.path(), q.form())
	if err != nil {
		return err
	}
	if want.Status != "success" || len(want.Data) < 60 {
		return fmt.Errorf("Prometheus answers %s", want.text)
	}
	if text := (comparison{tolerance: 1e-9}).differ(got, want); text != "" {
		return fmt.Errorf("%s\ngoshawk:    %s\nPrometheus: %s", text, short(got.text), short(want.text))
	}
	return nil
}

// sameMetadata says how what goshawk knows of metrics differs from what
// Prometheus has found at its targets.
func sameMetadata(ctx context.Context, goshawk, server string) error {
	var all [2]map[string][]map[string]string
	for i, one := range []string{goshawk, server} {
		a, err := ask(ctx, one, http.MethodGet, "/api/v1/metadata", nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(a.Data, &all[i]); err != nil {
			return fmt.Errorf("%w in %s", err, a.text)
		}
	}
	if len(all[1]) < 100 {
		return fmt.Errorf("Prometheus has metadata of %d metrics", len(all[1]))
	}
	for name, want := range all[1] {
		if got := all[0][name]; fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("metadata of %s: %v, want %v", name, got, want)
		}
	}
	return nil
}

// scraped looks at what is only there for data of today.
func scraped(t *testing.T, goshawk, exporter string) {
	for path, want := range map[string][]string{
		"/api/v1/targets":            {fmt.Sprintf(`"instance":%q`, exporter), `"health":"up"`, `"health":"down"`, `"scrapePool":"node"`},
		"/api/v1/status/tsdb":        {`"name":"node_cpu_seconds_total"`, `"name":"job=node"`},
		"/api/v1/label/job/values":   {`["gone","node"]`},
		"/api/v1/status/runtimeinfo": {`"startTime"`},
	} {
		text, err := page(t.Context(), goshawk+path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s has no %s: %s", path, part, short(text))
			}
		}
	}
}

func page(ctx context.Context, address string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	a, err := transporttest.Ask(client, r)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s: %d: %s", address, a.Status, a.Text)
	}
	return a.Text, err
}

// sumOf adds the values of all series of a metric in the text format.
func sumOf(text, name string) (sum float64, found bool) {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, name); ok && rest != "" && slices.Contains([]byte("{ "), rest[0]) {
			v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err == nil {
				sum += v
				found = true
			}
		}
	}
	return sum, found
}
