// Command harness measures what the project promises and writes the results as
// JSON, with commit and machine, and as a table. CPU-seconds per million events
// come first: they depend least on what else the machine does.
//
// Every process under test is the real binary; its CPU time and memory are read
// from /proc, for the role's process and whatever it started.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// measurement is one figure.
type measurement struct {
	Scenario string  `json:"scenario"`
	What     string  `json:"what"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	// Limit is what the figure must not exceed; 0 for none.
	Limit float64 `json:"limit,omitempty"`
	Note  string  `json:"note,omitempty"`
}

// scenario is one thing that is measured.
type scenario struct {
	name, about string
	run         func(context.Context, *env) ([]measurement, error)
}

// env is what scenarios share.
type env struct {
	binary string
	// scale divides the size of every load, for a quick look.
	scale int
	log   io.Writer
}

var scenarios = []scenario{
	{"decode", "OTLP bytes to rows, one record", runDecode},
	{"gateway", "OTLP/HTTP logs of 485 B, acknowledged by the embedded broker", runGateway},
	{"remotewrite", "Prometheus remote-write, 2,000 samples of 8 labels a request, acknowledged by the embedded broker", runRemoteWrite},
	{"promql", "PromQL over 2,000 series of a day, goshawk and the Prometheus of this machine in turn", runPromQL},
	{"tail", "the agent's file input, lines of 232 B, acknowledged by the embedded broker", runTail},
	{"syslog", "the agent's syslog input, RFC 5424 of 180 B over TCP, acknowledged by the embedded broker", runSyslog},
	{"peers", "the gateway's load into an OpenTelemetry Collector that drops everything", runPeers},
	{"logs", "whole log path without processors, OTLP to ClickHouse, all processes", runLogPath},
	{"logpeer", "the same and VictoriaLogs in turn, three times, medians and their ratio", runLogPeer},
	{"weblogs", "the same with parsing, web hits, visits, findings and patterns of access logs", runWebLogPath},
	{"spans", "whole span path, OTLP to ClickHouse with traces, edges and RED, all processes", runSpanPath},
	{"samples", "whole remote-write path, 20,000 series, 2,000 samples a request, all processes", runRemoteWritePath},
	{"latency", "emit to queryable at 5,000 events/s", runLatency},
	{"disk", "bytes a row in ClickHouse, generator's data", runDisk},
	{"idle", "goshawk up without traffic", runIdle},
	{"behind", "workers start far behind", runBehind},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	binary := flag.String("binary", "bin/goshawk", "the `file` to measure")
	out := flag.String("out", "benchmarks/results", "the `folder` for results")
	only := flag.String("only", strings.Join(names, ","), "the scenarios to run")
	scale := flag.Int("scale", 1, "divide every load by `n`, for a quick look")
	flag.Parse()
	path, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	e := &env{binary: path, scale: max(1, *scale), log: os.Stderr}
	report := struct {
		Time         time.Time     `json:"time"`
		Scale        int           `json:"scale"`
		Machine      machine       `json:"machine"`
		Measurements []measurement `json:"measurements"`
	}{Time: time.Now().UTC().Truncate(time.Second), Scale: e.scale, Machine: readMachine()}
	for _, s := range scenarios {
		if !slices.Contains(strings.Split(*only, ","), s.name) {
			continue
		}
		fmt.Fprintf(e.log, "%-11s %s ...\n", s.name, s.about)
		began := time.Now()
		measured, err := s.run(ctx, e)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		for i := range measured {
			measured[i].Scenario = s.name
		}
		report.Measurements = append(report.Measurements, measured...)
		fmt.Fprintf(e.log, "%-11s took %s\n", s.name, time.Since(began).Round(time.Second))
	}
	table(os.Stdout, report.Measurements)
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(*out, fmt.Sprintf("%s-%s.json", report.Time.Format("20060102-150405"), report.Machine.Commit))
	fmt.Fprintln(e.log, "written to", file)
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func table(w io.Writer, measured []measurement) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\twhat\tvalue\tunit\tlimit\t\tnote")
	for _, m := range measured {
		limit, verdict := "", ""
		if m.Limit > 0 {
			limit, verdict = fmt.Sprintf("%.4g", m.Limit), "ok"
			if m.Value > m.Limit {
				verdict = "OVER"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%.4g\t%s\t%s\t%s\t%s\n", m.Scenario, m.What, m.Value, m.Unit, limit, verdict, m.Note)
	}
	t.Flush()
}
