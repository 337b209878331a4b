package goshawk

import (
	"encoding/hex"
	"math"

	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

// figures are what calls add up to.
type figures struct {
	Calls      uint64  `json:"calls"`
	Errors     uint64  `json:"errors"`
	Rate       float64 `json:"calls_per_second"`
	ErrorRatio float64 `json:"error_ratio"`
}

func figuresOf(calls, errors uint64, seconds float64) figures {
	return figures{calls, errors, float64(calls) / seconds, ratio(errors, calls)}
}

// latency is how long calls took.
type latency struct {
	Count uint64 `json:"count"`
	SumNS int64  `json:"sum_ns"`
	P50   int64  `json:"p50_ns"`
	P95   int64  `json:"p95_ns"`
	P99   int64  `json:"p99_ns"`
}

// latencyOf is nil where nothing was counted.
func latencyOf(l *traces.Latency) *latency {
	n := l.Count()
	if n == 0 {
		return nil
	}
	quantile := func(q float64) int64 {
		return int64(min(math.Round(sketch.Quantile(q, l.Buckets)), math.MaxInt64/2))
	}
	return &latency{n, l.Sum, quantile(0.5), quantile(0.95), quantile(0.99)}
}

// examples are traces to look at.
type examples struct {
	SlowTraceID  string `json:"slow_trace_id,omitempty"`
	SlowNS       int64  `json:"slow_ns,omitempty"`
	ErrorTraceID string `json:"error_trace_id,omitempty"`
}

func examplesOf(e *traces.Examples) (out examples) {
	if !e.Slow.IsZero() {
		out.SlowTraceID, out.SlowNS = hexOf(e.Slow), e.SlowNanoseconds
	}
	if !e.Error.IsZero() {
		out.ErrorTraceID = hexOf(e.Error)
	}
	return out
}

func hexOf(id telemetry.TraceID) string { return hex.EncodeToString(id[:]) }

// total adds up what is known of the same thing.
type total struct {
	calls, errors, satisfied, tolerating uint64
	duration                             traces.Latency
	examples                             traces.Examples
}

func (t *total) add(r *traces.Rate) {
	t.calls += r.Calls
	t.errors += r.Errors
	t.satisfied += r.Satisfied
	t.tolerating += r.Tolerating
	t.duration.Add(r.Duration)
	t.example(&r.Examples)
}

func (t *total) edge(e *traces.Edge, duration *traces.Latency) {
	t.calls += e.Calls
	t.errors += e.Errors
	t.duration.Add(*duration)
	t.example(&e.Examples)
}

func (t *total) example(e *traces.Examples) {
	if e.SlowNanoseconds > t.examples.SlowNanoseconds || t.examples.Slow.IsZero() {
		t.examples.Slow, t.examples.SlowNanoseconds = e.Slow, e.SlowNanoseconds
	}
	if !e.Error.IsZero() {
		t.examples.Error = e.Error
	}
}

// apdex is satisfied calls and half of the tolerating ones as a share of all, nil
// where there are none.
func (t *total) apdex() *float64 {
	if t.calls == 0 {
		return nil
	}
	a := (float64(t.satisfied) + float64(t.tolerating)/2) / float64(t.calls)
	return &a
}

// apdexBy estimates Apdex by another threshold, in nanoseconds: a sketch does not
// say which of the calls failed, so errors are taken to last as long as others.
func (t *total) apdexBy(threshold int64) *float64 {
	if t.calls == 0 {
		return nil
	}
	within := func(limit int64) (n uint64) {
		last := sketch.Index(limit)
		for _, b := range t.duration.Buckets {
			if b.Index <= last {
				n += b.Count
			}
		}
		return n
	}
	satisfied := within(threshold)
	tolerating := within(4*threshold) - satisfied
	a := (float64(satisfied) + float64(tolerating)/2) / float64(t.calls) * (1 - ratio(t.errors, t.calls))
	return &a
}
