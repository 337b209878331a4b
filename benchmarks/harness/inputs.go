package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// The agent's own inputs of logs: files and syslog, into the embedded broker.
const (
	inputWarm = 200_000
	inputLoad = 2_000_000
)

// accessLine is a line of an access log in the combined format, of 232 bytes
// with its end.
func accessLine(b []byte, i int) []byte {
	start := len(b)
	b = fmt.Appendf(b, `203.0.113.%d - - [21/Nov/2026:12:%02d:%02d +0000] "GET /products/%d/reviews?page=%d&sort=newest HTTP/1.1" %d %d "https://shop.example.com/category/%d" "Mozilla/5.0 (X11; Linux x86_64; rv:1%02d.0) Gecko/20100101 Firefox/1%02d.0`,
		i%250, i/60%60, i%60, i*7919%100_000, i%20, 200+i%7/6*204, i*104729%90_000+1000, i%40, i%40, i%40)
	const length = 232
	for len(b)-start < length-2 {
		b = append(b, 'x')
	}
	return append(b[:start+length-2], '"', '\n')
}

// syslogLine is a message of RFC 5424, of 180 bytes with its end.
func syslogLine(b []byte, i int) []byte {
	start := len(b)
	b = fmt.Appendf(b, `<%d>1 2026-11-21T12:%02d:%02d.%06dZ web-%02d app-%d %d ID%d - request %d of user %d took %d ms and was answered with status %d from cache node `,
		128+i%8, i/60%60, i%60, i%1_000_000, i%20, i%5, 1000+i%50, i%30, i, i*7919%10_000, i*31%900, 200+i%7/6*204)
	const length = 180
	for len(b)-start < length-1 {
		b = append(b, byte('a'+(len(b)+i)%26))
	}
	return append(b[:start+length-1], '\n')
}

// runTail appends lines to a file that the agent reads.
func runTail(_ context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		dir := b.TempDir()
		path, err := filepath.Abs(filepath.Join(dir, "access.log"))
		if err != nil {
			return nil, err
		}
		return e.input(b, fmt.Sprintf("files: {inputs: [{include: [%q], from: beginning, resource: {service.name: web}}]}", path),
			"goshawk_filelog_records_total", "lines of 232 B", 1.5, func(from, n int) error {
				file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					return err
				}
				defer file.Close()
				return inChunks(from, n, accessLine, file.Write)
			})
	})
}

// runSyslog sends messages over two connections of TCP, line by line.
func runSyslog(_ context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		address := cluster.FreePorts(b, 1)[0]
		return e.input(b, fmt.Sprintf("syslog: {tcp: %q}", address), "goshawk_syslog_records_total", "messages of 180 B, TCP", 2.6, func(from, n int) error {
			ended := make(chan error, few)
			for c := range few {
				go func() {
					conn, err := net.Dial("tcp", address)
					if err == nil {
						err = inChunks(from+c*n/few, n/few, syslogLine, conn.Write)
						_ = conn.Close()
					}
					ended <- err
				}()
			}
			var first error
			for range few {
				if err := <-ended; err != nil && first == nil {
					first = err
				}
			}
			return first
		})
	})
}

// inChunks writes lines in pieces of some kilobytes.
func inChunks(from, n int, line func([]byte, int) []byte, write func([]byte) (int, error)) error {
	const chunk = 64 << 10
	var buffer []byte
	for i := from; i < from+n; i++ {
		buffer = line(buffer, i)
		if len(buffer) > chunk || i == from+n-1 {
			if _, err := write(buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
	}
	return nil
}

// input measures an agent, which collects nothing else, from the first line of a
// load until Kafka has acknowledged the last.
func (e *env) input(b *bed, settings, counter, what string, limit float64, load func(from, n int) error) ([]measurement, error) {
	ports := cluster.FreePorts(b, 2)
	metrics := ports[0]
	c := cluster.Start(b, cluster.Options{
		Only: []string{"broker"}, AgentInputs: settings + fmt.Sprintf(", listen: %q", metrics),
		AgentConfig: fmt.Sprintf("receivers: {otlp: {protocols: {http: {endpoint: %q}}}}\nexporters: {debug: {}}\nservice: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}\n", ports[1]),
	})
	c.Launch("agent")
	done := func(n int) error {
		return cluster.Eventually(5*time.Minute, func() error {
			have, err := c.Metric(metrics, counter)
			if err == nil && have < float64(n) {
				err = fmt.Errorf("%v of %d are acknowledged", have, n)
			}
			return err
		})
	}
	if err := done(0); err != nil {
		return nil, err
	}
	warm, n := inputWarm/e.scale, inputLoad/e.scale
	if err := load(0, warm); err != nil {
		return nil, err
	}
	if err := done(warm); err != nil {
		return nil, err
	}
	roles := []string{"agent", "broker"}
	before := make([]usage, len(roles))
	for i, role := range roles {
		var err error
		if before[i], err = usageOf(c.Pid(role)); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if err := load(warm, n); err != nil {
		return nil, err
	}
	if err := done(warm + n); err != nil {
		return nil, err
	}
	took := time.Since(began)
	million := float64(n) / 1e6
	var measured []measurement
	for i, role := range roles {
		after, err := usageOf(c.Pid(role))
		if err != nil {
			return nil, err
		}
		m := measurement{What: what + ", " + role, Value: after.minus(before[i]).CPU / million, Unit: "CPU-s/M"}
		if role == "agent" {
			m.Limit = limit
		}
		measured = append(measured, m)
	}
	return append(measured,
		measurement{What: what + ", peak resident of the agent", Value: float64(peakRSS(c.Pid("agent"))) / mib, Unit: "MiB"},
		measurement{What: what + ", rate", Value: float64(n) / took.Seconds(), Unit: "events/s", Note: "wall clock, lower bound"},
	), nil
}
