package main

import (
	"context"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/sinks/rollup"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func newRollup() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollup",
		Short: "Sum the samples of past days up now, or list how far that is",
		Long: `Computes the rollups of metric samples that are due, as 'goshawk process' does by itself: of days that are over, and of
those that samples came late for. With --day that day is computed, whether it needs it or not. Nothing that is asked
meanwhile is answered otherwise.

States of days: waiting (not over for long enough), missing (not rolled up), clean, late (samples came after it was
rolled up; queries read the samples), expired (samples may be gone, so that it is not computed).`,
		Example: "  goshawk rollup --list\n  goshawk rollup --day 2026-01-31 --tenant acme",
		Args:    cobra.NoArgs,
	}
	flags := newDayFlags(c, "list the days with their state and compute nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		only := rollup.Selection{Tenant: *flags.tenant, Now: true}
		day, err := flags.chosen()
		if err != nil {
			return err
		}
		only.Day, only.Again = day, day != 0
		s, err := loadSettings(*flags.config)
		if err != nil {
			return err
		}
		if err := s.resolve(); err != nil {
			return err
		}
		conn, columns, closeBoth, err := openBoth(s)
		if err != nil {
			return err
		}
		defer closeBoth()
		job := newRollupJob(s, failuresOf(c), conn, columns, prometheus.NewRegistry())
		if *flags.list {
			return listDays(c, job, only)
		}
		return rollUp(c, job, only)
	}
	return c
}

func newRollupJob(s Settings, log *slog.Logger, conn clickhouse.Conn, columns *clickhouse.Columns, reg prometheus.Registerer) *rollup.Job {
	kept := func(tenant string) int { return s.Sinks.ClickHouse.Retention.Days(tables.Samples, tenant) }
	return rollup.New(s.Sinks.Rollup, conn, columns, s.dialect(), s.Topics.Of(telemetry.Metrics), kept, log, rollup.NewMetrics(reg))
}

func rollUp(c *cobra.Command, job *rollup.Job, only rollup.Selection) error {
	days := 0
	err := job.Pass(c.Context(), only, func(r rollup.Result) {
		days++
		fmt.Fprintf(c.OutOrStdout(), "%s  %s  %d samples in %.1f s: %s\n", tables.Date(r.Day), r.Tenant, r.Samples, r.Took.Seconds(), r.RowsText())
	})
	if err != nil || days > 0 {
		return err
	}
	return nothingDone(c, only.Day, "samples", "cannot be rolled up", func() (string, error) {
		found, err := job.Days(c.Context(), only)
		if err != nil || len(found) == 0 {
			return "", err
		}
		return found[0].State.String(), nil
	})
}

func listDays(c *cobra.Command, job *rollup.Job, only rollup.Selection) error {
	days, err := job.Days(c.Context(), only)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "day\ttenant\tstate\tpublished\tsamples\trows")
	for _, d := range days {
		published, samples := "", ""
		if !d.Published.IsZero() {
			published, samples = d.Published.UTC().Format(time.RFC3339), fmt.Sprint(d.Samples)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", tables.Date(d.Day), d.Tenant, d.State, published, samples, d.RowsText())
	}
	return t.Flush()
}

// beside is a consumer that runs something else in the one process that has
// partition 0, as long as it has it.
type beside struct {
	pipeline.Consumer
	run func(ctx context.Context)
}

// Run implements [pipeline.Consumer].
func (b beside) Run(ctx context.Context, handle func(context.Context, int32, pipeline.Source) error) error {
	return b.Consumer.Run(ctx, func(ctx context.Context, partition int32, source pipeline.Source) error {
		if partition != 0 {
			return handle(ctx, partition, source)
		}
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			b.run(ctx)
		}()
		defer func() { stop(); <-ended }()
		return handle(ctx, partition, source)
	})
}
