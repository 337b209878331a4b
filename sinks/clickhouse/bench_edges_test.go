package clickhouse

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// minuteOfCounts is a block without events: n edges and as many operations of a
// minute, and a tenth of that pairs of hosts.
func minuteOfCounts(n int, minute int64) *telemetry.Batch {
	b := &telemetry.Batch{
		Block:   telemetry.Block{Topic: "otlp_spans", From: minute, To: minute + 1, Signal: telemetry.Spans},
		Records: []telemetry.Record{{Tenant: "default", ReceiveTime: siteStart.UnixNano(), Idle: true}},
	}
	at := siteStart.UnixNano() + minute*int64(time.Minute)
	latency := func(seed int64) telemetry.Latency {
		var s sketch.Sketch
		for i := range int64(100) { // some 60 buckets
			s.Add((1 + (seed+7*i)%50) * int64(time.Millisecond))
		}
		return b.AddLatency(&s)
	}
	for i := range n {
		service, operation := fmt.Sprintf("service-%d", i%50), fmt.Sprintf("GET /operation/%d", i/50)
		b.Edges = append(b.Edges, telemetry.Edge{
			Tenant: "default", Time: at, Caller: fmt.Sprintf("service-%d", i%7), Callee: service, Operation: operation, Calls: 100,
			Client: latency(int64(i)), Server: latency(int64(i + 1)), Network: latency(int64(i + 2)), SlowNanoseconds: int64(i),
			SlowTrace: telemetry.TraceID{byte(i), byte(i >> 8), 1},
		})
		b.Operations = append(b.Operations, telemetry.Operation{
			Tenant: "default", Time: at, Service: service, Name: operation, Kind: 2, Calls: 100, Satisfied: 100, Duration: latency(int64(i)),
			SlowTrace: telemetry.TraceID{byte(i), byte(i >> 8), 2}, SlowNanoseconds: int64(i),
		})
		if i%10 == 0 {
			b.ClockOffsets = append(b.ClockOffsets, telemetry.ClockOffset{
				Tenant: "default", Time: at, Caller: fmt.Sprintf("node-%d", i), Callee: "node", Calls: 100, Lower: -int64(i), Upper: int64(i),
			})
		}
	}
	return b
}

// BenchmarkCounts writes what is counted in a minute, and reports CPU milliseconds
// of this process and of the engine, the latter with its merges. Without edges it
// is the cost of an idle record.
func BenchmarkCounts(b *testing.B) {
	for _, n := range []int{0, 100, 10_000} {
		b.Run(fmt.Sprintf("edges=%d", n), func(b *testing.B) {
			e, err := enginetest.New(b.TempDir())
			if err != nil {
				b.Skip("SKIPPED, needs the ClickHouse engine: ", err)
			}
			defer e.Stop()
			s := prepared(b, e)
			sink := s.sink()
			client, before := 0.0, cpuOf(b, e.Pid())
			for i := range b.N {
				batch := minuteOfCounts(n, int64(i))
				start := observetest.CPUTime(b).Seconds()
				if err := sink.Write(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
				client += observetest.CPUTime(b).Seconds() - start
			}
			s.settle(b)
			b.ReportMetric(1e3*client/float64(b.N), "client-CPU-ms/op")
			b.ReportMetric(1e3*(cpuOf(b, e.Pid())-before)/float64(b.N), "server-CPU-ms/op")
		})
	}
}
