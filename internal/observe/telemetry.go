package observe

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	prombridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// startTelemetry exports the process's log, registry and spans over OTLP/HTTP
// and returns the handler that feeds the log. Exports are batched, bounded and
// dropped when the receiver is away: goshawk must not depend on itself.
func (o *Observer) startTelemetry(ctx context.Context, cfg TelemetryConfig, role, version string) (slog.Handler, error) {
	base := strings.TrimRight(cfg.Endpoint, "/")
	token, err := cfg.Token.Value()
	if err != nil {
		return nil, fmt.Errorf("observe.telemetry.token: %w", err)
	}
	headers := map[string]string{}
	if token != "" {
		headers["Authorization"] = "Bearer " + token
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("reading the host name: %w", err)
	}
	self := resource.NewSchemaless(
		attribute.String("service.name", "goshawk"),
		attribute.String("service.namespace", "goshawk"),
		attribute.String("service.version", version),
		attribute.String("service.instance.id", fmt.Sprintf("%s-%s-%d", host, role, os.Getpid())),
		attribute.String("host.name", host),
		attribute.String("goshawk.role", role),
	)

	logs, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(base+"/v1/logs"), otlploghttp.WithHeaders(headers))
	if err != nil {
		return nil, fmt.Errorf("exporting own logs: %w", err)
	}
	logger := sdklog.NewLoggerProvider(sdklog.WithResource(self), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)))
	o.stop = append(o.stop, logger.Shutdown)

	metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(base+"/v1/metrics"), otlpmetrichttp.WithHeaders(headers))
	if err != nil {
		return nil, fmt.Errorf("exporting own metrics: %w", err)
	}
	reader := sdkmetric.NewPeriodicReader(metrics,
		sdkmetric.WithInterval(cfg.Interval),
		// Every metric is defined once, in the Prometheus registry.
		sdkmetric.WithProducer(prombridge.NewMetricProducer(prombridge.WithGatherer(o.Registry))))
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithResource(self), sdkmetric.WithReader(reader))
	o.stop = append(o.stop, meter.Shutdown)

	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(base+"/v1/traces"), otlptracehttp.WithHeaders(headers))
	if err != nil {
		return nil, fmt.Errorf("exporting own spans: %w", err)
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithResource(self), sdktrace.WithBatcher(spans))
	o.stop = append(o.stop, tracer.Shutdown)
	o.Tracer = tracer.Tracer("goshawk")

	return otelslog.NewHandler("goshawk", otelslog.WithLoggerProvider(logger)), nil
}
