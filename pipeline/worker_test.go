package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newPartition(n int) (*pipelinetest.Partition, []string) {
	p := &pipelinetest.Partition{Topic: "logs", Number: 3}
	var rows []string
	for i := range n {
		row := fmt.Sprintf("event %d", i)
		rows = append(rows, row)
		p.Records = append(p.Records, telemetry.Record{Offset: int64(i), Tenant: "default", Declared: 1, ReceiveTime: 1, Value: []byte(row)})
	}
	return p, rows
}

func noPause(context.Context, int) {}

func newWorker(source pipeline.Source, sinks ...pipeline.Sink) *pipeline.Worker {
	w := &pipeline.Worker{
		Source: source, Decode: pipelinetest.Decode, Log: quiet, Pause: noPause,
		Metrics: pipeline.NewWorkerMetrics(prometheus.NewRegistry()),
	}
	for i, s := range sinks {
		w.Sinks = append(w.Sinks, pipeline.NamedSink{Name: fmt.Sprintf("sink%d", i), Sink: s})
	}
	return w
}

// run runs a worker until the partition is at its end.
func run(w *pipeline.Worker) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := w.Run(ctx)
	if errors.Is(err, context.Canceled) {
		return nil // the end of the partition
	}
	return err
}

// TestCrashes crashes at random steps, as often as it likes, and starts again.
// Every event must be stored exactly once.
func TestCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows := newPartition(rapid.IntRange(1, 40).Draw(t, "records"))
		var first, second pipelinetest.ModelSink
		crashes := rapid.IntRange(0, 12).Draw(t, "crashes")
		maybe := func(step string) bool {
			if crashes > 0 && rapid.IntRange(0, 4).Draw(t, step) == 0 {
				crashes--
				return true
			}
			return false
		}
		failures := 0
		sinkStep := func(step string) func(*telemetry.Batch) error {
			return func(*telemetry.Batch) error {
				if maybe("crash " + step) {
					panic(pipelinetest.ErrCrash)
				}
				if failures < 20 && rapid.IntRange(0, 5).Draw(t, "fail "+step) == 0 {
					failures++
					return errors.New("temporary")
				}
				return nil
			}
		}
		for _, s := range []*pipelinetest.ModelSink{&first, &second} {
			s.Before, s.After = sinkStep("before"), sinkStep("after")
		}
		for restarts := 0; ; restarts++ {
			source := p.Source(func() int { return rapid.IntRange(1, 9).Draw(t, "size") })
			source.At = func(step string) error {
				if maybe(step) {
					return pipelinetest.ErrCrash
				}
				return nil
			}
			w := newWorker(source, &first, &second)
			w.Processors = []pipeline.NamedProcessor{{Name: "crash", Processor: processorFunc(func(*telemetry.Batch) error {
				if maybe("process") {
					return pipelinetest.ErrCrash
				}
				return nil
			})}}
			err := run(w)
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), pipelinetest.ErrCrash.Error()) {
				t.Fatal(err)
			}
		}
		for _, s := range []*pipelinetest.ModelSink{&first, &second} {
			if wrong := s.Check(rows); len(wrong) > 0 {
				t.Fatalf("%s", strings.Join(wrong, "\n"))
			}
		}
	})
}

type processorFunc func(*telemetry.Batch) error

func (f processorFunc) Process(_ context.Context, b *telemetry.Batch) error { return f(b) }

// TestModelNoticesDoubles makes sure that the test above can fail: without
// plans, blocks are formed differently after a crash.
func TestModelNoticesDoubles(t *testing.T) {
	p, rows := newPartition(20)
	var sink pipelinetest.ModelSink
	size := 5
	crashed := false
	source := p.Source(func() int { return size })
	source.At = func(step string) error {
		if step == "commit" && !crashed {
			crashed = true
			return pipelinetest.ErrCrash
		}
		return nil
	}
	if err := run(newWorker(source, &sink)); !errors.Is(err, pipelinetest.ErrCrash) {
		t.Fatal(err)
	}
	p.Planned, size = 0, 7 // the plan is forgotten
	if err := run(newWorker(p.Source(func() int { return size }), &sink)); err != nil {
		t.Fatal(err)
	}
	if wrong := sink.Check(rows); len(wrong) == 0 {
		t.Error("the model sink does not notice doubled rows")
	}
}

func TestBugsStopTheWorker(t *testing.T) {
	for name, process := range map[string]func(*telemetry.Batch) error{
		"error": func(*telemetry.Batch) error { return errors.New("a bug") },
		"panic": func(b *telemetry.Batch) error { _ = b.Logs[1000]; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPartition(10)
			var sink pipelinetest.ModelSink
			w := newWorker(p.Source(func() int { return 5 }), &sink)
			w.Processors = []pipeline.NamedProcessor{{Name: "buggy", Processor: processorFunc(process)}}
			if err := w.Run(t.Context()); err == nil {
				t.Fatal("the worker goes on")
			}
			if p.Committed != 0 || sink.Len() != 0 {
				t.Errorf("committed %d, stored %d, want nothing", p.Committed, sink.Len())
			}
		})
	}
}

func TestLostPartition(t *testing.T) {
	p, rows := newPartition(10)
	var sink pipelinetest.ModelSink
	old := p.Source(func() int { return 3 })
	sink.After = func(*telemetry.Batch) error {
		sink.After = nil
		// Another member takes over and works through the partition.
		return run(newWorker(p.Source(func() int { return 4 }), &sink))
	}
	if err := newWorker(old, &sink).Run(t.Context()); err != nil {
		t.Fatalf("a lost partition is not an error: %v", err)
	}
	if wrong := sink.Check(rows); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	if sink.Replays != 1 {
		t.Errorf("%d replays, want 1", sink.Replays)
	}
}

func TestRetriesUntilContextEnds(t *testing.T) {
	p, _ := newPartition(10)
	reg := prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	sink := &pipelinetest.ModelSink{Before: func(*telemetry.Batch) error {
		if attempts++; attempts == 5 {
			cancel()
		}
		return errors.New("engine is down")
	}}
	w := newWorker(p.Source(func() int { return 5 }), sink)
	w.Metrics = pipeline.NewWorkerMetrics(reg)
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if p.Committed != 0 || attempts != 5 {
		t.Errorf("committed %d after %d attempts", p.Committed, attempts)
	}
	want := `# HELP goshawk_pipeline_retried_total Writes to a sink that failed and were repeated.
# TYPE goshawk_pipeline_retried_total counter
goshawk_pipeline_retried_total{partition="3",sink="sink0",topic="logs"} 4
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "goshawk_pipeline_retried_total"); err != nil {
		t.Error(err)
	}
	w.Metrics.Forget("logs", 3)
	if n, err := testutil.GatherAndCount(reg, "goshawk_pipeline_retried_total", "goshawk_pipeline_batches_total"); err != nil || n != 0 {
		t.Errorf("%d series are left of a lost partition, %v", n, err)
	}
}

func BenchmarkWorkerLoop(b *testing.B) {
	p, _ := newPartition(b.N)
	w := newWorker(p.Source(func() int { return 100 }), sinkFunc(func(*telemetry.Batch) error { return nil }))
	b.ReportAllocs()
	b.ResetTimer()
	if err := run(w); err != nil {
		b.Fatal(err)
	}
}

type sinkFunc func(*telemetry.Batch) error

func (f sinkFunc) Write(_ context.Context, b *telemetry.Batch) error { return f(b) }
