package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/deploy/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/test/cluster"
)

// TestKillOnKafka is TestKill with a real Apache Kafka as the broker, which is
// killed and started again like everything else.
func TestKillOnKafka(t *testing.T) {
	t.Parallel()
	broker := kafkatest.New(t)
	c := cluster.Start(t, cluster.Options{Kafka: broker.Address()})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	underLoad(t, c, func() {
		for n := range 12 {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			switch role := []string{"process", "gateway", "clickhouse", "broker"}[n%4]; role {
			case "broker":
				broker.Kill9(t)
				broker.Restart(t)
			default:
				c.Kill(role)
				c.Launch(role)
			}
		}
		for _, role := range []string{"gateway", "clickhouse"} {
			c.WaitReady(role)
		}
	})
}

// TestPoison writes to the topics, past the gateway, what no worker can decode:
// it ends in dead_letters with its reason, and everything else goes on.
func TestPoison(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	poison := map[string][]byte{
		"truncated":       {0x0a, 0x7f, 0x01},
		"text":            []byte("this is no protobuf at all"),
		"deep":            deep(1000),
		"a group":         {0x0b, 0x0b, 0x0b},
		"a huge length":   {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"an empty record": {},
	}
	topics := []string{"otlp_logs", "otlp_spans", "otlp_metrics"}
	underLoad(t, c, func() {
		w := &kafka.Writer{Addr: kafka.TCP(c.Kafka), RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond}
		for _, topic := range topics {
			for name, value := range poison {
				if err := w.WriteMessages(context.Background(), kafka.Message{Topic: topic, Key: []byte(name), Value: value}); err != nil {
					t.Fatalf("writing %s to %s: %v", name, topic, err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	})
	// An empty value is a valid, empty request, and what is a deep log record is
	// a gauge without points to the metrics; each of the others is one letter.
	want := fmt.Sprint(len(topics)*(len(poison)-1) - 1)
	if got, err := c.SQL("SELECT count() FROM dead_letters WHERE reason != ''"); err != nil || got != want {
		t.Errorf("dead_letters has %s rows, want %s: %v", got, want, err)
	}
	out, err := c.Run(context.Background(), "deadletter", "list")
	if err != nil || !strings.Contains(out, "otlp_spans") || strings.Count(out, "\n") < len(poison) {
		t.Errorf("deadletter list: %v\n%s", err, out)
	}
	t.Log(out)
	if out, err := c.Run(context.Background(), "deadletter", "replay", "--dry-run"); err != nil || !strings.Contains(out, "would replay "+want+" letters") {
		t.Errorf("deadletter replay --dry-run: %v\n%s", err, out)
	}
}

// deep is a log record whose body nests lists n deep, with nothing in them.
func deep(n int) []byte {
	value := []byte{}
	wrap := func(tag byte, inner []byte) []byte {
		out := []byte{tag}
		for l := uint64(len(inner)); ; l >>= 7 {
			if l < 0x80 {
				out = append(out, byte(l))
				break
			}
			out = append(out, byte(l)|0x80)
		}
		return append(out, inner...)
	}
	for range n {
		value = wrap(0x2a, wrap(0x0a, value)) // AnyValue.array_value, ArrayValue.values
	}
	return wrap(0x0a, wrap(0x12, wrap(0x12, wrap(0x2a, value)))) // resource_logs, scope_logs, log_records, body
}
