package clickhouse

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// TestPoison writes rows with values that no decoder should let through. They
// must be stored, each in a row of its own, not held against the block.
func TestPoison(t *testing.T) {
	s := newStore(t)
	s.exec(t, "SYSTEM STOP MERGES") // which would let the oldest rows expire
	days := func(n int) int64 { return siteStart.AddDate(0, 0, -n).UnixNano() }
	times := []int64{0, 1, -1, math.MinInt64, math.MaxInt64, lastEventTime, lastEventTime + 1, int64(math.MaxUint32) * 1e9}
	for n := range 40 {
		times = append(times, days(n)) // one insert, many partitions
	}
	words := []string{"", "\x00", "\xff\xfe invalid", strings.Repeat("a", 1<<20), "`; DROP TABLE logs; --", "\U0010FFFF", "null", "{}", "\\"}
	b := &telemetry.Batch{
		Block:     telemetry.Block{Topic: "otlp_logs", From: 1, To: 2, Signal: telemetry.Logs},
		Records:   []telemetry.Record{{Offset: 1, Tenant: "\xff", ReceiveTime: math.MinInt64, Declared: -1}},
		Resources: []telemetry.Resource{{Service: "\xff\x00"}},
		Scopes:    []telemetry.Scope{{Name: "\xff"}},
	}
	for _, at := range times {
		b.Logs = append(b.Logs, telemetry.Log{Time: at, Observed: -at, Severity: 255})
	}
	for _, w := range words {
		start := uint32(len(b.Attrs))
		b.Attrs = append(b.Attrs,
			telemetry.Attr{Key: w, Value: telemetry.StringValue(w)}, telemetry.Attr{Key: w, Value: telemetry.StringValue("again")},
			telemetry.Attr{Key: "map", Value: telemetry.Value{Kind: telemetry.KindMap, Str: "\xff\xff\xff"}},
			telemetry.Attr{Key: "kind", Value: telemetry.Value{Kind: telemetry.KindBytes, Str: w}})
		b.Logs = append(b.Logs, telemetry.Log{
			Time: days(1), Body: telemetry.StringValue(w), SeverityText: w, EventName: w, Attrs: telemetry.Range{Start: start, End: uint32(len(b.Attrs))},
		})
	}
	// More different texts than two bytes can number.
	start := uint32(len(b.Attrs))
	for i := range 70_000 {
		b.Attrs = append(b.Attrs, telemetry.Attr{Key: fmt.Sprint("key", i), Value: telemetry.IntValue(int64(i))})
	}
	for i := start; i < uint32(len(b.Attrs)); i += 1000 {
		b.Logs = append(b.Logs, telemetry.Log{Time: days(0), EventName: fmt.Sprint(i), Attrs: telemetry.Range{Start: i, End: i + 1000}})
	}
	b.Resources[0].Attrs = telemetry.Range{Start: 0, End: 12} // not the longest: it would be in every row
	b.Rejects = []telemetry.Reject{{Events: math.MaxInt64, Reason: "\xff", ReasonCode: "\xff", Value: []byte(words[2])}}
	if err := s.sink().Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	rows := len(b.Logs)
	if n := s.number(t, "SELECT count() FROM goshawk.logs"); n != uint64(rows) {
		t.Errorf("%d logs, want %d", n, rows)
	}
	if n := s.number(t, "SELECT toUInt64(sum(length(attributes))) FROM goshawk.logs WHERE event_name != '' AND NOT has(mapKeys(attributes), 'kind')"); n != 70_000 {
		t.Errorf("%d attributes, want 70000", n)
	}
	if n := s.number(t, "SELECT toUInt64(sum(stored)) FROM goshawk.ledger"); n != uint64(rows) {
		t.Errorf("the ledger says %d, want %d", n, rows)
	}
	if n := s.number(t, "SELECT count() FROM goshawk.otel_logs WHERE length(ResourceAttributes) > 0"); n != uint64(rows) {
		t.Errorf("%d logs with readable resources, want %d", n, rows)
	}

	spans := &telemetry.Batch{
		Block:     telemetry.Block{Topic: "otlp_spans", From: 1, To: 2, Signal: telemetry.Spans},
		Records:   []telemetry.Record{{Offset: 1, Declared: -1}},
		Resources: []telemetry.Resource{{}},
		Scopes:    []telemetry.Scope{{}},
	}
	for _, at := range times {
		spans.Spans = append(spans.Spans, telemetry.Span{Start: at, End: -at, Kind: 200, Status: 200, Events: telemetry.Range{Start: 0, End: 1}})
	}
	spans.Events = []telemetry.Event{{Time: math.MinInt64}}
	if err := s.sink().Write(context.Background(), spans); err != nil {
		t.Fatal(err)
	}
	if n := s.number(t, "SELECT count() FROM goshawk.otel_traces"); n != uint64(len(times)) {
		t.Errorf("%d spans, want %d", n, len(times))
	}

	points := &telemetry.Batch{
		Block:     telemetry.Block{Topic: "otlp_metrics", From: 1, To: 2, Signal: telemetry.Metrics},
		Records:   []telemetry.Record{{Offset: 1, Declared: -1}},
		Resources: []telemetry.Resource{{}},
		Scopes:    []telemetry.Scope{{}},
		Metrics:   []telemetry.Metric{{Name: "m", Kind: 99, Temporality: 99}},
	}
	for _, at := range times {
		points.Numbers = append(points.Numbers, telemetry.NumberPoint{Point: telemetry.Point{Time: at, Start: -at}, Value: math.NaN()})
	}
	if err := s.sink().Write(context.Background(), points); err != nil {
		t.Fatal(err)
	}
	if n := s.number(t, "SELECT count() FROM goshawk.samples"); n != uint64(len(times)) {
		t.Errorf("%d samples, want %d", n, len(times))
	}
}

func TestPartitionsAndExpiry(t *testing.T) {
	s := newStore(t)
	cfg := DefaultConfig()
	cfg.Retention.Tenants = map[string]TenantRetention{"brief": {Logs: 2}}
	sink := New(s.conn, s.dialect, cfg, s.log, s.metrics)
	now := time.Now().UTC()
	b := &telemetry.Batch{
		Block:     telemetry.Block{Topic: "otlp_logs", From: 1, To: 3, Signal: telemetry.Logs},
		Records:   []telemetry.Record{{Offset: 1, Tenant: "brief", ReceiveTime: now.UnixNano()}, {Offset: 2, Tenant: "usual", ReceiveTime: now.UnixNano()}},
		Resources: []telemetry.Resource{{Record: 0}, {Record: 1}},
		Scopes:    []telemetry.Scope{{}},
	}
	for day := range 6 {
		for resource := range uint32(2) {
			b.Logs = append(b.Logs, telemetry.Log{Time: now.AddDate(0, 0, -day).Add(-time.Minute).UnixNano(), Resource: resource})
		}
	}
	if err := sink.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if n := s.number(t, "SELECT uniqExact(partition_id) FROM system.parts WHERE database = 'goshawk' AND table = 'logs' AND active"); n != 12 {
		t.Errorf("%d partitions, want one per day and retention: 12", n)
	}
	s.exec(t, "OPTIMIZE TABLE goshawk.logs FINAL")
	got := s.text(t, "SELECT concat(tenant, ' ', toString(count())) FROM goshawk.logs GROUP BY tenant ORDER BY tenant")
	if want := "brief 2\nusual 6"; got != want {
		t.Errorf("after expiry:\n%s\nwant\n%s", got, want)
	}
	for _, table := range tables.EventTables() {
		def := tables.Get(table)
		ddl := s.text(t, "SELECT create_table_query FROM system.tables WHERE database = 'goshawk' AND name = '"+table+"'")
		for _, want := range []string{"PARTITION BY " + def.PartitionBy, "TTL " + def.TTL, "ttl_only_drop_parts = 1", "non_replicated_deduplication_window = 10000"} {
			if !strings.Contains(ddl, want) {
				t.Errorf("table %s has no %q:\n%s", table, want, ddl)
			}
		}
	}
}
