package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/query/ledger"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Prove from the ledger that nothing was lost and nothing doubled",
		Long: `Compares the ledger with the tables, block by block: accepted = stored + rejected + dropped, every row belongs to a
block, and the blocks of each partition follow each other without gap or overlap. Names what is missing or doubled and
ends with code 1 where anything is.`,
		Example: "  goshawk audit\n  goshawk audit --since 24h --json",
		Args:    cobra.NoArgs,
	}
	path := configFlag(c)
	asJSON := c.Flags().Bool("json", false, "print the report as JSON")
	since := c.Flags().String("since", "", "leave out blocks received before: a `time` (RFC 3339) or an age such as 24h")
	noKafka := c.Flags().Bool("no-kafka", false, "do not ask Kafka how far it is")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		if err := s.resolve(); err != nil {
			return err
		}
		now := time.Now()
		options := ledger.Options{Now: now}
		if options.Since, err = api.ParseSince(*since, now); err != nil {
			return err
		}
		conn, err := clickhouse.Open(s.ClickHouse)
		if err != nil {
			return err
		}
		defer conn.Close()
		if !*noKafka {
			client, err := kafka.New(s.Kafka)
			if err != nil {
				return err
			}
			defer client.Close()
			if options.Kafka, err = kafkaPartitions(c.Context(), s, client); err != nil {
				return fmt.Errorf("asking Kafka: %w (use --no-kafka to go without)", err)
			}
		}
		cfg := ledger.DefaultConfig()
		cfg.Database, cfg.Topics, cfg.RetentionDays = s.ClickHouse.Database, s.topicSignals(), s.Sinks.ClickHouse.Retention.Days
		audit, err := ledger.New(conn, cfg)
		if err != nil {
			return err
		}
		report, err := audit.Verify(c.Context(), options)
		if err != nil {
			return err
		}
		if *asJSON {
			encoder := json.NewEncoder(c.OutOrStdout())
			encoder.SetIndent("", "  ")
			err = encoder.Encode(report)
		} else {
			err = report.WriteText(c.OutOrStdout())
		}
		if err == nil && !report.Balanced {
			return errQuiet
		}
		return err
	}
	return c
}
