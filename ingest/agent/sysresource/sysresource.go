// Package sysresource is the collector's processor resourcedetection for the
// detectors env and system: it tells every resource on which host it is. The
// processor of that name in the collector's own distributions asks every cloud
// as well, and is as large as all the rest; configurations that name these two
// detectors mean the same here as there.
package sysresource

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Type is the name of the processor in a collector's configuration.
var Type = component.MustNewType("resourcedetection")

// Config is the processor's section in a collector's configuration.
type Config struct {
	// Detectors are env, which reads OTEL_RESOURCE_ATTRIBUTES and
	// OTEL_SERVICE_NAME, and system. Where both know an attribute, the first
	// listed wins.
	Detectors []string `mapstructure:"detectors"`
	// Timeout bounds the detection.
	Timeout time.Duration `mapstructure:"timeout"`
	// Override replaces what a resource says itself.
	Override bool `mapstructure:"override"`
}

// known are the detectors: what they ask for.
var known = map[string][]resource.Option{
	"env":    {resource.WithFromEnv()},
	"system": {resource.WithHost(), resource.WithHostID(), resource.WithOSType(), resource.WithOSDescription(), resource.WithAttributes(attribute.String("host.arch", arch()))},
}

// arch is what the conventions call the processor's architecture.
func arch() string {
	switch runtime.GOARCH {
	case "386":
		return "x86"
	case "arm":
		return "arm32"
	}
	return runtime.GOARCH // amd64, arm64, s390x, ... have the same name
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	if len(c.Detectors) == 0 {
		return errors.New("detectors: want at least one")
	}
	for _, d := range c.Detectors {
		if _, ok := known[d]; !ok {
			return fmt.Errorf("detectors: %q is neither env nor system; this distribution has no others", d)
		}
	}
	if c.Timeout <= 0 {
		return errors.New("timeout: is not positive")
	}
	return nil
}

// NewFactory makes the processor's factory.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		Type,
		func() component.Config {
			return &Config{Detectors: []string{"env", "system"}, Timeout: 5 * time.Second, Override: true}
		},
		processor.WithLogs(func(ctx context.Context, set processor.Settings, c component.Config, next consumer.Logs) (processor.Logs, error) {
			d := &detected{cfg: c.(*Config), warn: set.Logger.Sugar().Warnw}
			return processorhelper.NewLogs(ctx, set, c, next, d.logs, processorhelper.WithStart(d.start), mutates)
		}, component.StabilityLevelBeta),
		processor.WithTraces(func(ctx context.Context, set processor.Settings, c component.Config, next consumer.Traces) (processor.Traces, error) {
			d := &detected{cfg: c.(*Config), warn: set.Logger.Sugar().Warnw}
			return processorhelper.NewTraces(ctx, set, c, next, d.traces, processorhelper.WithStart(d.start), mutates)
		}, component.StabilityLevelBeta),
		processor.WithMetrics(func(ctx context.Context, set processor.Settings, c component.Config, next consumer.Metrics) (processor.Metrics, error) {
			d := &detected{cfg: c.(*Config), warn: set.Logger.Sugar().Warnw}
			return processorhelper.NewMetrics(ctx, set, c, next, d.metrics, processorhelper.WithStart(d.start), mutates)
		}, component.StabilityLevelBeta),
	)
}

var mutates = processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true})

// detected is what is known of the host since the start.
type detected struct {
	cfg        *Config
	warn       func(message string, fields ...any)
	attributes pcommon.Map
}

// start asks every detector. What one of them cannot find out is left out: an
// agent without an id of its host is better than none.
func (d *detected) start(ctx context.Context, _ component.Host) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	d.attributes = pcommon.NewMap()
	// The last that is put wins, so that the first detector comes last.
	for _, name := range slices.Backward(d.cfg.Detectors) {
		found, err := resource.New(ctx, known[name]...)
		if err != nil {
			d.warn("part of the resource is not known", "detector", name, "error", err)
		}
		for _, kv := range found.Attributes() {
			d.attributes.PutStr(string(kv.Key), kv.Value.String())
		}
	}
	return nil
}

func (d *detected) describe(r pcommon.Resource) {
	for key, value := range d.attributes.All() {
		if _, ok := r.Attributes().Get(key); ok && !d.cfg.Override {
			continue
		}
		value.CopyTo(r.Attributes().PutEmpty(key))
	}
}

func (d *detected) logs(_ context.Context, data plog.Logs) (plog.Logs, error) {
	for _, r := range data.ResourceLogs().All() {
		d.describe(r.Resource())
	}
	return data, nil
}

func (d *detected) traces(_ context.Context, data ptrace.Traces) (ptrace.Traces, error) {
	for _, r := range data.ResourceSpans().All() {
		d.describe(r.Resource())
	}
	return data, nil
}

func (d *detected) metrics(_ context.Context, data pmetric.Metrics) (pmetric.Metrics, error) {
	for _, r := range data.ResourceMetrics().All() {
		d.describe(r.Resource())
	}
	return data, nil
}
