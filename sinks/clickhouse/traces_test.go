package clickhouse

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// traces draws rows of traces; the root's id is their number.
func (g *gen) traces() {
	b := g.b
	for i := range g.n(8) {
		t := telemetry.Trace{
			Tenant: rapid.SampledFrom([]string{"default", "acme"}).Draw(g.T, "tenant"), TraceID: g.traceID(), Start: g.time(), End: g.anyTime(),
			RootService: g.text(), RootName: g.text(), RootKind: uint8(g.n(5)), Spans: g.count(), Errors: g.count(), Operations: g.count(),
			Orphans: g.count(), Depth: g.count(), ErrorService: g.text(), ErrorName: g.text(), Closed: telemetry.TraceClosed(g.n(2)),
			Oversized: g.bool(), Cyclic: g.bool(),
		}
		binary.BigEndian.PutUint64(t.RootID[:], uint64(i))
		t.Services.Start = uint32(len(b.TraceServices))
		for range g.n(3) {
			b.TraceServices = append(b.TraceServices, g.text())
		}
		t.Services.End = uint32(len(b.TraceServices))
		t.Path.Start = uint32(len(b.TracePath))
		for range g.n(3) {
			b.TracePath = append(b.TracePath, telemetry.PathSpan{ID: g.spanID(), Service: g.text(), Name: g.text(), Share: g.anyTime()})
		}
		t.Path.End = uint32(len(b.TracePath))
		b.Traces = append(b.Traces, t)
	}
}

// checkTraces reads the traces of a block.
func checkTraces(t *rapid.T, s *store, b *telemetry.Batch) {
	var want []stored
	for i := range b.Traces {
		row := &b.Traces[i]
		ids, services, names, shares := []string{}, []string{}, []string{}, []int64{}
		for _, on := range b.TracePath[row.Path.Start:row.Path.End] {
			ids, services = append(ids, string(on.ID[:])), append(services, on.Service)
			names, shares = append(names, on.Name), append(shares, on.Share)
		}
		want = append(want, stored{
			"tenant": row.Tenant, "trace_id": string(row.TraceID[:]), "time": at(row.Start), "end_time": at(row.End), "duration_ns": row.End - row.Start,
			"root_span_id": string(row.RootID[:]), "root_service": row.RootService, "root_name": row.RootName,
			"root_kind": []string{"unspecified", "internal", "server", "client", "producer", "consumer"}[row.RootKind],
			"spans":     row.Spans, "errors": row.Errors, "operations": row.Operations, "orphans": row.Orphans, "depth": row.Depth,
			"services":      append([]string{}, b.TraceServices[row.Services.Start:row.Services.End]...),
			"error_service": row.ErrorService, "error_name": row.ErrorName,
			"critical_path.span_id": ids, "critical_path.service": services, "critical_path.name": names, "critical_path.share_ns": shares,
			"closed": row.Closed.String(), "oversized": row.Oversized, "cyclic": row.Cyclic,
			"sampling_probability": math.Float64bits(1), "retention_days": DefaultConfig().Retention.Spans, "kafka_partition": uint32(b.Partition), "kafka_offset": uint64(b.From),
		})
	}
	check(t, "traces", s.read(t, tables.Traces, b, "root_span_id"), want)
}

// TestWholeTraces asks for whole traces whose rows are of several blocks.
func TestWholeTraces(t *testing.T) {
	s := newStore(t)
	sink := s.sink()
	start := siteStart.UnixNano()
	id := telemetry.TraceID{1}
	rows := []telemetry.Trace{
		{ // The middle of the trace, without a root.
			Start: start + 10, End: start + 90, Spans: 7, Errors: 1, Operations: 5, Orphans: 1, Depth: 3, ErrorService: "pay", ErrorName: "Charge",
		},
		{ // The root came late.
			Start: start, End: start + 100, Spans: 1, Operations: 1, Depth: 1,
			RootID: telemetry.SpanID{1}, RootService: "web", RootName: "GET /", RootKind: 2,
		},
		{Start: start + 20, End: start + 130, Spans: 2, Errors: 2, Operations: 2, Orphans: 2, Depth: 1, ErrorService: "web", ErrorName: "late", Closed: telemetry.TraceLong},
	}
	services := [][]string{{"cart", "pay"}, {"web"}, {"pay", "web"}}
	for i, row := range rows {
		b := &telemetry.Batch{Block: telemetry.Block{Topic: "otlp_spans", From: int64(i), To: int64(i + 1), Signal: telemetry.Spans, Epoch: 1}}
		b.Records = []telemetry.Record{{Tenant: "default", ReceiveTime: start, Declared: -1}}
		row.TraceID, row.Tenant = id, "default"
		b.TraceServices = services[i]
		row.Services.End = uint32(len(services[i]))
		b.TracePath = []telemetry.PathSpan{{ID: telemetry.SpanID{byte(i)}, Service: "s", Name: "n", Share: int64(row.Spans)}}
		row.Path.End = 1
		b.Traces = []telemetry.Trace{row}
		if err := sink.Write(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	query := fmt.Sprintf("SELECT %s FROM %s AS t GROUP BY t.tenant, t.trace_id", tables.TraceSelect(), s.dialect.Table(tables.Traces))
	got := s.text(t, `SELECT concat(toString(toUnixTimestamp64Nano(time)), ' ', toString(duration_ns), ' ', root_service, ' ', root_name, ' ', toString(root_kind), ' ',
		toString(spans), ' ', toString(errors), ' ', toString(operations), ' ', toString(orphans), ' ', toString(depth), ' ', toString(services), ' ',
		error_service, ' ', error_name, ' ', toString(`+"`critical_path.share_ns`"+`), ' ', toString(closed), ' ', toString(oversized)) FROM (`+query+")")
	want := fmt.Sprintf("%d 130 web GET / server 10 3 5 1 3 ['cart','pay','web'] pay Charge [7] idle false", start)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var named []string
	for _, c := range tables.TraceColumns() {
		named = append(named, c.Name)
	}
	table := tables.Get(tables.Traces)
	for _, c := range table.Columns {
		if !slices.Contains([]string{"tenant", "trace_id", "retention_days", "kafka_partition", "kafka_offset"}, c.Name) && !slices.Contains(named, c.Name) {
			t.Errorf("nothing says what column %s is of a whole trace", c.Name)
		}
	}
}
