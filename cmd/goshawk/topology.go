package main

import (
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/sinks/topology"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func newTopologyJob(s Settings, o *observe.Observer, producer *topic.Producer, conn clickhouse.Conn) *topology.Job {
	kept := func(tenant string) int { return s.Sinks.ClickHouse.Retention.Days(tables.Edges, tenant) }
	return topology.New(s.Sinks.Topology, conn, s.dialect(), messageProducer{producer}, s.Topics.Of(telemetry.Logs), kept, o.Log, topology.NewMetrics(o.Registry))
}
