package sql

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Config says which ClickHouse answers SQL, as whom, and how much one query
// may take.
type Config struct {
	// HTTPAddresses are where ClickHouse serves HTTP: host:port, or a URL with
	// https for an encrypted connection. The first that can be reached is used.
	HTTPAddresses []string `yaml:"http_addresses"`
	// Database is the only one that queries see by its plain table names. It
	// comes from the configuration of ClickHouse, which all roles share.
	Database string `yaml:"-"`
	// Username and Password log in the user that queries run as. It must be
	// granted nothing but SELECT.
	Username string        `yaml:"username"`
	Password config.Secret `yaml:"password"`
	// TenantUsername and TenantPassword log in the user that the queries of
	// tenants run as. Row policies bound it; docs/sql.md has them.
	TenantUsername string        `yaml:"tenant_username"`
	TenantPassword config.Secret `yaml:"tenant_password"`
	// CAFile has the certificates that sign those of the https addresses; the
	// system's where empty.
	CAFile string       `yaml:"ca_file"`
	Limits LimitsConfig `yaml:"limits"`
	// DialTimeout bounds the making of a connection.
	DialTimeout time.Duration `yaml:"dial_timeout"`
}

// LimitsConfig bounds one query and all of them together. ClickHouse enforces
// the first five, so they must not be above what its user is allowed.
type LimitsConfig struct {
	MaxExecutionTime time.Duration `yaml:"max_execution_time"`
	MaxMemory        config.Bytes  `yaml:"max_memory"`
	MaxResultRows    uint64        `yaml:"max_result_rows"`
	MaxResultBytes   config.Bytes  `yaml:"max_result_bytes"`
	MaxRowsToRead    uint64        `yaml:"max_rows_to_read"`
	// MaxQueryBytes bounds the text of a query.
	MaxQueryBytes config.Bytes `yaml:"max_query_bytes"`
	// MaxResponseBytes bounds an answer as it is sent.
	MaxResponseBytes config.Bytes `yaml:"max_response_bytes"`
	// MaxConcurrent bounds the queries that run at the same time; more are
	// answered with 429.
	MaxConcurrent int `yaml:"max_concurrent"`
}

// DefaultConfig asks a ClickHouse on this machine, as the user that only reads.
func DefaultConfig() Config {
	return Config{
		HTTPAddresses:  []string{"127.0.0.1:8123"},
		Database:       tables.DefaultDatabase,
		Username:       "reader",
		TenantUsername: "tenant_reader",
		Limits: LimitsConfig{
			MaxExecutionTime: 30 * time.Second,
			MaxMemory:        384 << 20,
			MaxResultRows:    1_000_000,
			MaxResultBytes:   256 << 20,
			MaxRowsToRead:    1_000_000_000,
			MaxQueryBytes:    256 << 10,
			MaxResponseBytes: 512 << 20,
			MaxConcurrent:    8,
		},
		DialTimeout: 5 * time.Second,
	}
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("query.sql."+format, args...)) }
	if len(c.HTTPAddresses) == 0 {
		fail("http_addresses: want at least one")
	}
	for _, a := range c.HTTPAddresses {
		if a == "embedded" {
			continue // replaced before it is used
		}
		if _, err := endpoint(a); err != nil {
			errs = append(errs, err)
		}
	}
	if !databaseName.MatchString(c.Database) {
		fail("database: %q is no name of letters, digits and underscores", c.Database)
	}
	if c.Username == "" || c.TenantUsername == "" {
		fail("username and tenant_username must not be empty")
	}
	if c.Username == c.TenantUsername {
		fail("tenant_username: must be another user than username, or row policies would bound both or none")
	}
	if c.DialTimeout <= 0 {
		fail("dial_timeout: %s is not above 0", c.DialTimeout)
	}
	l := c.Limits
	if l.MaxExecutionTime < time.Second || l.MaxExecutionTime%time.Second != 0 {
		fail("limits.max_execution_time: %s is not a number of whole seconds above 0", l.MaxExecutionTime)
	}
	for _, limit := range []struct {
		key   string
		value uint64
	}{
		{"max_memory", uint64(l.MaxMemory)},
		{"max_result_rows", l.MaxResultRows},
		{"max_result_bytes", uint64(l.MaxResultBytes)},
		{"max_rows_to_read", l.MaxRowsToRead},
		{"max_query_bytes", uint64(l.MaxQueryBytes)},
		{"max_response_bytes", uint64(l.MaxResponseBytes)},
	} {
		if limit.value == 0 || limit.value > 1<<62 {
			fail("limits.%s: must be above 0", limit.key)
		}
	}
	if l.MaxConcurrent < 1 {
		fail("limits.max_concurrent: %d is below 1", l.MaxConcurrent)
	}
	return errors.Join(errs...)
}

// endpoint makes the URL of an address.
func endpoint(address string) (*url.URL, error) {
	text := address
	if !strings.Contains(address, "://") {
		text = "http://" + address
	}
	u, err := url.Parse(text)
	if err == nil {
		_, _, err = net.SplitHostPort(u.Host)
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("query.sql.http_addresses: %q is neither host:port nor an http or https URL with a port", address)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}
