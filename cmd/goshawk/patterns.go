package main

import (
	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/sinks/patterns"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func newPatternsJob(s Settings, o *observe.Observer, producer *topic.Producer, conn clickhouse.Conn) *patterns.Job {
	kept := func(tenant string) int { return s.Sinks.ClickHouse.Retention.Days(tables.LogPatterns1m, tenant) }
	return patterns.New(s.Sinks.Patterns, conn, s.dialect(), messageProducer{producer}, s.Topics.Of(telemetry.Logs), kept, o.Log, patterns.NewMetrics(o.Registry))
}
