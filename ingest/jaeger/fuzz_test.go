package jaeger

import (
	"bytes"
	"context"
	"reflect"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	jaegerthrift "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

// FuzzThrift fuzzes Thrift: what Apache Thrift reads has to be taken as it writes
// it, in either protocol.
func FuzzThrift(f *testing.F) {
	for seed := range uint64(10) {
		for protocol := range factories {
			f.Add(encode(f, newGenerator(seed).batch(2), protocol))
		}
	}
	fuzz(f, Path, func(body []byte) (same []byte, spans int) {
		protocol := "binary"
		if protocolOf(body) != 0 {
			protocol = "compact"
		}
		memory := thrift.NewTMemoryBuffer()
		_, _ = memory.Write(body)
		batch := new(jaegerthrift.Batch)
		if batch.Read(context.Background(), factories[protocol].GetProtocol(memory)) != nil {
			return nil, 0
		}
		memory = thrift.NewTMemoryBuffer()
		if batch.Write(context.Background(), factories[protocol].GetProtocol(memory)) != nil {
			return nil, 0
		}
		return memory.Bytes(), len(batch.Spans)
	})
}

// FuzzProto fuzzes protobuf: what Jaeger reads has to be taken as it writes it.
func FuzzProto(f *testing.F) {
	for seed := range uint64(10) {
		body, err := (&api_v2.PostSpansRequest{Batch: *messageOf(newGenerator(seed).batch(2))}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	fuzz(f, Method, func(body []byte) (same []byte, spans int) {
		req := new(api_v2.PostSpansRequest)
		if req.Unmarshal(body) != nil {
			return nil, 0
		}
		forgetUnknown(reflect.ValueOf(req)) // it overlooks what is broken in them
		same, err := req.Marshal()
		if err != nil {
			return nil, 0
		}
		return same, len(req.Batch.Spans)
	})
}

// fuzz makes sure that what becomes of a body is OTLP and depends on nothing but
// the body, and that bodies are taken that the oracle makes of those it reads.
func fuzz(f *testing.F, path string, oracle func([]byte) ([]byte, int)) {
	s, again := splitterOf(f, path), splitterOf(f, path)
	f.Fuzz(func(t *testing.T, body []byte) {
		if same, spans := oracle(body); len(same) > 0 {
			if _, err := spanwritertest.Convert(t, s, same); err != nil {
				t.Errorf("a body of %d spans is refused: %v: %q", spans, err, same)
			} else if s.Accepted()+s.Rejected() != int64(spans) {
				t.Errorf("%d spans are accepted and %d refused of %d: %q", s.Accepted(), s.Rejected(), spans, same)
			}
		}
		_, err := spanwritertest.Convert(t, s, body)
		if second := again.Split(telemetry.Spans, body, 4, 0); (err == nil) != (second == nil) || len(s.Parts()) != len(again.Parts()) {
			t.Fatalf("a repeat is another request: %v, %v", err, second)
		}
		for i, p := range s.Parts() {
			if q := again.Parts()[i]; p.Partition != q.Partition || !bytes.Equal(p.Value, q.Value) {
				t.Fatalf("part %d of a repeat differs", i)
			}
		}
	})
}

// forgetUnknown removes the unknown fields of a message and of all in it.
func forgetUnknown(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			forgetUnknown(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			forgetUnknown(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "XXX_unrecognized" {
				v.Field(i).SetZero()
			} else if v.Type().Field(i).IsExported() {
				forgetUnknown(v.Field(i))
			}
		}
	default:
	}
}
