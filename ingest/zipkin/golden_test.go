package zipkin

import (
	"testing"

	"github.com/goshawk-observability/goshawk/ingest/gateway"
	"github.com/goshawk-observability/goshawk/telemetry/otlp/spanwriter/spanwritertest"
)

const (
	typeJSON   = "application/json"
	typeProto  = "application/x-protobuf"
	typeThrift = "application/x-thrift"
)

// splitterOf returns the splitter of a path and a content type.
func splitterOf(t testing.TB, path, contentType string) gateway.Splitter {
	t.Helper()
	return newSplitter(t, path, contentType, spanwritertest.Unlimited)
}

// TestGolden converts the requests in testdata.
func TestGolden(t *testing.T) {
	for file, path := range map[string]string{"testdata/v1.txt": PathV1, "testdata/v2.txt": PathV2} {
		t.Run(file, func(t *testing.T) {
			s := splitterOf(t, path, typeJSON)
			spanwritertest.Golden(t, file, func(t *testing.T, request string) string {
				return spanwritertest.Describe(t, s, []byte(request))
			})
		})
	}
}
