package promql

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// BenchmarkQuery evaluates queries over 500 series of 24 hours at 15 seconds.
// What ClickHouse computes meanwhile is in the time, but not in the allocations.
func BenchmarkQuery(b *testing.B) {
	f := newFixture(b, nil)
	const series, interval, day = 500, 15_000, 24 * 3600 * 1000
	r := f.remote()
	for from := 0; from < day; from += day / 24 {
		a := r.AppenderV2(context.Background())
		for i := range series {
			l := labels.FromStrings("__name__", "node_cpu_seconds_total", "cpu", fmt.Sprint(i%16), "instance", fmt.Sprintf("host-%d", i/64), "job", "node", "mode", fmt.Sprint("mode", i/16%4))
			for t := from; t < from+day/24; t += interval {
				if _, err := a.Append(0, l, 0, int64(t), float64(t/1000*(i+1)%100_000), nil, nil, storage.AppendV2Options{}); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := a.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	engine := newEngine(DefaultConfig(), nil, nil)
	end := time.UnixMilli(day)
	for _, q := range []string{
		"sum by (mode) (rate(node_cpu_seconds_total[5m]))", "avg by (cpu) (node_cpu_seconds_total)",
		`node_cpu_seconds_total{instance="host-1", mode="mode2"}`,
	} {
		for _, span := range []struct {
			name       string
			back, step time.Duration
		}{{"instant", 0, 0}, {"1h", time.Hour, 15 * time.Second}, {"24h", 24 * time.Hour, time.Minute}} {
			b.Run(q+"/"+span.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var query promql.Query
					var err error
					if span.back == 0 {
						query, err = engine.NewInstantQuery(context.Background(), r, nil, q, end)
					} else {
						query, err = engine.NewRangeQuery(context.Background(), r, nil, q, end.Add(-span.back), end, span.step)
					}
					if err != nil {
						b.Fatal(err)
					}
					if result := query.Exec(context.Background()); result.Err != nil {
						b.Fatal(result.Err)
					}
					query.Close()
				}
			})
		}
	}
}
