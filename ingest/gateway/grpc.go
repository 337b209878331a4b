package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// grpcService answers OTLP and other protocols over gRPC.
//
// A request never becomes a protobuf message: the service reads the bytes of
// the stream itself. That is cheaper, and it is the only way to bound the
// memory of all requests together, because what grpc reads for a service is
// unbounded until it hands it over.
type grpcService struct {
	intake  *intake
	tokens  *tokens
	bodies  *bodies
	metrics *metrics
	routes  []*Route
}

func (s *grpcService) addRoute(r Route) error {
	r.Formats = slices.Clone(r.Formats)
	service, method, ok := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	if !ok || service == "" || method == "" || len(r.Formats) != 1 || r.Formats[0].Encoding != "" {
		return fmt.Errorf("path %s: a method of gRPC is /service/method and has one format, in any encoding", r.Path)
	}
	for _, known := range s.routes {
		if path.Dir(known.Path) == path.Dir(r.Path) {
			return fmt.Errorf("path %s: its service is routed twice", r.Path)
		}
	}
	if err := r.prepare(s.intake); err != nil {
		return err
	}
	s.routes = append(s.routes, &r)
	return nil
}

// otlpMethods are the methods of OTLP.
func otlpMethods() (routes []Route) {
	for _, signal := range telemetry.Signals {
		routes = append(routes, Route{
			Path: "/" + grpcServices[signal] + "/Export", Signal: signal, GRPC: true,
			Formats: []Format{{ContentType: contentProtobuf, Body: protobufAnswer}},
		})
	}
	return routes
}

// grpcServices are the names of OTLP's services.
var grpcServices = [len(telemetry.Signals)]string{
	telemetry.Logs:    "opentelemetry.proto.collector.logs.v1.LogsService",
	telemetry.Spans:   "opentelemetry.proto.collector.trace.v1.TraceService",
	telemetry.Metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}

const (
	// streamWindow and connectionWindow are how much a sender may have on the
	// way before it is read.
	streamWindow     = 256 << 10
	connectionWindow = 1 << 20
	// minPingTime is the least time between two pings of a client.
	minPingTime = 10 * time.Second
	// pingTime is after how much silence a client is asked whether it lives.
	pingTime    = time.Minute
	pingTimeout = 20 * time.Second
)

// server makes a server whose only methods are those of the routes.
func (s *grpcService) server(cfg Config, certs *transport.Certificates) *grpc.Server {
	l := cfg.Limits
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(int(max(l.MaxBody, l.MaxDecompressed))),
		grpc.MaxConcurrentStreams(uint32(l.MaxStreams)),
		grpc.MaxHeaderListSize(uint32(min(l.MaxHeader, math.MaxUint32))),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.WaitForHandlers(true),
		grpc.ConnectionTimeout(l.ReadHeaderTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: l.IdleTimeout, Time: pingTime, Timeout: pingTimeout}),
		// A stream's reads wait for its own context, so the bound on the time in
		// which a request must arrive has to be set before there is a handler.
		grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
			bounded, cancel := context.WithTimeout(ctx, l.ReadTimeout+cfg.RequestTimeout)
			context.AfterFunc(ctx, cancel)
			return bounded, nil
		}),
	}
	if certs != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(certs.Config("h2"))))
	}
	server := grpc.NewServer(options...)
	for _, route := range s.routes {
		service, method := path.Split(route.Path)
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: strings.Trim(service, "/"),
			HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{
				MethodName: method,
				Handler: func(_ any, ctx context.Context, _ func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
					return s.export(ctx, route)
				},
			}},
		}, s)
	}
	return server
}

func (s *grpcService) export(ctx context.Context, route *Route) (any, error) {
	start := time.Now()
	signal, format := route.Signal, &route.Formats[0]
	res := s.receive(ctx, signal, format)
	s.metrics.requests[overGRPC][signal][res.outcome].Inc()
	s.metrics.durations[overGRPC][signal].Observe(time.Since(start).Seconds())
	kind := &answers[res.outcome]
	if kind.code != codes.OK {
		return nil, grpcError(kind.code, res.message, kind.delay)
	}
	// Answers are a few bytes: compressing them would only make them longer.
	if err := grpc.SetSendCompressor(ctx, "identity"); err != nil {
		return nil, fmt.Errorf("choosing the compression of the answer: %w", err)
	}
	return rawMessage(format.Body(signal, Answer{Status: kind.status, Code: kind.code, Rejected: res.rejected, Message: res.message})), nil
}

// grpcError is a status, which says when to retry where a retry helps.
func grpcError(code codes.Code, message string, delay time.Duration) error {
	st := status.New(code, message)
	if delay > 0 {
		if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}); err == nil {
			st = detailed
		}
	}
	return st.Err()
}

func (s *grpcService) receive(ctx context.Context, signal telemetry.Signal, format *Format) result {
	var authorization string
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		authorization = values[0]
	}
	tenant, problem := s.tokens.tenant(authorization, signal)
	if problem != nil {
		return result{outcome: problem.outcome, message: problem.message}
	}
	body, err := s.body(ctx, signal)
	if err != nil {
		return refused(err)
	}
	defer body.release()
	if format.works != nil {
		return s.intake.deliverBy(ctx, format.works, delivery{signal: signal, tenant: tenant, body: body.bytes})
	}
	return s.intake.deliver(ctx, signal, tenant, body.bytes)
}

// stream is what grpc's transport offers to those who read messages themselves.
type stream interface {
	// ReadMessageHeader fills header, and Read returns exactly n bytes.
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
	RecvCompress() string
}

// body reads the one message of a request: a byte that tells whether it is
// compressed, its length in four bytes, and its content.
func (s *grpcService) body(ctx context.Context, signal telemetry.Signal) (*buffer, error) {
	st, ok := grpc.ServerTransportStreamFromContext(ctx).(stream)
	if !ok {
		return nil, refuse(internalError, "this version of grpc gives no access to its streams")
	}
	var header [5]byte
	if err := st.ReadMessageHeader(header[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, refuse(malformed, "the call holds no message")
		}
		return nil, streamRefusal(ctx, err)
	}
	enc := identity
	switch header[0] {
	case 0:
	case 1:
		name := st.RecvCompress()
		if enc, ok = encodingNamed(name); !ok || enc == identity {
			return nil, refuse(unsupported, "the message is compressed, but grpc-encoding is %q", name)
		}
	default:
		return nil, refuse(malformed, "the message begins with byte %d, which is no gRPC framing", header[0])
	}
	length := int64(binary.BigEndian.Uint32(header[1:]))
	return s.bodies.read(&streamReader{ctx: ctx, stream: st, left: length}, length, enc, overGRPC, signal, "the message")
}

// streamReader reads the content of one message.
type streamReader struct {
	ctx    context.Context
	stream stream
	left   int64
}

// readChunk bounds what the transport gathers at a time.
const readChunk = 64 << 10

// Read fills p, as far as the message goes.
func (r *streamReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	data, err := r.stream.Read(int(min(int64(len(p)), r.left, readChunk)))
	if err != nil {
		return 0, streamRefusal(r.ctx, err)
	}
	n := data.CopyTo(p)
	data.Free()
	r.left -= int64(n)
	return n, nil
}

func streamRefusal(ctx context.Context, err error) *refusal {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return refuse(tooSlow, "the message did not arrive in time")
	case ctx.Err() != nil:
		return refuse(clientGone, "the request was cancelled")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(malformed, "the message ends early")
	}
	return refuse(malformed, "reading the message: %v", err)
}

// rawMessage is an encoded answer.
type rawMessage []byte

// rawCodec passes encoded answers through. Requests do not come to it.
type rawCodec struct{}

// Name is part of the codec interface.
func (rawCodec) Name() string { return "proto" }

// Marshal returns the message as it is.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(rawMessage)
	if !ok {
		return nil, fmt.Errorf("encoding an answer: unexpected %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(m)}, nil
}

// Unmarshal is never called: the service reads its streams itself.
func (rawCodec) Unmarshal(mem.BufferSlice, any) error {
	return errors.New("decoding a request: not supported")
}
