package remotewrite

import (
	"reflect"
	"testing"

	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/goshawk-observability/goshawk/telemetry"
)

func FuzzVersion1(f *testing.F) {
	for seed := range uint64(20) {
		req := newGenerator(seed).request1(5)
		body, _ := req.Marshal()
		f.Add(body)
	}
	s := testSplitter(version1, unlimited)
	f.Fuzz(func(t *testing.T, body []byte) {
		var req prompb.WriteRequest
		if err := req.Unmarshal(body); err != nil {
			if err := s.Split(telemetry.Metrics, body, 4, 0); !isMalformed(err) {
				t.Fatalf("a request that is malformed is taken: %v", err)
			}
			return
		}
		if isMalformed(s.Split(telemetry.Metrics, body, 4, 0)) {
			// Prometheus overlooks some broken numbers, and in fields that it does
			// not know more than that. What it made of them is encoded as it should be.
			forgetUnknown(reflect.ValueOf(&req))
			body, _ = req.Marshal()
		}
		compare(t, s, body, model1(&req), req.Metadata)
	})
}

func FuzzVersion2(f *testing.F) {
	for seed := range uint64(20) {
		req := newGenerator(seed).request2(5)
		body, _ := req.Marshal()
		f.Add(body)
	}
	s := testSplitter(version2, unlimited)
	f.Fuzz(func(t *testing.T, body []byte) {
		var req writev2.Request
		if err := req.Unmarshal(body); err != nil {
			if err := s.Split(telemetry.Metrics, body, 4, 0); !isMalformed(err) {
				t.Fatalf("a request that is malformed is taken: %v", err)
			}
			return
		}
		if isMalformed(s.Split(telemetry.Metrics, body, 4, 0)) {
			forgetUnknown(reflect.ValueOf(&req))
			body, _ = req.Marshal()
		}
		compare(t, s, body, model2(&req), nil)
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
