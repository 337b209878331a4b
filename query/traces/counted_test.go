package traces_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/sketch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// counted is a row of edges_1m or operations_1m. Durations are what was counted.
type counted struct {
	at                             time.Duration // after noon
	caller, callee, kind           string
	service, version, operation    string
	calls, errors, well, tolerated uint64
	client, server, network        []time.Duration
	slow, failed                   int // numbers of traces, 0 for none
}

func buckets(all []time.Duration) (sum int64, indexes []int16, counts []uint64) {
	var s sketch.Sketch
	for _, d := range all {
		s.Add(int64(d))
	}
	for _, b := range s.Append(nil) {
		indexes, counts = append(indexes, b.Index), append(counts, b.Count)
	}
	return s.Sum(), indexes, counts
}

func (c *counted) examples() (slow string, nanoseconds int64, failed string) {
	slow, failed = strings.Repeat("\x00", 16), strings.Repeat("\x00", 16)
	if c.slow != 0 {
		id := traceID(c.slow)
		slow = string(id[:])
		for _, d := range append(c.client, c.server...) {
			nanoseconds = max(nanoseconds, int64(d))
		}
	}
	if c.failed != 0 {
		id := traceID(c.failed)
		failed = string(id[:])
	}
	return slow, nanoseconds, failed
}

// insert writes rows of a table by column.
func (f *fixture) insert(t testing.TB, table, columns string, rows ...[]any) {
	t.Helper()
	batch, err := f.conn.PrepareBatch(context.Background(), "INSERT INTO "+(tables.Dialect{Database: f.engine.Database}).Table(table)+" ("+columns+")")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := batch.Append(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// days is a retention after which the data of tests, which is from long ago, is
// still there.
const days = uint16(20_000)

// edges writes rows of edges_1m, each with an insert of its own number: what is
// inserted again is there again.
func (f *fixture) edges(t testing.TB, tenant string, all ...counted) {
	t.Helper()
	var rows [][]any
	for i := range all {
		c := &all[i]
		slow, nanoseconds, failed := c.examples()
		row := []any{tenant, noon.Add(c.at), c.caller, c.callee, c.operation, c.kind, c.calls, c.errors}
		for _, durations := range [][]time.Duration{c.client, c.server, c.network} {
			sum, indexes, counts := buckets(durations)
			row = append(row, sum, indexes, counts)
		}
		f.offset++
		rows = append(rows, append(row, slow, nanoseconds, failed, days, uint64(f.offset)))
	}
	f.insert(t, tables.Edges, "tenant, time, caller, callee, operation, kind, calls, errors, client_sum_ns, `client.bucket`, `client.count`, server_sum_ns, `server.bucket`, `server.count`, "+
		"network_sum_ns, `network.bucket`, `network.count`, slow_trace_id, slow_ns, error_trace_id, retention_days, kafka_offset", rows...)
}

// rates writes rows of operations_1m; how long the spans took is in server.
func (f *fixture) rates(t testing.TB, tenant string, all ...counted) {
	t.Helper()
	var rows [][]any
	for i := range all {
		c := &all[i]
		slow, nanoseconds, failed := c.examples()
		sum, indexes, counts := buckets(c.server)
		f.offset++
		rows = append(rows, []any{
			tenant, noon.Add(c.at), c.service, c.version, c.operation, c.kind, c.calls, c.errors, c.well, c.tolerated, sum, indexes, counts,
			slow, nanoseconds, failed, days, uint64(f.offset),
		})
	}
	f.insert(t, tables.Operations, "tenant, time, service, version, operation, kind, calls, errors, satisfied, tolerating, duration_sum_ns, `duration.bucket`, `duration.count`, "+
		"slow_trace_id, slow_ns, error_trace_id, retention_days, kafka_offset", rows...)
}

// bound is a row of clock_offsets.
type bound struct {
	at             time.Duration
	caller, callee string
	lower, upper   int64
}

func (f *fixture) bounds(t testing.TB, tenant string, all ...bound) {
	t.Helper()
	var rows [][]any
	for _, b := range all {
		f.offset++
		rows = append(rows, []any{tenant, noon.Add(b.at), b.caller, b.callee, uint64(1), b.lower, b.upper, days, uint64(f.offset)})
	}
	f.insert(t, tables.ClockOffsets, "tenant, time, caller_host, callee_host, calls, lower_ns, upper_ns, retention_days, kafka_offset", rows...)
}

// read asks for an answer of goshawk's own API.
func (s *server) read(t testing.TB, tenant, path string, into any) answer {
	t.Helper()
	a := s.get(t, tenant, path)
	if a.status != 200 {
		t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%s: %v: %s", path, err, a.body)
	}
	return a
}

// times repeats a duration.
func times(n int, d time.Duration) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// span of an hour after noon, as parameters.
const hourAfterNoon = "start=2024-05-06T12:05:00Z&end=2024-05-06T13:05:00Z"
