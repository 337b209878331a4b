// Package gateway takes telemetry from senders, over OTLP/gRPC and OTLP/HTTP,
// and hands it to Kafka.
//
// It answers success only after Kafka acknowledged: a sender that heard of
// success never has to send again, and one that did not hear may send again
// without harm, because a repeat is recognised by its batch id.
//
// The gateway does not decode. It authenticates, limits, decompresses, has the
// request checked and cut into parts in place, and passes the parts on. All
// memory that senders can make it hold is bounded together; what exceeds the
// bound is refused with a hint when to retry.
//
// It must not know how Kafka is written to (ingest/topic) nor what the bytes
// mean (telemetry/otlp). A protocol beside OTLP is a folder that returns its
// [Route]s.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// Gateway is the server in front of Kafka.
type Gateway struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	decoded *decoders
	health  *health
	http    *httpService
	grpc    *grpcService
	certs   *transport.Certificates // nil without TLS

	ready chan struct{}
	addrs Addrs
}

// Addrs are the addresses that the gateway listens on; nil where a protocol is
// turned off. More are those of the settings more_grpc and more_http, in order.
type Addrs struct {
	GRPC, HTTP         net.Addr
	MoreGRPC, MoreHTTP []net.Addr
}

// Registry is where the gateway registers its metrics and what it serves at
// /metrics. A *prometheus.Registry is one.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// New makes a gateway that writes to producer. It reads secrets and
// certificates but opens no port. More are the routes of protocols beside OTLP.
func New(cfg Config, producer Producer, reg Registry, log *slog.Logger, more ...Route) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tokens, err := newTokens(cfg)
	if err != nil {
		return nil, err
	}
	var certs *transport.Certificates
	if cfg.TLS.Enabled() {
		if certs, err = transport.NewCertificates(cfg.TLS, log); err != nil {
			return nil, fmt.Errorf("gateway.tls.%w", err)
		}
	}
	memory := newMemory(int64(cfg.Limits.MaxInflight))
	decoders, err := newDecoders(memory, int64(cfg.Limits.MaxDecompressed))
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(reg, memory)
	if err != nil {
		return nil, fmt.Errorf("registering metrics of the gateway: %w", err)
	}
	in := &intake{
		producer: producer, limits: cfg.Events, timeout: cfg.RequestTimeout,
		memory: memory, maxOutput: int64(cfg.Limits.MaxInflight - cfg.Limits.MaxDecompressed),
		metrics: m, log: log,
	}
	in.works = in.otlpWorks()
	for _, s := range telemetry.Signals {
		in.topics[s] = cfg.Topics.Of(s)
	}
	bodies := &bodies{memory: memory, decoders: decoders, metrics: m, max: int64(cfg.Limits.MaxBody)}
	g := &Gateway{
		cfg: cfg, log: log, metrics: m, decoded: decoders, certs: certs,
		health: &health{intake: in, trim: func() { memory.trim(); decoders.trim() }},
		ready:  make(chan struct{}),
		grpc:   &grpcService{intake: in, tokens: tokens, bodies: bodies, metrics: m},
		http: &httpService{
			intake: in, tokens: tokens, bodies: bodies, metrics: m,
			origins: newOrigins(cfg.CORS),
			routes:  make(map[string]*Route),
		},
	}
	g.http.pages = map[string]http.Handler{
		"/":        serveGreeting(more),
		"/healthz": http.HandlerFunc(serveHealthy),
		"/readyz":  http.HandlerFunc(g.health.serveReady),
		"/metrics": promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}),
	}
	for _, r := range slices.Concat(otlpRoutes(cfg.Limits.MaxJSONDepth), otlpMethods(), more) {
		add := g.http.addRoute
		if r.GRPC {
			add = g.grpc.addRoute
		}
		if err := add(r); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Ready is closed when all ports are open. A gateway whose Run returns an error
// may never get there.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Addrs returns the addresses that the gateway listens on, once it is ready.
func (g *Gateway) Addrs() Addrs {
	<-g.ready
	return g.addrs
}

// Run serves until ctx is done. Then it takes no more connections, lets the
// requests in flight end for at most the shutdown timeout, and returns nil. It
// may be called once.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.decoded.close()
	var servers []server
	closeAll := func() {
		for _, s := range servers {
			_ = s.listener.Close()
		}
	}
	open := func(how func(context.Context, string) (server, error), address string, opened func(net.Addr)) error {
		s, err := how(ctx, address)
		if err != nil {
			closeAll()
			return err
		}
		opened(s.listener.Addr())
		servers = append(servers, s)
		return nil
	}
	if g.cfg.OTLPGRPC != "" {
		if err := open(g.openGRPC, g.cfg.OTLPGRPC, func(a net.Addr) { g.addrs.GRPC = a }); err != nil {
			return err
		}
	}
	if g.cfg.OTLPHTTP != "" {
		if err := open(g.openHTTP, g.cfg.OTLPHTTP, func(a net.Addr) { g.addrs.HTTP = a }); err != nil {
			return err
		}
	}
	for _, address := range g.cfg.MoreGRPC {
		if err := open(g.openGRPC, address, func(a net.Addr) { g.addrs.MoreGRPC = append(g.addrs.MoreGRPC, a) }); err != nil {
			return err
		}
	}
	for _, address := range g.cfg.MoreHTTP {
		if err := open(g.openHTTP, address, func(a net.Addr) { g.addrs.MoreHTTP = append(g.addrs.MoreHTTP, a) }); err != nil {
			return err
		}
	}

	group, running := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(s.serve)
		group.Go(func() error {
			<-running.Done()
			g.health.stopping.Store(true)
			s.stop()
			return nil
		})
	}
	group.Go(func() error {
		g.health.run(running)
		return nil
	})
	close(g.ready)
	g.log.Info("gateway is listening", "otlp_grpc", g.addrs.GRPC, "otlp_http", g.addrs.HTTP,
		"more_grpc", g.addrs.MoreGRPC, "more_http", g.addrs.MoreHTTP, "tls", g.certs != nil)
	return group.Wait()
}

// server is one open port. Serve returns nil after stop.
type server struct {
	listener net.Listener
	serve    func() error
	stop     func()
}

func (g *Gateway) openGRPC(ctx context.Context, address string) (server, error) {
	l, err := listen(ctx, address, overGRPC, g.cfg.Limits.MaxConnections, g.metrics, g.log)
	if err != nil {
		return server{}, err
	}
	srv := g.grpc.server(g.cfg, g.certs)
	return server{
		listener: l,
		serve: func() error {
			if err := srv.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				return fmt.Errorf("serving OTLP over grpc: %w", err)
			}
			return nil
		},
		stop: func() {
			late := time.AfterFunc(g.cfg.ShutdownTimeout, srv.Stop)
			defer late.Stop()
			srv.GracefulStop()
		},
	}, nil
}

// answerTime is what a response may take beyond the time of its request.
const answerTime = 5 * time.Second

func (g *Gateway) openHTTP(ctx context.Context, address string) (server, error) {
	l, err := listen(ctx, address, overHTTP, g.cfg.Limits.MaxConnections, g.metrics, g.log)
	if err != nil {
		return server{}, err
	}
	limits := g.cfg.Limits
	srv := &http.Server{
		Handler:           g.http,
		ReadHeaderTimeout: limits.ReadHeaderTimeout,
		ReadTimeout:       limits.ReadTimeout,
		WriteTimeout:      limits.ReadTimeout + g.cfg.RequestTimeout + answerTime,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    int(limits.MaxHeader),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          limits.MaxStreams,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
			SendPingTimeout:               pingTime,
			PingTimeout:                   pingTimeout,
		},
		// Complaints about connections are for whoever debugs a sender.
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	serve := func() error { return srv.Serve(l) }
	if g.certs != nil {
		srv.TLSConfig = g.certs.Config("h2", "http/1.1")
		serve = func() error { return srv.Serve(tls.NewListener(l, srv.TLSConfig)) }
	}
	return server{
		listener: l,
		serve: func() error {
			if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving OTLP over http: %w", err)
			}
			return nil
		},
		stop: func() {
			ctx, cancel := context.WithTimeout(context.Background(), g.cfg.ShutdownTimeout)
			defer cancel()
			if err := srv.Shutdown(ctx); err != nil {
				_ = srv.Close()
			}
		},
	}, nil
}

const greeting = `This is a goshawk gateway. It takes OpenTelemetry data:

  POST /v1/logs      OTLP log records   (application/x-protobuf or application/json)
  POST /v1/traces    OTLP spans
  POST /v1/metrics   OTLP metric points
%s
  GET  /healthz      is the process alive?
  GET  /readyz       can it deliver to Kafka?
  GET  /metrics      its own figures, for Prometheus

Point an SDK at it with OTEL_EXPORTER_OTLP_ENDPOINT and this page's base URL.
`

func serveGreeting(more []Route) http.HandlerFunc {
	var list strings.Builder
	for _, r := range more {
		if r.GRPC {
			fmt.Fprintf(&list, "  gRPC %-13s %s, on the port of OTLP/gRPC\n", r.Path, r.About)
			continue
		}
		if len(r.Formats) == 0 {
			continue // takes nothing
		}
		fmt.Fprintf(&list, "  POST %-13s %s\n", r.Path, r.About)
	}
	text := fmt.Appendf(nil, greeting, list.String())
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(text)
	}
}
