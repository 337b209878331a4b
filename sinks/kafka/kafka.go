// Package kafka is the sink of what processors derived: telemetry that goes
// through Kafka like everything else, to the topic of its signal.
//
// A block that is written again, after an error or by the next owner of the
// partition, produces the same records with the same batch ids. Whoever reads the
// topic takes the second ones for repeats, as it does with requests that clients
// send again.
//
// It must not know how records get to Kafka: that is a Producer.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Sink produces the derived records of every block. It is used by one goroutine.
type Sink struct {
	producer pipeline.Producer
	topic    func(telemetry.Feed, telemetry.Signal) string
	log      *slog.Logger
	metrics  *Metrics
	records  []pipeline.Message
	warned   time.Time
}

var _ pipeline.Sink = (*Sink)(nil)

// New makes the sink of one worker. Topic returns the topic of a feed and a signal.
// Metrics are shared by all workers.
func New(producer pipeline.Producer, topic func(telemetry.Feed, telemetry.Signal) string, log *slog.Logger, metrics *Metrics) *Sink {
	return &Sink{producer: producer, topic: topic, log: log, metrics: metrics}
}

// maxTogether is how many bytes of values are produced together, unless a record
// has more: a producer refuses what is more than it may buffer.
const maxTogether = 512 << 10

// Write implements pipeline.Sink. What Kafka refuses is counted and left out: the
// stream goes on.
func (s *Sink) Write(ctx context.Context, b *telemetry.Batch) error {
	if len(b.Derived) == 0 {
		return nil
	}
	defer func() { clear(s.records) }()
	if err := s.prepare(ctx, b); err != nil {
		return fmt.Errorf("producing what was derived from %s/%d %d-%d: %w", b.Topic, b.Partition, b.From, b.To, err)
	}
	for rest := s.records; len(rest) > 0; {
		n, bytes := 1, len(rest[0].Value)
		for n < len(rest) && bytes+len(rest[n].Value) <= maxTogether {
			bytes += len(rest[n].Value)
			n++
		}
		if err := s.produce(ctx, rest[:n]); err != nil {
			return fmt.Errorf("producing what was derived from %s/%d %d-%d: %w", b.Topic, b.Partition, b.From, b.To, err)
		}
		rest = rest[n:]
	}
	return nil
}

// prepare makes the records.
func (s *Sink) prepare(ctx context.Context, b *telemetry.Batch) error {
	partitions := make(map[string]int, len(telemetry.Signals))
	token := b.Token("derived")
	s.records = s.records[:0]
	for i := range b.Derived {
		d := &b.Derived[i]
		topic := s.topic(d.Feed, d.Signal)
		if partitions[topic] == 0 {
			found, err := s.producer.Partitions(ctx, topic)
			if err != nil {
				return err
			}
			partitions[topic] = max(found, 1)
		}
		s.records = append(s.records, pipeline.Message{
			Topic: topic, Partition: partition(d.Key, partitions[topic]), Value: d.Value, Tenant: d.Tenant,
			BatchID: xxh3.HashString128(fmt.Sprintf("%s/%d", token, i)).Bytes(), Received: d.Time, Events: d.Events,
		})
	}
	return nil
}

// partition returns the partition of a key: FNV-1a, as the hash partitioners of
// kafka-go and Sarama compute it. A trace id in lower-case hexadecimal gives the
// partition of the trace's spans.
func partition(key string, partitions int) int32 {
	hash := fnv.New32a()
	hash.Write([]byte(key))
	p := int32(hash.Sum32()) % int32(partitions)
	if p < 0 {
		p = -p
	}
	return p
}

// produce produces records, in halves where they are refused together, so that
// only those are left out that are refused by themselves. A record that is
// produced twice on the way is a repeat.
func (s *Sink) produce(ctx context.Context, records []pipeline.Message) error {
	err := s.producer.Produce(ctx, records)
	switch {
	case err == nil:
		for i := range records {
			s.metrics.done(&records[i])
		}
	case !errors.Is(err, pipeline.ErrRefused):
		return err
	case len(records) > 1:
		half := len(records) / 2
		if err := s.produce(ctx, records[:half]); err != nil {
			return err
		}
		return s.produce(ctx, records[half:])
	default:
		s.refused(&records[0], err)
	}
	return nil
}

// warnEvery is the least time between two log lines about records that are
// refused.
const warnEvery = 10 * time.Second

func (s *Sink) refused(r *pipeline.Message, err error) {
	s.metrics.refused.WithLabelValues(r.Topic).Add(float64(r.Events))
	if now := time.Now(); now.Sub(s.warned) >= warnEvery {
		s.warned = now
		s.log.Error("Kafka refuses what a processor derived; it is lost", "topic", r.Topic, "partition", r.Partition,
			"tenant", r.Tenant, "events", r.Events, "bytes", len(r.Value), "error", err)
	}
}
