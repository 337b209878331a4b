package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/pipeline"
)

// messageProducer lets sinks write through the topics' producer.
type messageProducer struct{ *topic.Producer }

func (p messageProducer) Produce(ctx context.Context, messages []pipeline.Message) error {
	parts := make([]topic.Part, len(messages))
	for i := range messages {
		m := &messages[i]
		headers := make([]kafka.Header, len(m.Headers))
		for j, h := range m.Headers {
			headers[j] = kafka.Header{Key: h.Key, Value: h.Value}
		}
		parts[i] = topic.Part{
			Topic: m.Topic, Partition: m.Partition, Value: m.Value, Tenant: m.Tenant, BatchID: m.BatchID,
			Received: m.Received, Events: m.Events, Headers: headers,
		}
	}
	err := p.Producer.Produce(ctx, parts)
	if errors.Is(err, topic.ErrRefused) {
		return fmt.Errorf("%w: %w", pipeline.ErrRefused, err)
	}
	return err
}
