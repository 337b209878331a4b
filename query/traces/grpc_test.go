package traces_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/jaeger"
)

// api is what api_v3/query_service.proto says of the messages, so that the client
// here is not made of the code that it tests.
func api(t *testing.T) map[string]protoreflect.MessageDescriptor {
	t.Helper()
	const text, message, int32s, uint32s, uint64s, fixed, truth = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, descriptorpb.FieldDescriptorProto_TYPE_INT32,
		descriptorpb.FieldDescriptorProto_TYPE_UINT32, descriptorpb.FieldDescriptorProto_TYPE_UINT64, descriptorpb.FieldDescriptorProto_TYPE_FIXED64, descriptorpb.FieldDescriptorProto_TYPE_BOOL
	field := func(n int32, name string, kind descriptorpb.FieldDescriptorProto_Type, of string, repeated bool) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if repeated {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if of != "" {
			f.TypeName = proto.String(of)
		}
		return f
	}
	type fields = []*descriptorpb.FieldDescriptorProto
	const stamp, length, own = ".google.protobuf.Timestamp", ".google.protobuf.Duration", ".jaeger.api_v3."
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("api_v3/query_service.proto"), Package: proto.String("jaeger.api_v3"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/timestamp.proto", "google/protobuf/duration.proto"},
	}
	add := func(name string, all fields) *descriptorpb.DescriptorProto {
		m := &descriptorpb.DescriptorProto{Name: proto.String(name), Field: all}
		file.MessageType = append(file.MessageType, m)
		return m
	}
	add("GetTraceRequest", fields{field(1, "trace_id", text, "", false), field(2, "start_time", message, stamp, false), field(3, "end_time", message, stamp, false), field(4, "raw_traces", truth, "", false)})
	parameters := add("TraceQueryParameters", fields{
		field(1, "service_name", text, "", false), field(2, "operation_name", text, "", false), field(3, "attributes", message, own+"TraceQueryParameters.AttributesEntry", true),
		field(4, "start_time_min", message, stamp, false), field(5, "start_time_max", message, stamp, false), field(6, "duration_min", message, length, false), field(7, "duration_max", message, length, false),
		field(8, "search_depth", int32s, "", false), field(9, "raw_traces", truth, "", false), field(10, "filter", message, own+"Call", false), field(11, "pagination", message, own+"Pagination", false),
	})
	parameters.NestedType = []*descriptorpb.DescriptorProto{{
		Name: proto.String("AttributesEntry"), Field: fields{field(1, "key", text, "", false), field(2, "value", text, "", false)}, Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
	}}
	add("Call", fields{field(1, "op", text, "", false)})
	add("Pagination", fields{field(1, "page_size", uint32s, "", false), field(2, "page_token", text, "", false)})
	add("FindTracesRequest", fields{field(1, "query", message, own+"TraceQueryParameters", false)})
	add("GetServicesRequest", nil)
	add("GetServicesResponse", fields{field(1, "services", text, "", true)})
	add("GetOperationsRequest", fields{field(1, "service", text, "", false), field(2, "span_kind", text, "", false)})
	add("Operation", fields{field(1, "name", text, "", false), field(2, "span_kind", text, "", false)})
	add("GetOperationsResponse", fields{field(1, "operations", message, own+"Operation", true)})
	add("GetDependenciesRequest", fields{field(1, "start_time", message, stamp, false), field(2, "end_time", message, stamp, false)})
	add("Dependency", fields{field(1, "parent", text, "", false), field(2, "child", text, "", false), field(3, "call_count", uint64s, "", false)})
	add("DependenciesResponse", fields{field(1, "dependencies", message, own+"Dependency", true)})
	add("ServiceSummary", fields{field(1, "name", text, "", false), field(2, "span_count", int32s, "", false), field(3, "error_span_count", int32s, "", false)})
	add("TraceSummary", fields{
		field(1, "trace_id", text, "", false), field(2, "root_service_name", text, "", false), field(3, "root_operation_name", text, "", false), field(4, "min_start_time_unix_nano", fixed, "", false), field(5, "max_end_time_unix_nano", fixed, "", false),
		field(6, "span_count", int32s, "", false), field(7, "error_span_count", int32s, "", false), field(8, "orphan_span_count", int32s, "", false), field(9, "services", message, own+"ServiceSummary", true),
	})
	add("FindTraceSummariesResponse", fields{field(1, "summaries", message, own+"TraceSummary", true), field(2, "next_page_token", text, "", false)})
	files := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(timestamppb.File_google_protobuf_timestamp_proto), protodesc.ToFileDescriptorProto(durationpb.File_google_protobuf_duration_proto), file,
	}}
	known, err := protodesc.NewFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	found, err := known.FindFileByPath("api_v3/query_service.proto")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]protoreflect.MessageDescriptor{}
	for i := range found.Messages().Len() {
		m := found.Messages().Get(i)
		all[string(m.Name())] = m
	}
	return all
}

// client is a client of the query service.
type client struct {
	conn     *grpc.ClientConn
	messages map[string]protoreflect.MessageDescriptor
	tenant   string
}

func (c *client) message(t *testing.T, kind, text string) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(c.messages[kind])
	if err := unmarshalText(text, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (c *client) context() context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "tenant", c.tenant)
}

func (c *client) call(t *testing.T, method, in, text, out string) (string, error) {
	t.Helper()
	answer := dynamicpb.NewMessage(c.messages[out])
	err := c.conn.Invoke(c.context(), "/jaeger.api_v3.QueryService/"+method, c.message(t, in, text), answer)
	return marshalText(answer), err
}

// stream calls each with every message of an answer.
func (c *client) stream(t *testing.T, method, in, text string, message func() proto.Message, each func(proto.Message)) error {
	t.Helper()
	stream, err := c.conn.NewStream(c.context(), &grpc.StreamDesc{ServerStreams: true}, "/jaeger.api_v3.QueryService/"+method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(c.message(t, in, text)); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		m := message()
		if err := stream.RecvMsg(m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		each(m)
	}
}

func testGRPC(t *testing.T, f *fixture) {
	for i := range 3 {
		f.send(t, "grpc", order(330+i, time.Duration(i)*time.Minute))
	}
	big := ptrace.NewTraces()
	spans := addService(big, "big", nil)
	for i := range 2000 {
		addSpan(spans, 340, i+1, i, "x", ptrace.SpanKindInternal, time.Duration(i), 1).Attributes().PutStr("long", strings.Repeat("y", 5000))
	}
	f.send(t, "grpc", big)

	service := jaeger.NewGRPC(f.store(func(c *traces.Config) { c.MaxTraces = 50 }))
	mux := http.NewServeMux()
	for _, path := range service.Paths() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { service.Serve(w, r, r.Header.Get("Tenant")) })
	}
	s := httptest.NewUnstartedServer(mux)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	conn, err := grpc.NewClient(strings.TrimPrefix(s.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{conn, api(t), "grpc"}

	for _, one := range []struct{ method, in, text, out, want string }{
		{"GetServices", "GetServicesRequest", "", "GetServicesResponse", `{"services":["big","cart","frontend","mail"]}`},
		{"GetOperations", "GetOperationsRequest", `{"service":"mail"}`, "GetOperationsResponse", `{"operations":[{"name":"carts process","span_kind":"consumer"},{"name":"render","span_kind":"internal"}]}`},
		{"GetOperations", "GetOperationsRequest", `{"service":"mail","span_kind":"consumer"}`, "GetOperationsResponse", `{"operations":[{"name":"carts process","span_kind":"consumer"}]}`},
		{"GetDependencies", "GetDependenciesRequest", `{"start_time":"2024-05-06T00:00:00Z","end_time":"2024-05-07T00:00:00Z"}`, "DependenciesResponse", `{"dependencies":[{"parent":"cart","child":"mail","call_count":"3"},{"parent":"frontend","child":"cart","call_count":"3"}]}`},
	} {
		if got, err := c.call(t, one.method, one.in, one.text, one.out); err != nil || got != one.want {
			t.Errorf("%s: %v %s\nwant %s", one.method, err, got, one.want)
		}
	}

	read := func(method, in, text string) (ids []string, spans, messages int, err error) {
		err = c.stream(t, method, in, text, func() proto.Message { return &tracepb.TracesData{} }, func(m proto.Message) {
			messages++
			if size := proto.Size(m); size > 3<<20 {
				t.Errorf("a message of %d bytes", size)
			}
			for _, rs := range m.(*tracepb.TracesData).ResourceSpans {
				for _, ss := range rs.ScopeSpans {
					spans += len(ss.Spans)
					for _, s := range ss.Spans {
						if id := hexOf([16]byte(s.TraceId)); !slices.Contains(ids, id) {
							ids = append(ids, id)
						}
					}
				}
			}
		})
		return ids, spans, messages, err
	}
	one := hexOf(traceID(330))
	if ids, n, _, err := read("GetTrace", "GetTraceRequest", `{"trace_id":"`+one+`","start_time":"2024-05-06T12:00:00Z","end_time":"2024-05-06T12:10:00Z"}`); err != nil || n != 7 || !slices.Equal(ids, []string{one}) {
		t.Errorf("%v %d %v", ids, n, err)
	}
	if _, n, messages, err := read("GetTrace", "GetTraceRequest", `{"trace_id":"`+hexOf(traceID(340))+`"}`); err != nil || n != 2000 || messages < 4 {
		t.Errorf("%d spans in %d messages: %v", n, messages, err)
	}
	for text, want := range map[string]int{
		`{"query":{"service_name":"cart","search_depth":2}}`:                        2,
		`{"query":{"service_name":"cart","operation_name":"SELECT carts"}}`:         3,
		`{"query":{"service_name":"cart","attributes":{"error":"true"}}}`:           3,
		`{"query":{"service_name":"cart","attributes":{"error":"true","x":"1"}}}`:   0,
		`{"query":{"duration_min":"0.100s","duration_max":"1s"}}`:                   3,
		`{"query":{"service_name":"mail","start_time_min":"2024-05-06T12:06:00Z"}}`: 2,
		`{"query":{"service_name":"mail","start_time_max":"2024-05-06T12:06:00Z"}}`: 1,
	} {
		if ids, n, _, err := read("FindTraces", "FindTracesRequest", text); err != nil || len(ids) != want || n != 7*want {
			t.Errorf("%s: %d traces, %d spans: %v", text, len(ids), n, err)
		}
	}
	summaries := ""
	err = c.stream(t, "FindTraceSummaries", "FindTracesRequest", `{"query":{"service_name":"cart","pagination":{"page_size":1}}}`,
		func() proto.Message { return dynamicpb.NewMessage(c.messages["FindTraceSummariesResponse"]) }, func(m proto.Message) { summaries += marshalText(m) })
	if want := `{"summaries":[{"trace_id":"` + hexOf(traceID(332)) + `","root_service_name":"frontend","root_operation_name":"GET /cart","min_start_time_unix_nano":"1714997220000000000","max_end_time_unix_nano":"1714997220230000000","span_count":7,"error_span_count":1,` +
		`"services":[{"name":"cart","span_count":3,"error_span_count":1},{"name":"frontend","span_count":2},{"name":"mail","span_count":2}]}]}`; err != nil || summaries != want {
		t.Errorf("%v\n got %s\nwant %s", err, summaries, want)
	}

	for _, one := range []struct {
		method, in, text string
		code             codes.Code
		message          string
	}{
		{"GetTrace", "GetTraceRequest", `{"trace_id":"x"}`, codes.InvalidArgument, "hexadecimal"},
		{"GetTrace", "GetTraceRequest", `{"trace_id":"abc"}`, codes.NotFound, "not found"},
		{"FindTraces", "FindTracesRequest", `{"query":{"search_depth":1000}}`, codes.InvalidArgument, "query.traces.max_traces"},
		{"FindTraces", "FindTracesRequest", `{"query":{"search_depth":-1}}`, codes.InvalidArgument, "max_traces"},
		{"FindTraces", "FindTracesRequest", `{"query":{"pagination":{"page_size":3}}}`, codes.InvalidArgument, "pages"},
		{"FindTraces", "FindTracesRequest", `{"query":{"filter":{"op":"eq"}}}`, codes.Unimplemented, "filter"},
		{"FindTraces", "FindTracesRequest", `{"query":{"attributes":{"span.kind":"x"}}}`, codes.InvalidArgument, "span.kind"},
		{"FindTraces", "FindTracesRequest", `{"query":{"start_time_min":"2024-05-06T12:06:00Z","start_time_max":"2024-05-06T11:06:00Z"}}`, codes.InvalidArgument, "ends before"},
		{"FindTraceSummaries", "FindTracesRequest", `{"query":{"search_depth":1,"pagination":{"page_size":3}}}`, codes.InvalidArgument, "either"},
		{"FindTraceSummaries", "FindTracesRequest", `{"query":{"pagination":{"page_size":3,"page_token":"x"}}}`, codes.InvalidArgument, "page_token"},
		{"FindSpans", "FindTracesRequest", `{}`, codes.Unimplemented, "FindSpans"},
	} {
		_, _, _, err := read(one.method, one.in, one.text)
		if s := status.Convert(err); s.Code() != one.code || !strings.Contains(s.Message(), one.message) {
			t.Errorf("%s %s: %v", one.method, one.text, err)
		}
	}
	if _, err := c.call(t, "GetOperations", "GetOperationsRequest", ``, "GetOperationsResponse"); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	// A message that is broken, and one that is too long.
	for _, body := range []string{"\x0a\xff\xff\xff\xff\x0f", strings.Repeat("\x0a\x00", 1<<20)} {
		err := conn.Invoke(c.context(), "/jaeger.api_v3.QueryService/GetOperations", []byte(body), &[]byte{}, grpc.ForceCodec(plain{}))
		if code := status.Code(err); code != codes.InvalidArgument && code != codes.ResourceExhausted && code != codes.Internal {
			t.Errorf("%d bytes: %v", len(body), err)
		}
	}
	other := &client{conn, c.messages, "nobody"}
	if got, err := other.call(t, "GetServices", "GetServicesRequest", "", "GetServicesResponse"); err != nil || got != "{}" {
		t.Errorf("another tenant: %v %s", err, got)
	}
}

// plain sends bytes as they are.
type plain struct{}

func (plain) Name() string { return "proto" }
func (plain) Marshal(v any) ([]byte, error) {
	b, _ := v.([]byte)
	return b, nil
}
func (plain) Unmarshal([]byte, any) error { return nil }

func unmarshalText(text string, m proto.Message) error {
	if text == "" {
		return nil
	}
	return protojson.Unmarshal([]byte(text), m)
}

// marshalText is the message as JSON, always the same for the same message.
func marshalText(m proto.Message) string {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return err.Error()
	}
	return b.String()
}
