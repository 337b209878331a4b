package shop_test

import (
	"bytes"
	"math"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/goshawk-observability/goshawk/benchmarks/shop"
)

// TestBenchLoads holds the standard loads to what they are said to be.
func TestBenchLoads(t *testing.T) {
	for _, test := range []struct {
		name       string
		load       func(shop.BenchConfig) []shop.Request
		perRequest int
		bytes      float64 // per event, 0 for any
	}{
		{"logs by 1000", shop.BenchLogs, 1000, 485},
		{"logs by 10", shop.BenchLogs, 10, 0}, // the resource weighs more
		{"spans by 512", shop.BenchSpans, 512, 325},
		{"samples by 200", shop.BenchSamples, 200, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := shop.BenchConfig{Seed: 42, Events: 41234, PerRequest: test.perRequest, Start: start}
			requests := test.load(c)
			events, size := 0, 0
			for i, r := range requests {
				if r.Events < 1 || r.Events > test.perRequest {
					t.Fatalf("request %d has %d events", i, r.Events)
				}
				switch r.Signal.String() {
				case "logs":
					decodeLogs(t, r)
				case "spans":
					decodeSpans(t, r)
				case "metrics":
					decodeMetrics(t, r)
				}
				if i < 3 {
					checkCanonical(t, r)
				}
				events += r.Events
				size += len(r.Body)
			}
			if events != c.Events {
				t.Errorf("%d events, want %d", events, c.Events)
			}
			each := float64(size) / float64(events)
			if test.bytes > 0 && math.Abs(each-test.bytes) > test.bytes/100 {
				t.Errorf("%.1f bytes an event, want %.0f within 1 %%", each, test.bytes)
			}
			t.Logf("%d requests, %.1f bytes an event", len(requests), each)
			again := test.load(c)
			for i := range requests {
				if !bytes.Equal(requests[i].Body, again[i].Body) {
					t.Fatalf("request %d differs in a second run", i)
				}
			}
		})
	}
}

// TestBenchSamplesSeries counts the series of the sample load.
func TestBenchSamplesSeries(t *testing.T) {
	series := map[string]int{}
	for _, r := range shop.BenchSamples(shop.BenchConfig{Seed: 1, Events: 40000, PerRequest: 500, Start: start}) {
		d := decodeMetrics(t, r).Metrics()
		for _, rm := range d.ResourceMetrics().All() {
			instance, _ := rm.Resource().Attributes().Get("service.instance.id")
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				var points pmetric.NumberDataPointSlice
				if m.Type() == pmetric.MetricTypeSum {
					points = m.Sum().DataPoints()
				} else {
					points = m.Gauge().DataPoints()
				}
				for _, p := range points.All() {
					if n := p.Attributes().Len() + rm.Resource().Attributes().Len(); n != 8 {
						t.Fatalf("a point has %d labels, want 8", n)
					}
					shard, _ := p.Attributes().Get("shard")
					series[instance.Str()+m.Name()+shard.Str()]++
				}
			}
		}
	}
	if len(series) != 20000 {
		t.Errorf("%d series, want 20000", len(series))
	}
}
