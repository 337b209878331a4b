package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/internal/transport"
)

func TestEnsureTopics(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		client := cluster.Client(t)
		a := kafka.Topic{Name: kafkatest.Unique("a"), Partitions: 3, Replication: 1, Configs: map[string]string{"max.message.bytes": "2000000"}}
		b := kafka.Topic{Name: kafkatest.Unique("b"), Partitions: 2, Replication: 1}
		if _, err := client.EnsureTopics(t.Context(), []kafka.Topic{a}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			differences, err := client.EnsureTopics(t.Context(), []kafka.Topic{a, b})
			if err != nil || len(differences) != 0 {
				t.Fatal(differences, err)
			}
		}
		for topic, want := range map[string]int{a.Name: 3, b.Name: 2} {
			if n, err := client.Partitions(t.Context(), topic); n != want || err != nil {
				t.Errorf("%s has %d partitions, %v; want %d", topic, n, err, want)
			}
		}
		changed := a
		changed.Partitions, changed.Configs = 1, map[string]string{"max.message.bytes": "3000000"}
		differences, err := client.EnsureTopics(t.Context(), []kafka.Topic{changed})
		if err != nil {
			t.Fatal(err)
		}
		want := []kafka.Difference{
			{Topic: a.Name, Setting: "max.message.bytes", Have: "2000000", Want: "3000000"},
			{Topic: a.Name, Setting: "partitions", Have: "3", Want: "1"},
		}
		if diff := cmp.Diff(want, differences); diff != "" {
			t.Error(diff)
		}
		if n, err := client.Partitions(t.Context(), a.Name); n != 3 || err != nil {
			t.Errorf("%d partitions are left, %v", n, err)
		}
		if _, err := client.Partitions(t.Context(), "no-such-topic"); !errors.Is(err, kafkago.UnknownTopicOrPartition) {
			t.Errorf("unknown topic: %v", err)
		}
	})
}

func TestOffsetsAndLag(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, cluster *kafkatest.Cluster) {
		client, topic := cluster.Client(t), cluster.Topic(t, 2)
		p := newProducer(t, client, nil)
		at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		for i := range 5 {
			err := p.Produce(t.Context(), []kafka.Record{{Topic: topic, Partition: 1, Value: []byte("x"), Timestamp: at.Add(time.Duration(i) * time.Minute).UnixMilli()}})
			if err != nil {
				t.Fatal(err)
			}
		}
		bounds, err := client.Offsets(t.Context(), topic)
		if diff := cmp.Diff([]kafka.Offsets{{}, {Next: 5}}, bounds); diff != "" || err != nil {
			t.Error(diff, err)
		}
		for offset, after := range map[int64]time.Duration{0: -time.Second, 3: 2*time.Minute + time.Second, 4: 4 * time.Minute, -1: time.Hour} {
			if got, err := client.OffsetAt(t.Context(), topic, 1, at.Add(after)); got != offset || err != nil {
				t.Errorf("offset at %s is %d, %v; want %d", after, got, err, offset)
			}
		}
		group := kafkatest.Unique("group")
		if lag, err := client.Lag(t.Context(), group, topic); err != nil || !cmp.Equal(lag, []int64{0, 5}) {
			t.Errorf("lag of a new group is %v, %v", lag, err)
		}
		response, err := client.API().OffsetCommit(t.Context(), &kafkago.OffsetCommitRequest{
			GroupID: group, GenerationID: -1, Topics: map[string][]kafkago.OffsetCommit{topic: {{Partition: 1, Offset: 3}}},
		})
		if err != nil || response.Topics[topic][0].Error != nil {
			t.Fatal(err, response)
		}
		if lag, err := client.Lag(t.Context(), group, topic); err != nil || !cmp.Equal(lag, []int64{0, 2}) {
			t.Errorf("lag is %v, %v; want 0 and 2", lag, err)
		}
	})
}

func TestConfig(t *testing.T) {
	if err := kafka.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if err := kafka.DefaultProducerConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*kafka.Config){
		"no brokers":   func(c *kafka.Config) { c.Brokers = nil },
		"no port":      func(c *kafka.Config) { c.Brokers = []string{"kafka"} },
		"mechanism":    func(c *kafka.Config) { c.SASL.Mechanism, c.SASL.Username = "gssapi", "a" },
		"no user":      func(c *kafka.Config) { c.SASL.Mechanism = "plain" },
		"no mechanism": func(c *kafka.Config) { c.SASL.Username = "a" },
		"no key":       func(c *kafka.Config) { c.TLS.CertFile = "a" },
		"no timeout":   func(c *kafka.Config) { c.RequestTimeout = 0 },
		"no secret":    func(c *kafka.Config) { c.SASL = kafka.SASL{"plain", "a", config.Secret("file:/does/not/exist")} },
		"no ca":        func(c *kafka.Config) { c.TLS = transport.ClientTLS{Enabled: true, CAFile: "/does/not/exist"} },
	} {
		cfg := kafka.DefaultConfig()
		change(&cfg)
		if _, err := kafka.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, change := range map[string]func(*kafka.ProducerConfig){
		"batch":     func(c *kafka.ProducerConfig) { c.MaxBatch = 1 },
		"request":   func(c *kafka.ProducerConfig) { c.MaxRequest = c.MaxBatch - 1 },
		"buffered":  func(c *kafka.ProducerConfig) { c.MaxBuffered = c.MaxBatch - 1 },
		"in flight": func(c *kafka.ProducerConfig) { c.MaxInFlight = 0 },
		"linger":    func(c *kafka.ProducerConfig) { c.Linger = -1 },
	} {
		cfg := kafka.DefaultProducerConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var c kafka.Compression
	for text, want := range map[string]kafka.Compression{"none": kafka.None, "lz4": kafka.LZ4, "snappy": kafka.Snappy, "zstd": kafka.Zstd} {
		if err := c.UnmarshalText([]byte(text)); err != nil || c != want {
			t.Errorf("%s is read as %s, %v", text, c, err)
		}
	}
	for _, text := range []string{"gzip", "", "brotli"} {
		if err := c.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("compression %q is accepted", text)
		}
	}
}
