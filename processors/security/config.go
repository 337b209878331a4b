package security

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Config says from when on something is a finding. All times are event time, and all
// numbers are of one partition: the requests of a client and its network meet in
// one, a crowd is spread over all of them.
type Config struct {
	// Quiet is how long nothing more must happen until a finding is over, and
	// Interval how long it takes until a finding that goes on is told again.
	Quiet    time.Duration `yaml:"quiet"`
	Interval time.Duration `yaml:"interval"`
	// Trusted are networks that are never accused, such as those of own monitoring
	// and gateways.
	Trusted []string `yaml:"trusted"`
	// LoginPaths are what the last part of a path is called where people log in.
	LoginPaths []string       `yaml:"login_paths"`
	Flood      FloodConfig    `yaml:"flood"`
	Logins     LoginsConfig   `yaml:"logins"`
	Scan       ScanConfig     `yaml:"scan"`
	Scraping   ScrapingConfig `yaml:"scraping"`
	// MaxClients, MaxPaths and MaxFindings bound what is kept: clients and networks
	// that deserve a closer look, paths with a rate worth knowing, and findings that
	// are not over.
	MaxClients  int `yaml:"max_clients"`
	MaxPaths    int `yaml:"max_paths"`
	MaxFindings int `yaml:"max_findings"`
}

// FloodConfig says how many requests in ten seconds are a flood. A request for an
// asset of a page counts a quarter for clients and networks.
type FloodConfig struct {
	// Client and Network are the requests of one client and of one network.
	Client  uint32 `yaml:"client"`
	Network uint32 `yaml:"network"`
	// Path is the least number of requests of many clients for one path, twice as
	// many for a site, and Ratio how many times as much as usual it must be.
	Path  uint32  `yaml:"path"`
	Ratio float64 `yaml:"ratio"`
	// Clients is the least number of clients of a flood by many.
	Clients uint64 `yaml:"clients"`
}

// LoginsConfig says what attempts to log in are an attack.
type LoginsConfig struct {
	// Failures is the number of failed attempts of a client in a minute.
	Failures uint32 `yaml:"failures"`
	// Accounts is the number of accounts that a client fails to log in to in ten
	// minutes; five times as many where it does not fail.
	Accounts int `yaml:"accounts"`
}

// ScanConfig says what is a search for weaknesses.
type ScanConfig struct {
	// Probes is the number of different paths that only scanners ask for.
	Probes int `yaml:"probes"`
	// Missing is the number of different paths that are not there.
	Missing int `yaml:"missing"`
}

// ScrapingConfig says what is reading a site by a program.
type ScrapingConfig struct {
	// Paths is the number of different paths of one client in ten minutes.
	Paths int `yaml:"paths"`
	// Crawlers accuses search engines, too, as far as they say what they are.
	Crawlers bool `yaml:"crawlers"`
}

// DefaultConfig suits sites of up to some thousand requests a second.
func DefaultConfig() Config {
	return Config{
		Quiet: 5 * time.Minute, Interval: time.Minute,
		LoginPaths: []string{"login", "log-in", "signin", "sign-in", "session", "sessions", "token", "auth", "authenticate", "oauth", "logon", "wp-login.php", "xmlrpc.php", "j_security_check"},
		Flood:      FloodConfig{Client: 200, Network: 1000, Path: 500, Ratio: 5, Clients: 50},
		Logins:     LoginsConfig{Failures: 20, Accounts: 20},
		Scan:       ScanConfig{Probes: 3, Missing: 30},
		Scraping:   ScrapingConfig{Paths: 100},
		MaxClients: 50_000, MaxPaths: 5_000, MaxFindings: 2_000,
	}
}

// Bounds of the settings.
const (
	mostQuiet    = time.Hour
	mostRequests = 100_000_000
	mostRatio    = 1000
	mostClients  = 1_000_000
	mostPaths    = 100_000
	mostFindings = 50_000
	mostMissing  = 500
	mostScraped  = 1000
	mostList     = 1000
)

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	requests := func(name string, n uint32) error {
		if n < 1 || n > mostRequests {
			return fmt.Errorf("%s: %d is not between 1 and %d", name, n, mostRequests)
		}
		return nil
	}
	number := func(name string, n, least, most int) error {
		if n < least || n > most {
			return fmt.Errorf("%s: %d is not between %d and %d", name, n, least, most)
		}
		return nil
	}
	for _, err := range []error{
		requests("flood: client", c.Flood.Client), requests("flood: network", c.Flood.Network), requests("flood: path", c.Flood.Path),
		requests("logins: failures", c.Logins.Failures), number("logins: accounts", c.Logins.Accounts, 2, mostMissing),
		number("scan: probes", c.Scan.Probes, 1, 100), number("scan: missing", c.Scan.Missing, 2, mostMissing),
		number("scraping: paths", c.Scraping.Paths, 10, mostScraped),
		number("max_clients", c.MaxClients, 100, mostClients), number("max_paths", c.MaxPaths, 10, mostPaths),
		number("max_findings", c.MaxFindings, 10, min(mostFindings, c.MaxClients/2)),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case c.Quiet < time.Second || c.Quiet > mostQuiet:
		return fmt.Errorf("quiet: %s is not between 1s and %s", c.Quiet, mostQuiet)
	case c.Interval < time.Second || c.Interval > mostQuiet:
		return fmt.Errorf("interval: %s is not between 1s and %s", c.Interval, mostQuiet)
	case !(c.Flood.Ratio >= 1.5 && c.Flood.Ratio <= mostRatio): // not a number is neither
		return fmt.Errorf("flood: ratio: %v is not between 1.5 and %d", c.Flood.Ratio, mostRatio)
	case c.Flood.Clients < 2 || c.Flood.Clients > mostRequests:
		return fmt.Errorf("flood: clients: %d is not between 2 and %d", c.Flood.Clients, mostRequests)
	case len(c.LoginPaths) > mostList:
		return fmt.Errorf("login_paths: %d are more than %d", len(c.LoginPaths), mostList)
	}
	for _, name := range c.LoginPaths {
		if name == "" || strings.Contains(name, "/") {
			return fmt.Errorf("login_paths: %q is not the last part of a path", name)
		}
	}
	_, err := c.trusted()
	return err
}

// trusted reads the networks that are trusted.
func (c Config) trusted() ([]netip.Prefix, error) {
	if len(c.Trusted) > mostList {
		return nil, fmt.Errorf("trusted: %d are more than %d", len(c.Trusted), mostList)
	}
	var all []netip.Prefix
	for _, text := range c.Trusted {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted: %q is not a network such as 10.0.0.0/8", text)
		}
		all = append(all, p)
	}
	return all, nil
}
