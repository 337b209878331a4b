package traces_test

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

var benchSpans = flag.Int("spans", 2_000_000, "spans that BenchmarkTraces asks among")

// fill writes n spans of a day: traces of 10 spans, 20 services with 50 operations
// each, 9 texts and 2 numbers a span. It returns when the day begins.
func (f *fixture) fill(b *testing.B, n int) time.Time {
	b.Helper()
	const day = 24 * time.Hour
	start := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	each := int64(day) / int64(n/10)
	const block = 250_000
	for from := 0; from < n; from += block {
		statement := fmt.Sprintf(`INSERT INTO %s (tenant, bucket, service, time, duration_ns, name, kind, status, trace_id, span_id, parent_span_id, attributes, attribute_numbers, resource, scope, retention_days, kafka_partition, kafka_offset)
WITH intDiv(number, 10) AS trace, number %% 10 AS i, cityHash64(number, 1) AS h, fromUnixTimestamp64Nano(toInt64(%d + trace * %d + i * 3000000)) AS start, concat('service-', toString(cityHash64(trace, i) %% 20)) AS who
SELECT 'default', toStartOfInterval(toDateTime(start, 'UTC'), INTERVAL 30 MINUTE), who, start, h %% 100000000, concat('GET /operation/', toString(h %% 50)), 1 + i %% 5, if(h %% 50 = 0, 2, 0), sipHash128(trace), reinterpretAsFixedString(cityHash64(number)),
  if(i = 0, toFixedString('', 8), reinterpretAsFixedString(cityHash64(number - i + intDiv(i - 1, 2)))),
  map('http.request.method', ['GET', 'POST'][1 + h %% 2], 'http.route', concat('/operation/', toString(h %% 50)), 'customer', toString(h %% 1000), concat('k', toString(h %% 31)), toString(cityHash64(number, 2) %% 1000),
    concat('l', toString(h %% 29)), toString(cityHash64(number, 3) %% 1000), concat('m', toString(h %% 23)), toString(cityHash64(number, 4) %% 1000), 'url.full', concat('https://shop.example.org/', hex(h)), 'user_agent.original', 'Mozilla/5.0', 'session', hex(cityHash64(trace))),
  map('http.response.status_code', [200, 200, 200, 200, 200, 200, 200, 200, 404, 500][1 + cityHash64(number, 5) %% 10], 'bytes', h %% 100000),
  concat('{"attributes":', toJSONString(map('service.name', who, 'host.name', concat('host-', toString(trace %% 10)))), '}'), '{"name":"bench"}', 3650, trace %% 4, %d
FROM numbers(%d, %d)`, (tables.Dialect{Database: f.engine.Database}).Table(tables.Spans), start.UnixNano(), each, from, from, min(block, n-from))
		if err := f.conn.Exec(context.Background(), statement); err != nil {
			b.Fatal(err)
		}
	}
	for merges := uint64(1); merges > 0; time.Sleep(time.Second) {
		if err := f.conn.QueryRow(context.Background(), "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			b.Fatal(err)
		}
	}
	return start
}

// cpu is what this process and the engine have used so far, user and system.
func (f *fixture) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.engine.Pid()))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	const tick = 10 * time.Millisecond
	return observetest.CPUTime(b) + time.Duration(user+system)*tick
}

// BenchmarkTraces asks for traces among many. It reports the median and the 95th
// percentile, the CPU time of both processes, all in milliseconds, and the rows
// that ClickHouse reads.
func BenchmarkTraces(b *testing.B) {
	f := newFixture(b)
	began := time.Now()
	start := f.fill(b, *benchSpans)
	b.Logf("%d spans in %s", *benchSpans, time.Since(began).Round(time.Second))
	s := f.serve(b, nil)
	random := rand.New(rand.NewPCG(1, 2))
	var ids []string
	rows, err := f.conn.Query(context.Background(), "SELECT sipHash128(toUInt64(number)) FROM numbers("+strconv.Itoa(*benchSpans/10)+") ORDER BY rand() LIMIT 1000")
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, hex.EncodeToString([]byte(id)))
	}
	if err := rows.Close(); err != nil {
		b.Fatal(err)
	}
	hour := func(unit time.Duration) (string, string) {
		from := start.Add(time.Duration(random.IntN(23*60)) * time.Minute).UnixNano()
		return strconv.FormatInt(from/int64(unit), 10), strconv.FormatInt((from+int64(time.Hour))/int64(unit), 10)
	}
	tempo := func(q string) func() string {
		return func() string {
			from, to := hour(time.Second)
			return "/tempo/api/search?start=" + from + "&end=" + to + "&q=" + url.QueryEscape(q)
		}
	}
	for _, c := range []struct {
		name string
		path func() string
	}{
		{"trace by id, jaeger", func() string { return "/api/traces/" + ids[random.IntN(len(ids))] }},
		{"trace by id, tempo", func() string { return "/tempo/api/traces/" + ids[random.IntN(len(ids))] }},
		{"service, operation and tag in 1 h, jaeger", func() string {
			from, to := hour(time.Microsecond)
			return fmt.Sprintf("/api/traces?service=service-%d&operation=%s&tags=%s&start=%s&end=%s", random.IntN(20), url.QueryEscape(fmt.Sprintf("GET /operation/%d", random.IntN(50))), url.QueryEscape(`{"http.response.status_code":"500"}`), from, to)
		}},
		{"service, operation and tag in 1 h, tempo", tempo(`{ resource.service.name = "service-3" && name = "GET /operation/7" && span.http.response.status_code = 500 }`)},
		{"rare tag in 1 h, tempo", tempo(`{ span.url.full = "https://shop.example.org/none" }`)},
		{"errors below a service in 1 h, tempo", tempo(`{ resource.service.name = "service-3" } >> { status = error }`)},
		{"count of all spans in 1 h, tempo", tempo(`{} | count() > 9`)},
		{"services of 24 h", func() string {
			return fmt.Sprintf("/api/services?start=%d&end=%d", start.UnixMicro(), start.Add(24*time.Hour).UnixMicro())
		}},
		{"keys of 1 h, tempo", func() string {
			from, to := hour(time.Second)
			return "/tempo/api/v2/search/tags?scope=span&start=" + from + "&end=" + to
		}},
		{"dependencies of 1 h", func() string {
			_, to := hour(time.Millisecond)
			return "/api/dependencies?endTs=" + to + "&lookback=3600000"
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var times []time.Duration
			var read float64
			used := f.cpu(b)
			for b.Loop() {
				path := c.path()
				began := time.Now()
				a := s.get(b, "default", path)
				times = append(times, time.Since(began))
				if a.status != 200 {
					b.Fatalf("%s: %d %.300s", path, a.status, a.body)
				}
				n, _ := strconv.ParseFloat(a.header.Get("X-Goshawk-Rows-Read"), 64)
				read += n
			}
			used = f.cpu(b) - used
			slices.Sort(times)
			at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))].Microseconds()) / 1000 }
			b.ReportMetric(at(.5), "p50-ms")
			b.ReportMetric(at(.95), "p95-ms")
			b.ReportMetric(float64(used.Microseconds())/1000/float64(len(times)), "cpu-ms")
			b.ReportMetric(read/float64(len(times)), "rows")
		})
	}
}

// BenchmarkServiceMap asks for the map of an hour: 1,000 edges, each with a row a
// minute from each of four partitions, of 40 buckets for each of three latencies.
func BenchmarkServiceMap(b *testing.B) {
	f := newFixture(b)
	start := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	latency := "range(40) AS %[1]s_b, arrayMap(i -> toInt16(700 + i), %[1]s_b) AS i_%[1]s, arrayMap(i -> toUInt64(1 + i), %[1]s_b) AS c_%[1]s"
	statement := fmt.Sprintf("INSERT INTO %s (tenant, time, caller, callee, operation, kind, calls, `client.bucket`, `client.count`, `server.bucket`, `server.count`, `network.bucket`, `network.count`, retention_days, kafka_partition)\nWITH "+
		fmt.Sprintf(latency, "x")+" SELECT 'default', toDateTime(%d + intDiv(number, 4000) * 60, 'UTC'), concat('service-', toString(intDiv(number, 4) %% 100)), concat('service-', toString(cityHash64(intDiv(number, 4) %% 1000) %% 100)), 'GET', 'service', 820, "+
		"i_x, c_x, i_x, c_x, i_x, c_x, 3650, number %% 4 FROM numbers(240000)", (tables.Dialect{Database: f.engine.Database}).Table(tables.Edges), start.Unix())
	if err := f.conn.Exec(context.Background(), statement); err != nil {
		b.Fatal(err)
	}
	s := f.serve(b, nil)
	used := f.cpu(b)
	path := fmt.Sprintf("/api/v1/service-map?start=%d&end=%d", start.Unix(), start.Add(time.Hour).Unix())
	for b.Loop() {
		if a := s.get(b, "default", path); a.status != 200 || !strings.Contains(a.body, `"service:service-7"`) {
			b.Fatalf("%d %.300s", a.status, a.body)
		}
	}
	b.ReportMetric(float64((f.cpu(b)-used).Microseconds())/1000/float64(b.N), "cpu-ms")
}
