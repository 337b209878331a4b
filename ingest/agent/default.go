package agent

import (
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// DefaultOptions shape the configuration that an agent has where it is given
// none.
type DefaultOptions struct {
	// DataDir keeps the queue.
	DataDir string
	// Interval is the time between two looks at the host.
	Interval time.Duration
	// RootPath is where the host's root is mounted, for an agent in a
	// container; empty where the agent runs on the host itself.
	RootPath string
	// Probes are probed as often.
	Probes []Probe
}

// Probe is a URL that should answer with a status 2xx.
type Probe struct{ Name, URL string }

// defaultText is a template of a collector's configuration.
//
//go:embed default.yaml
var defaultText string

var defaultTemplate = template.Must(template.New("default.yaml").Funcs(template.FuncMap{"quote": quote}).Parse(defaultText))

// quote writes a string as a scalar of YAML in which the collector expands
// nothing.
func quote(text string) string {
	return "'" + strings.NewReplacer("'", "''", "$", "$$").Replace(text) + "'"
}

// Validate says what is wrong with the values.
func (o DefaultOptions) Validate() error {
	switch {
	case o.DataDir == "":
		return errors.New("data_dir: is empty")
	case o.Interval < time.Second:
		return fmt.Errorf("interval: %s is less than a second", o.Interval)
	case o.RootPath != "" && !filepath.IsAbs(o.RootPath):
		return fmt.Errorf("root_path: %q is not absolute", o.RootPath)
	}
	return nil
}

// YAML returns the configuration.
func (o DefaultOptions) YAML() (string, error) {
	if err := o.Validate(); err != nil {
		return "", fmt.Errorf("default configuration of the agent: %w", err)
	}
	var b strings.Builder
	if err := defaultTemplate.Execute(&b, o); err != nil {
		return "", fmt.Errorf("default configuration of the agent: %w", err)
	}
	return b.String(), nil
}
