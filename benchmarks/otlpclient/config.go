package otlpclient

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/internal/config"
)

// The protocols.
const (
	HTTP = "http"
	GRPC = "grpc"
)

// Config says where and how to send.
type Config struct {
	// Endpoint is the gateway: a URL with scheme http or https and an optional
	// path prefix, or host:port, which means no TLS.
	Endpoint string
	// Protocol is HTTP (binary protobuf, HTTP/1.1) or GRPC.
	Protocol string
	// Compression is "", "gzip", or over HTTP also "zstd".
	Compression string
	// Token is sent as a bearer token where it is set.
	Token config.Secret
	// TLS overrides the system's roots and the server name where the endpoint
	// is https; nil means the defaults.
	TLS *tls.Config
	// Connections is the number of connections. Over HTTP each carries one
	// request at a time.
	Connections int
	// Streams is the number of requests in flight on each gRPC connection.
	Streams int
	// Timeout bounds one try, connecting included.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound the wait before a repeat where the
	// gateway names no delay; MaxRetryAfter bounds the delay that it may name.
	MinBackoff, MaxBackoff, MaxRetryAfter time.Duration
}

// DefaultConfig sends over HTTP to a gateway on this machine.
func DefaultConfig() Config {
	return Config{
		Endpoint:      "http://127.0.0.1:4318",
		Protocol:      HTTP,
		Connections:   4,
		Streams:       4,
		Timeout:       10 * time.Second,
		MinBackoff:    50 * time.Millisecond,
		MaxBackoff:    2 * time.Second,
		MaxRetryAfter: 30 * time.Second,
	}
}

// Validate reports the first thing that is wrong.
func (c *Config) Validate() error {
	switch c.Protocol {
	case HTTP, GRPC:
	default:
		return fmt.Errorf("protocol %q: want %s or %s", c.Protocol, HTTP, GRPC)
	}
	switch {
	case c.Compression == "", c.Compression == "gzip":
	case c.Compression == "zstd" && c.Protocol == HTTP:
	case c.Compression == "zstd":
		return fmt.Errorf("compression zstd: only over %s; use gzip", HTTP)
	default:
		return fmt.Errorf("compression %q: want gzip, zstd or none", c.Compression)
	}
	if _, err := c.endpoint(); err != nil {
		return err
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"connections", c.Connections}, {"streams", c.Streams}} {
		if n.value < 1 || n.value > 1024 {
			return fmt.Errorf("%s %d: want 1 to 1024", n.name, n.value)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"timeout", c.Timeout}, {"min_backoff", c.MinBackoff}, {"max_backoff", c.MaxBackoff}, {"max_retry_after", c.MaxRetryAfter}} {
		if d.value <= 0 {
			return fmt.Errorf("%s %s: want more than zero", d.name, d.value)
		}
	}
	if c.MaxBackoff < c.MinBackoff {
		return fmt.Errorf("max_backoff %s: want at least min_backoff, %s", c.MaxBackoff, c.MinBackoff)
	}
	return nil
}

// InFlight is how many requests the client can have in flight.
func (c *Config) InFlight() int {
	if c.Protocol == GRPC {
		return c.Connections * c.Streams
	}
	return c.Connections
}

// endpoint is a parsed Config.Endpoint.
type endpoint struct {
	address string // host:port
	host    string // without the port
	path    string // prefix, without a slash at its end
	tls     bool
}

func (c *Config) endpoint() (endpoint, error) {
	text := c.Endpoint
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return endpoint{}, fmt.Errorf("endpoint: %w", err)
	}
	e := endpoint{address: u.Host, host: u.Hostname(), path: strings.TrimSuffix(u.EscapedPath(), "/")}
	switch u.Scheme {
	case "http":
	case "https":
		e.tls = true
	default:
		return endpoint{}, fmt.Errorf("endpoint %q: want scheme http or https, not %s", c.Endpoint, u.Scheme)
	}
	switch {
	case e.host == "":
		return endpoint{}, fmt.Errorf("endpoint %q: want host:port or a URL", c.Endpoint)
	case u.User != nil:
		return endpoint{}, fmt.Errorf("endpoint: credentials in the URL are not supported; use a token")
	case u.RawQuery != "" || u.Fragment != "":
		return endpoint{}, fmt.Errorf("endpoint %q: want no query and no fragment", c.Endpoint)
	case e.path != "" && c.Protocol == GRPC:
		return endpoint{}, fmt.Errorf("endpoint %q: want no path with %s", c.Endpoint, GRPC)
	}
	if u.Port() == "" {
		port := map[string]map[bool]string{HTTP: {false: "4318", true: "443"}, GRPC: {false: "4317", true: "443"}}[c.Protocol][e.tls]
		e.address = strings.TrimSuffix(u.Host, ":") + ":" + port
	}
	return e, nil
}

func (c *Config) tlsConfig(e endpoint) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		t = c.TLS.Clone()
	}
	if t.ServerName == "" {
		t.ServerName = e.host
	}
	return t
}
