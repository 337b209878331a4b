package spanwritertest

import (
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/internal/observe/observetest"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// BenchmarkSplit makes parts of a body that has so many spans, again and again.
func BenchmarkSplit(b *testing.B, s Splitter, body []byte, spans int) {
	b.Helper()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	now := time.Now().UnixNano()
	before := observetest.CPUTime(b)
	for b.Loop() {
		if err := s.Split(telemetry.Spans, body, 8, now); err != nil || s.Accepted() != int64(spans) {
			b.Fatalf("%d of %d: %v %s", s.Accepted(), spans, err, s.Message())
		}
	}
	b.ReportMetric(float64(observetest.CPUTime(b)-before)/float64(b.N)/float64(spans), "cpu-ns/span")
	b.ReportMetric(float64(len(body))/float64(spans), "B/span-sent")
}
