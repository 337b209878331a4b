package processors_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/pipeline"
	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func registry(t testing.TB) *pipeline.Registry {
	t.Helper()
	r, err := processors.Registry()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestConformance runs every processor through the suite, with the settings and
// batches of its own scripts.
func TestConformance(t *testing.T) {
	for _, entry := range registry(t).Entries() {
		t.Run(entry.Name, func(t *testing.T) {
			pipelinetest.Conform(t, pipelinetest.Behind(t, registry(t), entry), filepath.Join(entry.Name, "testdata"))
			if _, err := os.Stat(filepath.Join(entry.Name, "README.md")); err != nil {
				t.Error(err)
			}
			if v, ok := entry.DefaultConfig().(config.Validator); ok {
				if err := v.Validate(); err != nil {
					t.Errorf("the defaults are not valid: %v", err)
				}
			}
		})
	}
}

func BenchmarkProcessors(b *testing.B) {
	for _, entry := range registry(b).Entries() {
		for file, s := range pipelinetest.LoadScripts(b, filepath.Join(entry.Name, "testdata")) {
			b.Run(entry.Name+"/"+filepath.Base(file), func(b *testing.B) {
				cfg := entry.DefaultConfig()
				if err := config.Parse([]byte(s.Config), cfg); err != nil {
					b.Fatal(err)
				}
				p, err := pipelinetest.Behind(b, registry(b), entry).New(cfg)
				if err != nil {
					b.Fatal(err)
				}
				batch, _, err := pipelinetest.Parse(s.Steps[0].In)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := p.Process(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func TestChain(t *testing.T) {
	build := func(text string) (pipeline.Factory, error) {
		var cfg struct {
			Processors pipeline.Chain `yaml:"processors"`
		}
		if err := config.Parse([]byte(text), &cfg); err != nil {
			t.Fatal(err)
		}
		return registry(t).Build(cfg.Processors)
	}
	factory, err := build("processors:\n  - drop: {rules: [{logs: true, services: [a]}]}\n  - drop:\n  - drop: {}\n")
	if err != nil {
		t.Fatal(err)
	}
	first, err := factory()
	if err != nil || len(first) != 3 || first[0].Name != "drop" {
		t.Fatalf("%d processors, %v", len(first), err)
	}
	second, err := factory()
	if err != nil || first[0].Processor == second[0].Processor {
		t.Errorf("partitions share a processor, %v", err)
	}
	if _, err := build("processors: [{traces: {}}, {drop: {}}, {servicegraph: {}}]"); err != nil {
		t.Error(err)
	}
	if factory, err := build("processors: []"); err != nil {
		t.Error(err)
	} else if none, err := factory(); err != nil || len(none) != 0 {
		t.Errorf("%d processors of an empty chain, %v", len(none), err)
	}
	for text, want := range map[string]string{
		"processors: [{drip: {}}]":                       `processors[0]: unknown processor "drip"; did you mean "drop"?`,
		"processors: [{something: {}}]":                  `unknown processor "something"`,
		"processors: [{drop: {}}, {drop: {rule: []}}]":   `processors[1]: drop: line 1: unknown key "rule"; did you mean "rules"?`,
		"processors: [{drop: {rules: [{logs: true}]}}]":  "would remove everything",
		"processors: [{drop: {rules: 7}}]":               "processors[0]: drop:",
		"processors: [{drop: {}, other: {}}]":            "want one processor",
		"processors: [{}]":                               "want one processor",
		"processors: [{servicegraph: {}}]":               `processors[0]: servicegraph needs the rows of traces: list "- traces: {}" before it`,
		"processors: [{servicegraph: {}}, {traces: {}}]": "needs the rows of traces",
	} {
		if _, err := build(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestAfter registers a processor before the one that it needs.
func TestAfter(t *testing.T) {
	all := registry(t).Entries()
	slices.Reverse(all)
	if _, err := pipeline.NewRegistry(all...); err == nil || !strings.Contains(err.Error(), "not registered before it") {
		t.Errorf("got %v", err)
	}
}
