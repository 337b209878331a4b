package query

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/query/sql"
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
	AllowedHosts []string     `yaml:"allowed_hosts"`
	TLS          TLSConfig    `yaml:"tls"`
	SQL          sql.Config   `yaml:"sql"`
	Limits       LimitsConfig `yaml:"limits"`
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

// TLSConfig names PEM files. They are read again when they change.
type TLSConfig struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile, where set, makes every client present a certificate that
	// one of these authorities signed.
	ClientCAFile string `yaml:"client_ca_file"`
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
		DefaultTenant: "default",
		SQL:           sql.DefaultConfig(),
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
	return errors.Join(c.validateAddress(), c.validateTokens(), c.validateTLS(), c.validateLimits(), c.SQL.Validate())
}

func (c *Config) validateAddress() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("query.listen: %q is no host:port address", c.Listen)
	}
	if !isLoopback(host) && len(c.Tokens) == 0 && !c.AllowAnonymous {
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

// isLoopback reports whether only this machine reaches the host. A name other
// than localhost is not looked up, and taken as reachable.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (c *Config) validateTokens() error {
	if err := validTenant(c.DefaultTenant); err != nil {
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
			if err := validTenant(t.Tenant); err != nil {
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

// maxTenantName is the bound that the gateway has.
const maxTenantName = 64

// validTenant allows no slash: the id of a query starts with the tenant and one.
func validTenant(name string) error {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	if name == "" || len(name) > maxTenantName || strings.ContainsFunc(name, func(r rune) bool { return !ok(r) }) {
		return fmt.Errorf("%q: want 1 to %d letters, digits, dots, dashes and underscores", name, maxTenantName)
	}
	return nil
}

func (t *TLSConfig) enabled() bool { return t.CertFile != "" }

func (c *Config) validateTLS() error {
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		return errors.New("query.tls: cert_file and key_file belong together; one of them is empty")
	}
	if c.TLS.ClientCAFile != "" && c.TLS.CertFile == "" {
		return errors.New("query.tls: client_ca_file needs cert_file and key_file")
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
