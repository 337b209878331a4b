package sampling

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

var benchSpans = flag.Int("spans", 1_000_000, "spans of the day that BenchmarkThin thins")

// fill writes a day of traces of 10 spans: 20 services with 50 operations each, 9
// texts and 2 numbers a span. One trace in 100 fails.
func (f *fixture) fill(b *testing.B, spans int) {
	b.Helper()
	exec := func(statement string, args ...any) {
		if err := f.conn.Exec(context.Background(), fmt.Sprintf(statement, args...)); err != nil {
			b.Fatal(err)
		}
	}
	const block = 50_000
	start, each := today*dayNanos, dayNanos/int64(spans/10)
	for from := 0; from < spans; from += block {
		n := min(block, spans-from)
		exec(`INSERT INTO %s (tenant, bucket, service, time, duration_ns, name, kind, status, trace_id, span_id, parent_span_id, attributes, attribute_numbers, resource, scope, retention_days, kafka_partition, kafka_offset)
WITH intDiv(number, 10) AS trace, number %% 10 AS i, cityHash64(number, 1) AS h, fromUnixTimestamp64Nano(toInt64(%d + trace * %d + i * 3000000)) AS start, concat('service-', toString(cityHash64(trace, i) %% 20)) AS who
SELECT 'default', toStartOfInterval(toDateTime(start, 'UTC'), INTERVAL 30 MINUTE), who, start, h %% 100000000, concat('GET /operation/', toString(h %% 50)), 1 + i %% 5, if(trace %% 100 = 0 AND i = 9, 2, 0), sipHash128(trace), reinterpretAsFixedString(cityHash64(number)),
  if(i = 0, toFixedString('', 8), reinterpretAsFixedString(cityHash64(number - i + intDiv(i - 1, 2)))),
  map('http.request.method', ['GET', 'POST'][1 + h %% 2], 'http.route', concat('/operation/', toString(h %% 50)), 'customer', toString(h %% 1000), concat('k', toString(h %% 31)), toString(cityHash64(number, 2) %% 1000),
    concat('l', toString(h %% 29)), toString(cityHash64(number, 3) %% 1000), concat('m', toString(h %% 23)), toString(cityHash64(number, 4) %% 1000), 'url.full', concat('https://shop.example.org/', hex(h)), 'user_agent.original', 'Mozilla/5.0', 'session', hex(cityHash64(trace))),
  map('http.response.status_code', [200, 200, 200, 200, 200, 200, 200, 200, 404, 500][1 + cityHash64(number, 5) %% 10], 'bytes', h %% 100000),
  concat('{"attributes":', toJSONString(map('service.name', who, 'host.name', concat('host-', toString(trace %% 10)))), '}'), '{"name":"bench"}', 3650, 0, %d
FROM numbers(%d, %d)`, f.dialect.Table(tables.Spans), start, each, from, from, n)
		exec(`INSERT INTO %s (tenant, trace_id, time, end_time, root_span_id, root_service, root_name, spans, errors, services, retention_days, kafka_partition, kafka_offset)
SELECT 'default', sipHash128(number), fromUnixTimestamp64Nano(toInt64(%d + number * %d)) AS start, start + toIntervalNanosecond(27000000 + cityHash64(number, 1) %% 1000000000), reinterpretAsFixedString(cityHash64(number * 10)),
  concat('service-', toString(cityHash64(number, 0) %% 20)), concat('GET /operation/', toString(cityHash64(number * 10, 1) %% 50)), 10, number %% 100 = 0,
  arrayMap(i -> concat('service-', toString(cityHash64(number, i) %% 20)), range(10)), 3650, 0, %d
FROM numbers(%d, %d)`, f.dialect.Table(tables.Traces), start, each, from, from/10, n/10)
		exec(`INSERT INTO %s (time, tenant, topic, kafka_partition, from_offset, to_offset, records, accepted, stored, min_time, max_time, retention_days)
SELECT now64(9), 'default', '%s', 0, %d, %d, 1, %d, %d, fromUnixTimestamp64Nano(%d), fromUnixTimestamp64Nano(%d), 3650`, f.dialect.Table(tables.Ledger), topic, from, from+block, n, n, start, start+dayNanos-1)
	}
	f.next[0] = uint64(spans + block)
	f.follow(b)
	for _, table := range []string{tables.Spans, tables.Traces} {
		exec("OPTIMIZE TABLE %s FINAL", f.dialect.Table(table))
	}
}

// bytes is how much the rows of a table take on disk.
func (f *fixture) bytes(b *testing.B, table string) (n uint64) {
	b.Helper()
	if err := f.conn.QueryRow(context.Background(), "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = ?", table).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// cpu is what the engine has used so far, user and system.
func (f *fixture) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.Pid()))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	const tick = 10 * time.Millisecond
	return time.Duration(user+system) * tick
}

// BenchmarkThin thins a day once. It reports the CPU time of the engine for a
// million spans, and how many bytes a table takes before and after.
func BenchmarkThin(b *testing.B) {
	f := newFixture(b)
	f.fill(b, *benchSpans)
	before := map[string]uint64{}
	for _, table := range []string{tables.Spans, tables.Traces} {
		before[table] = f.bytes(b, table)
	}
	marks := map[string]time.Duration{}
	began := f.cpu(b)
	f.job.step = func(name string) error {
		if _, ok := marks[name]; !ok {
			marks[name] = f.cpu(b) - began
		}
		return nil
	}
	b.ResetTimer()
	results := f.pass(b, Selection{})
	b.StopTimer()
	used := f.cpu(b) - began
	if len(results) != 1 {
		b.Fatalf("%+v", results)
	}
	million := float64(*benchSpans) / 1e6
	b.ReportMetric(used.Seconds()/million, "cpu-s/Mspan")
	b.ReportMetric(marks["begin"].Seconds()/million, "plan-cpu-s/Mspan")
	b.ReportMetric(float64(results[0].SpansRemoved)/float64(results[0].Spans), "removed")
	for table, was := range before {
		b.ReportMetric(float64(was), table+"-bytes")
		b.ReportMetric(float64(f.bytes(b, table)), table+"-bytes-after")
	}
	b.ReportMetric(float64(f.bytes(b, tables.SamplingTraces)+f.bytes(b, tables.SamplingBlocks)+f.bytes(b, tables.Sampling)), "books-bytes")
}
