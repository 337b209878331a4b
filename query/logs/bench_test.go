package logs_test

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

var benchLines = flag.Int("lines", 2_000_000, "lines that BenchmarkSearch asks among")

// fill writes n lines of a day: 20 services on 40 hosts, six attributes and an id of
// its own in each line. It returns when the day begins.
func (f *fixture) fill(b *testing.B, n int) time.Time {
	b.Helper()
	const day = 24 * time.Hour
	start := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	each := int64(day) / int64(n)
	const block = 250_000
	for from := 0; from < n; from += block {
		statement := fmt.Sprintf(`INSERT INTO %s (tenant, bucket, service, time, severity, severity_class, body, longest_word, body_kind, trace_id, attributes, resource, scope, retention_days, kafka_partition, kafka_offset)
WITH cityHash64(number, 1) AS h, fromUnixTimestamp64Nano(toInt64(%d + number * %d)) AS at, concat('service-', toString(h %% 20)) AS who
SELECT 'default', toStartOfInterval(toDateTime(at, 'UTC'), INTERVAL 30 MINUTE), who, at, if(h %% 50 = 0, 17, 9), if(h %% 50 = 0, 'error', 'info'),
  concat(['GET', 'POST', 'PUT'][1 + h %% 3], ' /api/v1/orders/', toString(cityHash64(number, 2) %% 100000), ' from 10.0.', toString(h %% 256), '.7 took ', toString(cityHash64(number, 3) %% 2000), 'ms id=', lower(hex(cityHash64(number, 4))), ' done') AS line, arrayMax(arrayMap(length, tokens(line))), 'string', sipHash128(intDiv(number, 10)),
  map('http.route', concat('/api/v1/', toString(h %% 100)), 'http.request.method', ['GET', 'POST', 'PUT'][1 + h %% 3], 'http.response.status_code', ['200', '200', '200', '404', '500'][1 + cityHash64(number, 5) %% 5], 'customer', toString(cityHash64(number, 6) %% 10000), 'thread', toString(h %% 64), 'session', hex(cityHash64(intDiv(number, 100)))),
  concat('{"attributes":', toJSONString(map('service.name', who, 'host.name', concat('host-', toString(h %% 40)))), '}'), '{"name":"bench"}', 3650, number %% 4, %d
FROM numbers(%d, %d)`, (tables.Dialect{Database: f.engine.Database}).Table(tables.Logs), start.UnixNano(), each, from, from, min(block, n-from))
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

// BenchmarkSearch asks for lines of a day among many. It reports the median and the
// 95th percentile in milliseconds, and the rows that ClickHouse reads.
func BenchmarkSearch(b *testing.B) {
	f := newFixture(b)
	began := time.Now()
	start := f.fill(b, *benchLines)
	b.Logf("%d lines in %s", *benchLines, time.Since(began).Round(time.Second))
	s := f.serve(b, func(cfg *logs.Config) { cfg.StreamCache = 5 * time.Second })
	day := fmt.Sprintf("&start=%d&end=%d", start.UnixNano(), start.Add(24*time.Hour).UnixNano())
	// An id of a line in the first quarter of the day: most of it is looked through.
	var id string
	if err := f.conn.QueryRow(context.Background(), "SELECT lower(hex(cityHash64(toUInt64("+strconv.Itoa(*benchLines/4)+"), 4)))").Scan(&id); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, query, more string }{
		{"needle with whole tokens", `{service_name=~".+"} |= "id=` + id + ` "`, ""},
		{"needle without whole tokens", `{service_name=~".+"} |= "` + id + `"`, ""},
		{"needle of a service", `{service_name="service-7"} |= "` + id + `"`, ""},
		{"needle that is nowhere", `{service_name=~".+"} |= "id=0123456789abcdef "`, ""},
		{"regular expression", `{service_name=~".+"} |~ "took 19[0-9]{2}ms id=00"`, ""},
		{"newest of all", `{service_name=~".+"}`, ""},
		{"service and level", `{service_name="service-0", level="error"}`, ""},
		{"host", `{host_name="host-17"}`, ""},
		{"attribute", `{service_name="service-7"} | http_response_status_code="500"`, ""},
		{"rare attribute", `{service_name="service-7"} | customer="none"`, ""},
		{"json of a service", `{service_name="service-7"} | json | __error__="" `, "&start=" + strconv.FormatInt(start.Add(23*time.Hour).UnixNano(), 10)},
		{"count by level", `sum by (level) (count_over_time({service_name=~".+"}[1m]))`, "&step=5m"},
		{"count by service", `sum by (service_name) (count_over_time({service_name=~".+"}[5m]))`, "&step=5m"},
		{"count by attribute", `sum by (http_response_status_code) (rate({service_name="service-7"}[5m]))`, "&step=5m"},
		{"bytes of a service", `sum(bytes_over_time({service_name="service-7"}[1h]))`, "&step=10m"},
		{"logs of a trace", "", ""},
		{"labels", "labels", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			path := "/loki/api/v1/query_range?limit=100&query=" + url.QueryEscape(c.query) + c.more + day
			switch c.query {
			case "":
				path = "/api/v1/traces/5f9a000000000000000000000000000a/logs"
			case "labels":
				path = "/loki/api/v1/labels?" + day
			}
			var times []time.Duration
			var read float64
			for b.Loop() {
				began := time.Now()
				a := s.get(b, "default", path)
				times = append(times, time.Since(began))
				if a.status != 200 {
					b.Fatalf("%s: %d %.300s", path, a.status, a.body)
				}
				n, _ := strconv.ParseFloat(a.header.Get(logs.RowsHeader), 64)
				read += n
			}
			slices.Sort(times)
			at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))].Microseconds()) / 1000 }
			b.ReportMetric(at(.5), "p50-ms")
			b.ReportMetric(at(.95), "p95-ms")
			b.ReportMetric(read/float64(len(times)), "rows")
		})
	}
}
