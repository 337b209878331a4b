package servicegraph_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
)

func TestScripts(t *testing.T) {
	registry, err := pipeline.NewRegistry(traces.Registration(), servicegraph.Registration())
	if err != nil {
		t.Fatal(err)
	}
	pipelinetest.RunScripts(t, pipelinetest.Behind(t, registry, servicegraph.Registration()), "testdata")
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*servicegraph.Config){
		"delay":          func(c *servicegraph.Config) { c.Delay = -time.Second },
		"max_open":       func(c *servicegraph.Config) { c.MaxOpen = 0 },
		"max_operations": func(c *servicegraph.Config) { c.MaxOperations = 0 },
		"interval":       func(c *servicegraph.Config) { c.Metrics.Interval = time.Millisecond },
		"max_series":     func(c *servicegraph.Config) { c.Metrics.MaxSeries = 0 },
		"bounds: 0":      func(c *servicegraph.Config) { c.Metrics.Bounds = nil },
		"ascend":         func(c *servicegraph.Config) { c.Metrics.Bounds = []float64{1, 1} },
		"NaN":            func(c *servicegraph.Config) { c.Metrics.Bounds = []float64{math.NaN()} },
	} {
		cfg := servicegraph.DefaultConfig()
		change(&cfg)
		if _, err := servicegraph.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := servicegraph.New(servicegraph.DefaultConfig()); err != nil {
		t.Error(err)
	}
}
