// Package kafkatest gives tests a Kafka cluster: one inside the process, and a
// real one where GOSHAWK_TEST_KAFKA lists its addresses.
package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goshawk-observability/goshawk/internal/kafka"
)

// Env names the variable with the addresses of a real cluster, with commas.
const Env = "GOSHAWK_TEST_KAFKA"

// Cluster is a running Kafka cluster.
type Cluster struct {
	// Name is embedded or real.
	Name  string
	Addrs []string
	// Fake is set for the embedded cluster: tests break it on purpose.
	Fake *kfake.Cluster
}

// Each runs the test against every cluster there is.
func Each(t *testing.T, test func(t *testing.T, c *Cluster)) {
	t.Run("embedded", func(t *testing.T) { test(t, Embedded(t)) })
	if addrs := os.Getenv(Env); addrs != "" {
		t.Run("real", func(t *testing.T) { test(t, &Cluster{Name: "real", Addrs: strings.Split(addrs, ",")}) })
	}
}

// Embedded starts a cluster of one broker inside the process.
func Embedded(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "100"}),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return &Cluster{Name: "embedded", Addrs: fake.ListenAddrs(), Fake: fake}
}

// Config reaches the cluster.
func (c *Cluster) Config() kafka.Config {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = c.Addrs
	cfg.ClientID = "goshawk-test"
	return cfg
}

// Client returns a client that is closed at the end of the test.
func (c *Cluster) Client(t testing.TB) *kafka.Client {
	t.Helper()
	client, err := kafka.New(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Topic creates a topic with a name of its own and returns the name.
func (c *Cluster) Topic(t testing.TB, partitions int) string {
	t.Helper()
	client := c.Client(t)
	name := Unique("test")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := client.EnsureTopics(ctx, []kafka.Topic{{Name: name, Partitions: partitions, Replication: 1}}); err != nil {
		t.Fatal(err)
	}
	return name
}

// Unique returns a name that no other test uses.
func Unique(prefix string) string {
	var b [6]byte
	rand.Read(b[:])
	return prefix + "-" + hex.EncodeToString(b[:])
}
