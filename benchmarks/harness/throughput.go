package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// settle is how long background merges may go on after the last event before a
// path's CPU time is read, as for the peers' figures.
const settle = 15 * time.Second

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s.*?([\d.]+) ns/record.*?(\d+) allocs/op`)

func runDecode(ctx context.Context, _ *env) ([]measurement, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "./telemetry/otlp", "-run", "^$", "-bench", "^BenchmarkDecode(Logs|Spans)", "-benchmem", "-benchtime", "1s")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	var measured []measurement
	for _, m := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		allocs, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		measured = append(measured,
			measurement{What: m[1], Value: ns, Unit: "ns/record", Limit: limitOf(m[1], 250)},
			measurement{What: m[1] + " allocations", Value: allocs, Unit: "allocs/request"})
	}
	if measured == nil {
		return nil, fmt.Errorf("no benchmark line in: %s", out)
	}
	return measured, nil
}

// limitOf holds our own decoder to the limit, and not the yardstick beside it.
func limitOf(name string, limit float64) float64 {
	if regexp.MustCompile(`pdata`).MatchString(name) {
		return 0
	}
	return limit
}

func runGateway(ctx context.Context, e *env) ([]measurement, error) {
	var measured []measurement
	for _, c := range []struct {
		perRequest, connections int
		limit                   float64
	}{{1000, few, 1.3}, {100, few, 2.0}, {10, few, 4.0}, {10, 32, 0}} {
		m, err := within(e, func(b *bed) ([]measurement, error) {
			cl := cluster.Start(b, cluster.Options{Only: []string{"broker", "gateway"}})
			costs, rate, err := costsOf(ctx, e, cl.HTTP, c.perRequest, c.connections, cl.Pid("gateway"), cl.Pid("broker"))
			if err != nil {
				return nil, err
			}
			what := fmt.Sprintf("%d per request, %d connections", c.perRequest, c.connections)
			return []measurement{
				{What: what, Value: costs[0], Unit: "CPU-s/M", Limit: c.limit},
				{What: what + ", broker", Value: costs[1], Unit: "CPU-s/M"},
				{What: what + ", peak resident", Value: float64(peakRSS(cl.Pid("gateway"))) / mib, Unit: "MiB", Limit: 100},
				{What: what + ", rate", Value: rate, Unit: "events/s", Note: "wall clock, lower bound"},
			}, nil
		})
		if err != nil {
			return nil, err
		}
		measured = append(measured, m...)
	}
	return measured, nil
}

// costsOf sends a million log records to the address, after a tenth of that to
// warm up. It returns the CPU-seconds per million events of each process tree,
// and events per second.
func costsOf(ctx context.Context, e *env, address string, perRequest, connections int, pids ...int) ([]float64, float64, error) {
	events := 1_000_000 / e.scale
	warm, load := benchLogs(events/10, perRequest, 1), benchLogs(events, perRequest, 2)
	if _, err := send(ctx, address, warm, connections); err != nil {
		return nil, 0, err
	}
	before := make([]usage, len(pids))
	for i, pid := range pids {
		var err error
		if before[i], err = usageOf(pid); err != nil {
			return nil, 0, err
		}
	}
	took, err := send(ctx, address, load, connections)
	if err != nil {
		return nil, 0, err
	}
	costs := make([]float64, len(pids))
	for i, pid := range pids {
		after, err := usageOf(pid)
		if err != nil {
			return nil, 0, err
		}
		costs[i] = after.minus(before[i]).CPU / (float64(events) / 1e6)
	}
	return costs, float64(events) / took.Seconds(), nil
}

// A path is warm when every process has the memory that it works in: a batch of
// 100,000 events in each worker, and one in each connection.
const (
	pathWarm = 500_000
	pathLoad = 2_000_000
)

func runLogPath(ctx context.Context, e *env) ([]measurement, error) {
	return runPath(ctx, e, logPath(e))
}

func logPath(e *env) path {
	warm, n := pathWarm/e.scale, pathLoad/e.scale
	p := otlpPath("logs", 5.5, benchLogs(warm, 1000, 1), benchLogs(n, 1000, 2), warm, n)
	p.config = "pipelines: {logs: {processors: []}}"
	return p
}

// runWebLogPath is the same with everything that is made of logs. All of them are
// lines of access logs, which is what costs most.
func runWebLogPath(ctx context.Context, e *env) ([]measurement, error) {
	warm, n := pathWarm/e.scale, pathLoad/e.scale
	p := otlpPath("logs", 0, benchLogs(warm, 1000, 1), benchLogs(n, 1000, 2), warm, n)
	return runPath(ctx, e, p)
}

func runSpanPath(ctx context.Context, e *env) ([]measurement, error) {
	warm, n := pathWarm/e.scale, pathLoad/e.scale
	return runPath(ctx, e, otlpPath("spans", 8, benchSpans(warm, 512, 1), benchSpans(n, 512, 2), warm, n))
}

// path is a load for all processes together.
type path struct {
	table              string  // where the events arrive
	config             string  // settings that differ from the defaults
	limit              float64 // CPU-s/M
	warm, load         func(ctx context.Context, address string) error
	warmEvents, events int
}

func otlpPath(table string, limit float64, warm, load []otlpclient.Request, warmEvents, events int) path {
	sender := func(requests []otlpclient.Request) func(context.Context, string) error {
		return func(ctx context.Context, address string) error {
			_, err := send(ctx, address, requests, few)
			return err
		}
	}
	return path{
		table: table, limit: limit, warm: sender(warm), load: sender(load), warmEvents: warmEvents, events: events,
	}
}

// target is what a path is measured on.
type target struct {
	address string
	roles   []role
	// stored is how many events can be queried.
	stored func() (int64, error)
}

// runPath measures all processes of a cluster.
func runPath(ctx context.Context, e *env, p path) ([]measurement, error) {
	return within(e, func(b *bed) ([]measurement, error) {
		c := cluster.Start(b, cluster.Options{Config: p.config})
		return p.measure(ctx, target{address: c.HTTP, roles: rolesOf(c), stored: rowsOf(c, p.table)})
	})
}

// The figure of all processes is called together, and afterMerges behind it where
// merges have settled.
const (
	together    = "all processes"
	afterMerges = ", merges settled"
)

// measure measures a target from the first request until every event is stored
// and merges have settled, less what it uses when idle.
func (p path) measure(ctx context.Context, t target) ([]measurement, error) {
	if err := p.warm(ctx, t.address); err != nil {
		return nil, err
	}
	if err := waitRows(t.stored, p.warmEvents); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	idleFrom, err := usages(t.roles)
	if err != nil {
		return nil, err
	}
	idleBegan := time.Now()
	time.Sleep(10 * time.Second)
	idleTo, err := usages(t.roles)
	if err != nil {
		return nil, err
	}
	idleRate := idleTo.minus(idleFrom).CPU / time.Since(idleBegan).Seconds()

	before := make([]usage, len(t.roles))
	for i, r := range t.roles {
		if before[i], err = usageOf(r.pid); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if err := p.load(ctx, t.address); err != nil {
		return nil, err
	}
	if err := waitRows(t.stored, p.warmEvents+p.events); err != nil {
		return nil, err
	}
	stored := time.Since(began)
	var measured []measurement
	million := float64(p.events) / 1e6
	read := func(suffix string, limit float64) error {
		var total float64
		for i, r := range t.roles {
			u, err := usageOf(r.pid)
			if err != nil {
				return err
			}
			cpu := u.minus(before[i]).CPU
			total += cpu
			measured = append(measured, measurement{What: r.name + suffix, Value: cpu / million, Unit: "CPU-s/M"})
		}
		idle := idleRate * time.Since(began).Seconds()
		measured = append(measured, measurement{
			What: together + suffix, Value: (total - idle) / million, Unit: "CPU-s/M", Limit: limit,
			Note: fmt.Sprintf("less %.2f CPU-s that they use when idle", idle),
		})
		return nil
	}
	if err := read("", 0); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	if err := read(afterMerges, p.limit); err != nil {
		return nil, err
	}
	return append(measured, measurement{
		What: "rate until stored", Value: float64(p.events) / stored.Seconds(), Unit: "events/s", Note: "wall clock, lower bound",
	}), nil
}

// rowsOf counts a table's rows.
func rowsOf(c *cluster.Cluster, table string) func() (int64, error) {
	return func() (int64, error) { return c.Count("SELECT count() FROM " + table) }
}

// waitRows waits until so many events are stored. It does not ask often, since its
// questions are measured, too.
func waitRows(stored func() (int64, error), events int) error {
	const pause = 250 * time.Millisecond
	return cluster.Eventually(5*time.Minute, func() error {
		time.Sleep(pause)
		n, err := stored()
		if err != nil {
			return err
		}
		if n < int64(events) {
			return fmt.Errorf("%d events are stored, want %d", n, events)
		}
		return nil
	})
}
