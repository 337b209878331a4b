package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/sinks/topology"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func newTopologyJob(s Settings, o *observe.Observer, producer *topic.Producer, conn clickhouse.Conn) *topology.Job {
	kept := func(tenant string) int { return s.Sinks.ClickHouse.Retention.Days(tables.Edges, tenant) }
	return topology.New(s.Sinks.Topology, conn, s.dialect(), topologyProducer{producer}, s.Topics.Of(telemetry.Logs), kept, o.Log, topology.NewMetrics(o.Registry))
}

// topologyProducer lets the events of the topology be written through the topics'
// producer.
type topologyProducer struct{ *topic.Producer }

func (p topologyProducer) Produce(ctx context.Context, records []topology.Record) error {
	parts := make([]topic.Part, len(records))
	for i, r := range records {
		parts[i] = topic.Part{
			Topic: r.Topic, Partition: r.Partition, Value: r.Value, Tenant: r.Tenant, BatchID: r.BatchID, Received: r.Received, Events: 1,
		}
	}
	err := p.Producer.Produce(ctx, parts)
	if errors.Is(err, topic.ErrRefused) {
		return fmt.Errorf("%w: %w", topology.ErrRefused, err)
	}
	return err
}
