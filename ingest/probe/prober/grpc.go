package prober

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	codepb "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const phaseCheck = "check"

// grpcProber calls the health service over a connection of its own.
type grpcProber struct {
	cfg    *GRPCConfig
	tls    *tls.Config
	agent  string
	dialer *dialer
}

func newGRPC(cfg *GRPCConfig, d *dialer, agent string) (*grpcProber, error) {
	loaded, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	loaded.NextProtos = []string{"h2"}
	return &grpcProber{cfg: cfg, tls: loaded, agent: agent, dialer: d}, nil
}

func (*grpcProber) close() {}

func (*grpcProber) check(target string) error { return checkHostPort(target) }

// attempt keeps what the connection met, since gRPC hands on only its text.
type attempt struct {
	mu   sync.Mutex
	err  error
	conn time.Time
}

func (a *attempt) ended(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err, a.conn = err, time.Now()
	return err
}

func (p *grpcProber) probe(ctx context.Context, target string, r *Result) error {
	const method = "grpc.health.v1.Health/Check"
	r.SpanName = method
	r.measure(GRPCDuration, phaseResolve, phaseConnect, phaseTLS, phaseCheck)
	r.text("network.transport", "tcp")
	r.text("rpc.system", "grpc")
	r.text("rpc.service", "grpc.health.v1.Health")
	r.text("rpc.method", "Check")
	host, port, _ := net.SplitHostPort(target)
	r.server(host, port)

	var a attempt
	security := insecure.NewCredentials()
	if p.cfg.UseTLS {
		cfg := p.tls.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName = host
		}
		security = &observedTLS{TransportCredentials: credentials.NewTLS(cfg), attempt: &a, cfg: &p.cfg.TLS, r: r}
	}
	client, err := grpc.NewClient(
		"passthrough:///"+target,
		grpc.WithTransportCredentials(security),
		grpc.WithContextDialer(func(dialing context.Context, addr string) (net.Conn, error) {
			conn, err := p.dialer.dial(dialing, r, "tcp", addr)
			return conn, a.ended(err)
		}),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithNoProxy(), grpc.WithUserAgent(p.agent),
	)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	call := metadata.AppendToOutgoingContext(ctx, "traceparent", r.Traceparent())
	answer, err := grpc_health_v1.NewHealthClient(client).Check(call, &grpc_health_v1.HealthCheckRequest{Service: p.cfg.Service})
	_ = client.Close()

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil && !a.conn.IsZero() {
		r.phase(phaseCheck, a.conn, time.Now())
	}
	code := status.Code(err)
	r.point(GRPCStatus, float64(code))
	r.number("rpc.grpc.status_code", int64(code))
	r.flag(GRPCSSL, p.cfg.UseTLS && a.err == nil && !a.conn.IsZero())
	serving := p.report(r, answer, code)
	switch {
	case a.err != nil:
		return timeoutOr(ctx, a.err)
	case err != nil:
		return &Failure{Type: codepb.Code(code).String(), Err: timeoutOr(ctx, fmt.Errorf("checking health: %w", err))}
	case serving != "SERVING":
		return failf(serving, "the service %q is %s", p.cfg.Service, serving)
	}
	return nil
}

// report notes the serving status as one point for each that there is.
func (p *grpcProber) report(r *Result, answer *grpc_health_v1.HealthCheckResponse, code codes.Code) string {
	serving := ""
	if answer != nil {
		serving = answer.GetStatus().String()
	} else if code == codes.NotFound {
		// A server says so of services that it does not know.
		serving = "SERVICE_UNKNOWN"
	}
	for _, s := range []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"} {
		r.flag(GRPCHealth, s == serving, Label{"serving_status", s})
	}
	if serving != "" {
		r.text("grpc.health.status", serving)
		r.explain("answered %s", serving)
	}
	return serving
}

// observedTLS notes time, certificates and errors of the handshake.
type observedTLS struct {
	credentials.TransportCredentials
	attempt *attempt
	cfg     *TLSConfig
	r       *Result
}

// ClientHandshake is called by gRPC for every connection.
func (o *observedTLS) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	start := time.Now()
	conn, info, err := o.TransportCredentials.ClientHandshake(ctx, authority, raw)
	o.r.phase(phaseTLS, start, time.Now())
	if err != nil {
		o.r.refusedCertificates(err)
		return nil, nil, o.attempt.ended(fmt.Errorf("tls handshake: %w", tlsError(ctx, err)))
	}
	if state, ok := info.(credentials.TLSInfo); ok {
		o.r.encrypted(state.State)
		err = o.cfg.remaining(state.State.PeerCertificates)
	}
	if err := o.attempt.ended(err); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, info, nil
}

// Clone keeps what observes the handshake.
func (o *observedTLS) Clone() credentials.TransportCredentials {
	c := *o
	c.TransportCredentials = o.TransportCredentials.Clone()
	return &c
}
