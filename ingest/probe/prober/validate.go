package prober

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/http/httpguts"
)

var tlsVersions = map[string]uint16{
	"": tls.VersionTLS12, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

func (c *HTTPConfig) validate() error {
	var errs []error
	if !httpguts.ValidHeaderFieldName(c.Method) {
		errs = append(errs, fmt.Errorf("method: %q is none", c.Method))
	}
	for name, value := range c.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			errs = append(errs, fmt.Errorf("headers: %q is no header, or its value holds characters that are not allowed", name))
		}
	}
	for _, code := range c.ValidStatusCodes {
		if http.StatusText(code) == "" && (code < 100 || code > 999) {
			errs = append(errs, fmt.Errorf("valid_status_codes: %d is no status code", code))
		}
	}
	for _, v := range c.ValidHTTPVersions {
		if _, _, ok := http.ParseHTTPVersion(v); !ok {
			errs = append(errs, fmt.Errorf("valid_http_versions: %q is not of the form HTTP/1.1", v))
		}
	}
	if c.Body != "" && c.BodyFile != "" {
		errs = append(errs, errors.New("body and body_file exclude each other"))
	}
	if c.BasicAuth != nil {
		if c.BearerTokenFile != "" {
			errs = append(errs, errors.New("basic_auth and bearer_token_file exclude each other"))
		}
		if c.BasicAuth.Username == "" {
			errs = append(errs, errors.New("basic_auth.username: must not be empty"))
		}
	}
	if c.Compression != "" && c.Compression != "gzip" {
		errs = append(errs, fmt.Errorf("compression: %q is neither empty nor gzip", c.Compression))
	}
	if c.MaxRedirects < 0 {
		errs = append(errs, errors.New("max_redirects: must not be negative"))
	}
	if c.FailIfSSL && c.FailIfNotSSL {
		errs = append(errs, errors.New("fail_if_ssl and fail_if_not_ssl exclude each other"))
	}
	const most = 64 << 20
	if c.BodyLimit == 0 || c.BodyLimit > most {
		errs = append(errs, errors.New("body_limit: must be from 1 byte to 64MiB"))
	}
	_, err := c.compile()
	return errors.Join(append(errs, err, prefixed("tls", c.TLS.validate()))...)
}

func (c *TLSConfig) validate() error {
	var errs []error
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("cert_file and key_file belong together; one of them is empty"))
	}
	if _, ok := tlsVersions[c.MinVersion]; !ok {
		errs = append(errs, fmt.Errorf("min_version: %q is none of 1.0, 1.1, 1.2, 1.3", c.MinVersion))
	}
	if c.FailIfExpiresWithin < 0 {
		errs = append(errs, errors.New("fail_if_expires_within: must not be negative"))
	}
	return errors.Join(errs...)
}

func (c *TCPConfig) validate() error {
	errs := []error{prefixed("tls", c.TLS.validate())}
	encrypted := c.UseTLS
	for i, e := range c.QueryResponse {
		if e.StartTLS && encrypted {
			errs = append(errs, fmt.Errorf("query_response[%d]: the connection uses TLS already", i))
		}
		encrypted = encrypted || e.StartTLS
		if _, err := regexp.Compile(e.Expect); err != nil {
			errs = append(errs, fmt.Errorf("query_response[%d].expect: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (c *DNSConfig) validate() error {
	errs := []error{prefixed("tls", c.TLS.validate())}
	if _, ok := dns.IsDomainName(c.QueryName); !ok || c.QueryName == "" {
		errs = append(errs, fmt.Errorf("query_name: %q is no domain name", c.QueryName))
	}
	if _, ok := dns.StringToType[strings.ToUpper(c.QueryType)]; !ok {
		errs = append(errs, fmt.Errorf("query_type: %q is not known", c.QueryType))
	}
	if _, ok := dns.StringToClass[strings.ToUpper(c.QueryClass)]; !ok {
		errs = append(errs, fmt.Errorf("query_class: %q is not known", c.QueryClass))
	}
	switch c.Protocol {
	case "udp", "tcp", "tls":
	default:
		errs = append(errs, fmt.Errorf("transport_protocol: %q is none of udp, tcp, tls", c.Protocol))
	}
	for _, code := range c.ValidRcodes {
		if _, ok := dns.StringToRcode[code]; !ok {
			errs = append(errs, fmt.Errorf("valid_rcodes: %q is not known", code))
		}
	}
	for key, m := range map[string]RRMatch{
		"validate_answer_rrs": c.ValidateAnswer, "validate_authority_rrs": c.ValidateAuthority,
		"validate_additional_rrs": c.ValidateAdditional,
	} {
		_, err := m.compile()
		errs = append(errs, prefixed(key, err))
	}
	return errors.Join(errs...)
}

func (c *ICMPConfig) validate() error {
	var errs []error
	if c.PayloadSize < minPayload || c.PayloadSize > maxPayload {
		errs = append(errs, fmt.Errorf("payload_size: must be from %d to %d", minPayload, maxPayload))
	}
	if c.TTL < 0 || c.TTL > 255 {
		errs = append(errs, errors.New("ttl: must be from 0 to 255"))
	}
	return errors.Join(errs...)
}

// compileAll compiles expressions; the error names the key they stand under.
func compileAll(key string, expressions []string) ([]*regexp.Regexp, error) {
	var compiled []*regexp.Regexp
	for _, e := range expressions {
		re, err := regexp.Compile(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		compiled = append(compiled, re)
	}
	return compiled, nil
}

func prefixed(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}
