package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

func TestBrokerServesItsMetrics(t *testing.T) {
	t.Parallel()
	address := cluster.FreePorts(t, 1)[0]
	dir := t.TempDir()
	path := filepath.Join(dir, "goshawk.yaml")
	text := fmt.Sprintf("data_dir: %q\nembedded: {kafka: {listen: '127.0.0.1:0', metrics_listen: %q}}\n", filepath.Join(dir, "data"), address)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	root := newRoot()
	root.SetErr(io.Discard)
	root.SetArgs([]string{"broker", "--config", path})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		body, err := fetch("http://" + address + "/metrics")
		if err == nil && strings.Contains(body, "\ngoshawk_broker_log_limit_bytes 1.073741824e+09\n") &&
			strings.Contains(body, `goshawk_build_info{role="broker"`) {
			break
		}
		select {
		case err := <-ended:
			t.Fatal("the broker has ended: ", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("no metrics of the broker: %v\n%s", err, body)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func fetch(url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
