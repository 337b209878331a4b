package servicegraph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// pairOf returns the spans of a call of a trace of its own.
func pairOf(trace uint32, caller, callee, operation string, start, client, server int64) []sent {
	var id telemetry.TraceID
	id[0], id[1], id[2], id[15] = byte(trace), byte(trace>>8), byte(trace>>16), 1
	from := sent{tenant: "default", service: caller, host: caller + "-host", Span: telemetry.Span{
		TraceID: id, SpanID: telemetry.SpanID{1}, Name: operation, Kind: 3, Start: start, End: start + client,
	}}
	to := sent{tenant: "default", service: callee, host: callee + "-host", Span: telemetry.Span{
		TraceID: id, SpanID: telemetry.SpanID{2}, ParentID: telemetry.SpanID{1}, Name: operation, Kind: 2,
		Start: start + (client-server)/2, End: start + (client+server)/2,
	}}
	return []sent{from, to}
}

// some are records of calls between a few services and hosts, a second each.
func some(n int) []record {
	var all []record
	for i := range n {
		r := record{received: base + int64(i)*second + 60*second}
		for j := range 4 {
			caller, callee := fmt.Sprint("service ", (i+j)%5), fmt.Sprint("service ", (i+2*j)%7)
			r.spans = append(r.spans, pairOf(uint32(10*i+j+1), caller, callee, fmt.Sprint("get ", i%3), r.received-second/2, second/4+int64(i), second/5)...)
		}
		all = append(all, r)
	}
	return all
}

// FuzzRestore restores anything: it never panics, keeps nothing of what it
// refuses, and what it takes it gives back alike.
func FuzzRestore(f *testing.F) {
	cfg := servicegraph.DefaultConfig()
	cfg.Metrics.Bounds = []float64{0.1, 1}
	r := newRig(f, traces.DefaultConfig(), cfg)
	f.Add(r.graph.Snapshot(nil))
	for _, part := range some(90) {
		r.process([]record{part})
		if part.received%(20*second) == 0 {
			f.Add(r.graph.Snapshot(nil))
		}
	}
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, state []byte) {
		p := newRig(t, traces.DefaultConfig(), cfg)
		if p.graph.Restore(state) != nil {
			if items, _ := p.graph.Held(); items != 0 {
				t.Fatalf("%d edges are left of a state that was refused", items)
			}
			return
		}
		q := newRig(t, traces.DefaultConfig(), cfg)
		if err := q.graph.Restore(p.graph.Snapshot(nil)); err != nil {
			t.Fatal(err)
		}
		records := append(some(3), flush()...)
		if !slices.Equal(rowsOf(p.process(records)), rowsOf(q.process(records))) {
			t.Fatal("the state that was restored twice makes other rows")
		}
	})
}

// TestDamagedState cuts a state at every byte, and changes every byte.
func TestDamagedState(t *testing.T) {
	r := newRig(t, traces.DefaultConfig(), servicegraph.DefaultConfig())
	for _, part := range some(40) {
		r.process([]record{part})
	}
	state := r.graph.Snapshot(nil)
	if items, _ := r.graph.Held(); items < 20 {
		t.Fatalf("%d edges are too few to tell", items)
	}
	q := newRig(t, traces.DefaultConfig(), servicegraph.DefaultConfig()).graph
	for i := 1; i < len(state); i++ {
		if q.Restore(state[:i]) == nil {
			t.Fatalf("%d of %d bytes are taken for all", i, len(state))
		}
		changed := slices.Clone(state)
		changed[i] ^= 0x55
		_ = q.Restore(changed) // may be another state; must not panic
	}
	if q.Restore(append(slices.Clone(state), 0)) == nil {
		t.Error("a byte too many is not noticed")
	}
}

// TestMetricsSwitch restores a state with metrics where none are published, and
// one without where they are: edges and clocks go on.
func TestMetricsSwitch(t *testing.T) {
	on, off := servicegraph.DefaultConfig(), servicegraph.DefaultConfig()
	off.Metrics.Enabled = false
	rest := func(r *rig) []string {
		b := r.process(flush())
		return rowsOf(&telemetry.Batch{Edges: b.Edges, ClockOffsets: b.ClockOffsets, Buckets: b.Buckets})
	}
	for _, cfg := range [][2]servicegraph.Config{{on, off}, {off, on}} {
		before, after := newRig(t, traces.DefaultConfig(), cfg[0]), newRig(t, traces.DefaultConfig(), cfg[1])
		before.process(some(40))
		for _, err := range []error{after.assembler.Restore(before.assembler.Snapshot(nil)), after.graph.Restore(before.graph.Snapshot(nil))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want, got := rest(before), rest(after)
		if len(want) < 20 || !slices.Equal(want, got) {
			t.Errorf("%d rows without the switch, %d with it", len(want), len(got))
		}
	}
}

// TestSetBack has records from a clock that is a day ahead, until so many others
// say so that the watermark goes back: what was to be written tomorrow is written.
func TestSetBack(t *testing.T) {
	cfg := servicegraph.DefaultConfig()
	cfg.Metrics.Enabled = false
	r := newRig(t, traces.DefaultConfig(), cfg)
	const day = 24 * 60 * minute
	rows := 0
	run := func(records ...record) {
		for _, part := range records {
			rows += len(r.process([]record{part}).Edges)
		}
	}
	run(record{received: base + day + second, spans: pairOf(1, "a", "b", "get", base+day, second, second/2)}, record{received: base + day + 20*second})
	if items, _ := r.graph.Held(); items != 2 || rows != 0 {
		t.Fatalf("%d open, %d rows of a call", items, rows)
	}
	for i := range int64(999) {
		run(record{received: base + i*millisecond})
	}
	if rows != 0 {
		t.Fatalf("%d rows when 999 records were before the watermark", rows)
	}
	run(record{received: base + second})
	if items, _ := r.graph.Held(); items != 0 || rows != 1 {
		t.Errorf("%d open, %d rows after the watermark was set back", items, rows)
	}
}

// TestOversized has a trace of more spans than are kept beside one that is counted.
func TestOversized(t *testing.T) {
	tracesCfg := traces.DefaultConfig()
	tracesCfg.MaxSpansPerTrace = 2
	r := newRig(t, tracesCfg, servicegraph.DefaultConfig())
	large := pairOf(1, "large", "b", "get", base, second, second/2)
	for i := range byte(3) {
		again := large[1]
		again.SpanID[7] = i + 1
		large = append(large, again)
	}
	b := r.process(append([]record{{received: base + second, spans: append(large, pairOf(2, "a", "b", "get", base, second, second/2)...)}}, flush()...))
	if len(b.Edges) != 1 || b.Edges[0].Caller != "a" {
		t.Errorf("edges %v", b.Edges)
	}
}

// TestBucketBound lets an edge have more durations than there is memory for: it
// is written early. Edges that were written count no more.
func TestBucketBound(t *testing.T) {
	cfg := servicegraph.DefaultConfig()
	cfg.MaxOpen, cfg.Metrics.Enabled = 2, false
	rows := func(records []record) (n int, calls uint64) {
		newRig(t, traces.DefaultConfig(), cfg).run(append(records, flush()...), func() int { return 1 }, nil, func(b *telemetry.Batch) {
			n += len(b.Edges)
			for i := range b.Edges {
				calls += b.Edges[i].Calls
			}
		})
		return n, calls
	}
	host := func(spans []sent) []sent { // one host has no clock offsets
		for i := range spans {
			spans[i].host = ""
		}
		return spans
	}
	var wide, narrow []record
	for i := range 300 {
		at := base + int64(i)*minute
		client := millisecond << (i % 14) * int64(100+i) / 100
		start := base + int64(i)*100*millisecond
		wide = append(wide, record{received: start + client, spans: host(pairOf(uint32(i+1), "a", "b", "get", start, client, client/2))})
		for _, after := range []int64{10, 30} {
			narrow = append(narrow, record{received: at + after*second, spans: host(pairOf(uint32(1000*after)+uint32(i), "a", "b", "get", at+(after-1)*second, second/2, second/4))})
		}
	}
	if n, calls := rows(wide); n < 2 || calls != 300 {
		t.Errorf("%d rows of %d calls with too many durations, want several of 300", n, calls)
	}
	if n, calls := rows(narrow); n != 300 || calls != 600 {
		t.Errorf("%d rows of %d calls in 300 minutes, want 300 of 600", n, calls)
	}
}

// TestNames lets names never repeat: those that nothing is counted for are
// forgotten.
func TestNames(t *testing.T) {
	cfg := servicegraph.DefaultConfig()
	cfg.Metrics.Enabled = false
	r := newRig(t, traces.DefaultConfig(), cfg)
	most := int64(0)
	for i := range 600 {
		part := record{received: base + int64(i)*10*second}
		for j := range 50 {
			part.spans = append(part.spans, pairOf(uint32(50*i+j+1), "a", "b", strings.Repeat("x", 50)+fmt.Sprint(i, " ", j), part.received-second, second/2, second/4)...)
		}
		r.process([]record{part})
		_, bytes := r.graph.Held()
		most = max(most, bytes)
	}
	if most > 4<<20 {
		t.Errorf("%d bytes for names that are gone", most)
	}
}
