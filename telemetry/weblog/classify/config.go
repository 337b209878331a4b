package classify

import (
	"fmt"
	"net/netip"
	"strings"
)

// Config says what is known of the sites whose logs are read.
type Config struct {
	Geo GeoConfig `yaml:"geo"`
	// TrustedProxies are the addresses, or networks such as 10.0.0.0/8, of own
	// proxies: where the peer is one of them, the client is the right-most address
	// of X-Forwarded-For that is none. Anybody can send that header, so nobody is
	// trusted unless listed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// OwnHosts are names of the own sites, for logs without a virtual host:
	// referrers with such a host, or one below it, are told to be the site's own.
	OwnHosts []string `yaml:"own_hosts"`
}

// GeoConfig says where the databases are that know the place of an address.
type GeoConfig struct {
	// CountryFile is a database of countries, CityFile one of cities, in the format
	// of MaxMind (mmdb) with the fields of DB-IP Lite or of MaxMind. Where
	// CountryFile is empty the database that is fetched with Goshawk is looked
	// for; FindCountryFile says where.
	CountryFile string `yaml:"country_file"`
	CityFile    string `yaml:"city_file"`
	// Enabled can be false to look up nothing.
	Enabled bool `yaml:"enabled"`
}

// DefaultConfig trusts no proxy and looks up countries where it finds a database.
func DefaultConfig() Config {
	return Config{Geo: GeoConfig{Enabled: true}}
}

const (
	mostProxies = 10_000
	mostHosts   = 10_000
)

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	if len(c.TrustedProxies) > mostProxies {
		return fmt.Errorf("trusted_proxies: %d are more than %d", len(c.TrustedProxies), mostProxies)
	}
	if len(c.OwnHosts) > mostHosts {
		return fmt.Errorf("own_hosts: %d are more than %d", len(c.OwnHosts), mostHosts)
	}
	if _, err := networks(c.TrustedProxies); err != nil {
		return fmt.Errorf("trusted_proxies: %w", err)
	}
	for _, host := range c.OwnHosts {
		if !isHost(strings.ToLower(host)) {
			return fmt.Errorf("own_hosts: %q is no host name", host)
		}
	}
	return nil
}

// networks reads addresses and networks.
func networks(texts []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil {
			address = address.Unmap().WithZone("")
			prefixes = append(prefixes, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}
