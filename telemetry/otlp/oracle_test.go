package otlp

import (
	"strings"
	"sync"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// The oracle is Google's protobuf runtime with the published descriptors for
// what the bytes mean (order, merging, oneofs, unknown fields), and pdata for
// the meaning of the result. Three things that Google's runtime or pdata refuse
// and goshawk does not are put right in between: strings are not checked for
// UTF-8 but repaired, and ids of a wrong length are left out.

// newRequest returns an empty request of the signal.
func newRequest(signal telemetry.Signal) proto.Message {
	switch signal {
	case telemetry.Logs:
		return new(collogs.ExportLogsServiceRequest)
	case telemetry.Spans:
		return new(coltrace.ExportTraceServiceRequest)
	}
	return new(colmetrics.ExportMetricsServiceRequest)
}

// lenient holds the descriptors of OTLP with every string declared as bytes,
// which are the same on the wire, and the names of the fields that were strings.
type lenient struct {
	files   *protoregistry.Files
	strings map[protoreflect.FullName]bool
}

var lenientOnce = sync.OnceValue(func() *lenient {
	l := &lenient{strings: map[protoreflect.FullName]bool{}}
	set := new(descriptorpb.FileDescriptorSet)
	seen := map[string]bool{}
	var addFile func(protoreflect.FileDescriptor)
	var loosen func(prefix string, m *descriptorpb.DescriptorProto)
	loosen = func(prefix string, m *descriptorpb.DescriptorProto) {
		name := prefix + "." + m.GetName()
		for _, f := range m.Field {
			if f.GetType() == descriptorpb.FieldDescriptorProto_TYPE_STRING {
				f.Type = descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum()
				l.strings[protoreflect.FullName(name+"."+f.GetName())] = true
			}
		}
		for _, inner := range m.NestedType {
			loosen(name, inner)
		}
	}
	addFile = func(fd protoreflect.FileDescriptor) {
		if seen[fd.Path()] {
			return
		}
		seen[fd.Path()] = true
		for i := range fd.Imports().Len() {
			addFile(fd.Imports().Get(i).FileDescriptor)
		}
		p := protodesc.ToFileDescriptorProto(fd)
		for _, m := range p.MessageType {
			loosen(p.GetPackage(), m)
		}
		set.File = append(set.File, p)
	}
	for _, signal := range telemetry.Signals {
		addFile(newRequest(signal).ProtoReflect().Descriptor().ParentFile())
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		panic(err)
	}
	l.files = files
	return l
})

func (l *lenient) descriptor(name protoreflect.FullName) protoreflect.MessageDescriptor {
	d, err := l.files.FindDescriptorByName(name)
	if err != nil {
		panic(err)
	}
	return d.(protoreflect.MessageDescriptor)
}

// canonical decodes a message with Google's runtime and encodes it again:
// merged, without unknown fields, repaired.
func canonical(like proto.Message, body []byte) ([]byte, error) {
	l := lenientOnce()
	m := dynamicpb.NewMessage(l.descriptor(like.ProtoReflect().Descriptor().FullName()))
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, m); err != nil {
		return nil, err
	}
	l.repair(m)
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func (l *lenient) repair(m protoreflect.Message) {
	fix := func(fd protoreflect.FieldDescriptor, p []byte) []byte {
		if l.strings[fd.FullName()] {
			return []byte(strings.ToValidUTF8(string(p), "\uFFFD"))
		}
		switch fd.Name() {
		case "trace_id":
			if len(p) != 16 {
				return nil
			}
		case "span_id", "parent_span_id":
			if len(p) != 8 {
				return nil
			}
		}
		return p
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				l.repair(v.List().Get(i).Message())
			}
		case fd.Message() != nil:
			l.repair(v.Message())
		case fd.IsList() && fd.Kind() == protoreflect.BytesKind:
			for i := range v.List().Len() {
				v.List().Set(i, protoreflect.ValueOfBytes(fix(fd, v.List().Get(i).Bytes())))
			}
		case fd.Kind() == protoreflect.BytesKind:
			m.Set(fd, protoreflect.ValueOfBytes(fix(fd, v.Bytes())))
		}
		return true
	})
}

func canonicalRequest(signal telemetry.Signal, body []byte) ([]byte, error) {
	return canonical(newRequest(signal), body)
}

// canonicalValue is canonical for an AnyValue.
func canonicalValue(tb testing.TB, encoded []byte) []byte {
	tb.Helper()
	p, err := canonical(new(common.AnyValue), encoded)
	if err != nil {
		tb.Fatalf("a value in a row is not an AnyValue: %v", err)
	}
	return p
}
