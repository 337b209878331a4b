package interop

import (
	"errors"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/deploy/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// brokers are the two that goshawk runs on. The function starts one, or skips
// the test.
var brokers = []struct {
	name  string
	start func(*testing.T) string
}{
	{"embedded", func(t *testing.T) string { return cluster.Start(t, cluster.Options{Only: []string{"broker"}}).Kafka }},
	{"kafka", func(t *testing.T) string { return kafkatest.Start(t) }},
}

// partitionings are the ways in which the exporter spreads records.
var partitionings = []struct {
	name string
	edit func(*kafkaexporter.Config)
}{
	{"defaults", nil},
	{"keyed", func(cfg *kafkaexporter.Config) {
		cfg.PartitionTracesByID = true
		cfg.PartitionLogsByResourceAttributes = true
		cfg.PartitionMetricsByResourceAttributes = true
		cfg.Producer.Compression = "zstd"
	}},
	{"logs by trace", func(cfg *kafkaexporter.Config) {
		cfg.PartitionLogsByTraceID = true
		cfg.Producer.Compression = "lz4"
	}},
}

// createTopics makes the topics that collectors use, with the number of
// partitions that goshawk has by default, unless they exist.
func createTopics(t *testing.T, broker string) {
	t.Helper()
	var topics []kafka.TopicConfig
	for _, name := range []string{"otlp_logs", "otlp_spans", "otlp_metrics"} {
		topics = append(topics, kafka.TopicConfig{Topic: name, NumPartitions: 4, ReplicationFactor: 1})
	}
	c := kafka.Client{Addr: kafka.TCP(broker), Timeout: 30 * time.Second}
	answer, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range answer.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			t.Fatalf("creating topic %s: %v", name, err)
		}
	}
}

// TestCollectorsMeetOnTheBroker checks both brokers, without goshawk, against the
// client that collectors use: it speaks newer versions of the protocol than
// kafka-go, and balances its groups in another way.
func TestCollectorsMeetOnTheBroker(t *testing.T) {
	for _, broker := range brokers {
		t.Run(broker.name, func(t *testing.T) {
			address := broker.start(t)
			createTopics(t, address)
			for _, partitioning := range partitionings {
				t.Run(partitioning.name, func(t *testing.T) {
					service := serviceName(t)
					sent := sendThroughExporter(t, address, service, partitioning.edit)
					receiver := startReceiver(t, address, service)
					await(t, "the collector's receiver", sent, receiver.counts)
				})
			}
		})
	}
}

// sendThroughExporter sends a few requests of each signal and returns how much
// was in them.
func sendThroughExporter(t *testing.T, broker, service string, edit func(*kafkaexporter.Config)) (sent counts) {
	t.Helper()
	exporter := startExporter(t, broker, edit)
	for seed := range uint64(10) {
		s := generate(service, seed, 3, 20)
		exporter.send(t, s)
		sent.add(s.counts())
	}
	return sent
}
