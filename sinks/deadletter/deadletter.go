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

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record to produce.
type Record struct {
	Topic     string
	Partition int32
	Value     []byte
	Tenant    string
	// BatchID is the same whenever the record is produced again.
	BatchID [16]byte
	// Received is when the record was first received, Unix nanoseconds.
	Received int64
	Events   int64
	Headers  []Header
}

// ErrRefused is what a Producer's error wraps when Kafka will never take the
// records, because one is too large, for example.
var ErrRefused = errors.New("record was refused")

// Producer writes records to Kafka.
type Producer interface {
	// Partitions returns the number of partitions of a topic.
	Partitions(ctx context.Context, topic string) (int, error)
	// Produce returns nil when Kafka has acknowledged all records. It keeps
	// nothing of them.
	Produce(ctx context.Context, records []Record) error
}

// Sink publishes the rejects of every block to the dead letter topic, at least
// once; who reads it tells repeats by their batch id.
type Sink struct {
	producer Producer
	topic    string
	log      *slog.Logger
	metrics  *Metrics
	records  []Record
}

var _ pipeline.Sink = (*Sink)(nil)

// New makes the sink of one worker. Metrics are shared by all workers.
func New(producer Producer, topic string, log *slog.Logger, metrics *Metrics) *Sink {
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
func produce(ctx context.Context, p Producer, records []Record) (refused []int, err error) {
	err = p.Produce(ctx, records)
	if !errors.Is(err, ErrRefused) {
		return nil, err
	}
	for i := range records {
		if err := p.Produce(ctx, records[i:i+1]); errors.Is(err, ErrRefused) {
			refused = append(refused, i)
		} else if err != nil {
			return nil, err
		}
	}
	return refused, nil
}

func (s *Sink) record(b *telemetry.Batch, position int) Record {
	reject := &b.Rejects[position]
	source := &b.Records[reject.Record]
	return Record{
		Topic: s.topic, Value: reject.Value, Tenant: source.Tenant, Received: source.ReceiveTime, Events: reject.Events,
		BatchID: batchID("deadletter", b.Topic, b.Partition, source.Offset, uint32(position), source.ReceiveTime),
		Headers: []Header{
			{HeaderTopic, []byte(b.Topic)},
			{HeaderPartition, strconv.AppendInt(nil, int64(b.Partition), 10)},
			{HeaderOffset, strconv.AppendInt(nil, source.Offset, 10)},
			{HeaderPosition, strconv.AppendInt(nil, int64(position), 10)},
			{HeaderReasonCode, []byte(reject.ReasonCode)},
			{HeaderReason, []byte(reject.Reason[:min(len(reject.Reason), maxReason)])},
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
