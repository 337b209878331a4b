package promql

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"

	"github.com/goshawk-observability/goshawk/sinks/rollup"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// BenchmarkRolled asks for a month of counters and gauges at 15 seconds, from
// samples and from rollups.
func BenchmarkRolled(b *testing.B) {
	f := newFixture(b, nil)
	const series, days = 200, 30
	today := time.Now().Unix() / 86400
	first := today - days - 1
	values := map[string]string{
		"requests_total": "toFloat64(intDiv(number, 200) * (15 + cityHash64(number % 200) % 500) + cityHash64(number) % (15 + cityHash64(number % 200) % 500))",
		"temperature":    "round(50 + 20 * sin(number / 9000000 + number % 200) + (cityHash64(number) % 300) / 100, 2)",
	}
	exec := func(statement string) {
		b.Helper()
		if err := f.conn.Exec(context.Background(), statement); err != nil {
			b.Fatal(err)
		}
	}
	for metric, value := range values {
		for day := first; day < first+days; day++ {
			exec(fmt.Sprintf(`INSERT INTO %s (tenant, metric, bucket, fingerprint, time, value, retention_days)
SELECT 'default', '%s', toStartOfInterval(toDateTime(at), INTERVAL 30 MINUTE, 'UTC'), cityHash64(number %% 200, '%s'), at, %s, 35
FROM (SELECT number, fromUnixTimestamp64Nano(toInt64(%d * 86400000000000 + intDiv(number, 200) * 15000000000 + (cityHash64(number %% 200) %% 15000 + cityHash64(number, 5) %% 20) * 1000000)) AS at FROM numbers(%d, %d))`,
				f.store.table(tables.Samples), metric, metric, value, first, (day-first)*series*5760, series*5760))
		}
		exec(fmt.Sprintf(`INSERT INTO %s (tenant, metric, fingerprint, prometheus_name, labels, protocol, day, kind, retention_days)
SELECT 'default', '%s', cityHash64(number %% 200, '%s'), '%s', map('instance', toString(number %% 200), 'job', toString(number %% 7)), 'remote_write', toDate(%d + intDiv(number, 200)), 'sum', 35 FROM numbers(%d)`,
			f.store.table(tables.Series), metric, metric, metric, first, series*days))
	}
	exec("OPTIMIZE TABLE " + f.store.table(tables.Samples) + " FINAL")
	cfg := rollup.DefaultConfig()
	cfg.MinSamples = 0
	job := rollup.New(cfg, f.conn, f.columns, tables.Dialect{Database: f.engine.Database}, f.store.cfg.Topic, func(string) int { return 35 }, slog.New(slog.DiscardHandler), rollup.NewMetrics(prom.NewRegistry()))
	began, engine, own := time.Now(), cpu(f.engine.Pid()), cpu(os.Getpid())
	if err := job.Pass(context.Background(), rollup.Selection{}, nil); err != nil {
		b.Fatal(err)
	}
	millions := float64(2*series*days*5760) / 1e6
	b.Logf("computed in %s: CPU-seconds per million samples: goshawk %.3f, ClickHouse %.3f", time.Since(began), (cpu(os.Getpid())-own)/millions, (cpu(f.engine.Pid())-engine)/millions)
	for _, table := range []string{tables.Samples, tables.Samples1m, tables.Samples5m, tables.Samples1h} {
		exec("OPTIMIZE TABLE " + f.store.table(table) + " FINAL")
		var rows, bytes uint64
		if err := f.conn.QueryRow(context.Background(), "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = ? AND table = ?", f.engine.Database, table).Scan(&rows, &bytes); err != nil {
			b.Fatal(err)
		}
		b.Logf("%-10s %10d rows, %5.2f B a row, %.3f B a sample", table, rows, float64(bytes)/float64(rows), float64(bytes)/millions/1e6)
	}
	off := f.store.cfg
	off.Rollups = false
	stores := map[string]*Store{"rollups": f.store, "samples": NewStore(off, f.columns, f.engine.Database)}
	end := time.Unix((first+days)*86400, 0)
	for _, q := range []struct {
		text       string
		back, step time.Duration
	}{
		{"sum by (job) (rate(requests_total[1h]))", 30 * 24 * time.Hour, time.Hour},
		{"max_over_time(temperature[1d])", 29 * 24 * time.Hour, 24 * time.Hour},
		{"avg by (job) (temperature)", 30 * 24 * time.Hour, time.Hour},
		{"sum by (job) (rate(requests_total[5m]))", 7 * 24 * time.Hour, 5 * time.Minute},
		{"sum by (job) (increase(requests_total[28d]))", 0, 0},
		{"rate(requests_total{instance=\"7\"}[1h])", 29 * 24 * time.Hour, time.Hour},
	} {
		for _, of := range []string{"samples", "rollups"} {
			s := stores[of]
			e := newEngine(s.cfg, nil, nil)
			b.Run(fmt.Sprintf("%s/%s/%s/%s", q.text, q.back, q.step, of), func(b *testing.B) {
				engine, own := cpu(f.engine.Pid()), cpu(os.Getpid())
				for b.Loop() {
					var query promql.Query
					var err error
					if q.step == 0 {
						query, err = e.NewInstantQuery(context.Background(), s, nil, q.text, end)
					} else {
						query, err = e.NewRangeQuery(context.Background(), s, nil, q.text, end.Add(-q.back), end, q.step)
					}
					if err != nil {
						b.Fatal(err)
					}
					if result := query.Exec(context.Background()); result.Err != nil {
						b.Fatal(result.Err)
					}
					query.Close()
				}
				b.ReportMetric((cpu(os.Getpid())-own)/float64(b.N)*1000, "goshawk-ms/op")
				b.ReportMetric((cpu(f.engine.Pid())-engine)/float64(b.N)*1000, "clickhouse-ms/op")
			})
		}
	}
}

// cpu returns the seconds of CPU that a process has used.
func cpu(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	var user, system float64
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if _, err := fmt.Sscan(string(fields[11])+" "+string(fields[12]), &user, &system); err != nil {
		return 0
	}
	return (user + system) / 100 // the kernel counts in hundredths
}
