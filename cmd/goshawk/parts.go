package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/embedded/engine"
	"github.com/goshawk-observability/goshawk/internal/memory"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/internal/supervise"
	"github.com/goshawk-observability/goshawk/query/sql"
)

// quietAfter is how long a process has little to do before it gives back the memory
// that it needed when it was busy.
const quietAfter = 5 * time.Second

// command makes a command that loads the settings, starts to observe, and
// runs. It ends with SIGTERM, Ctrl-C, or the supervisor that started it.
func command(use, short, long string, run func(ctx context.Context, s Settings, o *observe.Observer, parent *supervise.Parent) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		if err := s.resolve(); err != nil {
			return err
		}
		ctx, parent, err := supervise.Attach(c.Context())
		if err != nil {
			return err
		}
		o, err := observe.Start(ctx, s.Observe, use, version, c.ErrOrStderr())
		if err != nil {
			return err
		}
		defer o.Close()
		defer o.Repanic()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		go memory.Keep(ctx, quietAfter)
		err = run(ctx, s, o, parent)
		if err != nil && ctx.Err() == nil {
			o.Report(err)
			return err
		}
		return nil
	}
	return c
}

// collectLess lets the heap of a process grow to several times what is in use
// before it is collected. A role whose memory is bounded and mostly pooled has
// a heap so small that Go's default collects it many times a second.
func collectLess() { memory.Percent(400) }

func newBroker() *cobra.Command {
	return command("broker", "Run the embedded Kafka-protocol broker",
		`Runs the embedded Kafka-protocol broker on loopback. It is one node for one machine, with a bounded log; see
docs/runbooks/embedded.md. 'goshawk up' starts it by itself.`,
		func(ctx context.Context, s Settings, o *observe.Observer, parent *supervise.Parent) error {
			collectLess()
			group, ctx := errgroup.WithContext(ctx)
			if address := s.Embedded.Kafka.MetricsListen; address != "" {
				group.Go(func() error { return serveHealth(ctx, "embedded.kafka.metrics_listen", address, o) })
			}
			group.Go(func() error {
				defer o.Repanic()
				return broker.Run(ctx, s.Embedded.Kafka, o.Registry, o.Log, func(address string) {
					reportReady(o.Log, parent, map[string]string{"kafka": address})
				})
			})
			return group.Wait()
		})
}

func newClickHouse() *cobra.Command {
	return command("clickhouse", "Run the embedded ClickHouse engine",
		`Runs the embedded ClickHouse engine on loopback, native and HTTP protocol; see docs/runbooks/embedded.md.
'goshawk up' starts it by itself.`,
		func(ctx context.Context, s Settings, o *observe.Observer, parent *supervise.Parent) error {
			cfg := s.Embedded.ClickHouse
			cfg.RowFilters = sql.RowFilters()
			return engine.Run(ctx, cfg, o.Log, func(a engine.Addresses) {
				reportReady(o.Log, parent, map[string]string{"native": a.Native, "http": a.HTTP})
			})
		})
}

func reportReady(log *slog.Logger, parent *supervise.Parent, addresses map[string]string) {
	if err := parent.Ready(addresses); err != nil {
		log.Warn("cannot report to the supervisor", "error", err)
	}
}
