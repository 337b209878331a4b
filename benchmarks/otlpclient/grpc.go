package otlpclient

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// Methods are the gRPC methods of the signals.
var Methods = [...]string{
	telemetry.Logs:    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	telemetry.Spans:   "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	telemetry.Metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

// grpcTransport sends bodies as they are over a few connections in turn.
type grpcTransport struct {
	timeout  time.Duration
	conns    []*grpc.ClientConn
	next     atomic.Uint64
	metadata metadata.MD
	options  []grpc.CallOption
}

func newGRPC(config Config, token string) (*grpcTransport, error) {
	e, err := config.endpoint()
	if err != nil {
		return nil, err
	}
	t := &grpcTransport{timeout: config.Timeout, options: []grpc.CallOption{
		grpc.ForceCodecV2(rawCodec{}),
		grpc.MaxCallSendMsgSize(math.MaxInt32),
	}}
	if config.Compression == "gzip" {
		t.options = append(t.options, grpc.UseCompressor(gzip.Name))
	}
	if token != "" {
		t.metadata = metadata.Pairs("authorization", "Bearer "+token)
	}
	secure := insecure.NewCredentials()
	if e.tls {
		secure = credentials.NewTLS(config.tlsConfig(e))
	}
	for range config.Connections {
		conn, err := grpc.NewClient("passthrough:///"+e.address,
			grpc.WithTransportCredentials(secure),
			grpc.WithUserAgent("goshawk-otlpclient"),
			grpc.WithDisableServiceConfig(),
			grpc.WithDisableRetry())
		if err != nil {
			t.close()
			return nil, fmt.Errorf("preparing a connection to %s: %w", e.address, err)
		}
		t.conns = append(t.conns, conn)
	}
	return t, nil
}

func (t *grpcTransport) try(ctx context.Context, r Request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	if t.metadata != nil {
		ctx = metadata.NewOutgoingContext(ctx, t.metadata)
	}
	conn := t.conns[t.next.Add(1)%uint64(len(t.conns))]
	var response []byte
	if err := conn.Invoke(ctx, Methods[r.Signal], r.Body, &response, t.options...); err != nil {
		return answer{}, grpcError(err, conn)
	}
	a, err := parseAnswer("application/x-protobuf", response, r.Signal)
	if err != nil {
		return answer{}, fmt.Errorf("%w: reading the answer: %w", ErrRefused, err)
	}
	return a, nil
}

// grpcError sorts a failed call as the OTLP specification does.
func grpcError(err error, conn *grpc.ClientConn) error {
	s := status.Convert(err)
	var delay time.Duration
	var hinted bool
	if encoded, marshalErr := proto.Marshal(s.Proto()); marshalErr == nil {
		delay, hinted = parseRetryInfo(encoded)
	}
	failure := fmt.Errorf("gateway answered %s: %s", s.Code(), shorten(s.Message()))
	switch s.Code() {
	case codes.Unavailable:
		// grpc backs off between its own attempts to connect; this client has
		// its own, and its waits are the ones that the caller configured.
		conn.ResetConnectBackoff()
		return &temporaryError{failure, delay}
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		return &temporaryError{failure, delay}
	case codes.ResourceExhausted:
		if hinted {
			return &temporaryError{failure, max(delay, time.Millisecond)}
		}
	}
	return fmt.Errorf("%w: %w", ErrRefused, failure)
}

func (t *grpcTransport) close() {
	for _, conn := range t.conns {
		_ = conn.Close() // it only fails when it is closed already
	}
}

// rawCodec hands over bytes that are protobuf already.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	body, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("encoding a %T: want bytes", v)
	}
	// A call can end while its body is still being written, and the caller may
	// use the body's memory again when Send returns: so grpc gets a copy.
	return mem.BufferSlice{mem.Copy(body, mem.DefaultBufferPool())}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	to, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("decoding to a %T: want bytes", v)
	}
	*to = data.Materialize()
	return nil
}

// Name is the content subtype, which OTLP wants to be proto.
func (rawCodec) Name() string { return "proto" }
