// Package agent is goshawk's distribution of the OpenTelemetry Collector: the
// receivers, processors and extensions that a host needs, and an exporter that
// writes into Kafka as the gateway does. It is configured as every collector is,
// and has a configuration of its own where it is given none.
//
// This package puts components together. It must not know what is inside of
// telemetry, nor how Kafka is reached.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/goshawk-observability/goshawk/ingest/agent/kafkaexporter"
)

// Options say what an agent runs and whom it reports to.
type Options struct {
	// Config lists configurations of the collector, later ones over earlier
	// ones: files, or URIs such as env:NAME and yaml:TEXT. Where there is none,
	// Default is used.
	Config  []string
	Default DefaultOptions
	// Kafka is where the exporter goshawk_kafka writes, where a configuration
	// does not say.
	Kafka    kafkaexporter.Defaults
	Version  string
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// stopGrace is how long Kafka may take for what is under way when the agent
// stops. What it has not acknowledged by then stays in the queue.
const stopGrace = 3 * time.Second

// Run runs the collector until ctx ends. Ready, which may be nil, is called when
// every component has started. SIGHUP makes it read its configuration again.
func Run(ctx context.Context, o Options, ready func()) error {
	stopping, stopped := context.WithCancel(context.WithoutCancel(ctx))
	defer stopped()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, stopped) })()
	collector, err := o.collector(stopping)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	// The collector gets its own end: a context that has ended would cut its
	// stopping short.
	go func() { ended <- collector.Run(context.WithoutCancel(ctx)) }()
	if ready != nil {
		go awaitRunning(ctx, collector, ready)
	}
	select {
	case err := <-ended:
		if err == nil && ctx.Err() == nil {
			err = errors.New("the collector ended by itself; its log says why")
		}
		return wrapped("running the collector", err)
	case <-ctx.Done():
		collector.Shutdown()
		return wrapped("stopping the collector", <-ended)
	}
}

// awaitRunning calls ready when the collector runs. The collector tells nobody
// when that is, so that it has to be asked.
func awaitRunning(ctx context.Context, collector *otelcol.Collector, ready func()) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch collector.GetState() {
		case otelcol.StateRunning:
			ready()
			return
		case otelcol.StateClosing, otelcol.StateClosed:
			return
		}
	}
}

// Check reads the configuration and builds every component without starting
// any, and says what is wrong.
func Check(ctx context.Context, o Options) error {
	collector, err := o.collector(ctx)
	if err != nil {
		return err
	}
	return wrapped("checking the configuration", collector.DryRun(ctx))
}

func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// collector puts the collector together; stopping ends when nothing must wait
// for Kafka any more.
func (o *Options) collector(stopping context.Context) (*otelcol.Collector, error) {
	uris := make([]string, 0, len(o.Config))
	for _, c := range o.Config {
		uris = append(uris, uri(c))
	}
	if len(uris) == 0 {
		text, err := o.Default.YAML()
		if err != nil {
			return nil, err
		}
		uris = append(uris, "yaml:"+text)
	}
	env := &kafkaexporter.Environment{Log: o.Log, Registry: o.Registry, Stopping: stopping, Defaults: o.Kafka}
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		Factories: func() (otelcol.Factories, error) { return factories(env) },
		BuildInfo: component.BuildInfo{Command: "goshawk agent", Description: "goshawk's OpenTelemetry Collector", Version: o.Version},
		// Whoever calls Run decides when it ends.
		DisableGracefulShutdown: true,
		SkipSettingGRPCLogger:   true,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              uris,
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory(), yamlprovider.NewFactory()},
			DefaultScheme:     "env",
		}},
		LoggingOptions: logOptions(o.Log),
	})
	return collector, wrapped("reading the configuration of the collector", err)
}

// uri returns where a configuration is; what has no scheme is a file.
func uri(config string) string {
	scheme, _, found := strings.Cut(config, ":")
	if found && (scheme == "file" || scheme == "env" || scheme == "yaml") {
		return config
	}
	return "file:" + filepath.Clean(config)
}
