package probe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

// BenchmarkProbes sends b.N probes through all of the receiver but the clock:
// workers, protocol, points, span, batches, for both pipelines. Servers run in
// the same process, so their time counts, too. The figure is how many probes a
// second one core does.
func BenchmarkProbes(b *testing.B) {
	b.Run("tcp", func(b *testing.B) {
		var targets []string
		// Many addresses, because each connection keeps its port for a while.
		for i := range 50 {
			targets = append(targets, transporttest.Listen(b, "tcp", fmt.Sprintf("127.0.1.%d:0", i+1), nil))
		}
		benchmark(b, "tcp_connect", targets)
	})
	b.Run("http", func(b *testing.B) {
		var targets []string
		for i := range 50 {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.1.%d:0", i+1))
			if err != nil {
				b.Fatal(err)
			}
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("well"))
			}))
			_ = s.Listener.Close()
			s.Listener = l
			s.Start()
			b.Cleanup(s.Close)
			targets = append(targets, s.URL)
		}
		benchmark(b, "http_2xx", targets)
	})
}

// BenchmarkSchedule probes 2,000 targets a second by the clock for a while, and
// says how much of a core that takes and how many ticks were skipped.
func BenchmarkSchedule(b *testing.B) {
	const n, lasts = 2000, 5 * time.Second
	cfg := DefaultConfig()
	for i := range 50 {
		// The targets of one address are told apart by their names.
		address := transporttest.Listen(b, "tcp", fmt.Sprintf("127.0.2.%d:0", i+1), nil)
		for k := range n / 50 {
			cfg.Targets = append(cfg.Targets, Target{Name: fmt.Sprint("probe-", k), Target: address, Module: "tcp_connect", Interval: time.Second})
		}
	}
	for b.Loop() {
		var ran, skipped atomic.Int64
		r, err := newReceiver(receivertest.NewNopSettings(Type), cfg)
		if err != nil {
			b.Fatal(err)
		}
		r.metrics, r.traces = consumertest.NewNop(), consumertest.NewNop()
		r.scheduler.run = func(ctx context.Context, j *job) {
			r.probe(ctx, j)
			ran.Add(1)
		}
		r.scheduler.skipped = func(_ *job, ticks int) { skipped.Add(int64(ticks)) }
		before := observetest.CPUTime(b)
		if err := r.Start(b.Context(), componenttest.NewNopHost()); err != nil {
			b.Fatal(err)
		}
		time.Sleep(lasts)
		if err := r.Shutdown(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(ran.Load())/lasts.Seconds(), "probes/s")
		b.ReportMetric(float64(skipped.Load()), "skipped")
		b.ReportMetric(100*(observetest.CPUTime(b)-before).Seconds()/lasts.Seconds(), "core-%")
	}
}

func benchmark(b *testing.B, module string, targets []string) {
	cfg := DefaultConfig()
	r, err := newReceiver(receivertest.NewNopSettings(Type), cfg)
	if err != nil {
		b.Fatal(err)
	}
	sink := consumertest.NewNop()
	r.metrics, r.traces = sink, sink
	if err := r.Start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	jobs := make([]*job, len(targets))
	for i, target := range targets {
		jobs[i] = &job{Target: Target{Target: target, Module: module, Name: "probe", Timeout: 10 * time.Second}, module: r.modules[module]}
	}
	var next, failed atomic.Int64
	run := func(j *job) {
		result := j.module.Probe(b.Context(), j.Target.Target, j.Timeout, false)
		if result.Failure != nil && failed.Add(1) == 1 {
			b.Error(strings.Join([]string{"a probe failed:", result.Failure.Type, result.Failure.Error()}, " "))
		}
		r.batches.add(b.Context(), finding{Result: result, site: cfg.Site, name: j.Name})
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := observetest.CPUTime(b)
	var group sync.WaitGroup
	for range cfg.Concurrency {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				run(jobs[int(i)%len(jobs)])
			}
		})
	}
	group.Wait()
	if err := r.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
	used := observetest.CPUTime(b) - before
	b.StopTimer()
	if used > 0 {
		b.ReportMetric(float64(b.N)/used.Seconds(), "probes/cpu-s")
	}
}
