package remotewrite

import (
	"reflect"
	"testing"

	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func FuzzVersion1(f *testing.F) {
	fuzz(f, version1, func(g *generator) *prompb.WriteRequest { return g.request1(5) },
		func(req *prompb.WriteRequest) ([]modelSeries, []prompb.MetricMetadata) {
			return model1(req), req.Metadata
		})
}

func FuzzVersion2(f *testing.F) {
	fuzz(f, version2, func(g *generator) *writev2.Request { return g.request2(5) },
		func(req *writev2.Request) ([]modelSeries, []prompb.MetricMetadata) { return model2(req), nil })
}

// message is a request as Prometheus decodes and encodes it.
type message[M any] interface {
	*M
	Marshal() ([]byte, error)
	Unmarshal(body []byte) error
}

// fuzz compares what becomes of a body with what model says of the request that
// Prometheus makes of it.
func fuzz[M any, P message[M]](f *testing.F, v version, generate func(*generator) P, model func(P) ([]modelSeries, []prompb.MetricMetadata)) {
	for seed := range uint64(20) {
		g := newGenerator(seed)
		body, _ := generate(&g).Marshal()
		f.Add(body)
	}
	s := testSplitter(v, unlimited)
	f.Fuzz(func(t *testing.T, body []byte) {
		req := P(new(M))
		if err := req.Unmarshal(body); err != nil {
			if err := s.Split(telemetry.Metrics, body, 4, 0); !isMalformed(err) {
				t.Fatalf("a request that is malformed is taken: %v", err)
			}
			return
		}
		if isMalformed(s.Split(telemetry.Metrics, body, 4, 0)) {
			// Prometheus overlooks some broken numbers, and in fields that it does
			// not know more than that. What it made of them is encoded as it should be.
			forgetUnknown(reflect.ValueOf(req))
			body, _ = req.Marshal()
		}
		series, metadata := model(req)
		compare(t, s, body, series, metadata)
	})
}

// forgetUnknown removes the unknown fields of a message and of all in it.
func forgetUnknown(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			forgetUnknown(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			forgetUnknown(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "XXX_unrecognized" {
				v.Field(i).SetZero()
				continue
			}
			forgetUnknown(v.Field(i))
		}
	default:
	}
}
