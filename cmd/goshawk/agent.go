package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"go.opentelemetry.io/collector/component"

	"github.com/goshawk-observability/goshawk/ingest/agent"
	"github.com/goshawk-observability/goshawk/ingest/agent/kafkaexporter"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/memory"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/internal/supervise"
)

// agentName is what supervisor and status call the agent.
const agentName = "agent"

// agentFlags are the flags of `goshawk agent`.
type agentFlags struct {
	config, brokers, probes  []string
	components, check, print bool
}

func newAgent() *cobra.Command {
	c := &cobra.Command{
		Use:   "agent",
		Short: "Run an OpenTelemetry Collector that writes to Kafka as the gateway does",
		Long: `Runs goshawk's distribution of the OpenTelemetry Collector. It is configured by ordinary collector YAML; the exporter
goshawk_kafka writes to the Kafka of goshawk's own settings. Without a configuration it tells how this host is: CPU,
memory, disks, filesystems, network, and hardware sensors. See docs/agent.md.`,
		Example: "  goshawk agent --brokers kafka-1:9092\n  goshawk agent --config collector.yaml --settings goshawk.yaml\n" +
			"  goshawk agent --print-default > collector.yaml",
		Args: cobra.NoArgs,
	}
	var f agentFlags
	flags := c.Flags()
	flags.StringArrayVarP(&f.config, "config", "c", nil, "`configuration` of the collector: a file, env:NAME or yaml:TEXT; repeat it to lay one over the other")
	settings := flags.String("settings", "", "goshawk's own configuration `file` (YAML)")
	flags.StringSliceVar(&f.brokers, "brokers", nil, "Kafka `addresses` instead of those of the settings")
	flags.StringArrayVar(&f.probes, "probe", nil, "probe `NAME=URL` as well; in the default configuration")
	flags.BoolVar(&f.components, "components", false, "list the components with their stability and module, and end")
	flags.BoolVar(&f.check, "check", false, "read the configuration, build its components, start none, and end")
	flags.BoolVar(&f.print, "print-default", false, "print the default configuration and end")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.components {
			return printComponents(c.OutOrStdout())
		}
		s, err := loadSettings(*settings)
		if err != nil {
			return err
		}
		if len(f.brokers) > 0 {
			s.Kafka.Brokers = f.brokers
		}
		s.resolveAddresses()
		if err := s.Kafka.Validate(); err != nil {
			return err
		}
		if len(f.config) > 0 {
			s.Agent.Config = f.config
		}
		options, err := s.agentOptions(f.probes)
		if err != nil {
			return err
		}
		if f.print {
			text, err := options.Default.YAML()
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.OutOrStdout(), text)
			return err
		}
		return startAgent(c, s, options, f.check)
	}
	return c
}

// startAgent runs or checks the agent, watched by the supervisor that started
// this process, where one did.
func startAgent(c *cobra.Command, s Settings, options agent.Options, check bool) error {
	ctx, parent, err := supervise.Attach(c.Context())
	if err != nil {
		return err
	}
	o, err := observe.Start(ctx, s.Observe, "agent", version, c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer o.Close()
	defer o.Repanic()
	options.Log, options.Registry = o.Log, o.Registry
	if check {
		if err := agent.Check(ctx, options); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), "the configuration is valid")
		return err
	}
	if err := runAgent(ctx, s, o, options, func() { reportReady(o.Log, parent, map[string]string{}) }); err != nil && ctx.Err() == nil {
		o.Report(err)
		return err
	}
	return nil
}

// runAgent runs the agent until ctx ends.
func runAgent(ctx context.Context, s Settings, o *observe.Observer, options agent.Options, ready func()) error {
	group, ctx := errgroup.WithContext(ctx)
	go memory.Keep(ctx, quietAfter)
	if s.Agent.Listen != "" {
		group.Go(func() error { return serveHealth(ctx, "agent.listen", s.Agent.Listen, o) })
	}
	inputs := s.Agent.Inputs()
	if len(options.Config) == 0 || inputs {
		// It writes to Kafka for certain, maybe as the first of all roles.
		group.Go(func() error {
			client, err := kafka.New(s.Kafka)
			if err != nil {
				return err
			}
			defer client.Close()
			return ensureTopics(ctx, client, s.Topics, o.Log)
		})
	}
	if inputs {
		group.Go(func() error {
			defer o.Repanic()
			return agent.RunInputs(ctx, &s.Agent, options, nil)
		})
	}
	group.Go(func() error {
		defer o.Repanic()
		return agent.Run(ctx, options, ready)
	})
	return group.Wait()
}

// agentOptions are the options of the agent, whose settings have been resolved.
func (s *Settings) agentOptions(probes []string) (agent.Options, error) {
	o := agent.Options{
		Config:  s.Agent.Config,
		Version: version,
		Default: agent.DefaultOptions{DataDir: s.Agent.DataDir, Interval: s.Agent.Interval, RootPath: s.Agent.RootPath},
		Kafka: kafkaexporter.Defaults{
			Kafka: s.Kafka, Producer: s.Producer, Topics: s.Topics, Limits: s.Gateway.Events, Tenant: s.Agent.Tenant,
		},
	}
	for _, p := range probes {
		name, url, found := strings.Cut(p, "=")
		if !found || name == "" || url == "" {
			return o, fmt.Errorf("--probe: %q is not NAME=URL", p)
		}
		o.Default.Probes = append(o.Default.Probes, agent.Probe{Name: name, URL: url})
	}
	if len(o.Config) > 0 && len(probes) > 0 {
		return o, errors.New("--probe goes with the default configuration only")
	}
	return o, nil
}

// agentChild is the agent as `goshawk up` runs it: it probes the ports of the
// others.
func (s *Settings) agentChild(configPath string) supervise.Child {
	child := supervise.Child{Name: agentName, Args: []string{"agent"}}
	if s.Observe.LogLevel == observe.DefaultConfig().LogLevel {
		// A collector tells of everything that it starts.
		child.Env = append(child.Env, "GOSHAWK_OBSERVE_LOG_LEVEL=warn")
	}
	if configPath != "" {
		child.Args = append(child.Args, "--settings", configPath)
	}
	if len(s.Agent.Config) > 0 {
		return child
	}
	ports := []struct{ name, address, path string }{{"goshawk-query", s.Query.Listen, "/readyz"}}
	if !s.Gateway.TLS.Enabled() {
		ports = append(ports, struct{ name, address, path string }{"goshawk-gateway", s.Gateway.OTLPHTTP, "/readyz"})
	}
	for _, p := range ports {
		if host, port, err := net.SplitHostPort(p.address); err == nil && port != "0" {
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			child.Args = append(child.Args, "--probe", p.name+"=http://"+net.JoinHostPort(host, port)+p.path)
		}
	}
	return child
}

// printComponents writes a table of what is in the distribution.
func printComponents(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tTYPE\tLOGS\tMETRICS\tTRACES\tMODULE\tVERSION")
	level := func(levels ...component.StabilityLevel) string {
		i := slices.IndexFunc(levels, func(l component.StabilityLevel) bool { return l != component.StabilityLevelUndefined })
		if i < 0 {
			return "-"
		}
		return strings.ToLower(levels[i].String())
	}
	for _, c := range agent.Components() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Kind, c.Type,
			level(c.Logs, c.Extension), level(c.Metrics, c.Extension), level(c.Traces, c.Extension), c.Module, c.Version)
	}
	return table.Flush()
}
