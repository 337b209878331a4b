package topic_test

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

type sinkFunc func(*telemetry.Batch) error

func (f sinkFunc) Write(_ context.Context, b *telemetry.Batch) error { return f(b) }

// consume runs a consumer whose sink gets every batch.
func consume(b testing.TB, cluster *kafkatest.Cluster, name string, cfg topic.SourceConfig, write func(*telemetry.Batch) error) (stop func()) {
	client, err := kafka.New(cluster.Config())
	if err != nil {
		b.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	consumer, err := topic.NewConsumers(client, topic.DefaultMaxBuffered, testLog(), reg).Consumer(kafkatest.Unique("group"), name, telemetry.Logs, cfg)
	if err != nil {
		b.Fatal(err)
	}
	metrics := pipeline.NewWorkerMetrics(reg)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		err := consumer.Run(ctx, func(ctx context.Context, _ int32, source pipeline.Source) error {
			w := pipeline.Worker{
				Source: source, Decode: func(*telemetry.Batch) {}, Log: testLog(), Metrics: metrics,
				Sinks: []pipeline.NamedSink{{Name: "bench", Sink: sinkFunc(write)}},
			}
			return w.Run(ctx)
		})
		if err != nil {
			b.Error(err)
		}
	})
	return func() { cancel(); wait.Wait(); client.Close() }
}

// BenchmarkSource takes records of 1000 events of 485 bytes (large) or of one
// (small, as a keyed collector writes them), until there are no more.
func BenchmarkSource(b *testing.B) {
	for _, size := range []int{485_000, 485} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			cluster := kafkatest.Embedded(b, kfake.DataDir(b.TempDir()))
			name := cluster.Topic(b, 1)
			producer := newProducer(b, cluster)
			value := make([]byte, size)
			for i := range value {
				value[i] = "goshawk service=cart status=200 "[(i*7+i/97)%32]
			}
			for n := 0; n < b.N; {
				var parts []topic.Part
				for ; n < b.N && len(parts) < max(1, 500_000/size); n++ {
					parts = append(parts, topic.Part{
						Topic: name, Value: value, Tenant: "default", BatchID: topic.RequestID("default", value).Part(n),
						Received: time.Now().UnixNano(), Events: int64(max(size/485, 1)),
					})
				}
				if err := producer.Produce(context.Background(), parts); err != nil {
					b.Fatal(err)
				}
			}
			done := make(chan struct{})
			got := 0
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			start := observetest.CPUTime(b)
			stop := consume(b, cluster, name, topic.DefaultSourceConfig(), func(batch *telemetry.Batch) error {
				for i := range batch.Records {
					if batch.Records[i].Repeated || len(batch.Records[i].Value) != size {
						return fmt.Errorf("record %d is wrong", i)
					}
				}
				if got += len(batch.Records); got == b.N {
					close(done)
				}
				return nil
			})
			<-done
			b.ReportMetric(float64((observetest.CPUTime(b)-start).Nanoseconds())/float64(b.N)/1000, "cpu-us/op")
			b.StopTimer()
			stop()
		})
	}
}

// BenchmarkDelay shows how long a record takes from the producer to the sink,
// with the default settings and few records. It is a report, not a test.
func BenchmarkDelay(b *testing.B) {
	cluster := kafkatest.Embedded(b)
	name := cluster.Topic(b, 4)
	producer := newProducer(b, cluster)
	var mu sync.Mutex
	var delays []time.Duration
	blocks := 0
	stop := consume(b, cluster, name, topic.DefaultSourceConfig(), func(batch *telemetry.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		blocks++
		for i := range batch.Records {
			delays = append(delays, time.Since(time.Unix(0, batch.Records[i].ReceiveTime)))
		}
		return nil
	})
	defer stop()
	time.Sleep(time.Second)
	start, idle := observetest.CPUTime(b), time.Now()
	time.Sleep(2 * time.Second)
	b.ReportMetric(100*float64(observetest.CPUTime(b)-start)/float64(time.Since(idle)), "idle-cpu-%")
	for i := range 400 {
		row := fmt.Appendf(nil, "row %d", i)
		err := producer.Produce(context.Background(), []topic.Part{{
			Topic: name, Partition: int32(i % 4), Value: row, Tenant: "default", BatchID: topic.RequestID("default", row),
			Received: time.Now().UnixNano(), Events: 1,
		}})
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second)
	mu.Lock()
	defer mu.Unlock()
	sort.Slice(delays, func(i, j int) bool { return delays[i] < delays[j] })
	b.ReportMetric(float64(delays[len(delays)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(delays[len(delays)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(float64(blocks), "blocks")
}
