package main

import (
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/sinks/sampling"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

func newSampling() *cobra.Command {
	c := &cobra.Command{
		Use:   "sampling",
		Short: "Thin past days of traces out now, or list how far that is",
		Long: `Deletes traces of past days as sinks.sampling says and as 'goshawk process' does by itself: those that failed and those
that were slow are kept, the rest with a probability. With --day that day is thinned again, of what came late for it.

States of days: waiting (not over for long enough), whole (everything is kept), due, begun (rows are being deleted), done,
expired (expires before long, so that it is not thinned).`,
		Example: "  goshawk sampling --dry-run\n  goshawk sampling --day 2026-01-31 --tenant acme\n  goshawk sampling --list",
		Args:    cobra.NoArgs,
	}
	flags := newDayFlags(c, "list the days with their state and delete nothing")
	dry := c.Flags().Bool("dry-run", false, "say what would be deleted and delete nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		only := sampling.Selection{Tenant: *flags.tenant, DryRun: *dry}
		day, err := flags.chosen()
		if err != nil {
			return err
		}
		only.Day, only.Again = day, day != 0
		s, err := loadSettings(*flags.config)
		if err != nil {
			return err
		}
		if !s.Sinks.Sampling.Enabled && !*flags.list && !*dry {
			return errors.New("sampling is off: set sinks.sampling.enabled, or use --dry-run to see what it would delete")
		}
		if err := s.resolve(); err != nil {
			return err
		}
		conn, columns, closeBoth, err := openBoth(s)
		if err != nil {
			return err
		}
		defer closeBoth()
		job := newSamplingJob(s, failuresOf(c), conn, columns, prometheus.NewRegistry())
		if *flags.list {
			return listSampled(c, job, only)
		}
		only.Progress = func(text string) { fmt.Fprintln(c.ErrOrStderr(), text) }
		return sample(c, job, only)
	}
	return c
}

func newSamplingJob(s Settings, log *slog.Logger, conn clickhouse.Conn, columns *clickhouse.Columns, reg prometheus.Registerer) *sampling.Job {
	kept := func(tenant string) int { return s.Sinks.ClickHouse.Retention.Days(tables.Spans, tenant) }
	return sampling.New(s.Sinks.Sampling, conn, columns, s.dialect(), s.Topics.Of(telemetry.Spans), kept, log, sampling.NewMetrics(reg))
}

func sample(c *cobra.Command, job *sampling.Job, only sampling.Selection) error {
	var total sampling.Counts
	days, deleted := 0, "deleted"
	if only.DryRun {
		deleted = "would be deleted"
	}
	show := func(what string, n sampling.Counts) {
		fmt.Fprintf(c.OutOrStdout(), "%s  %d of %d spans and %d of %d traces %s, about %.1f MB\n", what,
			n.SpansRemoved, n.Spans, n.TracesRemoved, n.Traces, deleted, float64(n.BytesRemoved)/1e6)
	}
	err := job.Pass(c.Context(), only, func(r sampling.Result) {
		days++
		show(tables.Date(r.Day)+"  "+r.Tenant, r.Counts)
		total.Add(r.Counts)
	})
	if days > 1 {
		show("total", total)
	}
	if err != nil || days > 0 {
		return err
	}
	return nothingDone(c, only.Day, "spans", "was not thinned", func() (string, error) {
		found, err := job.Days(c.Context(), only)
		if err != nil || len(found) == 0 {
			return "", err
		}
		return found[0].State.String(), nil
	})
}

func listSampled(c *cobra.Command, job *sampling.Job, only sampling.Selection) error {
	days, err := job.Days(c.Context(), only)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "day\ttenant\tstate\tprobability\truns\tspans\tdeleted\ttraces\tdeleted\tMB")
	for _, d := range days {
		fmt.Fprintf(t, "%s\t%s\t%s", tables.Date(d.Day), d.Tenant, d.State)
		if n := d.Removed(); d.Runs() > 0 {
			fmt.Fprintf(t, "\t%v\t%d\t%d\t%d\t%d\t%d\t%.1f", d.Probability(), d.Runs(), n.Spans, n.SpansRemoved, n.Traces, n.TracesRemoved, float64(n.BytesRemoved)/1e6)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
