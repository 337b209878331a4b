package jaeger

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	jaegerthrift "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/jaeger"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// generator makes spans as Jaeger's clients do, in Thrift. No key is used twice.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 9))} }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) batch(n int) *jaegerthrift.Batch {
	b := &jaegerthrift.Batch{Process: &jaegerthrift.Process{ServiceName: pick(g, "shop", "bank")}}
	b.Process.Tags = g.tags("ip", "hostname", "host.name", "jaeger.version", "a")
	for range n {
		b.Spans = append(b.Spans, g.span())
	}
	return b
}

func (g generator) span() *jaegerthrift.Span {
	s := &jaegerthrift.Span{
		TraceIdLow: g.Int64(), TraceIdHigh: g.Int64() * g.Int64N(2), SpanId: 1 + g.Int64()>>1, ParentSpanId: g.Int64() * g.Int64N(2),
		OperationName: pick(g, "", "get", "größe"), Flags: g.Int32N(4),
		StartTime: 1700000000000000 + g.Int64N(1e9), Duration: g.Int64N(1e7),
		Tags: g.tags("http.method", "http.status_code", "http.status_message", "error", "span.kind", "otel.status_code", "otel.status_description",
			"otel.scope.name", "otel.scope.version", "w3c.tracestate", "a", "b", "c"),
	}
	for range g.IntN(3) {
		s.References = append(s.References, &jaegerthrift.SpanRef{
			RefType: jaegerthrift.SpanRefType(g.IntN(2)), TraceIdLow: pick(g, s.TraceIdLow, 7), TraceIdHigh: s.TraceIdHigh, SpanId: cmp.Or(pick(g, s.ParentSpanId, 5), 6),
		})
	}
	for range g.IntN(3) {
		s.Logs = append(s.Logs, &jaegerthrift.Log{Timestamp: 1700000000000000 + g.Int64N(1e9), Fields: g.tags("event", "message", "n")})
	}
	return s
}

func (g generator) tags(keys ...string) (tags []*jaegerthrift.Tag) {
	for _, key := range keys {
		if g.IntN(3) > 0 {
			continue
		}
		t := &jaegerthrift.Tag{Key: key}
		text := pick(g, "", "true", "x", "OK", "ERROR", "client", "server", "404", "503")
		whole, double, yes := g.Int64N(600), g.Float64(), g.IntN(2) == 0
		switch t.VType = jaegerthrift.TagType(g.IntN(5)); t.VType {
		case jaegerthrift.TagType_STRING:
			t.VStr = &text
		case jaegerthrift.TagType_LONG:
			t.VLong = &whole
		case jaegerthrift.TagType_DOUBLE:
			t.VDouble = &double
		case jaegerthrift.TagType_BOOL:
			t.VBool = &yes
		case jaegerthrift.TagType_BINARY:
			t.VBinary = []byte(text)
		}
		tags = append(tags, t)
	}
	return tags
}

// text returns the value of a tag that is text.
func text(tags []*jaegerthrift.Tag, key string) (string, bool) {
	for _, t := range tags {
		if t.Key == key && t.VType == jaegerthrift.TagType_STRING {
			return t.GetVStr(), true
		}
	}
	return "", false
}

// adjust changes what the translator of the OpenTelemetry Collector made of a
// span to what we make of it. These are all the differences:
//
//   - jaeger.debug is kept;
//   - http.status_code and jaeger.version keep the names that they were sent with,
//     and a hostname that is no text is left alone;
//   - the tag span.kind stays where it names no kind, and so do tags that are not
//     of the type that the specification gives them, instead of being dropped;
//   - the text "true" makes the tag error one as the boolean does;
//   - a description of the status that comes without a status stays a tag;
//   - scopes are found in Thrift, too, and their version without a name;
//   - a status of HTTP that is none of HTTP's is no error;
//   - a link to the parent's id in another trace is one.
func adjust(s *spanwritertest.Span, from *jaegerthrift.Span, process *jaegerthrift.Process) {
	s.Resource = map[string]any{"service.name": process.ServiceName}
	add(s.Resource, process.Tags)
	if name, ok := text(process.Tags, "hostname"); ok {
		if _, both := s.Resource["host.name"]; !both {
			delete(s.Resource, "hostname")
			s.Resource["host.name"] = name
		}
	}
	if from.Flags&2 != 0 {
		s.Attributes["jaeger.debug"] = true
	}
	if status, ok := s.Attributes["http.response.status_code"]; ok {
		delete(s.Attributes, "http.response.status_code")
		s.Attributes["http.status_code"] = status
	}
	for _, t := range from.Tags {
		switch t.Key {
		case "span.kind", "otel.scope.name", "otel.scope.version", "otel.status_code", "otel.status_description", "w3c.tracestate":
			delete(s.Attributes, t.Key)
			if t.VType != jaegerthrift.TagType_STRING {
				add(s.Attributes, []*jaegerthrift.Tag{t})
			}
		}
	}
	if kind, ok := text(from.Tags, "span.kind"); ok && kind != "client" && kind != "server" {
		s.Attributes["span.kind"] = kind
	}
	s.ScopeName, _ = text(from.Tags, "otel.scope.name")
	s.ScopeVersion, _ = text(from.Tags, "otel.scope.version")
	s.TraceState, _ = text(from.Tags, "w3c.tracestate")
	adjustStatus(s, from)
	for i := range s.Events {
		adjustEvent(&s.Events[i], from.Logs[i])
	}
	adjustLinks(s, from)
}

func adjustStatus(s *spanwritertest.Span, from *jaegerthrift.Span) {
	code, described := text(from.Tags, "otel.status_code")
	description, _ := text(from.Tags, "otel.status_description")
	httpMessage, _ := text(from.Tags, "http.status_message")
	if described && code != "OK" && code != "ERROR" {
		s.Attributes["otel.status_code"] = code
		described = false
	}
	word, _ := text(from.Tags, "error")
	failed := word == "true"
	if failed {
		delete(s.Attributes, "error")
	}
	for _, t := range from.Tags {
		failed = failed || t.Key == "error" && t.GetVBool()
	}
	http := int64(0)
	for _, t := range from.Tags {
		if t.Key == "http.status_code" && t.VType == jaegerthrift.TagType_LONG {
			http = t.GetVLong()
		}
		if t.Key == "http.status_code" && t.VType == jaegerthrift.TagType_STRING {
			_, _ = fmt.Sscan(t.GetVStr(), &http)
		}
	}
	s.Status, s.Message = "Unset", ""
	switch {
	case failed, !described && (http >= 500 || http >= 400 && s.Kind != "Server"):
		s.Status, s.Message = "Error", cmp.Or(description, httpMessage)
	case described:
		s.Status, s.Message = map[string]string{"OK": "Ok", "ERROR": "Error"}[code], description
	case description != "":
		s.Attributes["otel.status_description"] = description
	}
}

func adjustEvent(e *spanwritertest.Event, from *jaegerthrift.Log) {
	e.Attributes = map[string]any{}
	add(e.Attributes, from.Fields)
	if name, ok := text(from.Fields, "event"); ok {
		e.Name = name
		delete(e.Attributes, "event")
	}
}

func adjustLinks(s *spanwritertest.Span, from *jaegerthrift.Span) {
	s.Links = nil
	for _, r := range from.References {
		id := fmt.Sprintf("%016x", uint64(r.SpanId))
		trace := fmt.Sprintf("%016x%016x", uint64(r.TraceIdHigh), uint64(r.TraceIdLow))
		if r.RefType == jaegerthrift.SpanRefType_CHILD_OF && id == s.ParentID && trace == s.TraceID {
			continue
		}
		kind := map[jaegerthrift.SpanRefType]string{0: "child_of", 1: "follows_from"}[r.RefType]
		s.Links = append(s.Links, spanwritertest.Link{TraceID: trace, SpanID: id, Attributes: map[string]any{"opentracing.ref_type": kind}})
	}
}

// add adds tags as attributes.
func add(to map[string]any, tags []*jaegerthrift.Tag) {
	for _, t := range tags {
		switch t.VType {
		case jaegerthrift.TagType_STRING:
			to[t.Key] = t.GetVStr()
		case jaegerthrift.TagType_LONG:
			to[t.Key] = t.GetVLong()
		case jaegerthrift.TagType_DOUBLE:
			to[t.Key] = t.GetVDouble()
		case jaegerthrift.TagType_BOOL:
			to[t.Key] = t.GetVBool()
		case jaegerthrift.TagType_BINARY:
			to[t.Key] = t.VBinary
		}
	}
}

func sorted(spans []spanwritertest.Span) []spanwritertest.Span {
	slices.SortStableFunc(spans, func(a, b spanwritertest.Span) int {
		return cmp.Or(strings.Compare(a.TraceID, b.TraceID), strings.Compare(a.SpanID, b.SpanID))
	})
	return spans
}

// TestEqualsTheCollectors compares Thrift in both protocols and protobuf with the
// translator of the OpenTelemetry Collector.
func TestEqualsTheCollectors(t *testing.T) {
	overHTTP, overGRPC := splitterOf(t, Path), splitterOf(t, Method)
	for seed := range uint64(300) {
		g := newGenerator(seed)
		batch := g.batch(6)
		theirs, err := jaeger.ThriftToTraces(batch)
		if err != nil {
			t.Fatal(err)
		}
		want := expected(theirs, batch)
		for name, body := range map[string][]byte{"binary": encode(t, batch, "binary"), "compact": encode(t, batch, "compact")} {
			if diff := difference(want, converted(t, overHTTP, body)); diff != "" {
				t.Fatalf("%s, seed %d (-collector +goshawk):\n%s", name, seed, diff)
			}
		}
		message := messageOf(batch)
		body, err := (&api_v2.PostSpansRequest{Batch: *message}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err = jaeger.ProtoToTraces([]*model.Batch{message})
		if err != nil {
			t.Fatal(err)
		}
		if diff := difference(expected(theirs, batch), converted(t, overGRPC, body)); diff != "" {
			t.Fatalf("protobuf, seed %d (-collector +goshawk):\n%s", seed, diff)
		}
	}
}

// difference prints what differs; it is empty where nothing does.
func difference(want, got []spanwritertest.Span) string {
	if reflect.DeepEqual(want, got) { // much faster
		return ""
	}
	return gocmp.Diff(want, got, cmpopts.EquateEmpty())
}

func expected(theirs ptrace.Traces, batch *jaegerthrift.Batch) []spanwritertest.Span {
	want := spanwritertest.Spans(theirs)
	for i := range want {
		at := slices.IndexFunc(batch.Spans, func(s *jaegerthrift.Span) bool { return fmt.Sprintf("%016x", s.SpanId) == want[i].SpanID })
		adjust(&want[i], batch.Spans[at], batch.Process)
	}
	return sorted(want)
}

func converted(t *testing.T, s gateway.Splitter, body []byte) []spanwritertest.Span {
	t.Helper()
	traces, err := spanwritertest.Convert(t, s, body)
	if err != nil || s.Rejected() > 0 {
		t.Fatalf("%v %s", err, s.Message())
	}
	return sorted(spanwritertest.Spans(traces))
}

// messageOf returns the batch as Jaeger has it in protobuf, which has no field for
// the parent.
func messageOf(batch *jaegerthrift.Batch) *model.Batch {
	m := &model.Batch{Process: &model.Process{ServiceName: batch.Process.ServiceName, Tags: valuesOf(batch.Process.Tags)}}
	for _, s := range batch.Spans {
		span := &model.Span{
			TraceID: model.NewTraceID(uint64(s.TraceIdHigh), uint64(s.TraceIdLow)), SpanID: model.NewSpanID(uint64(s.SpanId)),
			OperationName: s.OperationName, Flags: model.Flags(s.Flags),
			StartTime: time.UnixMicro(s.StartTime), Duration: time.Duration(s.Duration) * time.Microsecond, Tags: valuesOf(s.Tags),
		}
		if s.ParentSpanId != 0 {
			span.References = append(span.References, model.NewChildOfRef(span.TraceID, model.NewSpanID(uint64(s.ParentSpanId))))
		}
		for _, r := range s.References {
			span.References = append(span.References, model.SpanRef{
				TraceID: model.NewTraceID(uint64(r.TraceIdHigh), uint64(r.TraceIdLow)), SpanID: model.NewSpanID(uint64(r.SpanId)), RefType: model.SpanRefType(r.RefType),
			})
		}
		for _, l := range s.Logs {
			span.Logs = append(span.Logs, model.Log{Timestamp: time.UnixMicro(l.Timestamp), Fields: valuesOf(l.Fields)})
		}
		m.Spans = append(m.Spans, span)
	}
	return m
}

func valuesOf(tags []*jaegerthrift.Tag) (values []model.KeyValue) {
	for _, t := range tags {
		switch t.VType {
		case jaegerthrift.TagType_STRING:
			values = append(values, model.String(t.Key, t.GetVStr()))
		case jaegerthrift.TagType_LONG:
			values = append(values, model.Int64(t.Key, t.GetVLong()))
		case jaegerthrift.TagType_DOUBLE:
			values = append(values, model.Float64(t.Key, t.GetVDouble()))
		case jaegerthrift.TagType_BOOL:
			values = append(values, model.Bool(t.Key, t.GetVBool()))
		case jaegerthrift.TagType_BINARY:
			values = append(values, model.Binary(t.Key, t.VBinary))
		}
	}
	return values
}
