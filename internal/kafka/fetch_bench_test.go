package kafka_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
)

func BenchmarkFetch(b *testing.B) {
	for _, codec := range []kafka.Compression{kafka.None, kafka.Snappy, kafka.LZ4, kafka.Zstd} {
		b.Run(codec.String(), func(b *testing.B) { benchmarkFetch(b, codec) })
	}
}

func benchmarkFetch(b *testing.B, codec kafka.Compression) {
	const records, events = 100, 1000
	cluster := kafkatest.Embedded(b, kfake.DataDir(b.TempDir()))
	topic := cluster.Topic(b, 1)
	cfg := kafka.DefaultProducerConfig()
	cfg.Compression = codec
	client := cluster.Client(b)
	p, err := kafka.NewProducer(client, cfg, quiet, prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	payload := logsRequest(1, events)
	for range records {
		if err := p.Produce(context.Background(), []kafka.Record{{Topic: topic, Value: payload, Timestamp: time.Now().UnixMilli()}}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	b.ResetTimer()
	start := observetest.CPUTime(b)
	for n := 0; n < b.N; {
		for offset := int64(0); offset < records && n < b.N; {
			f, err := client.Fetch(context.Background(), kafka.FetchRequest{
				Topic: topic, Offset: offset, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: time.Second,
			})
			if err != nil {
				b.Fatal(err)
			}
			for {
				batch, memory, err := f.ReadBatch(func(r *kafka.FetchedRecord) { n++ })
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				offset = batch.Next
				memory.Release()
			}
			f.Release()
		}
	}
	b.ReportMetric(float64((observetest.CPUTime(b)-start).Microseconds())/float64(b.N), "cpu-us/op")
}
