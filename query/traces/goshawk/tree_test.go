package goshawk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	assembled "github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

const start = int64(1_700_000_000e9)

// TestTree compares what is said of random traces with what the processor that
// assembles traces says of them: both are to follow docs/trace-assembly.md.
func TestTree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	onPath, cyclic, shared := 0, 0, 0
	for round := range 3000 {
		var spans []traces.Span
		n := 1 + random.IntN(14)
		for range n {
			s := traces.Span{
				// Few ids, so that they are shared, and few moments, so that spans touch.
				ID: telemetry.SpanID{7: byte(1 + random.IntN(n+2))}, Parent: telemetry.SpanID{7: byte(random.IntN(n + 2))},
				Start: start + int64(random.IntN(12)), Duration: int64(random.IntN(12) - 1), Kind: traces.Kind(random.IntN(6)),
				Service: string(rune('a' + random.IntN(3))), Name: "n", Status: traces.Status(random.IntN(3)),
			}
			spans = append(spans, s)
		}
		p, err := assembled.New(assembled.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		b := batchOf(spans)
		if err := p.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		row := &b.Traces[0]
		members := b.MembersOf(row)
		got := newTree(&traces.Trace{Spans: slices.Clone(spans)})
		fail := func(what string, got, want any) {
			t.Helper()
			t.Fatalf("round %d: %s is %v, want %v in\n%+v", round, what, got, want, spans)
		}
		if len(members) != len(got.spans) {
			fail("number of spans", len(got.spans), len(members))
		}
		share := map[string]int64{}
		for _, on := range b.TracePath[row.Path.Start:row.Path.End] {
			share[fmt.Sprintf("%x %s", on.ID, on.Service)] += on.Share
			onPath++
		}
		own := map[string]int64{}
		for i, m := range members {
			s := &got.spans[i]
			if m.ID != s.ID || m.Kind != uint8(s.Kind) {
				fail("order", s, m)
			}
			if int(m.Parent) != got.parent[i] {
				fail(fmt.Sprintf("parent of %d", i), got.parent[i], m.Parent)
			}
			if m.Self != got.exclusive[i] {
				fail(fmt.Sprintf("exclusive time of %d", i), got.exclusive[i], m.Self)
			}
			if got.share[i] > 0 {
				own[fmt.Sprintf("%x %s", s.ID, s.Service)] += got.share[i]
			}
		}
		if fmt.Sprint(own) != fmt.Sprint(share) {
			fail("critical path", own, share)
		}
		if a := summary(telemetry.TraceID{}, got); a.Orphans != int(row.Orphans) || a.Depth != int(row.Depth) || a.Errors != int(row.Errors) || a.Cyclic != row.Cyclic || len(a.Services) != int(row.Services.End-row.Services.Start) {
			fail("summary", a, row)
		}
		if (got.root >= 0) != !row.RootID.IsZero() || got.root >= 0 && got.spans[got.root].ID != row.RootID {
			fail("root", got.root, row.RootID)
		}
		if got.failed >= 0 && got.spans[got.failed].Service != row.ErrorService {
			fail("error origin", got.failed, row.ErrorService)
		}
		if row.Cyclic {
			cyclic++
		}
		for i := range got.spans {
			if p := got.parent[i]; p >= 0 && got.spans[p].ID == got.spans[i].ID {
				shared++
			}
		}
	}
	if onPath < 1000 || cyclic < 100 || shared < 100 {
		t.Errorf("%d spans on paths, %d circles, %d shared ids: the traces say nothing", onPath, cyclic, shared)
	}
}

// batchOf is a batch with the spans of a trace, and one of another that is much
// later, so that the trace is over.
func batchOf(spans []traces.Span) *telemetry.Batch {
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "test", Signal: telemetry.Spans}}
	add := func(record uint32, s *telemetry.Span, service string) {
		b.Resources = append(b.Resources, telemetry.Resource{Service: service, Record: record})
		s.Resource = uint32(len(b.Resources) - 1)
		b.Spans = append(b.Spans, *s)
	}
	b.Records = append(b.Records, telemetry.Record{Tenant: "default", ReceiveTime: start + 1000, Declared: -1})
	for i := range spans {
		s := &spans[i]
		add(0, &telemetry.Span{
			TraceID: telemetry.TraceID{1}, SpanID: s.ID, ParentID: s.Parent, Start: s.Start, End: s.Start + s.Duration, Name: s.Name, Kind: uint8(s.Kind), Status: uint8(s.Status),
		}, s.Service)
	}
	const later = start + 1_000_000e9
	b.Records = append(b.Records, telemetry.Record{Tenant: "default", ReceiveTime: later, Declared: -1})
	add(1, &telemetry.Span{TraceID: telemetry.TraceID{2}, SpanID: telemetry.SpanID{1}, Start: later, End: later}, "late")
	return b
}

// TestLargeTrees has many spans in a row, in a circle, and under one parent.
func TestLargeTrees(t *testing.T) {
	const n = 100_000
	id := func(i int) telemetry.SpanID {
		return telemetry.SpanID{4: byte(i >> 24), 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)}
	}
	for name, parent := range map[string]func(i int) int{
		"deep": func(i int) int { return i }, "wide": func(i int) int { return min(i, 1) }, "circle": func(i int) int { return (i+n-1)%n + 1 },
	} {
		one := &traces.Trace{Spans: make([]traces.Span, n)}
		for i := range n {
			one.Spans[i] = traces.Span{ID: id(i + 1), Parent: id(parent(i)), Start: start + int64(i), Duration: 2*n - 2*int64(i), Kind: traces.KindInternal}
		}
		got := newTree(one)
		sum := int64(0)
		for _, share := range got.share {
			sum += share
		}
		if sum != got.spans[got.top].Duration || got.cyclic != (name == "circle") || got.top != 0 {
			t.Errorf("%s: shares add up to %d of %d, top is %d, cyclic %t", name, sum, got.spans[got.top].Duration, got.top, got.cyclic)
		}
	}
}
