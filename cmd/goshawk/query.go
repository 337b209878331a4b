package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/internal/supervise"
	"github.com/goshawk-observability/goshawk/query"
	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/query/ledger"
	"github.com/goshawk-observability/goshawk/sinks/clickhouse/migrations"
)

func newQuery() *cobra.Command {
	c := command("query", "Answer PromQL, read-only SQL, the ledger and the first page; or ask a query",
		`Serves Prometheus's HTTP API, read-only SQL over the ClickHouse HTTP interface, /api/v1/ledger, /api/v1/flow and the
first page on query.listen; see docs/prometheus.md, docs/api.md and docs/sql.md.

With --promql it asks a query service that runs already, prints a table or a chart, and ends.`,
		func(ctx context.Context, s Settings, o *observe.Observer, _ *supervise.Parent) error {
			return runQuery(ctx, s, o, api.Deps{})
		})
	c.Example = "  goshawk query --promql 'up'\n  goshawk query --promql 'sum(rate(http_requests_total[5m]))' --range 1h"
	var f promqlFlags
	f.add(c)
	serve := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.query == "" {
			return serve(c, args)
		}
		s, err := loadSettings(c.Flag("config").Value.String())
		if err != nil {
			return err
		}
		return f.ask(c.Context(), &s, c.OutOrStdout())
	}
	return c
}

// runQuery runs the query role until ctx ends. Deps brings what the caller
// knows of components and listeners.
func runQuery(ctx context.Context, s Settings, o *observe.Observer, deps api.Deps) error {
	conn, err := clickhouse.Open(s.ClickHouse)
	if err != nil {
		return err
	}
	defer conn.Close()
	columns, err := clickhouse.OpenColumns(s.ClickHouse)
	if err != nil {
		return err
	}
	defer columns.Close()
	client, err := kafka.New(s.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	if s.Query.SQL.Username == engine.Reader && s.Query.SQL.Password == "" {
		// Mostly empty; the embedded engine sets one where it cannot be confined
		// to its own files.
		password, err := engine.ReaderPassword(s.Embedded.ClickHouse.DataDir)
		if err != nil {
			return err
		}
		s.Query.SQL.Password = config.Secret(password)
	}
	deps.Conn, deps.Database, deps.Version = conn, s.ClickHouse.Database, version
	deps.Topics, deps.RetentionDays = s.topicSignals(), s.Sinks.ClickHouse.Retention.Days
	deps.Kafka = func(ctx context.Context) ([]ledger.KafkaPartition, error) {
		return kafkaPartitions(ctx, s, client)
	}
	server, err := query.New(s.Query, query.Deps{Deps: deps, Columns: columns, Gatherer: o.Registry, Ready: func(ctx context.Context) error { return tablesReady(ctx, s, conn) }}, o.Registry, o.Log)
	if err != nil {
		return err
	}
	defer o.Repanic()
	return server.Run(ctx)
}

// tablesReady says why queries cannot be answered yet.
func tablesReady(ctx context.Context, s Settings, conn clickhouse.Conn) error {
	m, err := migrations.New(conn, s.dialect())
	if err != nil {
		return err
	}
	states, err := m.Status(ctx)
	if err != nil {
		return err
	}
	for _, state := range states {
		if !state.Applied {
			return errors.New("the tables are not there yet; goshawk process and goshawk schema up create them")
		}
	}
	return nil
}

// topicSignals maps the topics of events to their pipelines.
func (s *Settings) topicSignals() map[string]string {
	topics := map[string]string{}
	for _, stream := range s.streams() {
		topics[stream.topic] = stream.name
	}
	return topics
}

// kafkaTimeout bounds what the page and the audit wait for Kafka.
const kafkaTimeout = 3 * time.Second

// kafkaPartitions asks Kafka how far the topics and the workers are.
func kafkaPartitions(ctx context.Context, s Settings, client *kafka.Client) ([]ledger.KafkaPartition, error) {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	var all []ledger.KafkaPartition
	var errs []error
	for _, stream := range s.streams() {
		topic := stream.topic
		// Committed offsets first: read the other way round, a block that is
		// stored in between would look like negative lag.
		partitions, err := client.Partitions(ctx, topic)
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", topic, err))
			continue
		}
		numbers := make([]int, partitions)
		for i := range numbers {
			numbers[i] = i
		}
		committed, err := client.Committed(ctx, stream.group, topic, numbers...)
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", topic, err))
			continue
		}
		offsets, err := client.Offsets(ctx, topic)
		if err != nil {
			errs = append(errs, fmt.Errorf("topic %s: %w", topic, err))
			continue
		}
		for _, c := range committed {
			if c.Partition < len(offsets) {
				all = append(all, ledger.KafkaPartition{
					Topic: topic, Partition: int32(c.Partition), Committed: c.CommittedOffset, End: offsets[c.Partition].Next,
				})
			}
		}
	}
	return all, errors.Join(errs...)
}
