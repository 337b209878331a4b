package servicegraph_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestDocumented counts calls, stores the rows, and runs the queries that
// docs/service-graph.md shows: they say what the calls say.
func TestDocumented(t *testing.T) {
	var queries []string
	for _, block := range querytest.Documented(t, "../../docs/service-graph.md") {
		queries = append(queries, strings.NewReplacer("FROM edges_1m", "FROM goshawk.edges_1m", "FROM clock_offsets", "FROM goshawk.clock_offsets").Replace(block))
	}
	if len(queries) != 3 {
		t.Fatalf("found %d queries", len(queries))
	}
	store := querytest.Start(t)

	r := newRig(t, traces.DefaultConfig(), servicegraph.DefaultConfig())
	from := time.Now().Add(-5 * time.Minute).UnixNano()
	rows, failed := 0, 0
	var client, server int64
	var durations []int64
	var records []record
	for i := range int64(100) {
		start, waits, works := from+i*second, (20+i*i%97)*millisecond, (10+i%7)*millisecond
		spans := pairOf(uint32(i+1), "web", "cart", "get", start, waits, works)
		for _, at := range []*int64{&spans[1].Start, &spans[1].End} {
			*at += 3 * second // by the callee's clock
		}
		client, server = client+waits, server+works
		durations = append(durations, waits)
		if i%10 == 0 {
			failed++
			spans[1].Status = telemetry.SpanFailed
		}
		records = append(records, record{received: start + second, spans: spans})
	}
	records = append(records, record{received: from + 120*second}, record{received: from + 300*second})
	r.run(records, func() int { return 1 }, nil, func(b *telemetry.Batch) {
		rows += len(b.Edges)
		insert(t, store, b)
	})
	if rows < 2 {
		t.Fatalf("%d rows", rows)
	}

	ask := func(query, texts string) []string {
		t.Helper()
		var values []string
		query = fmt.Sprintf("SELECT arrayFlatten(groupArray(v)) FROM (SELECT arrayMap(x -> ifNull(x, ''), [%s]) AS v FROM (%s))", texts, query)
		if err := store.Conn.QueryRow(context.Background(), query).Scan(&values); err != nil {
			t.Fatalf("%s\n%v", query, err)
		}
		return values
	}
	near := func(what, got string, want, tolerance float64) {
		t.Helper()
		var v float64
		if _, err := fmt.Sscan(got, &v); err != nil || math.Abs(v-want) > tolerance*math.Abs(want) {
			t.Errorf("%s is %s, want %v", what, got, want)
		}
	}
	row := ask(queries[0], "caller, callee, toString(calls), toString(failed), toString(client_ms), toString(server_ms), toString(network_ms), slowest, failing")
	if len(row) != 9 || row[0] != "web" || row[1] != "cart" {
		t.Fatalf("edges are %q", row)
	}
	near("number of calls", row[2], 100, 0)
	near("share of failed calls", row[3], float64(failed)/100, 1e-9)
	near("client time", row[4], float64(client)/100/1e6, 1e-9)
	near("server time", row[5], float64(server)/100/1e6, 1e-9)
	near("network time", row[6], float64(client-server)/100/1e6, 1e-9)
	if strings.Trim(row[7], "0") == "" || row[8] != fmt.Sprintf("%x", records[90].spans[0].TraceID[:]) {
		t.Errorf("slowest %s, failing %s", row[7], row[8])
	}
	row = ask(queries[1], "operation, toString(n), toString(p95_ms)")
	slices.Sort(durations)
	near("number of durations", row[1], 100, 0)
	near("95th percentile", row[2], float64(durations[94])/1e6, 0.011)

	row = ask(queries[2], "caller_host, callee_host, toString(offset_ms), toString(uncertain_ms)")
	if len(row) < 4*10 {
		t.Fatalf("clock offsets are %q", row)
	}
	for i := 0; i < len(row); i += 4 {
		near("offset", row[i+2], 3000, 0.001)
	}
}

// insert stores what was counted.
func insert(t *testing.T, store *querytest.Store, b *telemetry.Batch) {
	t.Helper()
	for i := range b.Edges {
		e := &b.Edges[i]
		var columns []any
		for _, l := range []*telemetry.Latency{&e.Client, &e.Server, &e.Network} {
			indexes, counts := []int16{}, []uint64{}
			for _, bucket := range b.BucketsOf(l) {
				indexes, counts = append(indexes, bucket.Index), append(counts, bucket.Count)
			}
			columns = append(columns, l.Sum, indexes, counts)
		}
		store.Exec(t, `INSERT INTO goshawk.edges_1m (tenant, time, caller, callee, operation, kind, calls, errors, slow_trace_id, slow_ns, error_trace_id,
			client_sum_ns, client.bucket, client.count, server_sum_ns, server.bucket, server.count, network_sum_ns, network.bucket, network.count, retention_days)
			SELECT ?, fromUnixTimestamp(?), ?, ?, ?, ?, ?, ?, unhex(?), ?, unhex(?), ?, ?, ?, ?, ?, ?, ?, ?, ?, 30`, append([]any{
			e.Tenant, e.Time / second, e.Caller, e.Callee, e.Operation, e.Kind.String(), e.Calls, e.Errors,
			fmt.Sprintf("%x", e.SlowTrace[:]), e.SlowNanoseconds, fmt.Sprintf("%x", e.ErrorTrace[:]),
		}, columns...)...)
	}
	for i := range b.ClockOffsets {
		c := &b.ClockOffsets[i]
		store.Exec(t, `INSERT INTO goshawk.clock_offsets (tenant, time, caller_host, callee_host, calls, lower_ns, upper_ns, retention_days)
			SELECT ?, fromUnixTimestamp(?), ?, ?, ?, ?, ?, 30`, c.Tenant, c.Time/second, c.Caller, c.Callee, c.Calls, c.Lower, c.Upper)
	}
}
