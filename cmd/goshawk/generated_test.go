package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/goshawk-observability/goshawk/internal/config"
)

var update = flag.Bool("update", false, "rewrite the generated references")

// TestGeneratedReferences holds docs/generated to what the binary says.
func TestGeneratedReferences(t *testing.T) {
	t.Parallel()
	settings := defaultSettings()
	defaults, err := config.Format(settings)
	if err != nil {
		t.Fatal(err)
	}
	var variables strings.Builder
	for _, s := range config.Settings(&settings) {
		fmt.Fprintf(&variables, "| `%s` | `%s` |\n", s.Path, s.Env)
	}
	for name, text := range map[string]string{
		"commands.md": "# Commands\n\nGenerated from the commands themselves; `make docs` rewrites this page.\n" + commandReference(newRoot()),
		"configuration.md": "# Configuration\n\nEvery setting with its default. Generated; `make docs` rewrites this page.\n\n```yaml\n" + string(defaults) +
			"```\n\n## Environment\n\nEvery setting can be overridden; a list is written as in YAML: `[a, b]`.\n\n| setting | variable |\n|---|---|\n" + variables.String(),
	} {
		path := filepath.Join("..", "..", "docs", "generated", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != text {
			t.Errorf("docs/generated/%s is out of date; run make docs", name)
		}
	}
}

func commandReference(root *cobra.Command) string {
	var b bytes.Buffer
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		c.InitDefaultHelpFlag()
		fmt.Fprintf(&b, "\n## `%s`\n\n", c.CommandPath())
		about := c.Long
		if about == "" {
			about = c.Short
		}
		fmt.Fprintf(&b, "%s\n", about)
		if c.Runnable() {
			fmt.Fprintf(&b, "\n```\n%s\n\n%s```\n", c.UseLine(), c.LocalFlags().FlagUsages())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	return b.String()
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	s := defaultSettings()
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestSettingsErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown processor": {"pipelines: {logs: {processors: [{dropp: {}}]}}", `did you mean "drop"?`},
		"two in one":        {"pipelines: {logs: {processors: [{drop: {}, other: {}}]}}", "want one processor"},
		"open gateway":      {"gateway: {otlp_http: '0.0.0.0:4318'}", "no tokens"},
		"open query":        {"query: {listen: '0.0.0.0:8428'}", "no tokens"},
		"no address":        {"kafka: {brokers: [nonsense]}", "HOST:PORT"},
		"retention":         {"topics: {retention: 500ms}", "topics.retention: 500ms is less than 1m"},
		"typing error":      {"gatewy: {}", `did you mean "gateway"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "goshawk.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := loadSettings(path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestConfigMasksSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "goshawk.yaml")
	text := "kafka: {sasl: {mechanism: plain, username: u, password: hunter2}}\nclickhouse: {password: hunter3}\n" +
		"gateway: {tokens: [{token: hunter4, tenant: shop}]}\nobserve: {sentry: {dsn: 'https://hunter5@sentry.example/1'}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"config", "--config", path})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hunter") || !strings.Contains(out.String(), "********") {
		t.Errorf("secrets are printed:\n%s", out.String())
	}
}
