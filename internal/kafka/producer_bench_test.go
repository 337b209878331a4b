package kafka_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// logsRequest encodes a request of n log records of about 485 bytes each.
func logsRequest(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", pick("cart", "checkout", "payment"))
	rl.Resource().Attributes().PutStr("host.name", fmt.Sprintf("node-%d", r.IntN(6)))
	sl := rl.ScopeLogs().AppendEmpty()
	now := time.Unix(1_750_000_000, 0)
	for i := range n {
		lr := sl.LogRecords().AppendEmpty()
		now = now.Add(time.Duration(r.IntN(1_000_000)))
		lr.SetTimestamp(pcommon.NewTimestampFromTime(now))
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
		lr.SetSeverityText(pick("INFO", "INFO", "INFO", "WARN", "ERROR"))
		lr.Body().SetStr(fmt.Sprintf("request %08x finished in %d ms with status %d after %d retries",
			r.Uint32(), r.IntN(2000), 200+r.IntN(300), r.IntN(3)))
		var trace [16]byte
		for j := range trace {
			trace[j] = byte(r.Uint32())
		}
		lr.SetTraceID(trace)
		a := lr.Attributes()
		a.PutStr("http.route", pick("/api/cart", "/api/checkout", "/api/products/{id}"))
		a.PutStr("http.request.method", pick("GET", "POST"))
		a.PutInt("http.response.status_code", int64(200+r.IntN(300)))
		a.PutStr("user.id", fmt.Sprintf("user-%d", r.IntN(100_000)))
		a.PutStr("session.id", fmt.Sprintf("%016x", r.Uint64()))
		a.PutStr("client.address", fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256)))
		a.PutStr("code.function.name", pick("handleCheckout", "reserveStock", "chargeCard"))
		a.PutStr("thread.name", fmt.Sprintf("worker-%d", r.IntN(32)))
		a.PutInt("duration_us", int64(r.IntN(2_000_000)))
		a.PutStr("user_agent.original", pick("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", "curl/8.5.0", "okhttp/4.12"))
		_ = i
	}
	b, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		panic(err)
	}
	return b
}

func BenchmarkProduce(b *testing.B) {
	for _, events := range []int{1000, 10} {
		for _, codec := range []kafka.Compression{kafka.None, kafka.Snappy, kafka.LZ4, kafka.Zstd} {
			b.Run(fmt.Sprintf("events=%d/%s", events, codec), func(b *testing.B) {
				benchmarkProduce(b, events, codec, 2)
			})
		}
	}
	for _, inFlight := range []int{1, 2, 4} {
		for _, events := range []int{1000, 100, 10} {
			b.Run(fmt.Sprintf("inflight=%d/events=%d", inFlight, events), func(b *testing.B) {
				benchmarkProduce(b, events, kafka.Snappy, inFlight)
			})
		}
	}
}

func benchmarkProduce(b *testing.B, events int, codec kafka.Compression, inFlight int) {
	cluster := kafkatest.Embedded(b, kfake.DataDir(b.TempDir()), kfake.BrokerConfigs(map[string]string{
		"log.retention.ms": "-1", "log.retention.bytes": "50000000", "log.segment.bytes": "10000000",
	}))
	topic := cluster.Topic(b, 4)
	cfg := kafka.DefaultProducerConfig()
	cfg.Compression, cfg.MaxInFlight = codec, inFlight
	reg := prometheus.NewRegistry()
	p, err := kafka.NewProducer(cluster.Client(b), cfg, quiet, reg)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	payloads := make([][]byte, 64)
	for i := range payloads {
		payloads[i] = logsRequest(uint64(i), events)
	}
	b.SetBytes(int64(len(payloads[0])))
	var next atomic.Int64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	start := observetest.CPUTime(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			if n%256 == 0 {
				cluster.Fake.ApplyRetention()
			}
			err := p.Produce(context.Background(), []kafka.Record{{
				Topic: topic, Partition: int32(n % 4), Value: payloads[n%64], Timestamp: time.Now().UnixMilli(),
			}})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64((observetest.CPUTime(b)-start).Microseconds())/float64(b.N), "cpu-us/op")
}
