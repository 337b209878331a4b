package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// peerRounds is odd, so that a median is one of the figures.
const peerRounds = 3

// runLogPeer sends the log path's load to goshawk and to VictoriaLogs in turn. Their
// ratio hardly depends on how fast the machine is in that hour. VictoriaLogs has
// its defaults; it acknowledges what a kill within the next seconds loses.
func runLogPeer(ctx context.Context, e *env) ([]measurement, error) {
	binary, err := buildPeer(ctx, "victorialogs", "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs")
	if err != nil {
		return nil, err
	}
	p := logPath(e)
	p.limit = 0
	var ours, theirs []float64
	for range peerRounds {
		for _, side := range []struct {
			figures *[]float64
			run     func() ([]measurement, error)
		}{
			{&ours, func() ([]measurement, error) { return runPath(ctx, e, p) }},
			{&theirs, func() ([]measurement, error) {
				return within(e, func(b *bed) ([]measurement, error) { return measureVictoriaLogs(ctx, b, binary, p) })
			}},
		} {
			measured, err := side.run()
			if err != nil {
				return nil, err
			}
			*side.figures = append(*side.figures, together(measured))
		}
	}
	a, b := medianOf(ours), medianOf(theirs)
	return []measurement{
		{What: "goshawk, merges settled", Value: a, Unit: "CPU-s/M", Note: fmt.Sprintf("median of %.3g", ours)},
		{What: "VictoriaLogs, merges settled", Value: b, Unit: "CPU-s/M", Note: fmt.Sprintf("median of %.3g", theirs)},
		{What: "goshawk / VictoriaLogs", Value: a / b, Limit: 0.5},
	}, nil
}

// together is what a path took altogether.
func together(measured []measurement) float64 {
	i := slices.IndexFunc(measured, func(m measurement) bool { return m.What == "all processes, merges settled" })
	return measured[i].Value
}

func measureVictoriaLogs(ctx context.Context, b *bed, binary string, p path) ([]measurement, error) {
	address := cluster.FreePorts(b, 1)[0]
	server := exec.CommandContext(ctx, binary, "-storageDataPath", filepath.Join(b.TempDir(), "victorialogs"),
		"-httpListenAddr", address, "-loggerLevel", "ERROR")
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	if err := reachable(address); err != nil {
		return nil, err
	}
	return p.measure(ctx, target{
		address: address + "/insert/opentelemetry",
		roles:   []role{{"VictoriaLogs", server.Process.Pid}},
		stored:  func() (int64, error) { return countVictoriaLogs(ctx, address) },
	})
}

// countVictoriaLogs asks for the number of all events.
func countVictoriaLogs(ctx context.Context, address string) (int64, error) {
	u := url.URL{
		Scheme: "http", Host: address, Path: "/select/logsql/query",
		RawQuery: url.Values{"query": {"* | stats count() as n"}}.Encode(),
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	var answer struct {
		N int64 `json:"n,string"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("%s: %s: %w", response.Status, body, err)
	}
	return answer.N, nil
}
