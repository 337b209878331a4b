package report

import "github.com/goshawk-observability/goshawk/telemetry/sketch"

// latencyOf reads quantiles of a sketch that is not empty.
func latencyOf(s *sketch.Sketch, longest int64) *Latency {
	buckets := s.Append(nil)
	q := func(q float64) float64 { return min(sketch.Quantile(q, buckets), float64(longest)) / 1e6 }
	return &Latency{
		Requests: s.Count(), Mean: float64(s.Sum()) / float64(s.Count()) / 1e6,
		P50: q(0.5), P90: q(0.9), P95: q(0.95), P99: q(0.99), Max: float64(longest) / 1e6,
	}
}
