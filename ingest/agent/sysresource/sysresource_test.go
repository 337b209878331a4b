package sysresource

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
)

func TestDetect(t *testing.T) {
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environment string
		change      func(*Config)
		resource    map[string]any
		want        map[string]any
	}{
		"host":           {"", func(*Config) {}, nil, map[string]any{"host.name": hostname, "host.arch": arch()}},
		"override":       {"", func(*Config) {}, map[string]any{"host.name": "other"}, map[string]any{"host.name": hostname}},
		"keep":           {"", func(c *Config) { c.Override = false }, map[string]any{"host.name": "other"}, map[string]any{"host.name": "other", "host.arch": arch()}},
		"variable first": {"host.name=web-7,team=shop", func(*Config) {}, nil, map[string]any{"host.name": "web-7", "team": "shop", "host.arch": arch()}},
		"variable last":  {"host.name=web-7", func(c *Config) { c.Detectors = []string{"system", "env"} }, nil, map[string]any{"host.name": hostname}},
		"only variables": {"team=shop", func(c *Config) { c.Detectors = []string{"env"} }, map[string]any{"a": "b"}, map[string]any{"team": "shop", "a": "b", "host.name": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", c.environment)
			cfg := NewFactory().CreateDefaultConfig().(*Config)
			c.change(cfg)
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			sink := new(consumertest.LogsSink)
			p, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(Type), cfg, sink)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(t.Context(), componenttest.NewNopHost()); err != nil {
				t.Fatal(err)
			}
			data := plog.NewLogs()
			if err := data.ResourceLogs().AppendEmpty().Resource().Attributes().FromRaw(c.resource); err != nil {
				t.Fatal(err)
			}
			if err := p.ConsumeLogs(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			raw := sink.AllLogs()[0].ResourceLogs().At(0).Resource().Attributes().AsRaw()
			have := map[string]any{}
			for key := range c.want {
				have[key] = raw[key]
			}
			if diff := cmp.Diff(c.want, have); diff != "" {
				t.Error(diff)
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
