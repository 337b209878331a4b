// Package weblog runs programs that log, nginx, rsyslog and logger, beside the
// real binary, whose agent reads what they log: what they were asked to do is
// what goshawk answers.
package weblog

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// patience is how long something may take on a slow, shared machine. It bounds a
// failing run; no test asserts a speed.
const patience = time.Minute

// collector is what the agent collects beside the logs: next to nothing.
const collector = `
receivers: {host_metrics: {collection_interval: 1h, scrapers: {load: {}}}}
exporters: {goshawk_kafka: {}}
service: {pipelines: {metrics: {receivers: [host_metrics], exporters: [goshawk_kafka]}}}
`

// program returns where a program is, which may be outside of an ordinary user's
// path. It skips the test where it is not installed.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := "/usr/sbin/" + name
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIP: there is no %s; the Debian package is %s", name, debian)
	}
	return path
}

// run starts a program that Cleanup ends, and returns its process. What it says
// is in the log where the test fails.
func run(t *testing.T, path string, args ...string) *os.Process {
	t.Helper()
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may be gone, which Wait says
		timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		err := cmd.Wait()
		if err != nil {
			t.Errorf("%s ended with: %v", path, err)
		}
		output.Close()
		if text, err := os.ReadFile(output.Name()); t.Failed() && err == nil {
			t.Logf("--- %s\n%s", filepath.Base(path), text)
		}
	})
	return cmd.Process
}

// get reads a JSON answer of the query service.
func get(c *cluster.Cluster, path string, parameters url.Values, answer any) error {
	response, err := (&http.Client{Timeout: patience}).Get("http://" + c.Query + path + "?" + parameters.Encode())
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, response.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// count is the answer of Loki's API to a query for numbers, by the values of a
// label. The label is "" for a query whose series have none.
func count(c *cluster.Cluster, query, label string) (map[string]int, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := get(c, "/loki/api/v1/query", url.Values{"query": {query}}, &answer); err != nil {
		return nil, err
	}
	all := map[string]int{}
	for _, series := range answer.Data.Result {
		text, ok := series.Value[1].(string)
		if !ok {
			return nil, fmt.Errorf("%s: the value %v is no text", query, series.Value[1])
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		all[series.Metric[label]] += n
	}
	return all, nil
}

// stream is lines with the same labels, as Loki's API has them.
type stream struct {
	Labels map[string]string `json:"stream"`
	Values [][2]string       `json:"values"`
}

// lines is the answer of Loki's API to a query for lines.
func lines(c *cluster.Cluster, query string) ([]stream, error) {
	var answer struct {
		Data struct {
			Result []stream `json:"result"`
		} `json:"data"`
	}
	err := get(c, "/loki/api/v1/query_range", url.Values{"query": {query}, "since": {"1h"}, "limit": {"5000"}}, &answer)
	return answer.Data.Result, err
}
