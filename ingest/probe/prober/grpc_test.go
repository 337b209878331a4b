package prober_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/goshawk-observability/goshawk/ingest/probe/prober"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

// healthServer keeps the traceparent of the last call.
func healthServer(t *testing.T, seen chan<- string, options ...grpc.ServerOption) string {
	t.Helper()
	options = append(options, grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- fmt.Sprint(md.Get("traceparent"))
		return next(ctx, req)
	}))
	s := grpc.NewServer(options...)
	h := health.NewServer()
	h.SetServingStatus("up", grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus("down", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(s, h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestGRPC(t *testing.T) {
	c := signed(t)
	seen := make(chan string, 1)
	plain := healthServer(t, seen)
	secure := healthServer(t, seen, grpc.Creds(credentials.NewServerTLSFromCert(&c.pair)))
	for service, want := range map[string]struct {
		status string
		kind   string
		code   codes.Code
	}{
		"":        {"SERVING", "", codes.OK},
		"up":      {"SERVING", "", codes.OK},
		"down":    {"NOT_SERVING", "NOT_SERVING", codes.OK},
		"unknown": {"SERVICE_UNKNOWN", "NOT_FOUND", codes.NotFound},
	} {
		for useTLS, address := range map[bool]string{false: plain, true: secure} {
			r := run(t, config("grpc", func(m *prober.Config) {
				m.GRPC.Service, m.GRPC.UseTLS, m.GRPC.TLS.CAFile = service, useTLS, c.ca
			}), address)
			t.Log(service, useTLS)
			expect(t, r, want.kind, "")
			ssl := 0.
			if useTLS {
				ssl = 1
				values(t, r, map[string]float64{prober.CertEarliestExpiry: unix(c.notAfter)})
			}
			values(t, r, map[string]float64{prober.GRPCStatus: float64(want.code), prober.GRPCSSL: ssl})
			for _, status := range []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"} {
				if got, ok := find(r, prober.GRPCHealth, "serving_status", status); !ok || (got == 1) != (status == want.status) {
					t.Errorf("status %s is %v (present: %t), want only %s", status, got, ok, want.status)
				}
			}
			phases(t, r, prober.GRPCDuration, map[string]bool{"resolve": false, "connect": true, "tls": useTLS, "check": true})
			if got, want := <-seen, "["+r.Traceparent()+"]"; got != want {
				t.Errorf("traceparent %s, want %s", got, want)
			}
			texts(t, r, map[string]string{"rpc.system": "grpc", "rpc.method": "Check", "network.peer.address": "127.0.0.1"})
		}
	}
}

func TestGRPCFailures(t *testing.T) {
	c := signed(t)
	seen := make(chan string, 1)
	secure := healthServer(t, seen, grpc.Creds(credentials.NewServerTLSFromCert(&c.pair)))
	r := run(t, config("grpc", func(m *prober.Config) { m.GRPC.UseTLS = true }), secure)
	expect(t, r, "certificate", "unknown authority")
	values(t, r, map[string]float64{prober.CertEarliestExpiry: unix(c.notAfter), prober.GRPCSSL: 0, prober.GRPCStatus: float64(codes.Unavailable)})
	r = run(t, config("grpc", func(m *prober.Config) {
		m.GRPC.UseTLS, m.GRPC.TLS.CAFile, m.GRPC.TLS.FailIfExpiresWithin = true, c.ca, 2*time.Hour
	}), secure)
	expect(t, r, "certificate", "expires at")

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	expect(t, run(t, config("grpc", nil), closed.Addr().String()), "connection_refused", "connecting")

	// A server of another kind, without the health service.
	none := grpc.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- none.Serve(l) }()
	expect(t, run(t, config("grpc", nil), l.Addr().String()), "UNIMPLEMENTED", "checking health")
	none.Stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	release := make(chan struct{})
	silent := transporttest.Listen(t, "tcp", "127.0.0.1:0", func(net.Conn) { <-release })
	defer close(release)
	m := newModule(t, config("grpc", nil), nil)
	expect(t, m.Probe(t.Context(), silent, 100*time.Millisecond, false), "timeout", "timeout after 100ms")
}
