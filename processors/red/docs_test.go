package red_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/query/querytest"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestDocumented counts spans, stores the rows, and runs the queries that
// docs/red-metrics.md shows: they say what the spans say.
func TestDocumented(t *testing.T) {
	var queries []string
	for _, block := range querytest.Documented(t, "../../docs/red-metrics.md") {
		queries = append(queries, strings.ReplaceAll(block, "FROM operations_1m", "FROM goshawk.operations_1m"))
	}
	if len(queries) != 5 {
		t.Fatalf("found %d queries", len(queries))
	}
	store := querytest.Start(t)

	// Late spans come in some other minute of the hour: an operation has several rows.
	source := newStream(1, 4)
	source.now = time.Now().Add(-30 * time.Minute).UnixNano()
	var records []record
	var durations []int64
	var slowest sent
	failed, satisfied, tolerating := 0, 0, 0
	for i := range 40 {
		r := source.record(50)
		r.received += int64(i/10) * minute
		for j := range r.spans {
			s := &r.spans[j]
			s.service, s.Kind, s.Name = "checkout", 2, "GET /cart"
			took := (s.End - s.Start) * 100
			if j == 0 {
				took = 0
			}
			s.End = r.received - int64(j%3)*minute
			s.Start = s.End - took
			durations = append(durations, took)
			if took > slowest.End-slowest.Start || took == slowest.End-slowest.Start && bytes.Compare(s.TraceID[:], slowest.TraceID[:]) < 0 {
				slowest = *s
			}
			switch threshold := int64(500 * time.Millisecond); {
			case s.Status == 2:
				failed++
			case took <= threshold:
				satisfied++
			case took <= 4*threshold:
				tolerating++
			}
		}
		records = append(records, r)
	}
	records = append(records, record{tenant: "default", received: source.now + 10*minute, idle: true})
	p := newProcessor(t, red.DefaultConfig())
	rows := 0
	for _, r := range records {
		b := process(t, p, r)
		for i := range b.Operations {
			o := &b.Operations[i]
			rows++
			indexes, counts := []int16{}, []uint64{}
			for _, bucket := range b.BucketsOf(&o.Duration) {
				indexes, counts = append(indexes, bucket.Index), append(counts, bucket.Count)
			}
			store.Exec(t, `INSERT INTO goshawk.operations_1m (tenant, time, service, version, operation, kind, calls, errors, satisfied, tolerating, duration_sum_ns,
				duration.bucket, duration.count, slow_trace_id, slow_ns, error_trace_id, retention_days)
				SELECT ?, fromUnixTimestamp(?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?), ?, unhex(?), 30`,
				o.Tenant, o.Time/second, o.Service, o.Version, o.Name, o.Kind, o.Calls, o.Errors, o.Satisfied, o.Tolerating, o.Duration.Sum,
				indexes, counts, fmt.Sprintf("%x", o.SlowTrace[:]), o.SlowNanoseconds, fmt.Sprintf("%x", o.ErrorTrace[:]))
		}
	}
	if rows < 6 || failed == 0 || satisfied == 0 || tolerating == 0 {
		t.Fatalf("only %d rows, %d failed, %d satisfied, %d tolerating", rows, failed, satisfied, tolerating)
	}

	ask := func(query string, more string) map[string]string {
		t.Helper()
		var names, values []string
		query = fmt.Sprintf("SELECT mapKeys(m), mapValues(m) FROM (SELECT %s AS m FROM (%s))", more, query)
		if err := store.Conn.QueryRow(context.Background(), query).Scan(&names, &values); err != nil {
			t.Fatalf("%s\n%v", query, err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = values[i]
		}
		return row
	}
	near := func(what, got string, want, tolerance float64) {
		t.Helper()
		var v float64
		if _, err := fmt.Sscan(got, &v); err != nil || math.Abs(v-want) > tolerance*math.Abs(want) {
			t.Errorf("%s is %s, want %v", what, got, want)
		}
	}
	n := float64(len(durations))
	total := int64(0)
	for _, d := range durations {
		total += d
	}
	slices.Sort(durations)
	quantile := func(q float64) float64 { return float64(durations[max(1, int(math.Ceil(q*n)))-1]) / 1e6 }

	row := ask(queries[0], "map('rate', toString(per_second), 'errors', toString(errors), 'mean', toString(mean_ms))")
	near("rate", row["rate"], n/3600, 1e-9)
	near("errors", row["errors"], float64(failed)/n, 1e-9)
	near("mean", row["mean"], float64(total)/n/1e6, 1e-9)

	row = ask(queries[1], "map('calls', toString(calls), 'half', toString(ms[1]), 'most', toString(ms[2]), 'none', toString(buckets[1] = -32768))")
	near("calls", row["calls"], n, 0)
	near("median", row["half"], quantile(0.5), 0.011)
	near("99th percentile", row["most"], quantile(0.99), 0.011)
	var all sketch.Sketch
	for _, d := range durations {
		all.Add(d)
	}
	near("99th percentile as Go has it", row["most"], sketch.Quantile(0.99, all.Append(nil))/1e6, 1e-9)
	least := ask(strings.Replace(queries[1], "[0.5, 0.99]", "[0.0, 1.0]", 1), "map('least', toString(ms[1]), 'most', toString(ms[2]))")
	near("least", least["least"], 0, 0)
	near("greatest", least["most"], quantile(1), 0.011)

	row = ask("SELECT count() AS minutes, sum(calls) AS calls, max(p99_ms) AS p99 FROM ("+queries[2]+")",
		"map('minutes', toString(minutes), 'calls', toString(calls), 'p99', toString(p99))")
	near("calls of all minutes", row["calls"], n, 0)
	if len(row["minutes"]) == 1 && row["minutes"] < "6" {
		t.Errorf("%s minutes", row["minutes"])
	}
	if row["p99"] == "0" {
		t.Error("the 99th percentile of a minute is nothing")
	}

	row = ask(queries[3], "map('version', toString(version), 'failed', toString(failed), 'slowest', slowest, 'ms', toString(slowest_ms), 'error', error)")
	near("errors of a version", row["failed"], float64(failed)/n, 1e-9)
	near("slowest", row["ms"], quantile(1), 1e-9)
	if row["version"] != "1.2.3" || row["slowest"] != fmt.Sprintf("%x", slowest.TraceID[:]) || strings.Trim(row["error"], "0") == "" {
		t.Errorf("version %s, slowest %s of %x, error %s", row["version"], row["slowest"], slowest.TraceID, row["error"])
	}

	row = ask(queries[4], "map('service', toString(service), 'apdex', toString(apdex))")
	near("Apdex", row["apdex"], (float64(satisfied)+float64(tolerating)/2)/n, 1e-9)
}
