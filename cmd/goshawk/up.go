package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/ingest/remotewrite"
	"github.com/goshawk-observability/goshawk/internal/embedded/broker"
	"github.com/goshawk-observability/goshawk/internal/memory"
	"github.com/goshawk-observability/goshawk/internal/observe"
	"github.com/goshawk-observability/goshawk/internal/supervise"
	"github.com/goshawk-observability/goshawk/query/api"
)

// demoRate is the number of events a second of `goshawk up --demo`.
const demoRate = 300

func newUp() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Run everything on this machine with one command",
		Long: `Runs the embedded broker, the embedded ClickHouse engine and the agent as child processes, and gateway, workers and query
service inside. Children are started again when they crash. Ctrl-C stops everything.

Where kafka.brokers or clickhouse.addresses name real servers, those are used instead of the embedded part.`,
		Example: "  goshawk up --demo\n  goshawk up --config goshawk.yaml",
		Args:    cobra.NoArgs,
	}
	path := configFlag(c)
	demo := c.Flags().Bool("demo", false, "add the live traffic of a small web shop")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := loadSettings(*path)
		if err != nil {
			return err
		}
		// Before anything is resolved: which parts are to run here.
		parts := s.parts(*path)
		if err := s.resolve(); err != nil {
			return err
		}
		o, err := observe.Start(c.Context(), s.Observe, "up", version, c.ErrOrStderr())
		if err != nil {
			return err
		}
		defer o.Close()
		defer o.Repanic()
		u := &up{settings: s, observer: o, out: c.OutOrStdout(), began: time.Now(), demo: *demo}
		err = u.run(c.Context(), parts)
		if err != nil && c.Context().Err() == nil {
			o.Report(err)
			return err
		}
		return nil
	}
	return c
}

// parts lists what runs as children: the embedded parts, which all roles wait
// for, and the agent, for which none does.
func (s *Settings) parts(configPath string) []supervise.Child {
	var children []supervise.Child
	add := func(name string, environment ...string) {
		args := []string{name}
		if configPath != "" {
			args = append(args, "--config", configPath)
		}
		children = append(children, supervise.Child{Name: name, Args: args, Env: environment})
	}
	if s.kafkaEmbedded() {
		add("broker", broker.Environment()...)
	}
	if s.clickHouseEmbedded() {
		add("clickhouse")
	}
	if s.Agent.Enabled {
		children = append(children, s.agentChild(configPath))
	}
	return children
}

// up is one run of everything.
type up struct {
	settings Settings
	observer *observe.Observer
	out      io.Writer
	began    time.Time
	demo     bool
	parts    []string
}

func (u *up) run(ctx context.Context, parts []supervise.Child) error {
	supervisor := supervise.New(u.observer.Log, u.observer.Registry)
	for _, p := range parts {
		if err := supervisor.Add(p); err != nil {
			return err
		}
		u.parts = append(u.parts, p.Name)
	}
	// The parts outlive the roles: when ctx ends, roles stop first, so that
	// what they hold still reaches the parts.
	partsCtx, stopParts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopParts()
	group, roles := errgroup.WithContext(ctx)
	partsDone := make(chan error, 1)
	go func() { partsDone <- supervisor.Run(partsCtx) }()
	group.Go(func() error {
		memory.Keep(roles, quietAfter)
		return nil
	})
	group.Go(func() error {
		select {
		case err := <-partsDone:
			partsDone <- err
			if err == nil && roles.Err() == nil {
				err = errors.New("the embedded parts have stopped")
			}
			return err
		case <-roles.Done():
			return nil
		}
	})
	group.Go(func() error {
		for _, name := range u.parts {
			if name == agentName {
				continue
			}
			if _, err := supervisor.WaitReady(roles, name); err != nil {
				return err
			}
		}
		return u.runRoles(roles, supervisor)
	})
	err := group.Wait()
	stopParts()
	return errors.Join(err, <-partsDone)
}

// runRoles runs gateway, workers, query service and the demo's traffic.
func (u *up) runRoles(ctx context.Context, supervisor *supervise.Supervisor) error {
	s, o := u.settings, u.observer
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var addresses gateway.Addrs
	gatewayUp := make(chan struct{})
	group.Go(func() error {
		return runGateway(ctx, s, o, func(a gateway.Addrs) {
			mu.Lock()
			addresses = a
			mu.Unlock()
			close(gatewayUp)
		})
	})
	group.Go(func() error { return runProcess(ctx, s, o) })
	group.Go(func() error {
		select {
		case <-gatewayUp:
		case <-ctx.Done():
			return nil
		}
		listeners := u.listeners(addresses)
		u.banner(listeners)
		return runQuery(ctx, s, o, api.Deps{
			Listeners:  listeners,
			Components: func() []api.Component { return u.components(supervisor) },
		})
	})
	if u.demo {
		group.Go(func() error {
			select {
			case <-gatewayUp:
			case <-ctx.Done():
				return nil
			}
			_, err := shop.Run(ctx, shop.Options{
				// Each run has trace ids of its own: the store may keep earlier ones.
				Endpoint: "http://" + addresses.HTTP.String(), Rate: demoRate, Seed: uint64(time.Now().UnixNano()), Incidents: "default", Quiet: true,
				Truth: u.settings.DataDir + "/demo-incidents.jsonl",
			})
			if ctx.Err() != nil {
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// components says what runs, for the page.
func (u *up) components(supervisor *supervise.Supervisor) []api.Component {
	all := []api.Component{{Name: "up", State: "up", PID: os.Getpid(), RSS: residentBytes(os.Getpid())}}
	for _, name := range u.parts {
		status, _ := supervisor.Status(name)
		c := api.Component{Name: name, State: "starting", PID: status.Pid, Restarts: status.Restarts, RSS: residentBytes(status.Pid)}
		switch {
		case status.Ready:
			c.State = "up"
		case status.Err != nil:
			c.State, c.Detail = "down", status.Err.Error()
		}
		all = append(all, c)
	}
	return all
}

// residentBytes is the resident memory of a process, 0 where it is unknown.
func residentBytes(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * uint64(os.Getpagesize())
}

// listeners are what can be reached, in the order of a newcomer's interest.
func (u *up) listeners(gateway gateway.Addrs) []api.Listener {
	s := u.settings
	all := []api.Listener{{Name: "page", Address: "http://" + s.Query.Listen}}
	if gateway.HTTP != nil {
		all = append(all, api.Listener{Name: "OTLP/HTTP", Address: "http://" + gateway.HTTP.String()})
	}
	if gateway.GRPC != nil {
		all = append(all, api.Listener{Name: "OTLP/gRPC", Address: gateway.GRPC.String()})
	}
	return append(all,
		api.Listener{Name: "Kafka", Address: strings.Join(s.Kafka.Brokers, ",")},
		api.Listener{Name: "ClickHouse", Address: strings.Join(s.ClickHouse.Addresses, ",")},
		api.Listener{Name: "ClickHouse HTTP", Address: strings.Join(s.Query.SQL.HTTPAddresses, ",")},
	)
}

// banner tells a newcomer what listens where and what to do next.
func (u *up) banner(listeners []api.Listener) {
	var b strings.Builder
	fmt.Fprintf(&b, "\nGoshawk %s is up after %s.\n\n", version, time.Since(u.began).Round(10*time.Millisecond))
	for _, l := range listeners {
		fmt.Fprintf(&b, "  %-16s %s\n", l.Name, l.Address)
	}
	fmt.Fprintf(&b, "  %-16s %s\n", "data", u.settings.DataDir)
	page := listeners[0].Address
	if i := slices.IndexFunc(listeners, func(l api.Listener) bool { return l.Name == "OTLP/HTTP" }); i >= 0 {
		fmt.Fprintf(&b, "\n  send:  export OTEL_EXPORTER_OTLP_ENDPOINT=%s\n", listeners[i].Address)
		fmt.Fprintf(&b, "         Prometheus: remote_write: [{url: %s%s}]\n", listeners[i].Address, remotewrite.Path)
	}
	fmt.Fprintf(&b, "  ask:   curl '%s/sql' --data 'SELECT service, count() FROM logs GROUP BY service'\n", page)
	fmt.Fprintf(&b, "         goshawk query --promql 'probe_success' (Grafana: data source Prometheus, %s)\n", page)
	fmt.Fprintf(&b, "  check: goshawk audit\n")
	if u.demo {
		fmt.Fprintf(&b, "  demo:  a small web shop sends about %d events/s\n", demoRate)
	} else {
		fmt.Fprintf(&b, "  demo:  goshawk generate (in another terminal)\n")
	}
	fmt.Fprintf(&b, "  stop:  Ctrl-C\n\n")
	_, _ = io.WriteString(u.out, b.String()) // a closed terminal is no reason to end
}
