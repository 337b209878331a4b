package prober_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
)

func TestConfigDefaults(t *testing.T) {
	var c prober.Config
	err := confmap.NewFromStringMap(map[string]any{
		"prober": "http", "timeout": "3s", "http": map[string]any{"method": "HEAD", "follow_redirects": false, "body_limit": "2KiB"},
	}).Unmarshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	h := c.HTTP
	if c.Timeout != 3*time.Second || h.Method != "HEAD" || h.FollowRedirects || !h.HTTP2 || h.MaxRedirects != 10 || h.BodyLimit != 2048 || !c.IPProtocolFallback || c.TCP != nil {
		t.Errorf("got %+v with %+v", c, h)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for _, protocol := range prober.Protocols {
		bare := prober.Config{Prober: protocol, DNS: nil}
		if err := bare.Validate(); (err == nil) != (protocol != "dns") {
			t.Errorf("%s without a section: %v", protocol, err)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for want, c := range map[string]prober.Config{
		`"smtp" is none of`:                        {Prober: "smtp"},
		"does not belong to the prober http":       {Prober: "http", TCP: &prober.TCPConfig{}},
		"neither ip4 nor ip6":                      {Prober: "tcp", PreferredIPProtocol: "ipv4"},
		"timeout: must not be negative":            {Prober: "tcp", Timeout: -1},
		"source_address":                           {Prober: "tcp", SourceAddress: "localhost"},
		"http: method":                             httpConfig(func(c *prober.HTTPConfig) { c.Method = "GE T" }),
		`headers: "a b" is no header`:              httpConfig(func(c *prober.HTTPConfig) { c.Headers = map[string]string{"a b": ""} }),
		`headers: "a" is no header`:                httpConfig(func(c *prober.HTTPConfig) { c.Headers = map[string]string{"a": "b\nc: d"} }),
		"12 is no status code":                     httpConfig(func(c *prober.HTTPConfig) { c.ValidStatusCodes = []int{12} }),
		`"1.1" is not of the form`:                 httpConfig(func(c *prober.HTTPConfig) { c.ValidHTTPVersions = []string{"1.1"} }),
		"body and body_file exclude":               httpConfig(func(c *prober.HTTPConfig) { c.Body, c.BodyFile = "a", "b" }),
		"basic_auth and bearer_token_file exclude": httpConfig(func(c *prober.HTTPConfig) { c.BasicAuth, c.BearerTokenFile = &prober.BasicAuth{Username: "a"}, "b" }),
		"basic_auth.username":                      httpConfig(func(c *prober.HTTPConfig) { c.BasicAuth = &prober.BasicAuth{} }),
		"neither empty nor gzip":                   httpConfig(func(c *prober.HTTPConfig) { c.Compression = "br" }),
		"max_redirects":                            httpConfig(func(c *prober.HTTPConfig) { c.MaxRedirects = -1 }),
		"fail_if_ssl and fail_if_not_ssl":          httpConfig(func(c *prober.HTTPConfig) { c.FailIfSSL, c.FailIfNotSSL = true, true }),
		"body_limit":                               httpConfig(func(c *prober.HTTPConfig) { c.BodyLimit = 0 }),
		"fail_if_body_matches_regexp":              httpConfig(func(c *prober.HTTPConfig) { c.FailIfBodyMatches = []string{"("} }),
		"fail_if_body_not_matches_regexp":          httpConfig(func(c *prober.HTTPConfig) { c.FailIfBodyNotMatches = []string{"("} }),
		"fail_if_header_matches[0]":                httpConfig(func(c *prober.HTTPConfig) { c.FailIfHeaderMatches = headers("a", "(", false) }),
		"fail_if_header_not_matches[0]":            httpConfig(func(c *prober.HTTPConfig) { c.FailIfHeaderNotMatches = headers("", "a", false) }),
		"http: tls: cert_file":                     httpConfig(func(c *prober.HTTPConfig) { c.TLS.CertFile = "a" }),
		`min_version: "2"`:                         {Prober: "tls", TLS: &prober.TLSConfig{MinVersion: "2"}},
		"fail_if_expires_within":                   {Prober: "tls", TLS: &prober.TLSConfig{FailIfExpiresWithin: -1}},
		"query_response[0].expect":                 {Prober: "tcp", TCP: &prober.TCPConfig{QueryResponse: []prober.Exchange{{Expect: "("}}}},
		"uses TLS already":                         {Prober: "tcp", TCP: &prober.TCPConfig{UseTLS: true, QueryResponse: []prober.Exchange{{StartTLS: true}}}},
		"query_name":                               config("dns", nil),
		`query_type: "Q"`:                          config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.QueryType = "a", "Q" }),
		`query_class: "Q"`:                         config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.QueryClass = "a", "Q" }),
		`transport_protocol: "sctp"`:               config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.Protocol = "a", "sctp" }),
		`valid_rcodes: "OK"`:                       config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.ValidRcodes = "a", []string{"OK"} }),
		"validate_answer_rrs: fail_if_matches":     config("dns", func(c *prober.Config) { c.DNS.QueryName, c.DNS.ValidateAnswer.FailIfMatches = "a", []string{"("} }),
		"payload_size":                             {Prober: "icmp", ICMP: &prober.ICMPConfig{PayloadSize: 3}},
		"ttl":                                      {Prober: "icmp", ICMP: &prober.ICMPConfig{PayloadSize: 64, TTL: 256}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := prober.New("m", c, prober.Options{}); err == nil {
			t.Errorf("a module was made in spite of %q", want)
		}
	}
}

func TestMissingFiles(t *testing.T) {
	gone := t.TempDir() + "/gone"
	for _, c := range []prober.Config{
		httpConfig(func(c *prober.HTTPConfig) { c.BodyFile = gone }),
		httpConfig(func(c *prober.HTTPConfig) { c.TLS.CAFile = gone }),
		config("tls", func(c *prober.Config) { c.TLS.CertFile, c.TLS.KeyFile = gone, gone }),
		config("tcp", func(c *prober.Config) { c.TCP.TLS.CAFile = gone }),
		config("grpc", func(c *prober.Config) { c.GRPC.TLS.CAFile = gone }),
	} {
		if _, err := prober.New("m", c, prober.Options{}); err == nil || !strings.Contains(err.Error(), gone) {
			t.Errorf("%s: got %v, want one that names the file", c.Prober, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []prober.Config{
		httpConfig(func(c *prober.HTTPConfig) { c.Headers = map[string]string{"X-Key": "k"} }),
		httpConfig(func(c *prober.HTTPConfig) { c.BearerTokenFile = "f" }),
		httpConfig(func(c *prober.HTTPConfig) { c.BasicAuth = &prober.BasicAuth{} }),
		httpConfig(func(c *prober.HTTPConfig) { c.TLS.CertFile = "f" }),
		httpConfig(func(c *prober.HTTPConfig) { c.BodyFile = "f" }),
		config("tcp", func(c *prober.Config) { c.TCP.QueryResponse = []prober.Exchange{{Send: "PASS x"}} }),
		config("tcp", func(c *prober.Config) { c.TCP.TLS.CertFile = "f" }),
		config("tls", func(c *prober.Config) { c.TLS.CertFile = "f" }),
		config("dns", func(c *prober.Config) { c.DNS.TLS.CertFile = "f" }),
		config("grpc", func(c *prober.Config) { c.GRPC.TLS.CertFile = "f" }),
	} {
		if !c.Credentials() {
			t.Errorf("%s: secrets are not seen", c.Prober)
		}
	}
	for _, protocol := range prober.Protocols {
		c := config(protocol, nil)
		if c.Credentials() {
			t.Errorf("%s: the defaults count as secrets", protocol)
		}
	}
}
