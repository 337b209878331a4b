package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// tracedSink makes a span of every block that a sink writes, for goshawk's own
// telemetry. A block is many events, so the cost does not grow with them.
type tracedSink struct {
	pipeline.Sink
	tracer trace.Tracer
	name   string
}

func (s tracedSink) Write(ctx context.Context, b *telemetry.Batch) error {
	ctx, span := s.tracer.Start(ctx, "write block to "+s.name)
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("messaging.destination.name", b.Topic),
			attribute.Int("messaging.destination.partition.id", int(b.Partition)),
			attribute.Int64("messaging.kafka.offset", b.From),
			attribute.Int("messaging.batch.message_count", len(b.Records)),
			attribute.Int("goshawk.events", b.EventCount()),
		)
	}
	err := s.Sink.Write(ctx, b)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}
