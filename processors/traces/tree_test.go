package traces_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// TestTree compares what is said of a trace with definitions that are as slow as
// they are plain.
func TestTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := traces.DefaultConfig()
		cfg.MaxPath = 1000
		p := newProcessor(t, cfg)
		// Few moments, so that intervals touch and cover each other.
		b := batch(append(inRecords(t, drawSpans(t, 20), base+second, 0), flush()))
		if err := p.Process(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Traces {
			row := &b.Traces[i]
			members := b.MembersOf(row)
			var top *telemetry.TraceSpan
			for j := range members {
				if got, want := members[j].Self, plainSelf(members, j); got != want {
					t.Fatalf("exclusive time of %x is %d, want %d in\n%s", members[j].ID, got, want, rowsOf(b)[i])
				}
				if m := &members[j]; m.Parent < 0 && (top == nil || m.ParentID.IsZero() && !top.ParentID.IsZero()) {
					top = m
				}
			}
			if top == nil {
				t.Fatalf("nothing at the top in\n%s", rowsOf(b)[i])
			}
			shares := map[string]int64{}
			plainPath(b.Words, members, slices.IndexFunc(members, func(m telemetry.TraceSpan) bool { return m == *top }), top.Start, top.End, shares)
			got, sum := map[string]int64{}, int64(0)
			for _, on := range b.TracePath[row.Path.Start:row.Path.End] {
				got[fmt.Sprintf("%x %s", on.ID, on.Name)] += on.Share
				sum += on.Share
			}
			if diff := gocmp.Diff(shares, got); diff != "" {
				t.Fatalf("critical path (-want +got):\n%s in\n%s", diff, rowsOf(b)[i])
			}
			if want := max(top.End-top.Start, 0); sum != want {
				t.Fatalf("shares add up to %d of %d", sum, want)
			}
		}
	})
}

// plainSelf looks at every nanosecond.
func plainSelf(members []telemetry.TraceSpan, i int) (self int64) {
	for at := members[i].Start; at < members[i].End; at++ {
		covered := slices.ContainsFunc(members, func(m telemetry.TraceSpan) bool {
			return int(m.Parent) == i && m.Start <= at && at < m.End
		})
		if !covered {
			self++
		}
	}
	return self
}

// plainPath goes back from the end of a window of a span.
func plainPath(words []string, members []telemetry.TraceSpan, i int, from, to int64, shares map[string]int64) {
	whole := to
	for to > from {
		last, lastFrom, lastTo := -1, int64(0), int64(0)
		for j, m := range members {
			start, end := max(m.Start, from), min(m.End, whole)
			if int(m.Parent) == i && start < end && end <= to && (last < 0 || end > lastTo || end == lastTo && start < lastFrom) {
				last, lastFrom, lastTo = j, start, end
			}
		}
		if last < 0 {
			break
		}
		if to > lastTo {
			shares[fmt.Sprintf("%x %s", members[i].ID, words[members[i].Name])] += to - lastTo
		}
		plainPath(words, members, last, lastFrom, lastTo, shares)
		to = lastFrom
	}
	if to > from {
		shares[fmt.Sprintf("%x %s", members[i].ID, words[members[i].Name])] += to - from
	}
}

// TestHuge has half a million spans in a trace: all under one parent, each under the
// one before, all of one id, all in a circle.
func TestHuge(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million spans, four times")
	}
	const n = 500_000
	for name, parent := range map[string]func(i uint64) (id, of uint64){
		"wide":   func(i uint64) (uint64, uint64) { return i + 1, 1 },
		"deep":   func(i uint64) (uint64, uint64) { return i + 1, i },
		"same":   func(uint64) (uint64, uint64) { return 1, 0 },
		"circle": func(i uint64) (uint64, uint64) { return i + 1, (i+1)%n + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			limits := []int{2_000_000}
			if name == "wide" || name == "same" {
				limits = append(limits, 20_000)
			}
			for _, limit := range limits {
				cfg := traces.DefaultConfig()
				cfg.MaxOpenSpans, cfg.MaxSpansPerTrace = 2_000_000, limit
				p := newProcessor(t, cfg)
				for from := uint64(0); from < n; from += 1000 {
					r := record{received: base + second}
					for i := from; i < from+1000; i++ {
						var s sent
						id, of := parent(i)
						s.TraceID[0], s.service, s.tenant = 1, "web", "default"
						binary.BigEndian.PutUint64(s.SpanID[:], id)
						binary.BigEndian.PutUint64(s.ParentID[:], of)
						s.Start, s.End = base+int64(i), base+second-int64(i)
						r.spans = append(r.spans, s)
					}
					if err := p.Process(t.Context(), batch([]record{r})); err != nil {
						t.Fatal(err)
					}
				}
				b := batch([]record{flush()})
				if err := p.Process(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				row := &b.Traces[0]
				want := uint32(n)
				if name == "same" && limit > n {
					want = 1
				}
				oversized := limit < n
				if name == "same" && oversized {
					want = row.Spans // what comes after the limit counts again
				}
				if len(b.Traces) != 1 || row.Spans != want || row.Oversized != oversized {
					t.Errorf("limit %d: %d rows, %d spans, oversized %t", limit, len(b.Traces), row.Spans, row.Oversized)
				}
				t.Logf("limit %d: depth %d, orphans %d, cyclic %t, path %d", limit, row.Depth, row.Orphans, row.Cyclic, row.Path.Len())
			}
		})
	}
}
