package agent

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/filelog"
	"github.com/goshawk-observability/goshawk/ingest/journald"
	"github.com/goshawk-observability/goshawk/ingest/syslog"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Config is the agent's section in goshawk's own configuration. What the agent
// collects is in the configuration of the collector.
type Config struct {
	// Enabled lets `goshawk up` run an agent.
	Enabled bool `yaml:"enabled"`
	// Config lists files with configurations of the collector, later ones over
	// earlier ones. Without any, the agent tells how this host is.
	Config []string `yaml:"config"`
	// DataDir keeps what Kafka has not acknowledged, where the default
	// configuration is used; empty means the folder agent in data_dir.
	DataDir string `yaml:"data_dir"`
	// Interval is the time between two looks at the host.
	Interval time.Duration `yaml:"interval"`
	// RootPath is where the host's root is mounted, for an agent in a container.
	RootPath string `yaml:"root_path"`
	// Tenant owns what the agent sends.
	Tenant string `yaml:"tenant"`
	// Listen serves /metrics and /healthz of the agent; empty for none.
	Listen string `yaml:"listen"`
	// Files, Syslog and Journald are the agent's own inputs of logs. They run
	// beside the collector and write to Kafka themselves.
	Files    filelog.Config  `yaml:"files"`
	Syslog   syslog.Config   `yaml:"syslog"`
	Journald journald.Config `yaml:"journald"`
}

// DefaultConfig looks at the host every 15 seconds.
func DefaultConfig() Config {
	return Config{
		Enabled: true, Config: []string{}, Interval: 15 * time.Second, Tenant: telemetry.DefaultTenant,
		Files: filelog.DefaultConfig(), Syslog: syslog.DefaultConfig(), Journald: journald.DefaultConfig(),
	}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	var errs []error
	if c.Interval < time.Second {
		errs = append(errs, fmt.Errorf("agent.interval: %s is less than a second", c.Interval))
	}
	if c.RootPath != "" && !filepath.IsAbs(c.RootPath) {
		errs = append(errs, fmt.Errorf("agent.root_path: %q is not absolute", c.RootPath))
	}
	if !telemetry.ValidTenant(c.Tenant) {
		errs = append(errs, fmt.Errorf("agent.tenant: %q is not the name of a tenant", c.Tenant))
	}
	for section, err := range map[string]error{"files": c.Files.Validate(), "syslog": c.Syslog.Validate(), "journald": c.Journald.Validate()} {
		if err != nil {
			errs = append(errs, fmt.Errorf("agent.%s.%w", section, err))
		}
	}
	return errors.Join(errs...)
}
