package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	kafkasink "github.com/goshawk-observability/goshawk/sinks/kafka"
)

// derivedProducer lets the sink of derived records write through the topics'
// producer.
type derivedProducer struct{ *topic.Producer }

func (p derivedProducer) Produce(ctx context.Context, records []kafkasink.Record) error {
	parts := make([]topic.Part, len(records))
	for i, r := range records {
		parts[i] = topic.Part{
			Topic: r.Topic, Partition: r.Partition, Value: r.Value, Tenant: r.Tenant, BatchID: r.BatchID,
			Received: r.Received, Events: r.Events,
		}
	}
	err := p.Producer.Produce(ctx, parts)
	if errors.Is(err, topic.ErrRefused) {
		return fmt.Errorf("%w: %w", kafkasink.ErrRefused, err)
	}
	return err
}
