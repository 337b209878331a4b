package traces_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// stream makes traces of ten spans of 20 services, each in records of its own
// service, at a steady pace. A record holds spans of many traces, as a partition
// bucket of a busy gateway does.
type stream struct {
	random *rand.Rand
	names  []string
	now    int64
	next   uint64
	// waiting are spans of traces under way.
	waiting []sent
}

func newStream() *stream {
	s := &stream{random: rand.New(rand.NewPCG(1, 2)), now: base}
	for range 200 {
		s.names = append(s.names, strings.Repeat("operation ", 2)+string(rune('a'+len(s.names)%26))+string(rune('a'+len(s.names)/26)))
	}
	return s
}

const perTrace = 10

// attributes are about as many as instrumentation sends, by kind of span.
var attributes = func() (all [6][]telemetry.Attr) {
	of := map[int][]string{
		2: {"http.request.method", "GET", "url.path", "/cart", "url.scheme", "http", "http.route", "/cart", "server.address", "cart", "client.address", "10.1.2.3", "user_agent.original", "curl", "network.protocol.version", "1.1"},
		3: {"db.system.name", "postgresql", "db.namespace", "orders", "db.operation.name", "SELECT", "db.query.text", "SELECT 1", "server.address", "db-1", "server.port", "5432", "db.collection.name", "carts"},
		4: {"messaging.system", "kafka", "messaging.destination.name", "orders", "messaging.operation.type", "send", "messaging.client.id", "a"},
		5: {"messaging.system", "kafka", "messaging.destination.name", "orders", "messaging.operation.type", "process", "messaging.client.id", "a"},
	}
	for kind := range all {
		for i := 0; i < len(of[kind]); i += 2 {
			all[kind] = append(all[kind], telemetry.Attr{Key: of[kind][i], Value: telemetry.StringValue(of[kind][i+1])})
		}
	}
	return all
}()

// record returns the next record, of so many spans.
func (s *stream) record(spans int, step int64) record {
	s.now += step
	for len(s.waiting) < 4*spans {
		s.next++
		var id telemetry.TraceID
		for i := range id {
			id[i] = byte(s.random.Uint32())
		}
		for i := range perTrace {
			x := sent{tenant: "default", service: s.names[(int(s.next)+i)%20]}
			x.TraceID = id
			x.SpanID = telemetry.SpanID{byte(i + 1), byte(s.random.Uint32()), byte(s.random.Uint32())}
			if i > 0 {
				x.ParentID = s.waiting[len(s.waiting)-1-s.random.IntN(i)].SpanID
			}
			x.Name, x.Kind = s.names[s.random.IntN(len(s.names))], uint8(i%6)
			x.Start = s.now + int64(i)*1_000_000
			x.End = x.Start + s.random.Int64N(50_000_000)
			x.attrs = attributes[x.Kind]
			s.waiting = append(s.waiting, x)
		}
	}
	r := record{received: s.now + second}
	service := s.names[s.random.IntN(20)]
	rest := s.waiting[:0]
	for i, x := range s.waiting {
		if len(r.spans) < spans && (x.service == service || i < spans/2) {
			r.spans = append(r.spans, x)
		} else {
			rest = append(rest, x)
		}
	}
	s.waiting = rest
	return r
}

// FuzzRestore restores anything: it never panics, takes no more memory than the
// bytes account for, and what it takes it gives back alike.
func FuzzRestore(f *testing.F) {
	cfg := traces.DefaultConfig()
	cfg.MaxSpansPerTrace = 8
	p := newProcessor(f, cfg)
	f.Add(p.Snapshot(nil))
	s := newStream()
	for range 3 {
		if err := p.Process(f.Context(), batch([]record{s.record(20, second)})); err != nil {
			f.Fatal(err)
		}
		f.Add(p.Snapshot(nil))
	}
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, state []byte) {
		p := newProcessor(t, cfg)
		if p.Restore(state) != nil {
			if items, _ := p.Held(); items != 0 {
				t.Fatalf("%d spans are left of a state that was refused", items)
			}
			return
		}
		again := p.Snapshot(nil)
		q := newProcessor(t, cfg)
		if err := q.Restore(again); err != nil {
			t.Fatal(err)
		}
		items, _ := p.Held()
		if same, _ := q.Held(); same != items {
			t.Fatalf("%d spans of %d", same, items)
		}
		a, b := batch([]record{s.record(5, second), flush()}), batch([]record{s.record(0, 0), flush()})
		b.Records[0], b.Spans, b.Resources, b.Attrs = a.Records[0], slices.Clone(a.Spans), slices.Clone(a.Resources), a.Attrs
		b.Records = append(b.Records[:1], a.Records[1:]...)
		for i, into := range []*telemetry.Batch{a, b} {
			if err := []*traces.Processor{p, q}[i].Process(t.Context(), into); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(rowsOf(a), rowsOf(b)) {
			t.Fatal("the state that was restored twice makes other rows")
		}
	})
}

// TestDamagedState cuts a state at every byte, and changes every byte.
func TestDamagedState(t *testing.T) {
	p := newProcessor(t, traces.DefaultConfig())
	s := newStream()
	if err := p.Process(t.Context(), batch([]record{s.record(40, second)})); err != nil {
		t.Fatal(err)
	}
	state := p.Snapshot(nil)
	q := newProcessor(t, traces.DefaultConfig())
	for i := 1; i < len(state); i++ {
		if q.Restore(state[:i]) == nil {
			t.Fatalf("%d of %d bytes are taken for all", i, len(state))
		}
		changed := slices.Clone(state)
		changed[i] ^= 0x55
		_ = q.Restore(changed) // may be another state; must not panic
	}
	if q.Restore(append(slices.Clone(state), 0)) == nil {
		t.Error("a byte too many is not noticed")
	}
}

// heap is what is in use after everything that is garbage has gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory holds a million open spans: in traces of ten, in traces of one, and
// with names that never repeat.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a million spans")
	}
	const spans, mostPerSpan, mostOfAll = 1_000_000, 300, 400 << 20
	for name, change := range map[string]func(i int, s *sent){
		"traces of ten": func(int, *sent) {},
		"traces of one": func(i int, s *sent) {
			s.TraceID[0], s.TraceID[1], s.TraceID[2] = byte(i), byte(i>>8), byte(i>>16)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := traces.DefaultConfig()
			cfg.MaxOpenSpans = 2 * spans
			s, p := newStream(), newProcessor(t, cfg)
			before := heap()
			for sent := 0; sent < spans; {
				r := s.record(500, 0)
				for i := range r.spans {
					change(sent+i, &r.spans[i])
				}
				sent += len(r.spans)
				if err := p.Process(t.Context(), batch([]record{r})); err != nil {
					t.Fatal(err)
				}
			}
			used := heap() - before
			items, says := p.Held()
			state := p.Snapshot(nil)
			t.Logf("%d open spans in %.1f MiB, %.0f B each; it says %.1f MiB; a snapshot has %.1f MiB", items,
				float64(used)/(1<<20), float64(used)/float64(items), float64(says)/(1<<20), float64(len(state))/(1<<20))
			if used > mostOfAll || used > mostPerSpan*items || says > 2*used || 2*says < used {
				t.Errorf("%d bytes for %d open spans", used, items)
			}
			runtime.KeepAlive(s)
			runtime.KeepAlive(p)
		})
	}
}

// TestNameBound holds names that never repeat: their memory is bounded like that
// of spans, and traces are closed early for it.
func TestNameBound(t *testing.T) {
	p := newProcessor(t, traces.DefaultConfig())
	s := newStream()
	closed := 0
	for i := range 600 {
		r := s.record(1000, 0)
		for j := range r.spans {
			r.spans[j].Name = strings.Repeat(string(rune('a'+i%26)), 200) + string(rune(i)) + " " + string(rune(j))
		}
		b := batch([]record{r})
		if err := p.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for k := range b.Traces {
			if b.Traces[k].Closed != telemetry.TraceSpilled {
				t.Fatalf("closed: %s", b.Traces[k].Closed)
			}
			closed++
		}
	}
	items, bytes := p.Held()
	t.Logf("%d open spans in %.1f MiB, %d traces closed early", items, float64(bytes)/(1<<20), closed)
	if closed == 0 || bytes > 160<<20 {
		t.Errorf("%d bytes, %d traces closed early", bytes, closed)
	}
}

// BenchmarkSpan assembles traces of ten spans that are open for eleven seconds:
// one number is per span from its coming to the row of its trace.
func BenchmarkSpan(b *testing.B) {
	for name, step := range map[string]int64{"10k open": 11 * second / 20, "100k open": 11 * second / 200, "500k open": 11 * second / 1000} {
		b.Run(name, func(b *testing.B) {
			p := newProcessor(b, traces.DefaultConfig())
			s := newStream()
			var records []record
			for range 2000 {
				records = append(records, s.record(500, step))
			}
			length := s.now - base + 20*second
			var batches []*telemetry.Batch
			for i := range records {
				batches = append(batches, batch(records[i:i+1]))
			}
			spans, rows, open := 0, 0, int64(0)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				in := batches[n%len(batches)]
				if n >= len(batches) { // the same again, later
					for i := range in.Spans {
						in.Spans[i].Start += length
						in.Spans[i].End += length
					}
					in.Records[0].ReceiveTime += length
				}
				in.Traces, in.TraceServices, in.TracePath, in.TraceSpans, in.Words = in.Traces[:0], in.TraceServices[:0], in.TracePath[:0], in.TraceSpans[:0], in.Words[:0]
				if err := p.Process(b.Context(), in); err != nil {
					b.Fatal(err)
				}
				spans += len(in.Spans)
				rows += len(in.Traces)
				items, _ := p.Held()
				open = max(open, items)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
			b.ReportMetric(float64(rows)/float64(spans), "rows/span")
			b.ReportMetric(float64(open), "open")
		})
	}
}

// BenchmarkSnapshot is how long a snapshot of 100,000 open spans holds up a worker.
func BenchmarkSnapshot(b *testing.B) {
	p := newProcessor(b, traces.DefaultConfig())
	s := newStream()
	for range 200 {
		if err := p.Process(b.Context(), batch([]record{s.record(500, 0)})); err != nil {
			b.Fatal(err)
		}
	}
	var state []byte
	for b.Loop() {
		state = p.Snapshot(state[:0])
	}
	items, _ := p.Held()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(items), "ns/span")
	b.ReportMetric(float64(len(state))/float64(items), "B/span")
}
