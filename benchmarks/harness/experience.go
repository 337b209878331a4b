package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// runLatency sends a marked log record ten times a second while the shop sends
// 5,000 events a second, and polls until each is there to query.
func runLatency(ctx context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		c := cluster.Start(b, cluster.Options{Up: true})
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		shop := exec.CommandContext(ctx, e.binary, "generate", "--endpoint", "http://"+c.HTTP, "--rate", "5000", "--quiet")
		if err := shop.Start(); err != nil {
			return nil, err
		}
		defer func() { cancel(); _ = shop.Wait() }()
		time.Sleep(10 * time.Second) // until the shop's rate is steady

		probes := 300 / e.scale
		cfg := otlpclient.DefaultConfig()
		cfg.Endpoint = "http://" + c.HTTP
		client, err := otlpclient.New(cfg)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		sent := make([]atomic.Int64, probes)
		delays := make([]time.Duration, probes)
		var wait sync.WaitGroup
		wait.Add(1)
		go func() { // one poller sees all probes: it asks which ones are there
			defer wait.Done()
			found := 0
			deadline := time.Now().Add(2 * time.Minute)
			for found < probes && time.Now().Before(deadline) {
				text, err := c.SQL("SELECT attributes['probe'] FROM logs WHERE bucket >= toStartOfInterval(now() - 3600, INTERVAL 30 MINUTE) AND service = 'latency-probe'")
				now := time.Now()
				if err == nil {
					for line := range strings.FieldsSeq(text) {
						i, err := strconv.Atoi(line)
						if err == nil && i < probes && delays[i] == 0 {
							delays[i] = now.Sub(time.Unix(0, sent[i].Load()))
							found++
						}
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		for i := range probes {
			body := probeLog(i)
			sent[i].Store(time.Now().UnixNano())
			if _, err := client.Send(ctx, otlpclient.Request{Signal: telemetry.Logs, Body: body, Events: 1}); err != nil {
				return nil, err
			}
			time.Sleep(100 * time.Millisecond)
		}
		wait.Wait()
		slices.Sort(delays)
		if delays[0] == 0 {
			return nil, fmt.Errorf("some probes never became queryable")
		}
		at := func(q float64) float64 { return delays[int(q*float64(probes-1))].Seconds() * 1000 }
		return []measurement{
			{What: "p50", Value: at(.5), Unit: "ms", Limit: 700},
			{What: "p99", Value: at(.99), Unit: "ms", Limit: 2000},
			{What: "max", Value: at(1), Unit: "ms", Note: fmt.Sprintf("%d probes", probes)},
		}, nil
	})
}

// runDisk stores half an hour of the shop and asks for the size of each table
// after its parts were merged.
func runDisk(ctx context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		c := cluster.Start(b, cluster.Options{Up: true})
		events := 3_000_000 / e.scale
		out, err := exec.CommandContext(ctx, e.binary, "generate", "--endpoint", "http://"+c.HTTP,
			"--rate", "0", "--events", strconv.Itoa(events), "--quiet").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		if err := cluster.Eventually(5*time.Minute, func() error {
			_, err := c.Run(ctx, "audit")
			return err
		}); err != nil {
			return nil, err
		}
		var measured []measurement
		for _, group := range []struct {
			name  string
			limit float64
			// tables are those whose bytes count, for each row of the first.
			tables []string
		}{
			{"logs", 60, []string{"logs"}},
			{"spans", 60, []string{"spans"}},
			{"spans with traces, edges, operations and clock offsets", 70, []string{"spans", "traces", "edges_1m", "operations_1m", "clock_offsets"}},
			{"samples", 5, []string{"samples"}},
			{"histograms", 0, []string{"histograms"}},
			{"exponential_histograms", 0, []string{"exponential_histograms"}},
			{"series", 0, []string{"series"}},
		} {
			var rows, bytes float64
			for i, table := range group.tables {
				n, size, err := merged(c, table)
				if err != nil {
					return nil, err
				}
				bytes += size
				if i == 0 {
					rows = n
				}
			}
			if rows == 0 {
				continue
			}
			measured = append(measured, measurement{
				What: group.name, Value: bytes / rows, Unit: "B/row", Limit: group.limit,
				Note: fmt.Sprintf("%.0f rows, skip indexes included", rows),
			})
		}
		return measured, nil
	})
}

// merged merges the parts of a table and returns its rows and their size.
func merged(c *cluster.Cluster, table string) (rows, bytes float64, err error) {
	where := " FROM system.parts WHERE active AND database = 'goshawk' AND table = '" + table + "'"
	// A statement does nothing where a merge is under way.
	err = cluster.Eventually(time.Minute, func() error {
		if out, err := c.Admin("OPTIMIZE TABLE " + table + " FINAL"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		several, err := c.Admin("SELECT count() - uniqExact(partition)" + where)
		if err == nil && strings.TrimSpace(several) != "0" {
			err = fmt.Errorf("%s has %s more parts than partitions", table, strings.TrimSpace(several))
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	text, err := c.Admin("SELECT sum(rows), sum(data_compressed_bytes) + sum(secondary_indices_compressed_bytes)" + where)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(text, &rows, &bytes); err != nil {
		return 0, 0, fmt.Errorf("reading %q: %w", text, err)
	}
	return rows, bytes, nil
}

// runIdle starts everything twice, the second time with data, and lets it idle.
func runIdle(ctx context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		c := cluster.Start(b, cluster.Options{Up: true})
		if _, err := send(ctx, c.HTTP, benchLogs(100_000/e.scale, 1000, 1), few); err != nil {
			return nil, err
		}
		if err := waitRows(rowsOf(c, "logs"), 100_000/e.scale); err != nil {
			return nil, err
		}
		if _, err := c.Terminate("up", 10*time.Second); err != nil {
			return nil, fmt.Errorf("stopping: %w", err)
		}
		began := time.Now()
		c.Launch("up")
		c.WaitReady("gateway")
		c.WaitReady("query")
		ready := time.Since(began)
		time.Sleep(20 * time.Second)
		from, err := usageOf(c.Pid("up"))
		if err != nil {
			return nil, err
		}
		time.Sleep(20 * time.Second)
		to, err := usageOf(c.Pid("up"))
		if err != nil {
			return nil, err
		}
		return []measurement{
			{What: "ready, warm", Value: ready.Seconds(), Unit: "s", Limit: 5},
			{What: "resident, all processes", Value: float64(to.RSS) / mib, Unit: "MiB", Limit: 700},
			{What: "CPU", Value: to.minus(from).CPU / 20 * 100, Unit: "% of a core"},
		}, nil
	})
}

// runBehind fills Kafka while no worker runs, then starts the worker and
// watches the memory of everything until it has caught up.
func runBehind(ctx context.Context, e *env) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		c := cluster.Start(b, cluster.Options{})
		c.Kill("process")
		const rate, parts = 1000, 6
		events := int(time.Hour.Seconds()) * rate / e.scale
		load := benchConfig(events/parts, 1000, 0)
		load.Apart = time.Hour / time.Duration(events)
		load.Start = time.Now().Add(-time.Hour)
		for part := range parts {
			load.Seed = uint64(part)
			if _, err := send(ctx, c.HTTP, shop.BenchLogs(load), few); err != nil {
				return nil, err
			}
			load.Start = load.Start.Add(time.Hour / parts)
		}
		c.Launch("process")
		roles := rolesOf(c)
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- waitRows(rowsOf(c, "logs"), events/parts*parts) }()
		var peak, peakSummed int64
		for {
			select {
			case err := <-done:
				if err != nil {
					return nil, err
				}
				return []measurement{
					{What: "peak resident, all processes", Value: float64(peak) / mib, Unit: "MiB", Limit: 1536, Note: "pages that processes share counted once"},
					{What: "peak resident, summed", Value: float64(peakSummed) / mib, Unit: "MiB", Note: "shared pages counted for each process"},
					{What: "caught up at", Value: float64(events) / time.Since(began).Seconds(), Unit: "events/s", Note: "wall clock, lower bound"},
				}, nil
			case <-time.After(200 * time.Millisecond):
				u, err := usages(roles)
				if err != nil {
					return nil, err
				}
				var resident int64
				for _, role := range roles {
					share := proportional(role.pid)
					if share == 0 {
						return nil, fmt.Errorf("the kernel does not say what memory %s has", role.name)
					}
					resident += share
				}
				peak, peakSummed = max(peak, resident), max(peakSummed, u.RSS)
			}
		}
	})
}
