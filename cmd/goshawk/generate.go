package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
)

func newGenerate() *cobra.Command {
	c := &cobra.Command{
		Use:   "generate",
		Short: "Send the telemetry of a seeded, realistic shop over OTLP",
		Long: `Sends the traces, logs, access logs and metrics of a web shop: about ten microservices behind two web servers on six
hosts, with a daily rhythm and scripted incidents whose truth can be written to a file. The same seed and start give
the same events. See docs/generate.md.`,
		Example: `  goshawk generate --rate 500
  goshawk generate --rate 0 --events 1000000            # as fast as the gateway takes them
  goshawk generate --rate 2000 --truth incidents.jsonl`,
		Args: cobra.NoArgs,
	}
	var o shop.Options
	connectionFlags(c, &o.Endpoint, &o.Protocol, &o.Compression, &o.Token, &o.Connections)
	flags := c.Flags()
	flags.Float64Var(&o.Rate, "rate", 500, "events a second; 0 is as fast as they are taken")
	flags.DurationVar(&o.Duration, "duration", 0, "stop after this time")
	flags.Int64Var(&o.Events, "events", 0, "stop after this many events")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of everything that is random")
	start := flags.String("start", "", "first moment of the shop's clock, RFC 3339 (default now)")
	flags.Float64Var(&o.Speed, "speed", 1, "how much faster than real time the shop's clock runs")
	flags.BoolVar(&o.Flat, "flat", false, "no rhythm of day and week")
	flags.IntVar(&o.EventsPerRequest, "events-per-request", 0, "bound on the events of one request")
	flags.StringVar(&o.Incidents, "incidents", "default", "default, none, or a plan (see docs/generate.md)")
	flags.StringVar(&o.Truth, "truth", "", "write a line for every incident to this `file`")
	flags.BoolVarP(&o.Quiet, "quiet", "q", false, "no progress and no summary")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.Progress = c.ErrOrStderr()
		if *start != "" {
			t, err := time.Parse(time.RFC3339, *start)
			if err != nil {
				return err
			}
			o.Start = t
		}
		_, err := shop.Run(c.Context(), o)
		return err
	}
	return c
}
