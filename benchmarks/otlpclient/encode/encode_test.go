package encode_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/goshawk-observability/goshawk/benchmarks/otlpclient/encode"
)

func attr(key string, value *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: value}
}

// TestLog checks every encoder that a log record needs, with lengths on both
// sides of the borders where a varint grows.
func TestLog(t *testing.T) {
	for _, length := range []int{0, 1, 100, 120, 127, 128, 16383, 16384, 3 << 20} {
		text := strings.Repeat("x", length)
		want := &logspb.LogRecord{
			TimeUnixNano:   12345,
			SeverityNumber: 17,
			Flags:          1,
			Body:           &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: text}},
			TraceId:        []byte("0123456789abcdef"),
			Attributes: []*commonpb.KeyValue{
				attr("s", &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: text}}),
				attr("i", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: -1}}),
				attr("n", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(length)}}),
				attr("d", &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.Pi}}),
				attr("t", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}),
				attr("f", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: false}}),
			},
		}
		var b []byte
		b, mark := encode.Open(b, 2)
		b = encode.Fixed64(b, 1, 12345)
		b = encode.Uint(b, 2, 17)
		b = encode.Body(b, 5, text)
		b = encode.StringAttr(b, 6, "s", text)
		b = encode.IntAttr(b, 6, "i", -1)
		b = encode.IntAttr(b, 6, "n", int64(length))
		b = encode.DoubleAttr(b, 6, "d", math.Pi)
		b = encode.BoolAttr(b, 6, "t", true)
		b = encode.BoolAttr(b, 6, "f", false)
		b = encode.Fixed32(b, 8, 1)
		b = encode.Bytes(b, 9, "0123456789abcdef")
		b = encode.Close(b, mark)

		var scope logspb.ScopeLogs
		if err := proto.Unmarshal(b, &scope); err != nil {
			t.Fatalf("length %d: %v", length, err)
		}
		if diff := cmp.Diff([]*logspb.LogRecord{want}, scope.LogRecords, protocmp.Transform()); diff != "" {
			t.Errorf("length %d: (-want +got)\n%s", length, diff)
		}
		canonical, err := proto.MarshalOptions{Deterministic: true}.Marshal(&logspb.ScopeLogs{LogRecords: []*logspb.LogRecord{want}})
		if err != nil {
			t.Fatal(err)
		}
		if len(canonical) != len(b) {
			t.Errorf("length %d: encoded in %d bytes, protobuf takes %d", length, len(b), len(canonical))
		}
	}
}

func TestExponentialHistogram(t *testing.T) {
	sum := 4.5
	want := &metricspb.ExponentialHistogramDataPoint{
		Count: 10, Sum: &sum, Scale: -3, TimeUnixNano: 7,
		Positive: &metricspb.ExponentialHistogramDataPoint_Buckets{Offset: -140, BucketCounts: []uint64{0, 1, 127, 128, 1 << 40}},
	}
	var b []byte
	b = encode.Fixed64(b, 3, 7)
	b = encode.Fixed64(b, 4, 10)
	b = encode.Double(b, 5, sum)
	b = encode.Sint(b, 6, -3)
	b, mark := encode.Open(b, 8)
	b = encode.Sint(b, 1, -140)
	b = encode.PackedUint(b, 2, []uint64{0, 1, 127, 128, 1 << 40})
	b = encode.Close(b, mark)
	var got metricspb.ExponentialHistogramDataPoint
	if err := proto.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestHistogram(t *testing.T) {
	want := &metricspb.HistogramDataPoint{ExplicitBounds: []float64{0.5, 1}, BucketCounts: []uint64{1, 2, 3}}
	var b []byte
	b = encode.PackedFixed64(b, 6, want.BucketCounts)
	b = encode.PackedDouble(b, 7, want.ExplicitBounds)
	var got metricspb.HistogramDataPoint
	if err := proto.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
