// Package deadletter keeps what could not be stored where people and other
// programs find it: a topic with the rejects of every block, and the commands
// that list the table dead_letters and produce its values again.
//
// The table itself is written by sinks/clickhouse, in the same write as the
// events. It must not know how records get to Kafka: that is a Producer.
package deadletter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// The headers of a record in the dead letter topic, beside those of every
// goshawk record. Values are text.
const (
	HeaderTopic      = "goshawk-deadletter-topic"
	HeaderPartition  = "goshawk-deadletter-partition"
	HeaderOffset     = "goshawk-deadletter-offset"
	HeaderPosition   = "goshawk-deadletter-position"
	HeaderReasonCode = "goshawk-deadletter-reason-code"
	HeaderReason     = "goshawk-deadletter-reason"
)

// maxReason bounds the length of a reason in a header.
const maxReason = 1024

// Sink publishes the rejects of every block to the dead letter topic, at least
// once; who reads it tells repeats by their batch id.
type Sink struct {
	producer pipeline.Producer
	topic    string
	log      *slog.Logger
	metrics  *Metrics
	records  []pipeline.Message
}

var _ pipeline.Sink = (*Sink)(nil)

// New makes the sink of one worker. Metrics are shared by all workers.
func New(producer pipeline.Producer, topic string, log *slog.Logger, metrics *Metrics) *Sink {
	return &Sink{producer: producer, topic: topic, log: log, metrics: metrics}
}

// Write publishes the batch's rejects. Those that Kafka refuses are in the table
// dead_letters all the same; they are counted and left out.
func (s *Sink) Write(ctx context.Context, b *telemetry.Batch) error {
	if len(b.Rejects) == 0 {
		return nil
	}
	partitions, err := s.producer.Partitions(ctx, s.topic)
	if err != nil {
		return fmt.Errorf("publishing dead letters of %s/%d %d-%d: %w", b.Topic, b.Partition, b.From, b.To, err)
	}
	defer func() { clear(s.records) }()
	s.records = s.records[:0]
	for i := range b.Rejects {
		r := s.record(b, i)
		r.Partition = b.Partition % int32(max(partitions, 1))
		s.records = append(s.records, r)
	}
	refused, err := produce(ctx, s.producer, s.records)
	if err != nil {
		return fmt.Errorf("publishing dead letters of %s/%d %d-%d: %w", b.Topic, b.Partition, b.From, b.To, err)
	}
	s.metrics.published.Add(float64(len(s.records) - len(refused)))
	s.metrics.refused.Add(float64(len(refused)))
	if len(refused) > 0 {
		s.log.Warn("dead letters are in ClickHouse only: Kafka refused them", "topic", s.topic,
			"source", b.Topic, "partition", b.Partition, "from", b.From, "to", b.To, "records", len(refused))
	}
	return nil
}

// produce writes the records, one by one where they are refused together, and
// returns the numbers of those that are refused by themselves.
func produce(ctx context.Context, p pipeline.Producer, records []pipeline.Message) (refused []int, err error) {
	err = p.Produce(ctx, records)
	if !errors.Is(err, pipeline.ErrRefused) {
		return nil, err
	}
	for i := range records {
		if err := p.Produce(ctx, records[i:i+1]); errors.Is(err, pipeline.ErrRefused) {
			refused = append(refused, i)
		} else if err != nil {
			return nil, err
		}
	}
	return refused, nil
}

func (s *Sink) record(b *telemetry.Batch, position int) pipeline.Message {
	reject := &b.Rejects[position]
	source := &b.Records[reject.Record]
	return pipeline.Message{
		Topic: s.topic, Value: reject.Value, Tenant: source.Tenant, Received: source.ReceiveTime, Events: reject.Events,
		BatchID: batchID("deadletter", b.Topic, b.Partition, source.Offset, uint32(position), source.ReceiveTime),
		Headers: []pipeline.Header{
			{Key: HeaderTopic, Value: []byte(b.Topic)},
			{Key: HeaderPartition, Value: strconv.AppendInt(nil, int64(b.Partition), 10)},
			{Key: HeaderOffset, Value: strconv.AppendInt(nil, source.Offset, 10)},
			{Key: HeaderPosition, Value: strconv.AppendInt(nil, int64(position), 10)},
			{Key: HeaderReasonCode, Value: []byte(reject.ReasonCode)},
			{Key: HeaderReason, Value: []byte(reject.Reason[:min(len(reject.Reason), maxReason)])},
		},
	}
}

// batchID names what is made of one dead letter for one purpose.
func batchID(purpose, topic string, partition int32, offset int64, position uint32, received int64) [16]byte {
	name := append([]byte(purpose+"\x00"+topic+"\x00"), make([]byte, 0, 24)...)
	name = binary.BigEndian.AppendUint32(name, uint32(partition))
	name = binary.BigEndian.AppendUint64(name, uint64(offset))
	name = binary.BigEndian.AppendUint32(name, position)
	name = binary.BigEndian.AppendUint64(name, uint64(received))
	return xxh3.Hash128(name).Bytes()
}
