package jaeger

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/otlp"
)

// serviceName is the gRPC service of Jaeger's API v3.
const serviceName = "jaeger.api_v3.QueryService"

// maxRequest bounds a request over gRPC, in bytes.
const maxRequest = 256 << 10

// maxPart is about how many bytes a message has that is sent; clients take 4 MiB.
const maxPart = 2 << 20

// GRPC is Jaeger's gRPC query service v3 over a store, behind an HTTP server that
// speaks HTTP/2.
type GRPC struct {
	store  *traces.Store
	server *grpc.Server
}

var _ traces.API = (*GRPC)(nil)

// NewGRPC makes the service.
func NewGRPC(store *traces.Store) *GRPC {
	g := &GRPC{store: store, server: grpc.NewServer(grpc.ForceServerCodecV2(codec{}), grpc.MaxRecvMsgSize(maxRequest))}
	unary := func(name string, in func() reader, call func(context.Context, *traces.Reader, reader) (writer, error)) grpc.MethodDesc {
		return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			request := in()
			if err := decode(request); err != nil {
				return nil, err
			}
			var out writer
			err := g.do(ctx, func(ctx context.Context, r *traces.Reader) (err error) {
				out, err = call(ctx, r, request)
				return err
			})
			return out, err
		}}
	}
	streaming := func(name string, in func() reader, call func(context.Context, *traces.Reader, reader, grpc.ServerStream) error) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			request := in()
			if err := stream.RecvMsg(request); err != nil {
				return err
			}
			return g.do(stream.Context(), func(ctx context.Context, r *traces.Reader) error { return call(ctx, r, request, stream) })
		}}
	}
	find := func() reader { return &findRequest{} }
	g.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName, HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("GetServices", func() reader { return &noRequest{} }, getServices),
			unary("GetOperations", func() reader { return &operationsRequest{} }, getOperations),
			unary("GetDependencies", func() reader { return &dependenciesRequest{} }, getDependencies),
		},
		Streams: []grpc.StreamDesc{
			streaming("GetTrace", func() reader { return &traceRequest{} }, getTrace),
			streaming("FindTraces", find, findTraces),
			streaming("FindTraceSummaries", find, findSummaries),
		},
	}, nil)
	return g
}

// Paths implements [traces.API].
func (g *GRPC) Paths() []string { return []string{"POST /" + serviceName + "/{method}"} }

type tenantKey struct{}

// Serve implements [traces.API].
func (g *GRPC) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	defer g.store.BoundWriting(w)() // and the time in which it is computed, which is less
	g.server.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tenantKey{}, tenant)))
}

// do runs a call when it is its turn.
func (g *GRPC) do(ctx context.Context, call func(context.Context, *traces.Reader) error) error {
	tenant, _ := ctx.Value(tenantKey{}).(string) // Serve is the only way here
	r := g.store.For(tenant)
	err := g.store.Do(ctx, "jaeger_grpc", r, func(ctx context.Context) error { return call(ctx, r) })
	var known interface{ GRPCStatus() *status.Status }
	if err == nil || errors.As(err, &known) {
		return err
	}
	code, message := g.store.Worded(ctx, err)
	return status.Error(codeOf(code), message)
}

// codeOf returns the code for an HTTP status.
func codeOf(code int) codes.Code {
	switch code {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	case http.StatusNotImplemented:
		return codes.Unimplemented
	case 499:
		return codes.Canceled
	}
	return codes.Internal
}

// codec encodes the messages of this package.
type codec struct{}

var _ encoding.CodecV2 = codec{}

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	w, ok := v.(writer)
	if !ok {
		return nil, errors.New("the message cannot be written")
	}
	return mem.BufferSlice{mem.SliceBuffer(w.append(nil))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	r, ok := v.(reader)
	if !ok {
		return errors.New("the message cannot be read")
	}
	return walk(data.Materialize(), r.field)
}

func getServices(ctx context.Context, r *traces.Reader, _ reader) (writer, error) {
	all, err := r.Services(ctx, bounded(r, 0, 0))
	return servicesResponse(all), err
}

func getOperations(ctx context.Context, r *traces.Reader, in reader) (writer, error) {
	request := in.(*operationsRequest)
	if request.service == "" {
		return nil, store.Invalid("the field service is required")
	}
	all, err := operationsOf(ctx, r, request.service, request.kind, bounded(r, 0, 0))
	return operationsResponse(all), err
}

func getDependencies(ctx context.Context, r *traces.Reader, in reader) (writer, error) {
	request := in.(*dependenciesRequest)
	p := &traces.Parameters{}
	range_ := p.Bounded(request.start, request.start != 0, request.end, request.end != 0, r.Config().Lookback)
	if p.Err != nil {
		return nil, p.Err
	}
	all, err := r.Dependencies(ctx, range_)
	return dependenciesResponse(all), err
}

// bounded is the time from start to end; zeros say nothing.
func bounded(r *traces.Reader, start, end int64) traces.Range {
	return (&traces.Parameters{}).Bounded(start, start != 0, end, end != 0, r.Config().Lookback)
}

func getTrace(ctx context.Context, r *traces.Reader, in reader, out grpc.ServerStream) error {
	request := in.(*traceRequest)
	id, err := traces.TraceIDOf(request.id)
	if err != nil {
		return err
	}
	var hint *traces.Range
	if request.start != 0 || request.end != 0 {
		hint = &traces.Range{From: request.start, To: traces.Everything().To}
		if request.end != 0 {
			hint.To = request.end
		}
	}
	t, err := r.Found(ctx, id, hint)
	if err != nil {
		return err
	}
	return sendTrace(t, out)
}

func sendTrace(t *traces.Trace, out grpc.ServerStream) error {
	return otlp.Parts(t, maxPart, func(b []byte) error { return out.SendMsg(encoded(b)) })
}

// found returns the traces that a request asks for.
func found(ctx context.Context, r *traces.Reader, request *findRequest, limit int, which traces.Columns) ([]*traces.Trace, error) {
	if request.filter {
		return nil, &store.Fault{Status: http.StatusNotImplemented, Message: "the field filter is not supported; use service_name, operation_name, attributes and durations"}
	}
	if limit < 0 || limit > r.Config().MaxTraces {
		return nil, store.Invalid("%d traces are above the highest limit, %d (query.traces.max_traces)", limit, r.Config().MaxTraces)
	}
	if limit == 0 {
		limit = defaultLimit
	}
	p := &traces.Parameters{}
	in := p.Bounded(request.start, request.start != 0, request.end, request.end != 0, r.Config().Lookback)
	if p.Err != nil {
		return nil, p.Err
	}
	s := search{service: request.service, operation: request.operation, tags: request.tags}
	s.shortest, s.hasShortest = request.shortest, request.shortest > 0
	s.longest, s.hasLong = request.longest, request.longest > 0
	c, err := s.condition()
	if err != nil {
		return nil, err
	}
	return r.Search(ctx, c, in, limit, which)
}

func findTraces(ctx context.Context, r *traces.Reader, in reader, out grpc.ServerStream) error {
	request := in.(*findRequest)
	if request.paged {
		return store.Invalid("FindTraces has no pages; set search_depth")
	}
	all, err := found(ctx, r, request, request.depth, traces.All)
	if err != nil {
		return err
	}
	for _, t := range all {
		if err := sendTrace(t, out); err != nil {
			return err
		}
	}
	return nil
}

func findSummaries(ctx context.Context, r *traces.Reader, in reader, out grpc.ServerStream) error {
	request := in.(*findRequest)
	limit := request.depth
	if request.paged {
		switch {
		case request.depth != 0:
			return store.Invalid("a request has either search_depth or pagination")
		case request.pageSize == 0:
			return store.Invalid("page_size must be above 0")
		case request.pageToken:
			return store.Invalid("the page_token is not known: there is one page")
		}
		limit = request.pageSize
	}
	all, err := found(ctx, r, request, limit, 0)
	if err != nil {
		return err
	}
	return out.SendMsg(summariesResponse(all))
}
