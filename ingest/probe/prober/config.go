package prober

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// Config is one module: a protocol with its settings, under a name.
type Config struct {
	// Prober is the protocol: http, tcp, tls, dns, icmp or grpc.
	Prober string `mapstructure:"prober"`
	// Timeout bounds a probe with this module; zero leaves it to the target.
	Timeout time.Duration `mapstructure:"timeout"`
	// PreferredIPProtocol is ip4 or ip6. Where a name has no such address, the
	// other one is used if IPProtocolFallback allows it; else the probe fails.
	PreferredIPProtocol string `mapstructure:"preferred_ip_protocol"`
	IPProtocolFallback  bool   `mapstructure:"ip_protocol_fallback"`
	// SourceAddress is the local address from which probes are sent; the system
	// chooses where it is empty.
	SourceAddress string `mapstructure:"source_address"`

	// The section of the protocol; nil means its defaults. Sections of other
	// protocols are an error.
	HTTP *HTTPConfig `mapstructure:"http"`
	TCP  *TCPConfig  `mapstructure:"tcp"`
	TLS  *TLSConfig  `mapstructure:"tls"`
	DNS  *DNSConfig  `mapstructure:"dns"`
	ICMP *ICMPConfig `mapstructure:"icmp"`
	GRPC *GRPCConfig `mapstructure:"grpc"`
}

// HTTPConfig says what is requested and which answers are good.
type HTTPConfig struct {
	Method  string            `mapstructure:"method"`
	Headers map[string]string `mapstructure:"headers"`
	// Body is sent; BodyFile, in place of it, is read once, at the start.
	Body     string `mapstructure:"body"`
	BodyFile string `mapstructure:"body_file"`
	// BasicAuth and BearerTokenFile are read for every probe, so that secrets
	// can be rotated.
	BasicAuth       *BasicAuth `mapstructure:"basic_auth"`
	BearerTokenFile string     `mapstructure:"bearer_token_file"`
	TLS             TLSConfig  `mapstructure:"tls"`
	HTTP2           bool       `mapstructure:"enable_http2"`
	// ReuseConnections keeps connections for the next probe, which then has no
	// phases resolve, connect and tls.
	ReuseConnections bool `mapstructure:"reuse_connections"`
	// Compression is gzip, or empty for none.
	Compression string `mapstructure:"compression"`

	FollowRedirects bool `mapstructure:"follow_redirects"`
	MaxRedirects    int  `mapstructure:"max_redirects"`
	// FailOnDowngrade fails the probe where https redirects to http.
	FailOnDowngrade bool `mapstructure:"fail_on_downgrade"`
	FailIfSSL       bool `mapstructure:"fail_if_ssl"`
	FailIfNotSSL    bool `mapstructure:"fail_if_not_ssl"`

	// ValidStatusCodes are those from 200 to 299 where the list is empty.
	ValidStatusCodes []int `mapstructure:"valid_status_codes"`
	// ValidHTTPVersions are such as HTTP/1.1 and HTTP/2.0; empty allows all.
	ValidHTTPVersions []string `mapstructure:"valid_http_versions"`

	FailIfBodyMatches      []string      `mapstructure:"fail_if_body_matches_regexp"`
	FailIfBodyNotMatches   []string      `mapstructure:"fail_if_body_not_matches_regexp"`
	FailIfHeaderMatches    []HeaderMatch `mapstructure:"fail_if_header_matches"`
	FailIfHeaderNotMatches []HeaderMatch `mapstructure:"fail_if_header_not_matches"`
	// BodyLimit is how much of the body the expressions see. What follows is
	// read and counted.
	BodyLimit config.Bytes `mapstructure:"body_limit"`
	// MaxBody fails the probe where the body is larger; zero allows any size.
	MaxBody config.Bytes `mapstructure:"max_body"`
}

// BasicAuth is a user with a password that is kept in a file.
type BasicAuth struct {
	Username     string `mapstructure:"username"`
	PasswordFile string `mapstructure:"password_file"`
}

// HeaderMatch is a condition on a response header.
type HeaderMatch struct {
	Header string `mapstructure:"header"`
	Regexp string `mapstructure:"regexp"`
	// AllowMissing makes the condition not fail where there is no such header.
	AllowMissing bool `mapstructure:"allow_missing"`
}

// TLSConfig is the client's end of TLS.
type TLSConfig struct {
	// CAFile has the certificates that sign the server's, PEM; the system's
	// where empty. All files are read once, at the start.
	CAFile   string `mapstructure:"ca_file"`
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
	// ServerName is asked for and verified in place of the target's host.
	ServerName         string `mapstructure:"server_name"`
	InsecureSkipVerify bool   `mapstructure:"insecure_skip_verify"`
	// MinVersion is 1.0, 1.1, 1.2 or 1.3.
	MinVersion string `mapstructure:"min_version"`
	// FailIfExpiresWithin fails the probe where one of the server's certificates
	// is valid for less than this.
	FailIfExpiresWithin time.Duration `mapstructure:"fail_if_expires_within"`
}

// TCPConfig is a connection, and optionally a dialogue.
type TCPConfig struct {
	// UseTLS starts with a TLS handshake.
	UseTLS        bool       `mapstructure:"use_tls"`
	TLS           TLSConfig  `mapstructure:"tls"`
	QueryResponse []Exchange `mapstructure:"query_response"`
}

// Exchange is one step of a dialogue: wait for a line, then send one, then
// start TLS; each where it is set.
type Exchange struct {
	// Expect is an expression that a line matches. Lines before it are skipped.
	Expect string `mapstructure:"expect"`
	// Send is sent with a line break; ${1} stands for what the first group of
	// Expect has matched.
	Send     string `mapstructure:"send"`
	StartTLS bool   `mapstructure:"starttls"`
}

// DNSConfig is one query. The target of the probe is the name server.
type DNSConfig struct {
	QueryName  string `mapstructure:"query_name"`
	QueryType  string `mapstructure:"query_type"`
	QueryClass string `mapstructure:"query_class"`
	// Protocol is udp, tcp or tls.
	Protocol         string    `mapstructure:"transport_protocol"`
	TLS              TLSConfig `mapstructure:"tls"`
	RecursionDesired bool      `mapstructure:"recursion_desired"`
	// ValidRcodes is NOERROR where the list is empty.
	ValidRcodes        []string `mapstructure:"valid_rcodes"`
	ValidateAnswer     RRMatch  `mapstructure:"validate_answer_rrs"`
	ValidateAuthority  RRMatch  `mapstructure:"validate_authority_rrs"`
	ValidateAdditional RRMatch  `mapstructure:"validate_additional_rrs"`
}

// RRMatch are conditions on the records of a section, each in the form of a
// zone file.
type RRMatch struct {
	FailIfMatches     []string `mapstructure:"fail_if_matches_regexp"`
	FailIfAllMatch    []string `mapstructure:"fail_if_all_match_regexp"`
	FailIfNotMatches  []string `mapstructure:"fail_if_not_matches_regexp"`
	FailIfNoneMatches []string `mapstructure:"fail_if_none_matches_regexp"`
}

// ICMPConfig is one echo request.
type ICMPConfig struct {
	// PayloadSize is in bytes, without headers.
	PayloadSize int `mapstructure:"payload_size"`
	// TTL is the hop limit of the request; zero leaves it to the system.
	TTL int `mapstructure:"ttl"`
}

// GRPCConfig is a call of grpc.health.v1.Health/Check.
type GRPCConfig struct {
	Service string    `mapstructure:"service"`
	UseTLS  bool      `mapstructure:"use_tls"`
	TLS     TLSConfig `mapstructure:"tls"`
}

// DefaultConfig returns a module of the protocol with its defaults.
func DefaultConfig(protocol string) Config {
	c := Config{Prober: protocol, PreferredIPProtocol: "ip4", IPProtocolFallback: true}
	switch protocol {
	case "http":
		c.HTTP = &HTTPConfig{
			Method: "GET", HTTP2: true, FollowRedirects: true, MaxRedirects: 10, BodyLimit: 1 << 20,
		}
	case "tcp":
		c.TCP = &TCPConfig{}
	case "tls":
		c.TLS = &TLSConfig{}
	case "dns":
		c.DNS = &DNSConfig{QueryType: "A", QueryClass: "IN", Protocol: "udp", RecursionDesired: true}
	case "icmp":
		c.ICMP = &ICMPConfig{PayloadSize: 28}
	case "grpc":
		c.GRPC = &GRPCConfig{}
	}
	return c
}

// Protocols are the values that prober may have.
var Protocols = []string{"http", "tcp", "tls", "dns", "icmp", "grpc"}

// Unmarshal fills the module over the defaults of its protocol.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	protocol, _ := conf.Get("prober").(string)
	*c = DefaultConfig(protocol)
	return conf.Unmarshal(c)
}

// complete returns the module with the defaults in place of a section that is
// missing.
func (c Config) complete() Config {
	d := DefaultConfig(c.Prober)
	if c.PreferredIPProtocol == "" {
		c.PreferredIPProtocol = d.PreferredIPProtocol
	}
	fill(&c.HTTP, d.HTTP)
	fill(&c.TCP, d.TCP)
	fill(&c.TLS, d.TLS)
	fill(&c.DNS, d.DNS)
	fill(&c.ICMP, d.ICMP)
	fill(&c.GRPC, d.GRPC)
	return c
}

func fill[T any](section **T, defaults *T) {
	if *section == nil {
		*section = defaults
	}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	if !slices.Contains(Protocols, c.Prober) {
		return fmt.Errorf("prober: %q is none of %v", c.Prober, Protocols)
	}
	var errs []error
	for name, given := range map[string]bool{
		"http": c.HTTP != nil, "tcp": c.TCP != nil, "tls": c.TLS != nil,
		"dns": c.DNS != nil, "icmp": c.ICMP != nil, "grpc": c.GRPC != nil,
	} {
		if given && name != c.Prober {
			errs = append(errs, fmt.Errorf("%s: this section does not belong to the prober %s", name, c.Prober))
		}
	}
	full := c.complete()
	if !slices.Contains([]string{"ip4", "ip6"}, full.PreferredIPProtocol) {
		errs = append(errs, fmt.Errorf("preferred_ip_protocol: %q is neither ip4 nor ip6", c.PreferredIPProtocol))
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("timeout: must not be negative"))
	}
	if c.SourceAddress != "" {
		if _, err := netip.ParseAddr(c.SourceAddress); err != nil {
			errs = append(errs, fmt.Errorf("source_address: %w", err))
		}
	}
	var section error
	switch c.Prober {
	case "http":
		section = full.HTTP.validate()
	case "tcp":
		section = full.TCP.validate()
	case "tls":
		section = full.TLS.validate()
	case "dns":
		section = full.DNS.validate()
	case "icmp":
		section = full.ICMP.validate()
	case "grpc":
		section = full.GRPC.TLS.validate()
	}
	if section != nil {
		errs = append(errs, fmt.Errorf("%s: %w", c.Prober, section))
	}
	return errors.Join(errs...)
}

// Credentials reports whether probes with this module present secrets, which
// must not go to a target that somebody else names.
func (c *Config) Credentials() bool {
	owns := func(t *TLSConfig) bool { return t != nil && t.CertFile != "" }
	switch {
	case c.HTTP != nil:
		// Any header or body may hold a key.
		return c.HTTP.Body != "" || c.HTTP.BodyFile != "" || c.HTTP.BasicAuth != nil || c.HTTP.BearerTokenFile != "" || len(c.HTTP.Headers) > 0 || owns(&c.HTTP.TLS)
	case c.TCP != nil:
		return len(c.TCP.QueryResponse) > 0 || owns(&c.TCP.TLS)
	case c.DNS != nil:
		return owns(&c.DNS.TLS)
	case c.GRPC != nil:
		return owns(&c.GRPC.TLS)
	}
	return owns(c.TLS)
}
