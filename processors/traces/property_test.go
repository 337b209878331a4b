package traces_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// sent is a span as a test sends it.
type sent struct {
	tenant, service string
	telemetry.Span
	attrs []telemetry.Attr
}

// record is what one Kafka record holds.
type record struct {
	received int64
	spans    []sent
}

const second = int64(time.Second)

// base is when the tests' time begins.
const base = 1_700_000_000 * second

// batch makes a batch of records.
func batch(records []record) *telemetry.Batch {
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "test", Signal: telemetry.Spans}}
	for _, r := range records {
		tenant := "default"
		if len(r.spans) > 0 {
			tenant = r.spans[0].tenant
		}
		b.Records = append(b.Records, telemetry.Record{Tenant: tenant, ReceiveTime: r.received, Declared: -1})
		for _, s := range r.spans {
			b.Resources = append(b.Resources, telemetry.Resource{Service: strings.Clone(s.service), Record: uint32(len(b.Records) - 1)})
			s.Resource = uint32(len(b.Resources) - 1)
			s.Attrs = telemetry.Range{Start: uint32(len(b.Attrs)), End: uint32(len(b.Attrs) + len(s.attrs))}
			b.Attrs = append(b.Attrs, s.attrs...)
			b.Spans = append(b.Spans, s.Span)
		}
	}
	return b
}

// flush is a record that is later than everything and closes all traces.
func flush() record {
	at := base + 1_000_000*second
	return record{received: at, spans: []sent{{tenant: "default", service: "flush", Span: telemetry.Span{
		TraceID: telemetry.TraceID{0xFF}, SpanID: telemetry.SpanID{1}, Start: at, End: at,
	}}}}
}

func newProcessor(t interface{ Fatal(...any) }, cfg traces.Config) *traces.Processor {
	p, err := traces.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rowsOf returns the rows that a batch closed, as text.
func rowsOf(b *telemetry.Batch) []string {
	only := &telemetry.Batch{Traces: b.Traces, TraceServices: b.TraceServices, TracePath: b.TracePath, TraceSpans: b.TraceSpans, Words: b.Words}
	var rows []string
	for line := range strings.Lines(pipelinetest.Format(only)) {
		if strings.HasPrefix(line, "trace ") {
			rows = append(rows, "")
		}
		rows[len(rows)-1] += line
	}
	return rows
}

// run sends records in the given blocks. Before a record of restarts, the state
// goes through a snapshot.
func run(t interface{ Fatal(...any) }, cfg traces.Config, records []record, block func() int, restart func() bool) []string {
	p := newProcessor(t, cfg)
	var rows []string
	for len(records) > 0 {
		n := min(max(block(), 1), len(records))
		b := batch(records[:n])
		if err := p.Process(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, rowsOf(b)...)
		records = records[n:]
		if restart != nil && restart() {
			state := p.Snapshot(nil)
			items, _ := p.Held()
			p = newProcessor(t, cfg)
			if err := p.Restore(state); err != nil {
				t.Fatal(err)
			}
			if again, _ := p.Held(); again != items {
				t.Fatal("restored ", again, " open spans of ", items)
			}
			clear(state)
		}
	}
	return rows
}

func one() int { return 1 }

// drawSpans makes spans of a few traces that may be as wrong as senders get them.
// Each (trace, span id, kind) is unique. Only the seed is rapid's: what it draws
// itself is mostly near 0, where intervals seldom overlap.
func drawSpans(t *rapid.T, width int64) []sent {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "spans"), 1))
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	var all []sent
	for trace := range 1 + r.IntN(6) {
		n, wrong := 1+r.IntN(14), 1+r.IntN(20)
		tenant := pick("default", "acme")
		for i := range n {
			var s sent
			s.tenant, s.service, s.Name = tenant, pick("", "web", "cart", "pay"), pick("get", "put", "post", "")
			s.TraceID[15], s.SpanID[7] = byte(trace+1), byte(i+1)
			switch of := r.IntN(3 + wrong); {
			case of == 0:
				s.ParentID[0] = 9 // nobody
			case of == 1:
				s.ParentID[7] = byte(1 + r.IntN(n)) // anybody
			case i > 0:
				s.ParentID[7] = byte(1 + r.IntN(i))
			}
			s.Start = base + r.Int64N(width)
			s.End = s.Start + r.Int64N(width) - width/10
			s.Kind, s.Status = uint8(r.IntN(6)), uint8(r.IntN(3))
			if r.IntN(3) == 0 {
				s.attrs = []telemetry.Attr{{Key: pick("peer.service", "db.system", "server.address"), Value: telemetry.StringValue(pick("one", "two"))}}
			}
			all = append(all, s)
			if s.Kind == 3 && r.IntN(3) == 0 {
				s.Kind, s.service = 2, "shared"
				all = append(all, s)
			}
		}
	}
	return all
}

// inRecords puts spans into records of one tenant each, that are received from
// one time on.
func inRecords(t *rapid.T, spans []sent, from, step int64) []record {
	var all []record
	for i := 0; i < len(spans); {
		n := rapid.IntRange(1, 5).Draw(t, "record")
		r := record{received: from + int64(len(all))*step}
		for ; i < len(spans) && n > 0 && (len(r.spans) == 0 || spans[i].tenant == r.spans[0].tenant); i, n = i+1, n-1 {
			r.spans = append(r.spans, spans[i])
		}
		all = append(all, r)
	}
	return all
}

func shuffled[T any](t *rapid.T, list []T) []T {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// TestAnyOrder sends the same spans sorted in one record each block, and then in
// any order, with duplicates, in any records and blocks and with restarts. As
// long as no trace is idle in between, every row is the same to the last bit.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := traces.DefaultConfig()
		cfg.MaxPath = rapid.IntRange(0, 5).Draw(t, "path")
		spans := drawSpans(t, 5*second)
		slices.SortFunc(spans, func(a, b sent) int {
			return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.Start, b.Start))
		})
		want := run(t, cfg, append(inRecords(t, spans, base+8*second, 0), flush()), func() int { return 1 << 20 }, nil)
		for range rapid.IntRange(0, 10).Draw(t, "duplicates") {
			spans = append(spans, rapid.SampledFrom(spans).Draw(t, "duplicate"))
		}
		records := append(inRecords(t, shuffled(t, spans), base+8*second, 0), flush())
		got := run(t, cfg, records, func() int { return rapid.IntRange(1, 4).Draw(t, "block") },
			func() bool { return rapid.IntRange(0, 2).Draw(t, "restart") == 0 })
		slices.Sort(want)
		slices.Sort(got)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-sorted +any order):\n%s", diff)
		}
	})
}

// TestAnyBlocks sends records over a long time, so that traces are closed for
// every reason and come back, and gets the same rows in the same order however
// the records are cut into blocks, and wherever the state is restored.
func TestAnyBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := traces.Config{
			Idle: time.Duration(rapid.IntRange(1, 20).Draw(t, "idle")) * time.Second, MaxDuration: 25 * time.Second,
			MaxOpenSpans: rapid.IntRange(3, 40).Draw(t, "open"), MaxPath: 3,
		}
		cfg.MaxSpansPerTrace = rapid.IntRange(1, min(cfg.MaxOpenSpans, 12)).Draw(t, "per trace")
		var records []record
		for range rapid.IntRange(1, 4).Draw(t, "waves") {
			from := base + int64(rapid.IntRange(0, 60).Draw(t, "from"))*second
			step := int64(rapid.IntRange(-1, 6).Draw(t, "step")) * second
			records = append(records, inRecords(t, shuffled(t, drawSpans(t, 60*second)), from, step)...)
		}
		records = append(records, flush())
		want := run(t, cfg, records, one, nil)
		got := run(t, cfg, records, func() int { return rapid.IntRange(1, 9).Draw(t, "block") },
			func() bool { return rapid.IntRange(0, 3).Draw(t, "restart") == 0 })
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-record by record +any blocks):\n%s", diff)
		}
	})
}

// whole is what readers make of all rows of a trace.
type whole struct {
	Start, End    int64
	Spans, Errors uint32
	Services      []string
	IDs           []string
}

func merge(all map[string]whole, b *telemetry.Batch) {
	for i := range b.Traces {
		row := &b.Traces[i]
		key := fmt.Sprintf("%s %x", row.Tenant, row.TraceID)
		w, known := all[key]
		if !known {
			w.Start, w.End = row.Start, row.End
		}
		w.Start, w.End = min(w.Start, row.Start), max(w.End, row.End)
		w.Spans += row.Spans
		w.Errors += row.Errors
		w.Services = append(w.Services, b.TraceServices[row.Services.Start:row.Services.End]...)
		slices.Sort(w.Services)
		w.Services = slices.Compact(w.Services)
		for _, m := range b.MembersOf(row) {
			w.IDs = append(w.IDs, fmt.Sprintf("%x %d", m.ID, m.Kind))
		}
		slices.Sort(w.IDs)
		all[key] = w
	}
}

// TestLate lets some spans come when their traces are closed: all rows of a trace
// together say what the one row of a trace says whose spans came in time, and
// every span is in exactly one of them.
func TestLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := traces.DefaultConfig()
		spans := drawSpans(t, 5*second)
		aggregate := func(records []record) map[string]whole {
			p, all := newProcessor(t, cfg), map[string]whole{}
			for i := range records {
				b := batch(records[i : i+1])
				if err := p.Process(context.Background(), b); err != nil {
					t.Fatal(err)
				}
				merge(all, b)
			}
			return all
		}
		want := aggregate(append(inRecords(t, spans, base+8*second, 0), flush()))
		var inTime, late []sent
		for _, s := range spans {
			if rapid.IntRange(0, 19).Draw(t, "late") == 0 {
				late = append(late, s)
			} else {
				inTime = append(inTime, s)
			}
		}
		clock := func(at int64) record {
			return record{received: base + at*second, spans: []sent{{tenant: "default", service: "clock", Span: telemetry.Span{
				TraceID: telemetry.TraceID{0xFF}, SpanID: telemetry.SpanID{2}, Start: base, End: base + at*second,
			}}}}
		}
		records := inRecords(t, shuffled(t, inTime), base+8*second, 0)
		records = append(records, clock(30), clock(50))
		records = append(records, inRecords(t, late, base+60*second, 20*second)...)
		got := aggregate(append(records, flush()))
		clocks := fmt.Sprintf("default %x", telemetry.TraceID{0xFF})
		delete(want, clocks)
		delete(got, clocks)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-in time +late):\n%s", diff)
		}
	})
}
