package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/ingest/topic"
	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp"
)

// Config says where the gateway listens, whom it lets in and how much it takes.
type Config struct {
	// OTLPGRPC and OTLPHTTP are host:port addresses; an empty one turns the
	// protocol off.
	OTLPGRPC string `yaml:"otlp_grpc"`
	OTLPHTTP string `yaml:"otlp_http"`
	// MoreGRPC and MoreHTTP are further addresses that answer just as OTLPGRPC
	// and OTLPHTTP do, for senders that expect the ports of another product: HTTP
	// on 127.0.0.1:9411 as Zipkin, on 127.0.0.1:14268 and gRPC on 127.0.0.1:14250
	// as Jaeger.
	MoreGRPC []string `yaml:"more_grpc"`
	MoreHTTP []string `yaml:"more_http"`
	// Tokens are the bearer tokens that senders present. Without any, every
	// sender is let in and belongs to DefaultTenant.
	Tokens []TokenConfig `yaml:"tokens"`
	// AllowAnonymous lets senders in that present no token: beside tokens, or
	// without any on an address that other machines reach.
	AllowAnonymous bool `yaml:"allow_anonymous"`
	// DefaultTenant owns what is sent without a token.
	DefaultTenant string              `yaml:"default_tenant"`
	TLS           transport.ServerTLS `yaml:"tls"`
	CORS          CORSConfig          `yaml:"cors"`
	Limits        LimitsConfig        `yaml:"limits"`
	// Events bounds single events and the time that they may have. The
	// processes behind Kafka should have the same limits.
	Events otlp.Limits `yaml:"events"`
	// Topics names the topic of every signal. It comes from the configuration
	// of Kafka, which all roles share.
	Topics topic.Config `yaml:"-"`
	// RequestTimeout bounds the time from the last byte of a request to the
	// acknowledgement by Kafka. It is shorter than the ten seconds after which
	// SDKs give up, so that they hear when to come back.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// ShutdownTimeout bounds how long requests in flight may go on after the
	// gateway was told to stop.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// TokenConfig is one bearer token.
type TokenConfig struct {
	Token  config.Secret `yaml:"token"`
	Tenant string        `yaml:"tenant"`
	// Signals lists what the token may send: logs, spans, metrics. An empty
	// list allows everything.
	Signals []string `yaml:"signals"`
}

// CORSConfig says which web pages may send from a browser.
type CORSConfig struct {
	// AllowedOrigins are origins such as https://shop.example, or "*" for all.
	// A request with another Origin header is refused.
	AllowedOrigins []string `yaml:"allowed_origins"`
}

// LimitsConfig bounds what senders can make the gateway hold and wait for.
type LimitsConfig struct {
	// MaxBody bounds a request body as it is sent, MaxDecompressed the same
	// body without its compression.
	MaxBody         config.Bytes `yaml:"max_body"`
	MaxDecompressed config.Bytes `yaml:"max_decompressed"`
	// MaxInflight bounds the memory of all request bodies together. A request
	// that does not fit is answered with 429 or RESOURCE_EXHAUSTED.
	MaxInflight config.Bytes `yaml:"max_inflight"`
	// MaxJSONDepth bounds how deeply the values of a JSON body may nest. One
	// OTLP list or map in a value takes four levels.
	MaxJSONDepth int `yaml:"max_json_depth"`
	// MaxConnections bounds the open connections of each address.
	MaxConnections int `yaml:"max_connections"`
	// MaxStreams bounds the concurrent requests of one HTTP/2 connection.
	MaxStreams int `yaml:"max_streams"`
	// MaxHeader bounds the headers of one request.
	MaxHeader config.Bytes `yaml:"max_header"`
	// ReadHeaderTimeout and ReadTimeout bound the time in which the headers and
	// the whole of a request must arrive, IdleTimeout how long a connection may
	// stay open between two requests.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
}

// DefaultConfig listens on the loopback interface, on the ports that OTLP
// senders expect.
func DefaultConfig() Config {
	return Config{
		OTLPGRPC:      "127.0.0.1:4317",
		OTLPHTTP:      "127.0.0.1:4318",
		DefaultTenant: telemetry.DefaultTenant,
		Limits: LimitsConfig{
			MaxBody:           20 << 20,
			MaxDecompressed:   20 << 20,
			MaxInflight:       64 << 20,
			MaxJSONDepth:      512,
			MaxConnections:    4096,
			MaxStreams:        128,
			MaxHeader:         32 << 10,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			IdleTimeout:       2 * time.Minute,
		},
		Events:          otlp.DefaultLimits(),
		Topics:          topic.DefaultConfig(),
		RequestTimeout:  8 * time.Second,
		ShutdownTimeout: 5 * time.Second,
	}
}

// Validate says what is wrong with the values. It opens nothing.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateAddresses(),
		c.validateTokens(),
		prefixed("gateway.tls", c.TLS.Validate()),
		c.CORS.validate(),
		c.Limits.validate(),
		prefixed("gateway.events", c.Events.Validate()),
		positive("request_timeout", c.RequestTimeout),
		positive("shutdown_timeout", c.ShutdownTimeout),
	)
}

func (c *Config) validateAddresses() error {
	if c.OTLPGRPC == "" && c.OTLPHTTP == "" {
		return errors.New("gateway: otlp_grpc and otlp_http are both empty, so there is nothing to listen on")
	}
	type setting struct{ key, address string }
	addresses := []setting{{"otlp_grpc", c.OTLPGRPC}, {"otlp_http", c.OTLPHTTP}}
	for _, address := range c.MoreGRPC {
		addresses = append(addresses, setting{"more_grpc", address})
	}
	for _, address := range c.MoreHTTP {
		addresses = append(addresses, setting{"more_http", address})
	}
	for i, a := range addresses {
		if a.address == "" && i < 2 {
			continue // turned off
		}
		host, _, err := net.SplitHostPort(a.address)
		if err != nil {
			return fmt.Errorf("gateway.%s: %q is no host:port address: %w", a.key, a.address, err)
		}
		if !transport.Loopback(host) && len(c.Tokens) == 0 && !c.AllowAnonymous {
			return fmt.Errorf("gateway.%s: %s can be reached from other machines, but there are no tokens; "+
				"set gateway.tokens, or gateway.allow_anonymous to let everybody in", a.key, a.address)
		}
	}
	return nil
}

func (c *Config) validateTokens() error {
	if err := telemetry.CheckTenant(c.DefaultTenant); err != nil {
		return fmt.Errorf("gateway.default_tenant: %w", err)
	}
	for i, t := range c.Tokens {
		if t.Token == "" {
			return fmt.Errorf("gateway.tokens[%d]: the token is empty", i)
		}
		if err := telemetry.CheckTenant(t.Tenant); err != nil {
			return fmt.Errorf("gateway.tokens[%d].tenant: %w", i, err)
		}
		for _, name := range t.Signals {
			if _, ok := signalNamed(name); !ok {
				return fmt.Errorf("gateway.tokens[%d].signals: %q is none of logs, spans, metrics", i, name)
			}
		}
		for j := range i {
			if c.Tokens[j].Token == t.Token {
				return fmt.Errorf("gateway.tokens[%d]: the same token as tokens[%d]", i, j)
			}
		}
	}
	return nil
}

func signalNamed(name string) (telemetry.Signal, bool) {
	i := slices.IndexFunc(telemetry.Signals[:], func(s telemetry.Signal) bool { return s.String() == name })
	if i < 0 {
		return 0, false
	}
	return telemetry.Signals[i], true
}

func (c *CORSConfig) validate() error {
	for _, o := range c.AllowedOrigins {
		if o == "*" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" {
			return fmt.Errorf("gateway.cors.allowed_origins: %q is no origin such as https://shop.example", o)
		}
	}
	return nil
}

// smallestLimit is the least that a size limit may be: a request of a few
// events must always fit.
const smallestLimit = 4 << 10

func (l *LimitsConfig) validate() error {
	for _, s := range []struct {
		key  string
		size config.Bytes
	}{{"max_body", l.MaxBody}, {"max_decompressed", l.MaxDecompressed}, {"max_inflight", l.MaxInflight}, {"max_header", l.MaxHeader}} {
		if s.size < smallestLimit || s.size > 1<<30 {
			return fmt.Errorf("gateway.limits.%s: %s is not between 4KiB and 1GiB", s.key, s.size)
		}
	}
	// A body is decompressed in one buffer, copied to another and cut in a third,
	// of which the first two exist beside the compressed one.
	if need := l.MaxBody + 2*l.MaxDecompressed; l.MaxInflight < need {
		return fmt.Errorf("gateway.limits.max_inflight: %s is less than max_body and twice max_decompressed (%s), "+
			"so the largest request could never be taken", l.MaxInflight, need)
	}
	if l.MaxJSONDepth < 16 || l.MaxJSONDepth > 5000 {
		return fmt.Errorf("gateway.limits.max_json_depth: %d is not between 16 and 5000", l.MaxJSONDepth)
	}
	if l.MaxConnections < 1 {
		return fmt.Errorf("gateway.limits.max_connections: %d is less than 1", l.MaxConnections)
	}
	if l.MaxStreams < 1 || l.MaxStreams > 10000 {
		return fmt.Errorf("gateway.limits.max_streams: %d is not between 1 and 10000", l.MaxStreams)
	}
	return errors.Join(
		positive("limits.read_header_timeout", l.ReadHeaderTimeout),
		positive("limits.read_timeout", l.ReadTimeout),
		positive("limits.idle_timeout", l.IdleTimeout),
	)
}

func prefixed(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

func positive(key string, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("gateway.%s: %s is not a positive duration", key, d)
	}
	return nil
}
