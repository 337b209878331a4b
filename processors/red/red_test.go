package red_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/red"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, red.Registration(), "testdata") }

func TestConfig(t *testing.T) {
	parse := func(text string) (red.Config, error) {
		cfg := red.DefaultConfig()
		if err := config.Parse([]byte(text), &cfg); err != nil {
			return cfg, err
		}
		return cfg, cfg.Validate()
	}
	for text, want := range map[string]string{
		"":                                        "",
		"delay: -1s":                              "delay",
		"delay: 2h":                               "delay",
		"max_open: 0":                             "max_open",
		"max_open: 100":                           "max_operations: 500 is not between 1 and max_open, 100",
		"apdex: {threshold: 0s}":                  "apdex: threshold",
		"apdex: {services: {a: 48h}}":             "apdex: services: a",
		"apdex: {services: {a: 2s}}":              "",
		"metrics: {interval: 7s}":                 "metrics: interval",
		"metrics: {interval: 10s, kinds: []}":     "",
		"metrics: {max_series: 0}":                "metrics: max_series",
		"metrics: {kinds: [servers]}":             `metrics: kinds: "servers" is none of unspecified, internal, server`,
		"metrics: {bounds: []}":                   "",
		"metrics: {bounds: [1, 1]}":               "metrics: bounds: 1 is not more",
		"metrics: {bounds: [0]}":                  "metrics: bounds: 0 is not more",
		"metrics: {bounds: [.inf]}":               "metrics: bounds",
		"metrics: {bounds: [.nan]}":               "metrics: bounds",
		"metrics: {something: true}":              "something",
		"metrics: {kinds: [client], bounds: [2]}": "",
	} {
		_, err := parse(text)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	cfg, _ := parse("apdex: {services: {a: 2s}}\nmetrics: {kinds: [client], bounds: [2]}")
	if len(cfg.Metrics.Kinds) != 1 || len(cfg.Metrics.Bounds) != 1 || cfg.Apdex.Services["a"] != 2*time.Second || !cfg.Metrics.Enabled {
		t.Errorf("settings replace the defaults: %+v", cfg)
	}
	cfg.Metrics.Bounds = []float64{math.NaN()}
	if _, err := red.New(cfg); err == nil {
		t.Error("a processor is made with settings that are not valid")
	}
}
