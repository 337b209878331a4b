package pipeline

import (
	"context"
	"errors"
)

// Message is a record that a sink has for a topic.
type Message struct {
	Topic     string
	Partition int32
	Value     []byte
	Tenant    string
	// BatchID is the same whenever the message is produced again: who reads the
	// topic knows a repeat by it.
	BatchID [16]byte
	// Received is the record's receive time, Unix nanoseconds.
	Received int64
	// Events is the number of events in the value.
	Events int64
	// Headers come beside those that every record has.
	Headers []Header
}

// Header is a header of a message.
type Header struct {
	Key   string
	Value []byte
}

// ErrRefused is what a Producer's error wraps when Kafka will never take some of
// the messages, because one is too large, for example.
var ErrRefused = errors.New("message was refused")

// Producer writes messages to Kafka. It is safe for concurrent use.
type Producer interface {
	// Partitions returns the number of partitions of a topic.
	Partitions(ctx context.Context, topic string) (int, error)
	// Produce returns nil when Kafka has acknowledged all messages. It keeps
	// nothing of them.
	Produce(ctx context.Context, messages []Message) error
}
