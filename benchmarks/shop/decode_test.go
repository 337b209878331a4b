package shop_test

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// decodeLogs, decodeSpans and decodeMetrics read a request with pdata and check
// that the number of its events is as it says.
func decodeLogs(t testing.TB, r shop.Request) plogotlp.ExportRequest {
	t.Helper()
	d := plogotlp.NewExportRequest()
	if err := d.UnmarshalProto(r.Body); err != nil {
		t.Fatalf("decoding logs: %v", err)
	}
	if n := d.Logs().LogRecordCount(); n != r.Events {
		t.Fatalf("a request says %d log records and holds %d", r.Events, n)
	}
	return d
}

func decodeSpans(t testing.TB, r shop.Request) ptraceotlp.ExportRequest {
	t.Helper()
	d := ptraceotlp.NewExportRequest()
	if err := d.UnmarshalProto(r.Body); err != nil {
		t.Fatalf("decoding spans: %v", err)
	}
	if n := d.Traces().SpanCount(); n != r.Events {
		t.Fatalf("a request says %d spans and holds %d", r.Events, n)
	}
	return d
}

func decodeMetrics(t testing.TB, r shop.Request) pmetricotlp.ExportRequest {
	t.Helper()
	d := pmetricotlp.NewExportRequest()
	if err := d.UnmarshalProto(r.Body); err != nil {
		t.Fatalf("decoding metrics: %v", err)
	}
	if n := d.Metrics().DataPointCount(); n != r.Events {
		t.Fatalf("a request says %d points and holds %d", r.Events, n)
	}
	return d
}

// checkCanonical decodes a request with google protobuf, whose schema must know
// every field, and compares its size with the canonical encoding.
func checkCanonical(t testing.TB, r shop.Request) {
	t.Helper()
	message := map[telemetry.Signal]proto.Message{
		telemetry.Logs:    &collectorlogs.ExportLogsServiceRequest{},
		telemetry.Spans:   &collectortrace.ExportTraceServiceRequest{},
		telemetry.Metrics: &collectormetrics.ExportMetricsServiceRequest{},
	}[r.Signal]
	if err := proto.Unmarshal(r.Body, message); err != nil {
		t.Fatalf("decoding %s: %v", r.Signal, err)
	}
	if size := proto.Size(message); size > len(r.Body) || len(r.Body)-size > len(r.Body)/20 {
		t.Errorf("%s take %d bytes, canonical are %d", r.Signal, len(r.Body), size)
	}
	if unknown := unknownFields(message.ProtoReflect()); unknown > 0 {
		t.Errorf("%s have %d bytes of unknown fields", r.Signal, unknown)
	}
}

func unknownFields(m protoreflect.Message) int {
	n := len(m.GetUnknown())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				n += unknownFields(v.List().Get(i).Message())
			}
		default:
			n += unknownFields(v.Message())
		}
		return true
	})
	return n
}

// take returns the requests of a shop until a moment, copied.
func take(t testing.TB, s *shop.Shop, until int64) []shop.Request {
	t.Helper()
	var all []shop.Request
	add := func() {
		for {
			r, ok := s.Next(until)
			if !ok {
				return
			}
			r.Body = append([]byte(nil), r.Body...)
			all = append(all, r)
		}
	}
	add()
	s.Flush()
	add()
	return all
}

func TestDecode(t *testing.T) {
	c := config()
	s := newShop(t, c)
	requests := take(t, s, start.Add(40e9).UnixNano())
	var events [3]int64
	for _, r := range requests {
		switch r.Signal {
		case telemetry.Logs:
			decodeLogs(t, r)
		case telemetry.Spans:
			decodeSpans(t, r)
		case telemetry.Metrics:
			decodeMetrics(t, r)
		}
		checkCanonical(t, r)
		if r.Events < 1 || r.Events > c.EventsPerRequest {
			t.Errorf("a request has %d events, want 1 to %d", r.Events, c.EventsPerRequest)
		}
		events[r.Signal] += int64(r.Events)
	}
	for _, signal := range telemetry.Signals {
		if events[signal] == 0 || events[signal] != s.Events(signal) {
			t.Errorf("%d %s in requests, the shop says %d", events[signal], signal, s.Events(signal))
		}
	}
	t.Logf("%d requests, events %v", len(requests), events)
}
