package servicegraph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// shopTrace is a trace of ten spans: a page, three calls of services, each of
// which asks a database.
func shopTrace(random *rand.Rand, at int64) (spans []sent) {
	var id telemetry.TraceID
	for i := range id {
		id[i] = byte(random.Uint32())
	}
	next := byte(0)
	add := func(service string, kind uint8, name string, parent telemetry.SpanID, start, end int64) telemetry.SpanID {
		next++
		s := sent{tenant: "default", service: service, host: service + "-1", Span: telemetry.Span{
			TraceID: id, SpanID: telemetry.SpanID{next}, ParentID: parent, Name: name, Kind: kind, Start: start, End: end,
		}}
		spans = append(spans, s)
		return s.SpanID
	}
	span := random.Int64N(100 * millisecond)
	page := add("web", 2, fmt.Sprint("GET /", random.IntN(20)), telemetry.SpanID{}, at, at+span)
	for range 3 {
		service, operation := fmt.Sprint("service ", random.IntN(15)), fmt.Sprint("Get ", random.IntN(10))
		call := add("web", 3, operation, page, at+span/10, at+span/2)
		work := add(service, 2, operation, call, at+span/8, at+span/2-span/10)
		add(service, 3, "SELECT", work, at+span/7, at+span/3)
		spans[len(spans)-1].peer = "postgresql"
	}
	return spans
}

// BenchmarkSpan counts assembled traces: one number is per span, of counting
// alone.
func BenchmarkSpan(b *testing.B) {
	for name, metrics := range map[string]bool{"with metrics": true, "without metrics": false} {
		b.Run(name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			cfg := servicegraph.DefaultConfig()
			cfg.Metrics.Enabled = metrics
			r := newRig(b, traces.DefaultConfig(), cfg)
			var batches []*telemetry.Batch
			const records, step = 1000, 200 * millisecond
			for i := range records {
				at := base + int64(i)*step
				part := record{received: at + second}
				for range 50 {
					part.spans = append(part.spans, shopTrace(random, at)...)
				}
				in := batch([]record{part})
				if err := r.assembler.Process(b.Context(), in); err != nil {
					b.Fatal(err)
				}
				batches = append(batches, in)
			}
			length := records*step + second
			spans, edges := 0, 0
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				in := batches[n%records]
				if n >= records { // the same again, later
					in.Records[0].ReceiveTime += length
					for i := range in.Spans {
						in.Spans[i].End += length
					}
					for i := range in.TraceSpans {
						in.TraceSpans[i].Start += length
						in.TraceSpans[i].End += length
					}
				}
				in.Edges, in.ClockOffsets, in.Buckets, in.Derived = in.Edges[:0], in.ClockOffsets[:0], in.Buckets[:0], in.Derived[:0]
				if err := r.graph.Process(b.Context(), in); err != nil {
					b.Fatal(err)
				}
				spans += len(in.TraceSpans)
				edges += len(in.Edges)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
			b.ReportMetric(float64(edges)/float64(spans), "edges/span")
		})
	}
}
