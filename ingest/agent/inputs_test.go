package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/goshawk-observability/goshawk/ingest/agent"
	"github.com/goshawk-observability/goshawk/ingest/filelog"
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker/brokertest"
)

// TestInputs reads a file and receives syslog, beside no collector at all.
func TestInputs(t *testing.T) {
	b := brokertest.Start(t)
	topics(t, b.Addr)
	dir := t.TempDir()
	file := filepath.Join(dir, "app.log")
	if err := os.WriteFile(file, []byte("a line of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := agent.DefaultConfig()
	if cfg.Inputs() {
		t.Error("inputs run by default")
	}
	cfg.DataDir = filepath.Join(dir, "data")
	cfg.Files.Inputs = []filelog.Input{{Include: []string{file}, From: "beginning"}}
	cfg.Syslog.TCP = freePorts(t, 1)[0]
	cfg.Journald.Enabled, cfg.Journald.Command = true, filepath.Join(dir, "no-journalctl")
	if err := cfg.Validate(); err != nil || !cfg.Inputs() {
		t.Fatal(err)
	}
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=named,service.name=not-of-logs")
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- agent.RunInputs(ctx, &cfg, options(b.Addr, slog.New(slog.NewTextHandler(io.Discard, nil))), func() { close(ready) })
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", cfg.Syslog.TCP)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, "<13>1 - - app - - - a message of syslog"); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"a line of a file": true, "a message of syslog": true}
	read(t, b.Addr, "otlp_logs").until(t, "both logs", func(r *kgo.Record) {
		if header(r, topic.HeaderTenant) != "default" || len(header(r, topic.HeaderBatchID)) != 16 {
			t.Errorf("headers are %v", r.Headers)
		}
		for body := range bodies(t, r) {
			delete(want, body)
		}
		// Syslog without a host has the address of its sender.
		if text := string(r.Value); !strings.Contains(text, "named") && !strings.Contains(text, "127.0.0.1") || strings.Contains(text, "not-of-logs") {
			t.Errorf("the resource is not that of this host: %q", text)
		}
	}, func() bool { return len(want) == 0 || t.Failed() })
}
