package main

import (
	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/benchmarks/replay"
)

func newReplay() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Send recorded telemetry or access logs again, at any pace",
		Long: `Sends OTLP JSON lines (as a collector's file exporter writes them), OTLP protobuf, or the lines of an access log again:
at their own pace, faster, or at a given rate. gzip and zstd are recognised; "-" is standard input. Lines that cannot be
read are counted and reported, and never stop the replay.`,
		Example: `  goshawk replay access.log                      # at its own pace, moved to now
  goshawk replay --speed 60 yesterday.jsonl.zst   # an hour in a minute
  goshawk replay --rate 50000 access.log.gz       # a load test`,
		Args: cobra.MinimumNArgs(1),
	}
	var o replay.Options
	connectionFlags(c, &o.Endpoint, &o.Protocol, &o.Compression, &o.Token, &o.Connections)
	flags := c.Flags()
	flags.StringVar(&o.Format, "format", replay.FormatAuto, "auto, otlp-json, otlp-proto or access")
	flags.StringVar(&o.Signal, "signal", "", "what otlp-proto holds: logs, spans or metrics")
	flags.Float64Var(&o.Speed, "speed", 1, "how much faster than recorded")
	flags.Float64Var(&o.Rate, "rate", 0, "events a second instead of the recorded pace")
	flags.BoolVar(&o.Fast, "fast", false, "as fast as the gateway takes them")
	flags.BoolVar(&o.KeepTime, "keep-time", false, "keep the recorded times instead of moving them to now")
	flags.StringVar(&o.Service, "service", "web", "service.name of access log lines")
	flags.IntVar(&o.EventsPerRequest, "events-per-request", 0, "bound on the events of one request (default 512)")
	flags.BoolVarP(&o.Quiet, "quiet", "q", false, "no progress and no summary")
	c.RunE = func(c *cobra.Command, args []string) error {
		o.Files, o.Stdin = args, c.InOrStdin()
		o.Progress = c.ErrOrStderr()
		_, err := replay.Run(c.Context(), o)
		return err
	}
	return c
}
