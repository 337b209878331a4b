package probe_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/goshawk-observability/goshawk/ingest/probe"
	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

func TestConfigFromCollector(t *testing.T) {
	cfg := probe.NewFactory().CreateDefaultConfig().(*probe.Config)
	conf := confmap.NewFromStringMap(map[string]any{
		"site": "fra1",
		"modules": map[string]any{
			"api":    map[string]any{"prober": "http", "timeout": "2s", "http": map[string]any{"method": "HEAD"}},
			"dns_a":  map[string]any{"prober": "dns", "dns": map[string]any{"query_name": "example"}},
			"banner": map[string]any{"prober": "tcp", "tcp": map[string]any{"query_response": []any{map[string]any{"expect": "^220"}}}},
		},
		"targets": []any{map[string]any{"target": "https://a.example", "module": "api", "labels": map[string]any{"team": "shop"}}},
	})
	if err := conf.Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	if err := confmap.Validate(cfg); err != nil {
		t.Error(err)
	}
	api := cfg.Modules["api"]
	if cfg.Site != "fra1" || cfg.Concurrency != 64 || api.HTTP.Method != "HEAD" || !api.HTTP.FollowRedirects || api.Timeout != 2*time.Second ||
		cfg.Modules["dns_a"].DNS.QueryType != "A" || cfg.Modules["banner"].TCP.QueryResponse[0].Expect != "^220" || cfg.Targets[0].Labels["team"] != "shop" {
		t.Errorf("got %+v", cfg)
	}
}

func TestUnknownKeys(t *testing.T) {
	for key, conf := range map[string]map[string]any{
		"sight":   {"sight": "fra1"},
		"modul":   {"targets": []any{map[string]any{"modul": "x"}}},
		"methods": {"modules": map[string]any{"m": map[string]any{"prober": "http", "http": map[string]any{"methods": "GET"}}}},
		"smtp":    {"modules": map[string]any{"m": map[string]any{"prober": "http", "smtp": map[string]any{}}}},
	} {
		err := confmap.NewFromStringMap(conf).Unmarshal(probe.DefaultConfig())
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := confmap.Validate(probe.DefaultConfig()); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*probe.Config){
		"site: must not be empty": func(c *probe.Config) { c.Site = "" },
		"name: must not be empty": func(c *probe.Config) { c.Name = "" },
		"interval: must be":       func(c *probe.Config) { c.Interval = 0 },
		"timeout: must be":        func(c *probe.Config) { c.Timeout = -1 },
		"batch_timeout":           func(c *probe.Config) { c.BatchTimeout = 0 },
		"concurrency":             func(c *probe.Config) { c.Concurrency = 0 },
		"batch_size":              func(c *probe.Config) { c.BatchSize = -1 },
		"max_requests":            func(c *probe.Config) { c.MaxRequests = 1 << 30 },
		"on_demand_modules":       func(c *probe.Config) { c.OnDemandModules = []string{"none"} },
		"listen:":                 func(c *probe.Config) { c.Listen = "9115" },
		"modules::m: prober":      func(c *probe.Config) { c.Modules = map[string]prober.Config{"m": {Prober: "x"}} },
		"target: must not be":     targets(probe.Target{Module: "icmp"}),
		`there is no module "x"`:  targets(probe.Target{Target: "a", Module: "x"}),
		"interval: must be at":    targets(probe.Target{Target: "a", Module: "icmp", Interval: 1, Timeout: 1}),
		"less than the interval":  targets(probe.Target{Target: "a", Module: "icmp", Interval: time.Second, Timeout: time.Second}),
		`"site" is no label name`: targets(probe.Target{Target: "a", Module: "icmp", Labels: map[string]string{"site": "x"}}),
		`"a.b" is no label name`:  targets(probe.Target{Target: "a", Module: "icmp", Labels: map[string]string{"a.b": "x"}}),
		"listed twice":            targets(probe.Target{Target: "a", Module: "icmp"}, probe.Target{Target: "a", Module: "icmp", Name: "probe"}),
	} {
		c := probe.DefaultConfig()
		change(c)
		if err := confmap.Validate(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	c := probe.DefaultConfig()
	// A timeout that is not the target's own gives way to a short interval.
	targets(probe.Target{Target: "a", Module: "icmp", Interval: time.Second})(c)
	if err := confmap.Validate(c); err != nil {
		t.Error(err)
	}
}

func targets(list ...probe.Target) func(*probe.Config) {
	return func(c *probe.Config) { c.Targets = list }
}

// TestDocumentedConfigurations keeps the examples of the documentation working.
func TestDocumentedConfigurations(t *testing.T) {
	text, err := os.ReadFile("../../docs/probes.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "receivers:") {
			continue
		}
		examples++
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(block))
		if err != nil {
			t.Fatal(err)
		}
		all, err := retrieved.AsConf()
		if err != nil {
			t.Fatal(err)
		}
		section, err := all.Sub("receivers::probe")
		if err != nil {
			t.Fatal(err)
		}
		cfg := probe.DefaultConfig()
		if err := section.Unmarshal(cfg); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
		if err := confmap.Validate(cfg); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
		if len(cfg.Targets) == 0 {
			t.Errorf("no targets were read from\n%s", block)
		}
	}
	if examples < 2 {
		t.Errorf("%d examples were found", examples)
	}
	for name := range prober.Help {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s is not documented", name)
		}
	}
}
