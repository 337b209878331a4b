package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/sinks/deadletter"
)

func newDeadletter() *cobra.Command {
	c := &cobra.Command{
		Use:   "deadletter",
		Short: "List and replay what could not be stored",
		Long: `What could not be stored is kept with its reason, in the table dead_letters and the topic goshawk_deadletter. These
commands list it, and produce it to its topic again once the cause is mended.`,
	}
	c.AddCommand(newDeadletterList(), newDeadletterReplay())
	return c
}

// deadletterCommand makes a subcommand that works on filtered letters.
func deadletterCommand(use, short string, run func(c *cobra.Command, s Settings, store *deadletter.Store, f deadletter.Filter) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	path := configFlag(c)
	var f deadletter.Filter
	flags := c.Flags()
	flags.StringVar(&f.Tenant, "tenant", "", "only this tenant's")
	flags.StringVar(&f.Topic, "topic", "", "only what came from this topic")
	flags.StringVar(&f.ReasonCode, "reason", "", "only with this reason code")
	since := flags.String("since", "", "only received since: a `time` (RFC 3339) or an age such as 24h")
	flags.IntVar(&f.Limit, "limit", 100, "at most so many; 0 is all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		if err := s.resolve(); err != nil {
			return err
		}
		if f.Since, err = api.ParseSince(*since, time.Now()); err != nil {
			return err
		}
		conn, err := clickhouse.Open(s.ClickHouse)
		if err != nil {
			return err
		}
		defer conn.Close()
		return run(c, s, deadletter.NewStore(conn, s.dialect(), s.Sinks.ClickHouse.Retention.DeadLetters), f)
	}
	return c
}

func newDeadletterList() *cobra.Command {
	var asJSON bool
	c := deadletterCommand("list", "List dead letters, oldest first",
		func(c *cobra.Command, _ Settings, store *deadletter.Store, f deadletter.Filter) error {
			letters, err := store.List(c.Context(), f)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(c.OutOrStdout())
				for i := range letters {
					if err := encoder.Encode(&letters[i]); err != nil {
						return err
					}
				}
				return nil
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "received\ttenant\ttopic\tpartition\toffset\tevents\treplayed\treason\twhat is wrong")
			for _, l := range letters {
				fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%t\t%s\t%s\n", l.Time.UTC().Format(time.RFC3339), l.Tenant, l.Topic, l.Partition, l.Offset, l.Events, l.Replayed, l.ReasonCode, l.Reason)
			}
			return t.Flush()
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	return c
}

func newDeadletterReplay() *cobra.Command {
	var dryRun bool
	c := deadletterCommand("replay", "Produce dead letters to their topics again",
		func(c *cobra.Command, s Settings, store *deadletter.Store, f deadletter.Filter) error {
			client, err := kafka.New(s.Kafka)
			if err != nil {
				return err
			}
			defer client.Close()
			o, err := observe.Start(c.Context(), s.Observe, "deadletter", version, c.ErrOrStderr())
			if err != nil {
				return err
			}
			defer o.Close()
			producer, err := newProducer(s, o, client, "deadletter")
			if err != nil {
				return err
			}
			defer producer.Close()
			done, err := store.Replay(c.Context(), messageProducer{topic.NewProducer(client, producer)}, f, dryRun)
			what := "replayed"
			if dryRun {
				what = "would replay"
			}
			fmt.Fprintf(c.OutOrStdout(), "%s %d letters with %d events, %d bytes; Kafka refused %d\n", what, done.Letters, done.Events, done.Bytes, done.Refused)
			if done.Empty > 0 {
				fmt.Fprintf(c.OutOrStdout(), "%d letters have no value, so there is nothing to replay; their reason says what was left out\n", done.Empty)
			}
			return err
		})
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	return c
}
