package watch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// Event is that of the last change of something.
type Event struct {
	// Service is the service that it is about.
	Service string
	// Log has no time at which it was observed.
	Log logwriter.Log
	// BatchID is the same whenever the event is produced.
	BatchID [16]byte
}

// Announce produces the events of changes of a tenant, which the books have
// already, and then has them crossed off there.
func (j *Job[T]) Announce(ctx context.Context, tenant string, events []Event, crossOff func() error) error {
	if len(events) == 0 {
		return nil
	}
	if err := j.Step("produce"); err != nil {
		return err
	}
	if err := j.produce(ctx, tenant, events); err != nil {
		return fmt.Errorf("producing events: %w", err)
	}
	if err := j.Step("announced"); err != nil {
		return err
	}
	return crossOff()
}

// produce produces events. What Kafka refuses is counted, and not tried again.
func (j *Job[T]) produce(ctx context.Context, tenant string, events []Event) error {
	partitions, err := j.Producer.Partitions(ctx, j.Topic)
	if err != nil {
		return err
	}
	now := j.Now().UnixNano()
	records := make([]pipeline.Message, len(events))
	for i, e := range events {
		e.Log.Observed = now
		resource := logwriter.Resource(logwriter.Attribute{Key: "service.name", Value: e.Service})
		records[i] = pipeline.Message{
			Topic: j.Topic, Partition: int32(otlp.PartitionOfResource(resource, partitions)), //nolint:gosec // a partition
			Value:  logwriter.Request(resource, j.watched.Scope, e.Log),
			Tenant: tenant, BatchID: e.BatchID, Received: now, Events: 1,
		}
	}
	err = j.Producer.Produce(ctx, records)
	if !errors.Is(err, pipeline.ErrRefused) {
		if err != nil {
			return err
		}
		for _, e := range events {
			j.Metrics.events.WithLabelValues(e.Log.EventName).Inc()
		}
		return nil
	}
	for i, e := range events {
		err := j.Producer.Produce(ctx, records[i:i+1])
		switch {
		case errors.Is(err, pipeline.ErrRefused):
			j.Metrics.Refused.Inc()
			j.Log.Warn("an event of "+j.watched.Event+" is lost: Kafka refused it", "tenant", tenant, "event", e.Log.EventName, "error", err)
		case err != nil:
			return err
		default:
			j.Metrics.events.WithLabelValues(e.Log.EventName).Inc()
		}
	}
	return nil
}

// BatchID names the event of a change: by what kind of thing has changed, what
// tells it from others, and when.
func BatchID(kind string, texts []string, numbers ...uint64) [16]byte {
	id := []byte(kind)
	for _, text := range texts {
		id = append(binary.AppendUvarint(id, uint64(len(text))), text...)
	}
	for _, n := range numbers {
		id = binary.BigEndian.AppendUint64(id, n)
	}
	return xxh3.Hash128(id).Bytes()
}

// maxShown bounds how much of a text is in a body. Attributes have all of it.
const maxShown = 200

// Short returns the beginning of a text, for the body of an event.
func Short(text string) string {
	if len(text) > maxShown {
		return strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}
