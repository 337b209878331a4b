package main

import (
	"context"
	"fmt"
	"net/url"
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
	sides := [2]func() ([]measurement, error){
		func() ([]measurement, error) { return runPath(ctx, e, p) },
		func() ([]measurement, error) {
			return within(e, func(b *bed) ([]measurement, error) { return measureVictoriaLogs(ctx, b, binary, p) })
		},
	}
	var figures [len(sides)][]float64
	for range peerRounds {
		for i, run := range sides {
			measured, err := run()
			if err != nil {
				return nil, err
			}
			all := slices.IndexFunc(measured, func(m measurement) bool { return m.What == together+afterMerges })
			figures[i] = append(figures[i], measured[all].Value)
		}
	}
	ours, theirs := medianOf(figures[0]), medianOf(figures[1])
	return []measurement{
		{What: "goshawk" + afterMerges, Value: ours, Unit: "CPU-s/M", Note: fmt.Sprintf("median of %.3g", figures[0])},
		{What: "VictoriaLogs" + afterMerges, Value: theirs, Unit: "CPU-s/M", Note: fmt.Sprintf("median of %.3g", figures[1])},
		{What: "goshawk / VictoriaLogs", Value: ours / theirs, Limit: 0.5},
	}, nil
}

func measureVictoriaLogs(ctx context.Context, b *bed, binary string, p path) ([]measurement, error) {
	address := cluster.FreePorts(b, 1)[0]
	pid, err := startPeer(ctx, b, address, binary, "-storageDataPath", filepath.Join(b.TempDir(), "victorialogs"),
		"-httpListenAddr", address, "-loggerLevel", "ERROR")
	if err != nil {
		return nil, err
	}
	return p.measure(ctx, target{
		address: address + "/insert/opentelemetry",
		roles:   []role{{"VictoriaLogs", pid}},
		stored:  func() (int64, error) { return countVictoriaLogs(ctx, "http://"+address) },
	})
}

// countVictoriaLogs asks for the number of all events.
func countVictoriaLogs(ctx context.Context, server string) (int64, error) {
	var answer struct {
		N int64 `json:"n,string"`
	}
	form := url.Values{"query": {"* | stats count() as n"}}
	err := getJSON(ctx, server+"/select/logsql/query?"+form.Encode(), &answer)
	return answer.N, err
}
