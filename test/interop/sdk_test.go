package interop

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/goshawk-observability/goshawk/test/cluster"
)

// exporters are those of the SDK for one protocol.
type exporters struct {
	traces  sdktrace.SpanExporter
	metrics sdkmetric.Exporter
	logs    sdklog.Exporter
}

// testSDK sends all signals with the OpenTelemetry SDK for Go, over each
// protocol, and expects as many rows as the SDK has sent events.
func testSDK(t *testing.T, c *cluster.Cluster) {
	for _, protocol := range []struct {
		name string
		open func(context.Context) (exporters, error)
	}{
		{"grpc", func(ctx context.Context) (exporters, error) { return openGRPC(ctx, c.GRPC) }},
		{"http", func(ctx context.Context) (exporters, error) { return openHTTP(ctx, c.HTTP) }},
	} {
		t.Run(protocol.name, func(t *testing.T) {
			e, err := protocol.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			service := serviceName(t)
			sent := emit(t, e, service)
			await(t, "ClickHouse", sent, func() counts { return stored(t, c, service) })
			together := fmt.Sprintf("SELECT count() FROM logs WHERE service = '%s' AND trace_id IN (SELECT trace_id FROM spans WHERE service = '%[1]s') AND "+sentLogs, service)
			if n := query(t, c, together); n != fmt.Sprint(sent.logs) {
				t.Errorf("%s of %d log records are found by the trace that they belong to", n, sent.logs)
			}
		})
	}
}

func openGRPC(ctx context.Context, address string) (e exporters, err error) {
	if e.traces, err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure(), otlptracegrpc.WithCompressor("gzip")); err != nil {
		return e, err
	}
	if e.metrics, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(address), otlpmetricgrpc.WithInsecure()); err != nil {
		return e, err
	}
	e.logs, err = otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(address), otlploggrpc.WithInsecure(), otlploggrpc.WithCompressor("gzip"))
	return e, err
}

func openHTTP(ctx context.Context, address string) (e exporters, err error) {
	if e.traces, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure(), otlptracehttp.WithCompression(otlptracehttp.GzipCompression)); err != nil {
		return e, err
	}
	if e.metrics, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(address), otlpmetrichttp.WithInsecure()); err != nil {
		return e, err
	}
	e.logs, err = otlploghttp.New(ctx, otlploghttp.WithEndpoint(address), otlploghttp.WithInsecure(), otlploghttp.WithCompression(otlploghttp.GzipCompression))
	return e, err
}

// emit makes events with the SDK as an application would, and returns how many
// the SDK has handed to its exporters.
func emit(t *testing.T, e exporters, service string) (sent counts) {
	t.Helper()
	ctx := t.Context()
	identity := resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.version", "1.2.3"))
	points := &pointCounter{Exporter: e.metrics}

	traces := sdktrace.NewTracerProvider(sdktrace.WithResource(identity), sdktrace.WithBatcher(e.traces))
	logs := sdklog.NewLoggerProvider(sdklog.WithResource(identity), sdklog.WithProcessor(sdklog.NewBatchProcessor(e.logs)))
	metrics := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(identity),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)),
		sdkmetric.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Name: service + ".size"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}},
		)),
	)

	tracer, logger, meter := traces.Tracer("interop"), logs.Logger("interop"), metrics.Meter("interop")
	requests := must(meter.Int64Counter(service + ".requests"))
	active := must(meter.Int64UpDownCounter(service + ".active"))
	latency := must(meter.Float64Histogram(service+".latency", metric.WithUnit("s")))
	size := must(meter.Int64Histogram(service+".size", metric.WithUnit("By")))
	temperature := must(meter.Float64Gauge(service + ".temperature"))

	const rounds, children = 100, 3
	for i := range rounds {
		ctx, root := tracer.Start(ctx, "checkout")
		for j := range children {
			_, child := tracer.Start(ctx, fmt.Sprintf("step %d", j))
			child.AddEvent("done")
			child.End()
		}
		var record log.Record
		record.SetBody(attribute.StringValue(fmt.Sprintf("order %d", i)))
		record.SetSeverity(log.SeverityInfo)
		record.AddAttributes(attribute.Int("order.items", i%7))
		logger.Emit(ctx, record)
		if i%10 == 0 {
			root.SetStatus(codes.Error, "out of stock")
		}
		root.End()
		sent.logs++
		sent.spans += 1 + children

		shop := metric.WithAttributes(attribute.Int("shop", i%4))
		requests.Add(ctx, 1, shop)
		active.Add(ctx, int64(i%3-1), shop)
		latency.Record(ctx, float64(i)/100, shop)
		size.Record(ctx, int64(i*i), shop)
		temperature.Record(ctx, 20+float64(i%5), shop)
		if i%25 == 24 {
			if err := metrics.ForceFlush(ctx); err != nil {
				t.Fatalf("flushing metrics: %v", err)
			}
		}
	}
	for name, shutdown := range map[string]func(context.Context) error{
		"traces": traces.Shutdown, "metrics": metrics.Shutdown, "logs": logs.Shutdown,
	} {
		if err := shutdown(ctx); err != nil {
			t.Fatalf("sending the rest of the %s: %v", name, err)
		}
	}
	sent.points = int(points.n.Load())
	// Five instruments, four shops, four flushes and the one at the end.
	if sent.points != 5*4*5 {
		t.Fatalf("the SDK exported %d points", sent.points)
	}
	return sent
}

// pointCounter counts the points that the SDK exports.
type pointCounter struct {
	sdkmetric.Exporter
	n atomic.Int64
}

func (c *pointCounter) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			n, err := points(m.Data)
			if err != nil {
				return err
			}
			c.n.Add(int64(n))
		}
	}
	return c.Exporter.Export(ctx, metrics)
}

func points(of metricdata.Aggregation) (int, error) {
	switch data := of.(type) {
	case metricdata.Gauge[float64]:
		return len(data.DataPoints), nil
	case metricdata.Sum[int64]:
		return len(data.DataPoints), nil
	case metricdata.Histogram[float64]:
		return len(data.DataPoints), nil
	case metricdata.ExponentialHistogram[int64]:
		return len(data.DataPoints), nil
	}
	return 0, fmt.Errorf("counting points of %T", of)
}
