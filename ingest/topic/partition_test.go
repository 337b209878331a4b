package topic_test

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// TestPartitionOfTrace compares the splitter's choice with the balancer that
// agrees with the collector's Kafka exporter.
func TestPartitionOfTrace(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	balancer := &kafkago.Hash{}
	for range 2000 {
		var id telemetry.TraceID
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		partitions := make([]int, 1+r.IntN(24))
		for i := range partitions {
			partitions[i] = i
		}
		want := balancer.Balance(kafkago.Message{Key: []byte(hex.EncodeToString(id[:]))}, partitions...)
		if got := otlp.PartitionOfTrace(id, len(partitions)); got != want {
			t.Fatalf("trace %x of %d partitions: %d, want %d", id, len(partitions), got, want)
		}
	}
}
