package clickhouse

import (
	"context"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func (g *gen) tenant() string {
	return rapid.SampledFrom([]string{"default", "acme"}).Draw(g.T, "tenant")
}

func (g *gen) nanoseconds() int64 { return genInt.Draw(g.T, "nanoseconds") }

func (g *gen) latency() telemetry.Latency {
	l := telemetry.Latency{Sum: g.nanoseconds(), Buckets: telemetry.Range{Start: uint32(len(g.b.Buckets))}}
	for range g.n(4) {
		g.b.Buckets = append(g.b.Buckets, sketch.Bucket{
			Index: rapid.OneOf(rapid.Int16(), rapid.SampledFrom([]int16{sketch.Zero, -1, 0, math.MaxInt16})).Draw(g.T, "bucket"), Count: g.uint64(),
		})
	}
	l.Buckets.End = uint32(len(g.b.Buckets))
	return l
}

// counts draws rows of what processors count. Their number is the slowest trace,
// or where there is none the number of calls.
func (g *gen) counts() {
	b := g.b
	number := func(i int) (id telemetry.TraceID) {
		binary.BigEndian.PutUint64(id[:], uint64(i))
		return id
	}
	for i := range g.n(8) {
		b.Edges = append(b.Edges, telemetry.Edge{
			Tenant: g.tenant(), Time: g.time(), Caller: g.text(), Callee: g.text(), Operation: g.text(),
			Kind: telemetry.EdgeKind(g.n(len(telemetry.EdgeKinds) - 1)), Calls: g.uint64(), Errors: g.uint64(),
			Client: g.latency(), Server: g.latency(), Network: g.latency(),
			SlowTrace: number(i), ErrorTrace: g.traceID(), SlowNanoseconds: g.nanoseconds(),
		})
	}
	for i := range g.n(8) {
		b.Operations = append(b.Operations, telemetry.Operation{
			Tenant: g.tenant(), Time: g.time(), Service: g.text(), Version: g.text(), Name: g.text(), Kind: uint8(g.n(5)),
			Calls: g.uint64(), Errors: g.uint64(), Satisfied: g.uint64(), Tolerating: g.uint64(), Duration: g.latency(),
			SlowTrace: number(i), ErrorTrace: g.traceID(), SlowNanoseconds: g.nanoseconds(),
		})
	}
	for i := range g.n(8) {
		b.ClockOffsets = append(b.ClockOffsets, telemetry.ClockOffset{
			Tenant: g.tenant(), Time: g.time(), Caller: g.text(), Callee: g.text(), Calls: uint64(i),
			Lower: rapid.SampledFrom([]int64{telemetry.NoLower, g.nanoseconds()}).Draw(g.T, "lower"),
			Upper: rapid.SampledFrom([]int64{telemetry.NoUpper, g.nanoseconds()}).Draw(g.T, "upper"),
		})
	}
}

// wantLatency adds the columns of durations to a row.
func wantLatency(row stored, name string, b *telemetry.Batch, l *telemetry.Latency) {
	indexes, counts := []int16{}, []uint64{}
	for _, bucket := range b.BucketsOf(l) {
		indexes, counts = append(indexes, bucket.Index), append(counts, bucket.Count)
	}
	row[name+"_sum_ns"], row[name+".bucket"], row[name+".count"] = l.Sum, indexes, counts
}

// checkCounts reads what is counted by the minute with a block.
func checkCounts(t *rapid.T, s *store, b *telemetry.Batch) {
	kinds := []string{"unspecified", "internal", "server", "client", "producer", "consumer"}
	row := func(tenant string, nanoseconds int64, more stored) stored {
		more["tenant"], more["time"] = tenant, time.Unix(nanoseconds/1e9, 0).UTC()
		more["retention_days"], more["kafka_partition"], more["kafka_offset"] = DefaultConfig().Retention.Spans, uint32(b.Partition), uint64(b.From)
		return more
	}
	var edges, operations, offsets []stored
	for i := range b.Edges {
		e := &b.Edges[i]
		want := row(e.Tenant, e.Time, stored{
			"caller": e.Caller, "callee": e.Callee, "operation": e.Operation, "kind": e.Kind.String(), "calls": e.Calls, "errors": e.Errors,
			"slow_trace_id": string(e.SlowTrace[:]), "slow_ns": e.SlowNanoseconds, "error_trace_id": string(e.ErrorTrace[:]),
		})
		wantLatency(want, "client", b, &e.Client)
		wantLatency(want, "server", b, &e.Server)
		wantLatency(want, "network", b, &e.Network)
		edges = append(edges, want)
	}
	for i := range b.Operations {
		o := &b.Operations[i]
		want := row(o.Tenant, o.Time, stored{
			"service": o.Service, "version": o.Version, "operation": o.Name, "kind": kinds[o.Kind], "calls": o.Calls, "errors": o.Errors,
			"satisfied": o.Satisfied, "tolerating": o.Tolerating,
			"slow_trace_id": string(o.SlowTrace[:]), "slow_ns": o.SlowNanoseconds, "error_trace_id": string(o.ErrorTrace[:]),
		})
		wantLatency(want, "duration", b, &o.Duration)
		operations = append(operations, want)
	}
	for i := range b.ClockOffsets {
		c := &b.ClockOffsets[i]
		offsets = append(offsets, row(c.Tenant, c.Time, stored{
			"caller_host": c.Caller, "callee_host": c.Callee, "calls": c.Calls, "lower_ns": c.Lower, "upper_ns": c.Upper,
		}))
	}
	check(t, "edges", s.read(t, tables.Edges, b, "slow_trace_id"), edges)
	check(t, "operations", s.read(t, tables.Operations, b, "slow_trace_id"), operations)
	check(t, "clock offsets", s.read(t, tables.ClockOffsets, b, "calls"), offsets)
}

// TestCountsOfSilence writes a block whose only record says that nothing came:
// what processors counted before is in it all the same.
func TestCountsOfSilence(t *testing.T) {
	s := newStore(t)
	b := &telemetry.Batch{
		Block:      telemetry.Block{Topic: "otlp_spans", From: 7, To: 8, Signal: telemetry.Spans, Epoch: 1},
		Records:    []telemetry.Record{{Offset: 7, Tenant: "default", ReceiveTime: siteStart.UnixNano(), Idle: true}},
		Traces:     []telemetry.Trace{{Tenant: "acme", TraceID: telemetry.TraceID{1}, Start: siteStart.UnixNano(), End: siteStart.UnixNano() + 1, Spans: 1}},
		Edges:      []telemetry.Edge{{Tenant: "acme", Time: siteStart.UnixNano(), Calls: 1}},
		Operations: []telemetry.Operation{{Tenant: "acme", Time: siteStart.UnixNano(), Calls: 2}},
	}
	for range 2 {
		if err := s.sink().Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		b.Begun = true // again, after a crash
	}
	for _, query := range []string{
		"SELECT toString(count()) FROM goshawk.traces WHERE tenant = 'acme'",
		"SELECT toString(sum(calls)) FROM goshawk.edges_1m",
		"SELECT toString(sum(calls) / 2) FROM goshawk.operations_1m",
		"SELECT toString(count()) FROM goshawk.ledger WHERE from_offset = 7 AND to_offset = 8 AND records = 0 AND accepted + stored + rejected + dropped + repeated = 0 AND tenant = ''",
	} {
		if got := s.text(t, query); got != "1" {
			t.Errorf("%s: %s, want 1", query, got)
		}
	}
}
