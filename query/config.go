package query

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/transport"
	queryerrors "github.com/goshawk-observability/goshawk/query/errors"
	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/promql"
	"github.com/goshawk-observability/goshawk/query/sql"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/goshawk"
	"github.com/goshawk-observability/goshawk/query/weblog"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Config says where the query service listens and whom it answers.
type Config struct {
	// Listen is a host:port address.
	Listen string `yaml:"listen"`
	// Tokens are the bearer tokens that clients present. Without any, everybody
	// is answered and sees all tenants.
	Tokens []TokenConfig `yaml:"tokens"`
	// AllowAnonymous lets clients in that present no token: beside tokens they
	// see the rows of DefaultTenant, without any everything.
	AllowAnonymous bool   `yaml:"allow_anonymous"`
	DefaultTenant  string `yaml:"default_tenant"`
	// AllowedHosts are the names by which browsers reach the service, beside
	// localhost and addresses. A request that names another host is refused, so
	// that no page of another site can pretend to be this one.
	AllowedHosts []string            `yaml:"allowed_hosts"`
	TLS          transport.ServerTLS `yaml:"tls"`
	SQL          sql.Config          `yaml:"sql"`
	PromQL       promql.Config       `yaml:"promql"`
	Traces       traces.Config       `yaml:"traces"`
	Weblog       weblog.Config       `yaml:"weblog"`
	Errors       queryerrors.Config  `yaml:"errors"`
	Logs         logs.Config         `yaml:"logs"`
	// BusinessLines are parts of the business and the services that work for them.
	BusinessLines []goshawk.BusinessLine `yaml:"business_lines"`
	// BusinessAttribute is the attribute of resources that names a service's
	// business line, beside those that are configured; empty for none.
	BusinessAttribute string       `yaml:"business_attribute"`
	Limits            LimitsConfig `yaml:"limits"`
	// ShutdownTimeout bounds how long requests in flight may go on after the
	// service was told to stop.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// TokenConfig is one bearer token. It has either a tenant, whose rows it sees,
// or is the operator's, who sees all.
type TokenConfig struct {
	Token    config.Secret `yaml:"token"`
	Tenant   string        `yaml:"tenant"`
	Operator bool          `yaml:"operator"`
}

// LimitsConfig bounds what clients can make the service hold and wait for.
// What one query may take is in sql.limits.
type LimitsConfig struct {
	MaxConnections    int           `yaml:"max_connections"`
	MaxHeader         config.Bytes  `yaml:"max_header"`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
}

// DefaultConfig listens on the loopback interface and answers everybody there.
func DefaultConfig() Config {
	return Config{
		Listen:        "127.0.0.1:8428",
		DefaultTenant: telemetry.DefaultTenant,
		SQL:           sql.DefaultConfig(),
		PromQL:        promql.DefaultConfig(),
		Traces:        traces.DefaultConfig(),
		Weblog:        weblog.DefaultConfig(),
		Errors:        queryerrors.DefaultConfig(),
		Logs:          logs.DefaultConfig(),

		BusinessAttribute: goshawk.DefaultBusinessAttribute,
		Limits: LimitsConfig{
			MaxConnections:    512,
			MaxHeader:         512 << 10, // a query may be in the URL
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			IdleTimeout:       2 * time.Minute,
		},
		ShutdownTimeout: 5 * time.Second,
	}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	business := c.business()
	return errors.Join(c.validateAddress(), c.validateTokens(), c.validateTLS(), c.validateLimits(), c.SQL.Validate(), c.PromQL.Validate(), c.Traces.Validate(), c.Weblog.Validate(), c.Errors.Validate(), c.Logs.Validate(), business.Validate())
}

// business is what the API for traces is told.
func (c *Config) business() goshawk.Config {
	return goshawk.Config{BusinessLines: c.BusinessLines, BusinessAttribute: c.BusinessAttribute}
}

func (c *Config) validateAddress() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("query.listen: %q is no host:port address", c.Listen)
	}
	if !transport.Loopback(host) && len(c.Tokens) == 0 && !c.AllowAnonymous {
		return fmt.Errorf("query.listen: %s can be reached from other machines, but there are no tokens; "+
			"set query.tokens, or query.allow_anonymous to answer everybody", c.Listen)
	}
	for _, name := range c.AllowedHosts {
		if name == "" || strings.ContainsAny(name, "/:* ") {
			return fmt.Errorf("query.allowed_hosts: %q is no host name", name)
		}
	}
	return nil
}

func (c *Config) validateTokens() error {
	if err := telemetry.CheckTenant(c.DefaultTenant); err != nil {
		return fmt.Errorf("query.default_tenant: %w", err)
	}
	for i, t := range c.Tokens {
		if t.Token == "" {
			return fmt.Errorf("query.tokens[%d]: the token is empty", i)
		}
		switch {
		case t.Operator && t.Tenant != "":
			return fmt.Errorf("query.tokens[%d]: has a tenant and is the operator's; it can only be one", i)
		case !t.Operator:
			if err := telemetry.CheckTenant(t.Tenant); err != nil {
				return fmt.Errorf("query.tokens[%d].tenant: %w", i, err)
			}
		}
		for j := range i {
			if c.Tokens[j].Token == t.Token {
				return fmt.Errorf("query.tokens[%d]: the same token as tokens[%d]", i, j)
			}
		}
	}
	return nil
}

func (c *Config) validateTLS() error {
	if err := c.TLS.Validate(); err != nil {
		return fmt.Errorf("query.tls: %w", err)
	}
	return nil
}

func (c *Config) validateLimits() error {
	var errs []error
	if c.Limits.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("query.limits.max_connections: %d is below 1", c.Limits.MaxConnections))
	}
	if c.Limits.MaxHeader < 4<<10 || c.Limits.MaxHeader > 16<<20 {
		errs = append(errs, fmt.Errorf("query.limits.max_header: %s is not between 4KiB and 16MiB", c.Limits.MaxHeader))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"limits.read_header_timeout", c.Limits.ReadHeaderTimeout},
		{"limits.read_timeout", c.Limits.ReadTimeout},
		{"limits.idle_timeout", c.Limits.IdleTimeout},
		{"shutdown_timeout", c.ShutdownTimeout},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("query.%s: %s is not above 0", d.key, d.value))
		}
	}
	return errors.Join(errs...)
}
