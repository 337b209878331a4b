package gateway

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestOfficialSDK sends every signal with the exporters of the OpenTelemetry Go
// SDK, over both protocols, plain and compressed.
func TestOfficialSDK(t *testing.T) {
	g := start(t, func(cfg *Config) { cfg.Tokens = []TokenConfig{{Token: "sdk", Tenant: "shop"}} })
	http := strings.TrimPrefix(g.url, "http://")
	auth := map[string]string{"authorization": "Bearer sdk"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sendLogs := func(e sdklog.Exporter, err error) {
		must(err)
		p := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(e)))
		for range 20 {
			var r otellog.Record
			r.SetBody(attribute.StringValue("hello"))
			p.Logger("test").Emit(context.Background(), r)
		}
		must(p.ForceFlush(t.Context()))
		must(p.Shutdown(t.Context()))
	}
	sendSpans := func(e *otlptrace.Exporter, err error) {
		must(err)
		p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e))
		for range 20 {
			_, span := p.Tracer("test").Start(context.Background(), "work")
			span.End()
		}
		must(p.ForceFlush(t.Context()))
		must(p.Shutdown(t.Context()))
	}
	sendMetrics := func(e sdkmetric.Exporter, err error) {
		must(err)
		p := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(e)))
		for _, name := range strings.Split("abcdefghijklmnopqrst", "") {
			c, err := p.Meter("test").Int64Counter(name)
			must(err)
			c.Add(context.Background(), 1)
		}
		must(p.Shutdown(t.Context()))
	}
	for name, c := range map[string]struct {
		signal telemetry.Signal
		send   func()
	}{
		"logs grpc": {telemetry.Logs, func() {
			sendLogs(otlploggrpc.New(t.Context(), otlploggrpc.WithEndpoint(g.grpc), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(auth)))
		}},
		"logs grpc gzip": {telemetry.Logs, func() {
			sendLogs(otlploggrpc.New(t.Context(), otlploggrpc.WithEndpoint(g.grpc), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(auth), otlploggrpc.WithCompressor("gzip")))
		}},
		"logs http": {telemetry.Logs, func() {
			sendLogs(otlploghttp.New(t.Context(), otlploghttp.WithEndpoint(http), otlploghttp.WithInsecure(), otlploghttp.WithHeaders(auth)))
		}},
		"logs http gzip": {telemetry.Logs, func() {
			sendLogs(otlploghttp.New(t.Context(), otlploghttp.WithEndpoint(http), otlploghttp.WithInsecure(), otlploghttp.WithHeaders(auth), otlploghttp.WithCompression(otlploghttp.GzipCompression)))
		}},
		"spans grpc": {telemetry.Spans, func() {
			sendSpans(otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(g.grpc), otlptracegrpc.WithInsecure(), otlptracegrpc.WithHeaders(auth)))
		}},
		"spans http gzip": {telemetry.Spans, func() {
			sendSpans(otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(http), otlptracehttp.WithInsecure(), otlptracehttp.WithHeaders(auth), otlptracehttp.WithCompression(otlptracehttp.GzipCompression)))
		}},
		"metrics grpc": {telemetry.Metrics, func() {
			sendMetrics(otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(g.grpc), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithHeaders(auth)))
		}},
		"metrics http": {telemetry.Metrics, func() {
			sendMetrics(otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpoint(http), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithHeaders(auth)))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.send()
			parts := g.recorder.Take()
			if n := events(parts); n != 20 {
				t.Errorf("%d events were produced, want 20", n)
			}
			for _, p := range parts {
				if p.Topic != topic.DefaultConfig().Of(c.signal) || p.Tenant != "shop" {
					t.Errorf("a part is for topic %s, tenant %s", p.Topic, p.Tenant)
				}
			}
		})
	}
}

// TestSDKRetriesWhatIsRefusedForNow shows that the hints are understood.
func TestSDKRetriesWhatIsRefusedForNow(t *testing.T) {
	for _, protocol := range []string{"grpc", "http"} {
		t.Run(protocol, func(t *testing.T) {
			g := start(t, nil)
			g.recorder.Fail(topic.ErrFull, nil)
			var e sdklog.Exporter
			var err error
			if protocol == "grpc" {
				e, err = otlploggrpc.New(t.Context(), otlploggrpc.WithEndpoint(g.grpc), otlploggrpc.WithInsecure())
			} else {
				e, err = otlploghttp.New(t.Context(), otlploghttp.WithEndpoint(strings.TrimPrefix(g.url, "http://")), otlploghttp.WithInsecure())
			}
			if err != nil {
				t.Fatal(err)
			}
			p := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(e)))
			go func() {
				<-g.recorder.Entered
				g.recorder.Fail(nil, nil)
			}()
			var r otellog.Record
			r.SetBody(attribute.StringValue("again"))
			p.Logger("test").Emit(t.Context(), r)
			if err := p.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := events(g.recorder.Take()); n != 1 {
				t.Errorf("%d events were produced, want 1", n)
			}
		})
	}
}
