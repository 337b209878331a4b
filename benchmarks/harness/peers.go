package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// runPeers sends the gateway's load to an OpenTelemetry Collector that drops
// everything, on this machine and in this run: what the gateway's figures are to
// be held against. The collector acknowledges before anything is safe.
func runPeers(ctx context.Context, e *env) ([]measurement, error) {
	binary, err := buildPeer(ctx, "collector", ".")
	if err != nil {
		return nil, err
	}
	var measured []measurement
	for _, perRequest := range []int{1000, 100, 10} {
		m, err := within(e, func(b *bed) ([]measurement, error) {
			return measureCollector(ctx, e, b, binary, perRequest)
		})
		if err != nil {
			return nil, err
		}
		measured = append(measured, m...)
	}
	return measured, nil
}

func measureCollector(ctx context.Context, e *env, b *bed, binary string, perRequest int) ([]measurement, error) {
	address := cluster.FreePorts(b, 1)[0]
	pid, err := startPeer(ctx, b, address, binary, "--config", "yaml:"+
		"{receivers: {otlp: {protocols: {http: {endpoint: '"+address+"'}}}}, exporters: {nop: {}}, "+
		"service: {telemetry: {metrics: {level: none}, logs: {level: error}}, pipelines: {logs: {receivers: [otlp], exporters: [nop]}}}}")
	if err != nil {
		return nil, err
	}
	costs, _, err := costsOf(ctx, e, address, perRequest, few, pid)
	if err != nil {
		return nil, err
	}
	return []measurement{{
		What:  fmt.Sprintf("OpenTelemetry Collector into nothing, %d per request", perRequest),
		Value: costs[0], Unit: "CPU-s/M",
	}}, nil
}

// buildPeer builds a package of a module below benchmarks/peers. Where there is a C
// compiler it is used, as for the peer's own releases.
func buildPeer(ctx context.Context, module, pkg string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(".cache", module))
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join("benchmarks/peers", module), "-o", binary, pkg)
	build.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "CGO_ENABLED=") })
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w: %s", module, err, out)
	}
	return binary, nil
}

// startPeer runs a peer until the bed is cleaned up, and waits until it listens at the
// address.
func startPeer(ctx context.Context, b *bed, address, binary string, args ...string) (pid int, err error) {
	peer := exec.CommandContext(ctx, binary, args...)
	peer.Stderr = os.Stderr
	if err := peer.Start(); err != nil {
		return 0, err
	}
	b.Cleanup(func() { _ = peer.Process.Kill(); _ = peer.Wait() })
	return peer.Process.Pid, cluster.Eventually(20*time.Second, func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// getJSON reads what an address answers into a value.
func getJSON(ctx context.Context, address string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	return nil
}
