// Command goshawk is a streaming observability pipeline: collectors write to
// Kafka, processors and sinks move it to ClickHouse, a query service answers.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/timerslack"
)

// version is set by the linker.
var version = "dev"

// lateness is how late the timers of a role may be.
const lateness = time.Millisecond

// roles are the commands that run until they are told to end.
var roles = []string{"up", "gateway", "agent", "process", "query", "broker", "clickhouse"}

func main() {
	if len(os.Args) > 1 && slices.Contains(roles, os.Args[1]) {
		// Without it a role does the same work, for more CPU time (ADR 19).
		_ = timerslack.Allow(lateness)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// errQuiet ends the process with code 1 after the command has said why.
var errQuiet = errors.New("the command has said why")

func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil, errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return 0
	case errors.Is(err, errQuiet):
		return 1
	}
	fmt.Fprintf(os.Stderr, "goshawk: %v\n", err)
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "goshawk",
		Short: "One pipeline for logs, metrics and traces: OTLP in, Kafka, ClickHouse, SQL out",
		Long: `Goshawk takes logs, metrics and traces over OTLP, keeps them in Kafka until they
are stored in ClickHouse exactly once, and answers queries.

On one machine:      goshawk up --demo
In a cluster:        goshawk gateway | agent | process | query, each with its settings

Every command takes its settings from --config FILE and from the environment
(GOSHAWK_GATEWAY_OTLP_HTTP sets gateway.otlp_http); 'goshawk config' prints them.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "operate", Title: "Operate:"},
		&cobra.Group{ID: "traffic", Title: "Traffic:"},
		&cobra.Group{ID: "parts", Title: "Embedded parts (goshawk up starts them):"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"run":     {newUp(), newGateway(), newAgent(), newProcess(), newQuery()},
		"operate": {newSchema(), newChange(), newAudit(), newRollup(), newSampling(), newDeadletter(), newCheck(), newConfig(), newWeblog()},
		"traffic": {newGenerate(), newReplay()},
		"parts":   {newBroker(), newClickHouse()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	return root
}
