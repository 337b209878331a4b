package zipkin

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jaegertracing/jaeger-idl/thrift-gen/zipkincore"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/zipkin/zipkinv1"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/zipkin/zipkinv2"
	"github.com/openzipkin/zipkin-go/model"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// adjust changes what the translator of the OpenTelemetry Collector made of a
// span to what we make of it. These are all the differences:
//
//   - ports are network.local.port and network.peer.port, which have replaced
//     net.host.port and net.peer.port in the semantic conventions; of an address
//     in both versions of IP the fourth is taken;
//   - zipkin.shared and zipkin.debug are kept;
//   - http.status_code keeps the name that it was sent with;
//   - a peer that a tag names is not overwritten, as the specification has it;
//   - the status is what the specification calls OK and ERROR, its description
//     is what the tag error says, and error=false is no error;
//   - counts of what was dropped go to their fields;
//   - span.kind stays where it says nothing about the kind, and otherwise is used;
//   - a span that does not say when it began begins with its first annotation;
//   - service.name as a tag does not replace the service of the endpoint;
//   - a version of a scope without a name is kept.
func adjust(s *spanwritertest.Span, from *model.SpanModel) {
	for old, name := range map[string]string{"net.host.port": "network.local.port", "net.peer.port": "network.peer.port"} {
		if port, ok := s.Attributes[old]; ok {
			delete(s.Attributes, old)
			s.Attributes[name] = port
		}
	}
	for name, e := range map[string]*model.Endpoint{"network.local.address": from.LocalEndpoint, "network.peer.address": from.RemoteEndpoint} {
		if e != nil && e.IPv4 != nil {
			s.Attributes[name] = e.IPv4.String()
		}
	}
	if from.Shared {
		s.Attributes["zipkin.shared"] = true
	}
	if code, ok := from.Tags["http.status_code"]; ok {
		delete(s.Attributes, "http.response.status_code")
		s.Attributes["http.status_code"] = code
	}
	if _, ok := from.Tags["peer.service"]; ok {
		delete(s.Attributes, "service.peer.name")
	}
	adjustStatus(s, from)
	if n, ok := from.Tags["otel.dropped_events_count"]; ok && n == "404" {
		delete(s.Attributes, "otel.dropped_events_count")
		s.DroppedEvents = 404
	}
	if kind, ok := from.Tags["span.kind"]; ok {
		delete(s.Attributes, "span.kind")
		switch {
		case s.Kind == "Unspecified" && kind == "client":
			s.Kind = "Client"
		case kind != "" && !strings.EqualFold(s.Kind, kind):
			s.Attributes["span.kind"] = kind
		}
	}
	if from.Timestamp.IsZero() {
		s.Start, s.End = 0, 0
		for _, a := range from.Annotations {
			if at := uint64(a.Timestamp.UnixNano()); s.Start == 0 || at < s.Start {
				s.Start = at
			}
		}
		if s.Start > 0 {
			s.End = s.Start + uint64(from.Duration)
		} else if from.Duration > 0 {
			s.Attributes["zipkin.duration"] = from.Duration.Microseconds()
		}
	}
	adjustResource(s, from)
}

func adjustStatus(s *spanwritertest.Span, from *model.SpanModel) {
	delete(s.Attributes, "error")
	delete(s.Attributes, "otel.status_code")
	delete(s.Attributes, "otel.status_description")
	s.Status, s.Message = "Unset", from.Tags["otel.status_description"]
	switch code, ok := from.Tags["otel.status_code"]; strings.TrimPrefix(code, "STATUS_CODE_") {
	case "OK", "Ok":
		s.Status = "Ok"
	case "ERROR":
		s.Status = "Error"
	default:
		if ok {
			s.Attributes["otel.status_code"] = code
		}
	}
	said, failed := from.Tags["error"]
	if failed && said != "false" {
		s.Status = "Error"
		if said != "" && said != "true" {
			s.Attributes["error"] = said
			if _, ok := from.Tags["otel.status_description"]; !ok {
				s.Message = said
			}
		}
	}
	if s.Status == "Unset" && s.Message != "" {
		s.Attributes["otel.status_description"], s.Message = s.Message, ""
	}
}

func adjustResource(s *spanwritertest.Span, from *model.SpanModel) {
	local := ""
	if from.LocalEndpoint != nil {
		local = from.LocalEndpoint.ServiceName
	}
	name := from.Tags["service.name"]
	delete(s.Resource, "service.name")
	switch {
	case local != "":
		s.Resource["service.name"] = local
		if name != "" {
			s.Attributes["service.name"] = name
		}
	case name != "":
		s.Resource["service.name"] = name
	}
	for key, value := range from.Tags {
		if resourceTags[key] { // the translator forgets them where there is no service
			s.Resource[key] = value
		}
	}
	// It takes what names a scope in two ways in the order of a map.
	s.ScopeName, s.ScopeVersion = cmp.Or(from.Tags["otel.scope.name"], from.Tags["otel.library.name"]), from.Tags["otel.scope.version"]
}

// unordered reports whether what becomes of a span depends on the order of its
// tags, which is any in a map.
func unordered(s *model.SpanModel) bool {
	_, scope := s.Tags["otel.scope.name"]
	_, library := s.Tags["otel.library.name"]
	return scope && library
}

func sorted(spans []spanwritertest.Span) []spanwritertest.Span {
	slices.SortStableFunc(spans, func(a, b spanwritertest.Span) int {
		return cmp.Or(strings.Compare(a.TraceID, b.TraceID), strings.Compare(a.SpanID, b.SpanID), strings.Compare(a.Kind, b.Kind))
	})
	return spans
}

// TestEqualsTheCollectors compares the second version, in both of its encodings,
// with the translator of the OpenTelemetry Collector, span by span.
func TestEqualsTheCollectors(t *testing.T) {
	for _, contentType := range []string{typeJSON, typeProto} {
		s := splitterOf(t, PathV2, contentType)
		for seed := range uint64(400) {
			g := newGenerator(seed)
			spans := slices.DeleteFunc(g.spans(8), unordered)
			var want []spanwritertest.Span
			for _, from := range spans {
				if contentType == typeJSON { // in which the library writes them so
					from.Name = strings.ToLower(from.Name)
				}
				alone, err := zipkinv2.ToTranslator{}.ToTraces([]*model.SpanModel{from})
				if err != nil {
					t.Fatal(err)
				}
				one := spanwritertest.Spans(alone)
				adjust(&one[0], from)
				want = append(want, one...)
			}
			traces, err := spanwritertest.Convert(t, s, serialize(t, contentType, spans))
			if err != nil || s.Rejected() > 0 {
				t.Fatalf("%v %s", err, s.Message())
			}
			got := sorted(spanwritertest.Spans(traces))
			for i := range got {
				delete(got[i].Attributes, "zipkin.debug") // the library has no way to say it in protobuf
			}
			if want = sorted(want); reflect.DeepEqual(want, got) {
				continue // much faster
			}
			if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s, seed %d (-collector +goshawk):\n%s", contentType, seed, diff)
			}
		}
	}
}

// thriftOf encodes spans of the first version as its clients do.
func thriftOf(t testing.TB, spans ...*zipkincore.Span) []byte {
	t.Helper()
	memory := thrift.NewTMemoryBuffer()
	p := thrift.NewTBinaryProtocolConf(memory, nil)
	ctx := context.Background()
	if err := p.WriteListBegin(ctx, thrift.STRUCT, len(spans)); err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		if err := s.Write(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Clone(memory.Bytes())
}

// span1 makes a span of the first version of which one side is known, as that is
// all that the collector's translator understands.
func (g generator) span1() *zipkincore.Span {
	host := &zipkincore.Endpoint{ServiceName: "shop", Ipv4: 10<<24 | 1, Port: 8080}
	at := 1700000000000000 + g.Int64N(1e9)
	s := &zipkincore.Span{TraceID: g.Int64(), ID: 1 + g.Int64()>>1, Name: pick(g, "", "get"), Debug: g.maybe()}
	if g.maybe() {
		high := g.Int64()
		s.TraceIDHigh = &high
	}
	if g.maybe() {
		parent := 1 + g.Int64()>>1
		s.ParentID = &parent
	}
	note := func(value string, offset int64) {
		s.Annotations = append(s.Annotations, &zipkincore.Annotation{Timestamp: at + offset, Value: value, Host: host})
	}
	sides := pick(g, [2]string{"cs", "cr"}, [2]string{"sr", "ss"})
	note(sides[0], 0)
	if g.maybe() {
		note("packed", 5)
	}
	note(sides[1], 10+g.Int64N(1000))
	if g.maybe() {
		took := s.Annotations[len(s.Annotations)-1].Timestamp - at
		s.Timestamp, s.Duration = &at, &took
	}
	for range g.IntN(4) {
		b := &zipkincore.BinaryAnnotation{Key: pick(g, "a", "b", "http.path"), Host: host}
		b.AnnotationType = pick(g, zipkincore.AnnotationType_STRING, zipkincore.AnnotationType_BOOL, zipkincore.AnnotationType_I64, zipkincore.AnnotationType_DOUBLE)
		switch b.AnnotationType {
		case zipkincore.AnnotationType_BOOL:
			b.Value = []byte{byte(g.IntN(2))}
		case zipkincore.AnnotationType_STRING:
			b.Value = []byte(pick(g, "", "x", "größe"))
		default:
			b.Value = []byte{0, 1, 2, 3, 4, 5, 6, byte(g.IntN(256))}
		}
		s.BinaryAnnotations = append(s.BinaryAnnotations, b)
	}
	return s
}

// TestEqualsTheCollectorsInVersion1 compares spans of one side with the
// collector's translator. The differences: it writes the address and port of the
// endpoint to the resource by names of its own, and forgets debug and shared.
func TestEqualsTheCollectorsInVersion1(t *testing.T) {
	oracle := zipkinv1.NewThriftTracesUnmarshaler()
	s := splitterOf(t, PathV1, typeThrift)
	for seed := range uint64(400) {
		g := newGenerator(seed)
		spans := []*zipkincore.Span{g.span1(), g.span1(), g.span1()}
		body := thriftOf(t, spans...)
		theirs, err := oracle.UnmarshalTraces(body)
		if err != nil {
			t.Fatal(err)
		}
		want := spanwritertest.Spans(theirs)
		for i := range want {
			want[i].Resource = map[string]any{"service.name": "shop"}
			want[i].Attributes["network.local.address"] = "10.0.0.1"
			want[i].Attributes["network.local.port"] = int64(8080)
			if spans[i].Debug {
				want[i].Attributes["zipkin.debug"] = true
			}
			if spans[i].Timestamp == nil && want[i].Kind == "Server" {
				want[i].Attributes["zipkin.shared"] = true
			}
		}
		traces, err := spanwritertest.Convert(t, s, body)
		if err != nil || s.Rejected() > 0 {
			t.Fatalf("%v %s", err, s.Message())
		}
		if diff := gocmp.Diff(sorted(want), sorted(spanwritertest.Spans(traces))); diff != "" {
			t.Fatalf("seed %d (-collector +goshawk):\n%s", seed, diff)
		}
	}
}

// TestResourceTagsAreTheCollectors makes sure that the collector, too, takes for
// attributes of a resource what we do.
func TestResourceTagsAreTheCollectors(t *testing.T) {
	tags := maps.Clone(resourceTags)
	from := &model.SpanModel{
		SpanContext: model.SpanContext{TraceID: model.TraceID{Low: 1}, ID: 1}, Tags: map[string]string{},
		LocalEndpoint: &model.Endpoint{ServiceName: "shop"}, Timestamp: time.UnixMicro(1700000000000000),
	}
	for key := range tags {
		from.Tags[key] = "x"
	}
	theirs, err := zipkinv2.ToTranslator{}.ToTraces([]*model.SpanModel{from})
	if err != nil {
		t.Fatal(err)
	}
	s := spanwritertest.Spans(theirs)[0]
	// These have come to the semantic conventions since.
	for _, newer := range []string{
		"container.image.id", "container.image.tags", "container.runtime.name", "deployment.environment.name", "host.ip",
		"k8s.cluster.uid", "telemetry.distro.name", "telemetry.distro.version",
	} {
		delete(s.Attributes, newer)
	}
	if len(s.Attributes) > 0 {
		t.Errorf("the collector keeps %v at the span", slices.Sorted(maps.Keys(s.Attributes)))
	}
}
