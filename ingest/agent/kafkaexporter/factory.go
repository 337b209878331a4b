package kafkaexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Type is the name of the exporter in a collector's configuration. It is not
// "kafka", which is another exporter with other settings.
var Type = component.MustNewType("goshawk_kafka")

// NewFactory makes the exporter's factory. The environment is used by all
// exporters that it makes, for as long as they run.
func NewFactory(env *Environment) exporter.Factory {
	f := &factory{links: links{env: env, all: map[*Config]*link{}}}
	return exporter.NewFactory(
		Type, func() component.Config { return defaultConfig(env.Defaults) },
		exporter.WithLogs(f.logs, component.StabilityLevelBeta),
		exporter.WithTraces(f.traces, component.StabilityLevelBeta),
		exporter.WithMetrics(f.metrics, component.StabilityLevelBeta),
	)
}

type factory struct{ links links }

func (f *factory) make(set exporter.Settings, signal telemetry.Signal, cfg *Config) (*sender, error) {
	link, err := f.links.open(set.ID, cfg)
	if err != nil {
		return nil, err
	}
	return &sender{
		signal: signal, topic: cfg.Topics.of(signal), tenant: cfg.Tenant,
		limits: cfg.limits(), link: link, env: f.links.env,
	}, nil
}

// options are those of all signals. Of the timeout, every attempt has its own.
func (f *factory) options(cfg *Config) []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: cfg.Timeout}),
		exporterhelper.WithRetry(cfg.Retry),
		exporterhelper.WithQueue(cfg.Queue),
		exporterhelper.WithShutdown(func(context.Context) error {
			f.links.close(cfg)
			return nil
		}),
	}
}

func (f *factory) logs(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Logs, error) {
	cfg := c.(*Config)
	s, err := f.make(set, telemetry.Logs, cfg)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewLogs(ctx, set, cfg, s.pushLogs, f.options(cfg)...)
}

func (f *factory) traces(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Traces, error) {
	cfg := c.(*Config)
	s, err := f.make(set, telemetry.Spans, cfg)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewTraces(ctx, set, cfg, s.pushTraces, f.options(cfg)...)
}

func (f *factory) metrics(ctx context.Context, set exporter.Settings, c component.Config) (exporter.Metrics, error) {
	cfg := c.(*Config)
	s, err := f.make(set, telemetry.Metrics, cfg)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, cfg, s.pushMetrics, f.options(cfg)...)
}
