package pipelinetest

import (
	"fmt"
	"hash/fnv"
	"math"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// formatCounts writes the lines of what was counted: edges, operations and clock
// offsets, and a line for each derived record with a hash of its value.
func formatCounts(s *strings.Builder, b *telemetry.Batch) {
	none := telemetry.Range{}
	for i := range b.Edges {
		e := &b.Edges[i]
		line(s, b, "edge", none, "tenant", e.Tenant, "time", since1970(e.Time), "caller", e.Caller, "callee", e.Callee,
			"operation", e.Operation, "kind", e.Kind.String(), "calls", fmt.Sprint(e.Calls), "errors", fmt.Sprint(e.Errors),
			"client", latencyText(b, &e.Client), "server", latencyText(b, &e.Server), "network", latencyText(b, &e.Network),
			"slow", id(e.SlowTrace[:]), "slow_time", durationText(e.SlowNanoseconds), "error", id(e.ErrorTrace[:]))
	}
	for i := range b.Operations {
		o := &b.Operations[i]
		line(s, b, "operation", none, "tenant", o.Tenant, "time", since1970(o.Time), "service", o.Service, "version", o.Version,
			"name", o.Name, "kind", fmt.Sprint(o.Kind), "calls", fmt.Sprint(o.Calls), "errors", fmt.Sprint(o.Errors),
			"satisfied", fmt.Sprint(o.Satisfied), "tolerating", fmt.Sprint(o.Tolerating), "duration", latencyText(b, &o.Duration),
			"slow", id(o.SlowTrace[:]), "slow_time", durationText(o.SlowNanoseconds), "error", id(o.ErrorTrace[:]))
	}
	for i := range b.ClockOffsets {
		c := &b.ClockOffsets[i]
		lower, upper := "unknown", "unknown"
		if c.Lower != telemetry.NoLower {
			lower = since1970(c.Lower)
		}
		if c.Upper != telemetry.NoUpper {
			upper = since1970(c.Upper)
		}
		line(s, b, "clock", none, "tenant", c.Tenant, "time", since1970(c.Time), "caller", c.Caller, "callee", c.Callee,
			"calls", fmt.Sprint(c.Calls), "lower", lower, "upper", upper)
	}
	for i := range b.Derived {
		d := &b.Derived[i]
		if d.Feed == telemetry.FeedWebHits {
			formatGrouped(s, b, d)
			continue
		}
		hash := fnv.New32a()
		hash.Write(d.Value)
		line(s, b, "derived", none, "signal", d.Signal.String(), "tenant", d.Tenant, "key", d.Key, "time", since1970(d.Time),
			"events", fmt.Sprint(d.Events), "hash", fmt.Sprintf("%08x", hash.Sum32()))
	}
}

// latencyText writes a latency as its sum and its buckets, empty where there is
// none.
func latencyText(b *telemetry.Batch, l *telemetry.Latency) string {
	buckets := b.BucketsOf(l)
	if len(buckets) == 0 {
		return ""
	}
	text := since1970(l.Sum)
	for _, bucket := range buckets {
		index := fmt.Sprint(bucket.Index)
		if bucket.Index == math.MinInt16 {
			index = "zero"
		}
		text += fmt.Sprintf(",%s:%d", index, bucket.Count)
	}
	return text
}

func durationText(ns int64) string {
	if ns == 0 {
		return ""
	}
	return since1970(ns)
}
