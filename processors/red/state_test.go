package red_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func process(t testing.TB, p *red.Processor, records ...record) *telemetry.Batch {
	t.Helper()
	b := batch(records)
	if err := p.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

func newProcessor(t testing.TB, cfg red.Config) *red.Processor {
	t.Helper()
	p, err := red.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// some are a few spans of two minutes.
func some(tenant string) record {
	r := record{tenant: tenant, received: base + 90*second}
	for i := range 8 {
		s := sent{service: fmt.Sprint("service ", i%2), version: "1", Span: telemetry.Span{
			TraceID: telemetry.TraceID{byte(i)}, SpanID: telemetry.SpanID{1}, Name: "GET /", Kind: 2, Status: uint8(i % 3),
			Start: base + int64(i)*second, End: base + int64(12*i)*second,
		}}
		r.spans = append(r.spans, s)
	}
	return r
}

// TestSetBack sends records that were stamped with a time of tomorrow, and then
// right ones: when the clock is set back, everything open becomes rows.
func TestSetBack(t *testing.T) {
	p := newProcessor(t, red.DefaultConfig())
	wrong := some("default")
	wrong.received += 24 * 60 * minute
	wrong.spans = wrong.spans[:1]
	wrong.spans[0].End = wrong.received
	process(t, p, wrong)
	rows := 0
	for i := range 1000 {
		right := some("default")
		right.received += int64(i)
		right.spans = right.spans[:1]
		rows += len(process(t, p, right).Operations)
	}
	if items, _ := p.Held(); rows < 2 || items == 0 {
		t.Errorf("%d rows, %d items are held", rows, items)
	}
	b := process(t, p, record{received: base + 10*minute, idle: true})
	if len(b.Operations) != 1 || len(b.Derived) != 1 {
		t.Errorf("%d rows and %d metrics after the clock was set back", len(b.Operations), len(b.Derived))
	}
}

// TestLongNames counts names that are too long by their beginning.
func TestLongNames(t *testing.T) {
	p := newProcessor(t, red.DefaultConfig())
	r := some("default")
	r.spans = r.spans[:2]
	long := strings.Repeat("é", 300)
	r.spans[0].Name, r.spans[0].service, r.spans[0].version = long, long, long
	r.spans[1].Name, r.spans[1].service, r.spans[1].version = "a"+long, long, long
	process(t, p, r)
	b := process(t, p, record{received: base + 10*minute, idle: true})
	if len(b.Operations) != 2 || b.Operations[0].Name != strings.Repeat("é", 128) || b.Operations[1].Name != "a"+strings.Repeat("é", 127) ||
		b.Operations[0].Service != strings.Repeat("é", 128) || b.Operations[0].Version != strings.Repeat("é", 128) {
		t.Errorf("rows %+v", b.Operations)
	}
}

func TestRestore(t *testing.T) {
	cfg := red.DefaultConfig()
	p := newProcessor(t, cfg)
	process(t, p, some("a"), some("b"))
	state := p.Snapshot(nil)
	for name, damaged := range map[string][]byte{
		"another version": append([]byte{99}, state[1:]...),
		"something more":  append(slices.Clone(state), 0),
		"cut":             state[:len(state)-1],
		"only a version":  state[:1],
	} {
		if err := p.Restore(damaged); err == nil {
			t.Errorf("%s: restored", name)
		}
		if items, _ := p.Held(); items != 0 {
			t.Errorf("%s: %d items are held after an error", name, items)
		}
	}
	if err := p.Restore(state); err != nil {
		t.Fatal(err)
	}
	if err := p.Restore(nil); err != nil {
		t.Error(err)
	}
	if items, size := p.Held(); items != 0 || size != 0 {
		t.Errorf("%d items of %d bytes are held without a state", items, size)
	}

	// Metrics that are turned off are forgotten.
	cfg.Metrics.Enabled = false
	off := newProcessor(t, cfg)
	if err := off.Restore(state); err != nil {
		t.Fatal(err)
	}
	if b := process(t, off, record{received: base + 10*minute, idle: true}); len(b.Operations) != 8 || len(b.Derived) != 0 {
		t.Errorf("%d rows and %d metrics", len(b.Operations), len(b.Derived))
	}
	if items, _ := off.Held(); items != 0 {
		t.Errorf("%d items are held", items)
	}
}

// FuzzRestore restores anything: it is refused, or it is a state like any other.
func FuzzRestore(f *testing.F) {
	p := newProcessor(f, red.DefaultConfig())
	f.Add(p.Snapshot(nil))
	process(f, p, some("a"))
	f.Add(p.Snapshot(nil))
	process(f, p, some("b"), record{received: base + 100*second, idle: true}, some("a"))
	f.Add(p.Snapshot(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		p := newProcessor(t, red.DefaultConfig())
		if err := p.Restore(src); err != nil {
			if items, _ := p.Held(); items != 0 {
				t.Errorf("%d items are held after %v", items, err)
			}
			return
		}
		items, _ := p.Held()
		state := p.Snapshot(nil)
		again := newProcessor(t, red.DefaultConfig())
		if err := again.Restore(state); err != nil {
			t.Fatal(err)
		}
		if i, _ := again.Held(); i != items || !bytes.Equal(again.Snapshot(nil), state) {
			t.Fatalf("%d items are %d when they are restored again", items, i)
		}
		process(t, p, some("c"))
		process(t, p, record{received: base + 100*minute, idle: true})
	})
}

// stream makes spans of services with some operations each, at a steady pace:
// a record has spans of one service, as a gateway sends them.
type stream struct {
	random *rand.Rand
	names  [][]string
	now    int64
}

func newStream(services, operations int) *stream {
	s := &stream{random: rand.New(rand.NewPCG(1, 2)), now: base}
	for i := range services {
		var names []string
		for j := range operations {
			names = append(names, fmt.Sprintf("GET /api/v1/service-%d/operation-%d", i, j))
		}
		s.names = append(s.names, names)
	}
	return s
}

// record returns a record of n spans, which took a millisecond of event time each
// hundred.
func (s *stream) record(n int) record {
	s.now += int64(n) * 10 * int64(time.Microsecond)
	service := s.random.IntN(len(s.names))
	r := record{tenant: "default", received: s.now}
	for range n {
		operation := s.random.IntN(len(s.names[service]))
		took := int64(float64(1+operation) * 1e6 * math.Exp(s.random.NormFloat64()/2))
		span := sent{service: fmt.Sprint("service-", service), version: "1.2.3", Span: telemetry.Span{
			Name: s.names[service][operation], Kind: uint8(1 + operation%5),
			Start: s.now - took - 1e6, End: s.now - 1e6, SpanID: telemetry.SpanID{1},
		}}
		if s.random.IntN(50) == 0 {
			span.Status = 2
		}
		for i := range span.TraceID {
			span.TraceID[i] = byte(s.random.Uint32())
		}
		r.spans = append(r.spans, span)
	}
	return r
}

// batches makes batches of records of some spans each.
func (s *stream) batches(n, records, spans int) []*telemetry.Batch {
	var all []*telemetry.Batch
	for range n {
		var list []record
		for range records {
			list = append(list, s.record(spans))
		}
		all = append(all, batch(list))
	}
	return all
}

// BenchmarkSpans counts spans of few and of many operations.
func BenchmarkSpans(b *testing.B) {
	for _, c := range []struct{ services, operations int }{{10, 10}, {100, 20}, {500, 50}} {
		for _, metrics := range []bool{true, false} {
			b.Run(fmt.Sprintf("operations=%d/metrics=%t", c.services*c.operations, metrics), func(b *testing.B) {
				cfg := red.DefaultConfig()
				cfg.Metrics.Enabled = metrics
				p := newProcessor(b, cfg)
				// Two seconds of a hundred thousand spans each, again and again.
				batches := newStream(c.services, c.operations).batches(20, 100, 100)
				b.ReportAllocs()
				spans, rows := 0, 0
				for b.Loop() {
					in := batches[spans/10_000%len(batches)]
					if err := p.Process(context.Background(), in); err != nil {
						b.Fatal(err)
					}
					rows += len(in.Operations)
					spans += len(in.Spans)
					in.Operations, in.Buckets, in.Derived = in.Operations[:0], in.Buckets[:0], in.Derived[:0]
					// Next time it is later. That is a small part of the time.
					const shift = 2 * second
					for i := range in.Spans {
						in.Spans[i].Start += shift
						in.Spans[i].End += shift
					}
					for i := range in.Records {
						in.Records[i].ReceiveTime += shift
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
				b.ReportMetric(float64(rows)/float64(spans), "rows/span")
			})
		}
	}
}
