// Package observe is how goshawk reports on itself: its log, its Prometheus
// registry, its own telemetry over OTLP and its crashes over Sentry. Nothing
// leaves the process unless it is configured.
package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Observer is what the roles of one process report to.
type Observer struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
	// Tracer makes goshawk's own spans; without an endpoint they are dropped.
	Tracer trace.Tracer

	sentry *sentry.Client
	stop   []func(context.Context) error
}

// flushTimeout bounds how long the end of the process waits for reports.
const flushTimeout = 2 * time.Second

// Start begins to observe the process. Role is the command, such as "gateway";
// log lines go to w.
func Start(ctx context.Context, cfg Config, role, version string, w io.Writer) (*Observer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o := &Observer{
		Registry: prometheus.NewRegistry(),
		Tracer:   noop.NewTracerProvider().Tracer("goshawk"),
	}
	o.Registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(role, version),
	)
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return nil, fmt.Errorf("observe.log_level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if cfg.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	if cfg.Telemetry.Endpoint != "" {
		exported, err := o.startTelemetry(ctx, cfg.Telemetry, role, version)
		if err != nil {
			return nil, err
		}
		handler = both{handler, atLevel{exported, level}}
	}
	o.Log = slog.New(handler).With("role", role)

	dsn, err := cfg.Sentry.DSN.Value()
	if err != nil {
		return nil, fmt.Errorf("observe.sentry.dsn: %w", err)
	}
	if dsn != "" {
		o.sentry, err = sentry.NewClient(sentry.ClientOptions{
			Dsn:              dsn,
			Environment:      cfg.Sentry.Environment,
			Release:          "goshawk@" + version,
			AttachStacktrace: true,
			Tags:             map[string]string{"role": role},
		})
		if err != nil {
			return nil, errors.New("observe.sentry.dsn: not a Sentry DSN")
		}
	}
	return o, nil
}

// buildInfo is the constant series goshawk_build_info.
func buildInfo(role, version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "goshawk_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"role": role, "version": version},
	})
	g.Set(1)
	return g
}

// Report sends a fatal error to Sentry, where that is configured.
func (o *Observer) Report(err error) {
	if o.sentry != nil && err != nil {
		o.sentry.CaptureException(err, nil, sentry.NewScope())
	}
}

// Repanic is deferred at the top of a goroutine: it reports a panic, waits
// until the report is out, and lets the panic go on.
func (o *Observer) Repanic() {
	r := recover()
	if r == nil {
		return
	}
	if o.sentry != nil {
		o.sentry.RecoverWithContext(context.Background(), r, nil, sentry.NewScope())
		o.sentry.Flush(flushTimeout)
	}
	panic(r)
}

// Close sends what is still buffered and stops reporting.
func (o *Observer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	var errs []error
	for _, stop := range o.stop {
		errs = append(errs, stop(ctx))
	}
	if o.sentry != nil {
		o.sentry.Flush(flushTimeout)
		o.sentry.Close()
	}
	return errors.Join(errs...)
}

// both hands every log line to two handlers.
type both [2]slog.Handler

func (b both) Enabled(ctx context.Context, l slog.Level) bool {
	return b[0].Enabled(ctx, l) || b[1].Enabled(ctx, l)
}

func (b both) Handle(ctx context.Context, r slog.Record) error {
	var errs []error
	for _, h := range b {
		if h.Enabled(ctx, r.Level) {
			errs = append(errs, h.Handle(ctx, r.Clone()))
		}
	}
	return errors.Join(errs...)
}

func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b[0].WithAttrs(attrs), b[1].WithAttrs(attrs)}
}

func (b both) WithGroup(name string) slog.Handler {
	return both{b[0].WithGroup(name), b[1].WithGroup(name)}
}

// atLevel drops lines below a level.
type atLevel struct {
	slog.Handler
	level slog.Level
}

func (a atLevel) Enabled(_ context.Context, l slog.Level) bool { return l >= a.level }

func (a atLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLevel{a.Handler.WithAttrs(attrs), a.level}
}

func (a atLevel) WithGroup(name string) slog.Handler {
	return atLevel{a.Handler.WithGroup(name), a.level}
}
