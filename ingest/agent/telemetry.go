package agent

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configtelemetry"
	"go.opentelemetry.io/collector/service/telemetry"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/goshawk-observability/goshawk/ingest/agent/lend"
)

// telemetryConfig is the section service.telemetry. Where the collector's own
// log and metrics go is goshawk's business: the log of the process, and the
// registry that it serves. So there are no readers and no outputs.
type telemetryConfig struct {
	Logs struct {
		// Level is the least level of the collector's lines; the log of the
		// process may keep fewer.
		Level logLevel `mapstructure:"level"`
	} `mapstructure:"logs"`
	Metrics struct {
		Level configtelemetry.Level `mapstructure:"level"`
	} `mapstructure:"metrics"`
}

// newTelemetryFactory makes what the collector reports on itself through.
func newTelemetryFactory(log *slog.Logger, reg prometheus.Registerer) telemetry.Factory {
	return telemetry.NewFactory(
		func() component.Config {
			cfg := &telemetryConfig{}
			cfg.Logs.Level = defaultLogLevel
			cfg.Metrics.Level = configtelemetry.LevelNormal
			return cfg
		},
		telemetry.WithCreateLogger(createLogger(log)),
		telemetry.WithCreateMeterProvider(func(_ context.Context, _ telemetry.MeterSettings, c component.Config) (telemetry.MeterProvider, error) {
			return newMeterProvider(c.(*telemetryConfig).Metrics.Level, reg)
		}),
	)
}

// meterProvider puts the collector's metrics into the registry of the process.
type meterProvider struct {
	metric.MeterProvider
	stop func(context.Context) error
}

// Shutdown implements telemetry.MeterProvider.
func (p *meterProvider) Shutdown(ctx context.Context) error { return p.stop(ctx) }

func newMeterProvider(level configtelemetry.Level, reg prometheus.Registerer) (telemetry.MeterProvider, error) {
	if level == configtelemetry.LevelNone {
		return &meterProvider{noop.NewMeterProvider(), func(context.Context) error { return nil }}, nil
	}
	lent := lend.To(reg)
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(lent), otelprometheus.WithoutTargetInfo(), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("serving the collector's metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	return &meterProvider{provider, func(ctx context.Context) error {
		defer lent.TakeBack()
		return provider.Shutdown(ctx)
	}}, nil
}
