package pipeline_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// chained is a processor whose rows depend on every record before: it adds a hash
// of all of them to each.
type chained struct{ hash uint64 }

func (c *chained) Process(_ context.Context, b *telemetry.Batch) error {
	for i := range b.Logs {
		for _, x := range []byte(b.Logs[i].Body.Str) {
			c.hash = (c.hash ^ uint64(x)) * 1099511628211
		}
		b.Logs[i].Body = telemetry.StringValue(fmt.Sprintf("%s after %x", b.Logs[i].Body.Str, c.hash))
	}
	return nil
}

func (c *chained) Snapshot(dst []byte) []byte { return binary.LittleEndian.AppendUint64(dst, c.hash) }

func (c *chained) Restore(src []byte) error {
	c.hash = 0
	switch len(src) {
	case 0:
		return nil
	case 8:
		c.hash = binary.LittleEndian.Uint64(src)
		return nil
	}
	return errors.New("not eight bytes")
}

func (c *chained) Held() (items, bytes int64) { return 1, 8 }

// undisturbed are the rows of a run without any trouble.
func undisturbed(t interface{ Fatal(...any) }, records int) []string {
	p, _ := newPartition(records)
	var sink pipelinetest.ModelSink
	w := newWorker(p.Source(func() int { return 1 }), &sink)
	w.Processors = []pipeline.NamedProcessor{{Name: "chained", Processor: new(chained)}}
	if err := run(w); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for row := range sink.Stored() {
		rows = append(rows, row)
	}
	return rows
}

// TestStateCrashes crashes at random steps, with snapshots that cannot be saved,
// cannot be read or are damaged. Every row must be that of an undisturbed run.
func TestStateCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.IntRange(1, 60).Draw(t, "records")
		p, _ := newPartition(records)
		want := undisturbed(t, records)
		var sink pipelinetest.ModelSink
		crashes, failures := rapid.IntRange(0, 12).Draw(t, "crashes"), 0
		maybe := func(step string) bool {
			if crashes > 0 && rapid.IntRange(0, 4).Draw(t, step) == 0 {
				crashes--
				return true
			}
			return false
		}
		sink.Before = func(*telemetry.Batch) error {
			if maybe("before") {
				panic(pipelinetest.ErrCrash)
			}
			return nil
		}
		sink.After = sink.Before
		store := &pipelinetest.Snapshots{Fail: func(step string) error {
			if failures < 20 && rapid.IntRange(0, 3).Draw(t, step) == 0 {
				failures++
				return errors.New("temporary")
			}
			return nil
		}}
		// The first is never damaged: it is what everything else falls back to.
		store.Damage = func(s *pipeline.Snapshot) {
			if len(s.States) > 0 && rapid.IntRange(0, 3).Draw(t, "damage") == 0 {
				s.States[0].Bytes = s.States[0].Bytes[:7]
			}
		}
		for {
			source := p.Source(func() int { return rapid.IntRange(1, 9).Draw(t, "size") })
			source.At = func(step string) error {
				if maybe(step) {
					return pipelinetest.ErrCrash
				}
				return nil
			}
			w := newWorker(source, &sink)
			w.Snapshots = store
			w.State = pipeline.StateConfig{IntervalBytes: 200}
			w.Processors = []pipeline.NamedProcessor{{Name: "chained", Processor: new(chained)}}
			err := run(w)
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), pipelinetest.ErrCrash.Error()) {
				t.Fatal(err)
			}
		}
		if wrong := sink.Check(want); len(wrong) > 0 {
			t.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}

// TestStateStarts begins with what there may be: nothing, a snapshot, one of
// which records have gone, and none although records were read.
func TestStateStarts(t *testing.T) {
	work := func(p *pipelinetest.Partition, store *pipelinetest.Snapshots, replay int64) (*pipelinetest.ModelSink, *pipeline.WorkerMetrics, *prometheus.Registry) {
		t.Helper()
		sink := new(pipelinetest.ModelSink)
		w := newWorker(p.Source(func() int { return 3 }), sink)
		reg := prometheus.NewRegistry()
		w.Metrics = pipeline.NewWorkerMetrics(reg)
		w.Snapshots, w.State = store, pipeline.StateConfig{IntervalBytes: 500, ReplayRecords: replay}
		w.Processors = []pipeline.NamedProcessor{{Name: "chained", Processor: new(chained)}}
		if err := run(w); err != nil {
			t.Fatal(err)
		}
		return sink, w.Metrics, reg
	}
	more := func(p *pipelinetest.Partition, n int) {
		for range n {
			at := len(p.Records)
			p.Records = append(p.Records, telemetry.Record{Offset: int64(at), Tenant: "default", Declared: 1, ReceiveTime: 1, Value: []byte(fmt.Sprintf("event %d", at))})
		}
	}
	want := map[string]bool{}
	for _, row := range undisturbed(t, 100) {
		want[row] = true
	}
	check := func(sink *pipelinetest.ModelSink, reg *prometheus.Registry, how string, rows int, right bool) {
		t.Helper()
		if err := testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(`# HELP goshawk_state_starts_total Partitions that were begun with, by where the state came from: fresh, snapshot, gap (records since the snapshot are gone), replay or empty (there was no snapshot).
# TYPE goshawk_state_starts_total counter
goshawk_state_starts_total{how=%q,topic="logs"} 1
`, how)), "goshawk_state_starts_total"); err != nil {
			t.Error(err)
		}
		n := 0
		for row, times := range sink.Stored() {
			n += times
			if want[row] != right {
				t.Fatalf("%s: %q is as in an undisturbed run: %t", how, row, want[row])
			}
		}
		if n != rows {
			t.Errorf("%s: %d rows, want %d", how, n, rows)
		}
	}
	p, _ := newPartition(30)
	store := new(pipelinetest.Snapshots)
	sink, _, reg := work(p, store, 0)
	check(sink, reg, "fresh", 30, true)
	if store.Len() < 3 {
		t.Errorf("%d snapshots of 30 records", store.Len())
	}
	more(p, 20)
	sink, _, reg = work(p, store, 0)
	check(sink, reg, "snapshot", 20, true)

	more(p, 20)
	p.First = p.Committed
	sink, _, reg = work(p, store, 0)
	check(sink, reg, "gap", 20, false)

	// All of it is read again, and nothing of that is stored.
	p.First = 0
	more(p, 10)
	sink, _, reg = work(p, new(pipelinetest.Snapshots), 1000)
	check(sink, reg, "replay", 10, true)
	more(p, 10)
	sink, _, reg = work(p, new(pipelinetest.Snapshots), 5)
	check(sink, reg, "replay", 10, false)
	more(p, 10)
	sink, _, reg = work(p, new(pipelinetest.Snapshots), 0)
	check(sink, reg, "empty", 10, false)
}

// TestStateOfProcessors lets a processor be added, which begins empty while the
// others go on.
func TestStateOfProcessors(t *testing.T) {
	p, _ := newPartition(20)
	store := new(pipelinetest.Snapshots)
	w := newWorker(p.Source(func() int { return 5 }), new(pipelinetest.ModelSink))
	w.Snapshots, w.State = store, pipeline.StateConfig{IntervalBytes: 1}
	first := new(chained)
	w.Processors = []pipeline.NamedProcessor{{Name: "chained", Processor: first}}
	if err := run(w); err != nil {
		t.Fatal(err)
	}
	again, added := new(chained), new(chained)
	w = newWorker(p.Source(func() int { return 5 }), new(pipelinetest.ModelSink))
	w.Snapshots, w.State = store, pipeline.StateConfig{IntervalBytes: 1}
	w.Processors = []pipeline.NamedProcessor{{Name: "added", Processor: added}, {Name: "chained", Processor: again}}
	if err := run(w); err != nil {
		t.Fatal(err)
	}
	if again.hash != first.hash || added.hash != 0 {
		t.Errorf("states are %x and %x, want %x and 0", again.hash, added.hash, first.hash)
	}
}

// plainSource is one that cannot go back.
type plainSource struct{ pipeline.Source }

func TestSourceThatCannotGoBack(t *testing.T) {
	p, _ := newPartition(1)
	w := newWorker(plainSource{p.Source(func() int { return 1 })})
	w.Snapshots = new(pipelinetest.Snapshots)
	w.Processors = []pipeline.NamedProcessor{{Name: "chained", Processor: new(chained)}}
	if err := run(w); err == nil || !strings.Contains(err.Error(), "cannot go back") {
		t.Errorf("got %v", err)
	}
}
