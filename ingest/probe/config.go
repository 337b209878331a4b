package probe

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

// Config is the configuration of the receiver.
type Config struct {
	// Site says where the probes are sent from. It becomes the label site.
	Site string `mapstructure:"site"`
	// Name is the service.name, and so the job, of targets that have none.
	Name string `mapstructure:"name"`
	// Interval and Timeout are for targets that have none of their own. A module
	// may have its own timeout.
	Interval time.Duration `mapstructure:"interval"`
	Timeout  time.Duration `mapstructure:"timeout"`
	// Concurrency bounds the scheduled probes that run at the same time.
	Concurrency int `mapstructure:"concurrency"`
	// BatchSize and BatchTimeout say how many results are handed on together,
	// and how long the first of them waits at most.
	BatchSize    int           `mapstructure:"batch_size"`
	BatchTimeout time.Duration `mapstructure:"batch_timeout"`

	// Modules add to those that are built in, and replace them by name.
	Modules map[string]prober.Config `mapstructure:"modules"`
	Targets []Target                 `mapstructure:"targets"`
	// TargetsFile is a YAML file with a list targets. It is read again when it
	// has changed.
	TargetsFile string `mapstructure:"targets_file"`

	// Listen is the host:port of the API for probes on demand; empty turns it
	// off. Without a host it is reached from this machine only.
	Listen string `mapstructure:"listen"`
	// AllowPrivateTargets lets requests name targets with any address.
	AllowPrivateTargets bool `mapstructure:"allow_private_targets"`
	// OnDemandModules lists the modules that requests may name. Where the list
	// is empty, these are the ones that present no secrets.
	OnDemandModules []string `mapstructure:"on_demand_modules"`
	// MaxRequests bounds the probes on demand that run at the same time.
	MaxRequests int `mapstructure:"max_requests"`
}

// Target is what is probed again and again.
type Target struct {
	// Name is the service.name of the results, the job.
	Name string `mapstructure:"name" yaml:"name"`
	// Target is what the protocol of the module needs: a URL, host:port, a host.
	Target   string        `mapstructure:"target" yaml:"target"`
	Module   string        `mapstructure:"module" yaml:"module"`
	Interval time.Duration `mapstructure:"interval" yaml:"interval"`
	Timeout  time.Duration `mapstructure:"timeout" yaml:"timeout"`
	// Labels are added to all points and to the span.
	Labels map[string]string `mapstructure:"labels" yaml:"labels"`
}

// DefaultConfig probes nothing yet.
func DefaultConfig() *Config {
	site, err := os.Hostname()
	if err != nil || site == "" {
		site = "unknown"
	}
	return &Config{
		Site:         site,
		Name:         "probe",
		Interval:     30 * time.Second,
		Timeout:      5 * time.Second,
		Concurrency:  64,
		BatchSize:    512,
		BatchTimeout: time.Second,
		MaxRequests:  16,
	}
}

func createDefaultConfig() component.Config { return DefaultConfig() }

// BuiltinModules are there without configuration.
func BuiltinModules() map[string]prober.Config {
	post := prober.DefaultConfig("http")
	post.HTTP.Method = "POST"
	encrypted := prober.DefaultConfig("grpc")
	encrypted.GRPC.UseTLS = true
	return map[string]prober.Config{
		"http_2xx":      prober.DefaultConfig("http"),
		"http_post_2xx": post,
		"tcp_connect":   prober.DefaultConfig("tcp"),
		"tls_connect":   prober.DefaultConfig("tls"),
		"icmp":          prober.DefaultConfig("icmp"),
		"grpc":          encrypted,
		"grpc_plain":    prober.DefaultConfig("grpc"),
	}
}

// modules are the built-in modules and the configured ones.
func (c *Config) modules() map[string]prober.Config {
	all := BuiltinModules()
	maps.Copy(all, c.Modules)
	return all
}

// Validate says what is wrong with the values. It opens nothing. The modules
// are validated on their own, by the collector or by [prober.New].
func (c *Config) Validate() error {
	var errs []error
	if c.Site == "" {
		errs = append(errs, errors.New("site: must not be empty"))
	}
	if c.Name == "" {
		errs = append(errs, errors.New("name: must not be empty"))
	}
	for key, d := range map[string]time.Duration{"interval": c.Interval, "timeout": c.Timeout, "batch_timeout": c.BatchTimeout} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s: must be greater than zero", key))
		}
	}
	for key, n := range map[string]int{"concurrency": c.Concurrency, "batch_size": c.BatchSize, "max_requests": c.MaxRequests} {
		if n < 1 || n > 100_000 {
			errs = append(errs, fmt.Errorf("%s: must be from 1 to 100000", key))
		}
	}
	modules := c.modules()
	for _, name := range c.OnDemandModules {
		if _, ok := modules[name]; !ok {
			errs = append(errs, fmt.Errorf("on_demand_modules: there is no module %q", name))
		}
	}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			errs = append(errs, fmt.Errorf("listen: %q is no host:port address: %w", c.Listen, err))
		}
	}
	return errors.Join(append(errs, c.validateTargets(c.Targets))...)
}

// validateTargets checks targets from either place.
func (c *Config) validateTargets(targets []Target) error {
	var errs []error
	modules := c.modules()
	seen := map[[3]string]bool{}
	for i, t := range targets {
		t = c.complete(t)
		if err := t.validate(modules); err != nil {
			errs = append(errs, fmt.Errorf("targets[%d] (%s): %w", i, t.Target, err))
		}
		if seen[t.key()] {
			errs = append(errs, fmt.Errorf("targets[%d]: %s is listed twice with the module %s and the name %s", i, t.Target, t.Module, t.Name))
		}
		seen[t.key()] = true
	}
	return errors.Join(errs...)
}

// key is what tells the series of targets apart.
func (t *Target) key() [3]string { return [3]string{t.Name, t.Module, t.Target} }

// complete puts in what the target leaves to the receiver and to its module.
func (c *Config) complete(t Target) Target {
	if t.Name == "" {
		t.Name = c.Name
	}
	if t.Interval == 0 {
		t.Interval = c.Interval
	}
	if t.Timeout == 0 {
		t.Timeout = c.timeout(t.Module)
		// A timeout that nobody set for this target gives way to its interval.
		t.Timeout = min(t.Timeout, t.Interval*9/10)
	}
	return t
}

func (c *Config) timeout(module string) time.Duration {
	if m := c.Modules[module]; m.Timeout > 0 {
		return m.Timeout
	}
	return c.Timeout
}

// reserved are the labels that results have anyway.
var reserved = []string{
	"site", "module", "job", "instance", "phase", "version", "cipher", "serving_status",
	"fingerprint_sha256", "issuer", "serialnumber", "subject", "subjectalternative",
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// validate checks a complete target.
func (t *Target) validate(modules map[string]prober.Config) error {
	var errs []error
	if t.Target == "" {
		errs = append(errs, errors.New("target: must not be empty"))
	}
	if _, ok := modules[t.Module]; !ok {
		errs = append(errs, fmt.Errorf("module: there is no module %q; there are %v", t.Module, slices.Sorted(maps.Keys(modules))))
	}
	if t.Interval < time.Millisecond {
		errs = append(errs, errors.New("interval: must be at least 1ms"))
	}
	if t.Timeout <= 0 || t.Timeout >= t.Interval {
		errs = append(errs, fmt.Errorf("timeout: %s must be greater than zero and less than the interval of %s", t.Timeout, t.Interval))
	}
	for name := range t.Labels {
		if !labelName.MatchString(name) || slices.Contains(reserved, name) {
			errs = append(errs, fmt.Errorf("labels: %q is no label name, or one that results have already", name))
		}
	}
	return errors.Join(errs...)
}
