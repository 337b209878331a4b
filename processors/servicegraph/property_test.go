package servicegraph_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// drawSpans makes spans of a few traces; wrong ones have parents in circles and
// clients that share their id with a server.
func drawSpans(t *rapid.T, width int64, wrong bool) []sent {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "spans"), 1))
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	var all []sent
	for trace := range 1 + r.IntN(8) {
		n, tenant := 1+r.IntN(12), pick("default", "acme")
		for i := range n {
			s := sent{tenant: tenant, service: pick("", "web", "cart", "pay"), host: pick("", "one", "two")}
			s.Name = pick("get", "put", "")
			s.TraceID[15], s.SpanID[7] = byte(trace+1), byte(i+1)
			switch of := r.IntN(12); {
			case of == 0:
				s.ParentID[0] = 9 // nobody
			case of == 1 && wrong:
				s.ParentID[7] = byte(1 + r.IntN(n)) // anybody
			case i > 0:
				s.ParentID[7] = byte(1 + r.IntN(i))
			}
			// Few times, so that some are the same.
			s.Start = base + r.Int64N(width/second)*second
			s.End = s.Start + r.Int64N(20)*100*millisecond - 100*millisecond
			s.Kind, s.Status = uint8(r.IntN(6)), uint8(r.IntN(3))
			if r.IntN(3) == 0 {
				s.peer = pick("db", "cart")
			}
			all = append(all, s)
			if wrong && s.Kind == 3 && r.IntN(3) == 0 {
				s.Kind, s.service = 2, "shared"
				all = append(all, s)
			}
		}
	}
	return all
}

// inRecords puts spans into records of one tenant each.
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

func shuffled(t *rapid.T, list []sent) []sent {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func nameOf(service string) string { return cmp.Or(service, "unknown_service") }

// reference counts the calls of whole traces with maps: slowly, span by span.
func reference(spans []sent) sums {
	type id struct {
		tenant string
		trace  telemetry.TraceID
		span   telemetry.SpanID
	}
	byID, all := map[id]*sent{}, sums{}
	children := map[id][]*sent{}
	for i := range spans {
		s := &spans[i]
		byID[id{s.tenant, s.TraceID, s.SpanID}] = s
	}
	for _, s := range byID {
		of := id{s.tenant, s.TraceID, s.ParentID}
		children[of] = append(children[of], s)
	}
	caller := func(s *sent) bool { return s.Kind == 3 || s.Kind == 4 }
	callee := func(s *sent) bool { return s.Kind == 2 || s.Kind == 5 }
	took := func(s *sent) int64 { return max(0, s.End-s.Start) }
	count := func(from, to, operation string, kind telemetry.EdgeKind, client, server, timed *sent, failed bool) {
		at := all.at(keyOf(timed.tenant, timed.End/minute*minute, from, to, operation, kind))
		at.Calls++
		if failed {
			at.Errors++
		}
		if server != nil {
			at.Server.Add(took(server))
			if client == nil {
				at.Slow = max(at.Slow, took(server))
			}
		}
		if client != nil {
			at.Client.Add(took(client))
			at.Slow = max(at.Slow, took(client))
		}
		if client != nil && server != nil && kind == telemetry.EdgeService && client.End >= client.Start && server.End >= server.Start {
			at.Network.Add(took(client) - took(server))
		}
	}
	kindOf := func(from, to *sent) telemetry.EdgeKind {
		if from.Kind == 4 || to.Kind == 5 {
			return telemetry.EdgeMessaging
		}
		return telemetry.EdgeService
	}
	for key, s := range byID {
		below := children[key]
		if caller(s) {
			answers := slices.DeleteFunc(slices.Clone(below), func(c *sent) bool { return !callee(c) })
			others := slices.DeleteFunc(slices.Clone(below), func(c *sent) bool { return c.service == s.service })
			slices.SortFunc(others, func(x, y *sent) int {
				return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(y.End, x.End), slices.Compare(x.SpanID[:], y.SpanID[:]))
			})
			switch {
			case len(answers) > 0:
				for _, c := range answers {
					count(nameOf(s.service), nameOf(c.service), c.Name, kindOf(s, c), s, c, s, s.Status == 2 || c.Status == 2)
				}
			case len(others) > 0:
				c := others[0]
				count(nameOf(s.service), nameOf(c.service), c.Name, kindOf(s, c), s, nil, s, s.Status == 2 || c.Status == 2)
			case s.peer != "":
				kind := telemetry.EdgeExternal
				if s.Kind == 4 {
					kind = telemetry.EdgeMessaging
				}
				count(nameOf(s.service), s.peer, s.Name, kind, s, nil, s, s.Status == 2)
			}
		} else {
			for _, c := range below {
				if c.service == s.service {
					continue
				}
				server := c
				if caller(c) {
					server = nil
				}
				count(nameOf(s.service), nameOf(c.service), c.Name, kindOf(s, c), nil, server, c, c.Status == 2)
			}
		}
		if byID[id{s.tenant, s.TraceID, s.ParentID}] == nil && callee(s) {
			kind := telemetry.EdgeService
			if s.Kind == 5 {
				kind = telemetry.EdgeMessaging
			}
			switch {
			case s.peer != "":
				count(s.peer, nameOf(s.service), s.Name, kind, nil, s, s, s.Status == 2)
			case s.ParentID.IsZero():
				count("", nameOf(s.service), s.Name, telemetry.EdgeEntry, nil, s, s, s.Status == 2)
			}
		}
	}
	return all
}

// patient keeps traces until everything has come.
func patient() traces.Config {
	cfg := traces.DefaultConfig()
	cfg.Idle, cfg.MaxDuration = time.Hour, 2*time.Hour
	return cfg
}

// TestReference sends traces in any order, with duplicates, in any records and
// blocks and with restarts, and counts the same calls as a reference that sees
// whole traces.
func TestReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := drawSpans(t, 150*second, false)
		want := reference(spans)
		for range rapid.IntRange(0, 10).Draw(t, "duplicates") {
			spans = append(spans, rapid.SampledFrom(spans).Draw(t, "duplicate"))
		}
		got := sums{}
		records := append(inRecords(t, shuffled(t, spans), base+400*second, 0), flush()...)
		newRig(t, patient(), servicegraph.DefaultConfig()).run(records,
			func() int { return rapid.IntRange(1, 4).Draw(t, "block") },
			func() bool { return rapid.IntRange(0, 2).Draw(t, "restart") == 0 }, got.add)
		if diff := gocmp.Diff(want.lines(), got.lines()); diff != "" {
			t.Fatalf("(-reference +counted):\n%s", diff)
		}
	})
}

// TestAnyOrder sends traces of which anything may be wrong sorted and in any
// order, and gets the same rows to the last bit.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := servicegraph.DefaultConfig()
		cfg.Metrics.Enabled = false // which say of records when they came
		spans := drawSpans(t, 150*second, true)
		slices.SortFunc(spans, func(a, b sent) int { return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.Start, b.Start)) })
		rows := func(spans []sent) (all []string) {
			records := append(inRecords(t, spans, base+400*second, 0), flush()...)
			newRig(t, patient(), cfg).run(records, func() int { return 3 }, nil, func(b *telemetry.Batch) { all = append(all, rowsOf(b)...) })
			return all
		}
		if diff := gocmp.Diff(rows(spans), rows(shuffled(t, spans))); diff != "" {
			t.Fatalf("(-sorted +any order):\n%s", diff)
		}
	})
}

// TestAnyBlocks sends spans over a long time, early, late and from the future,
// with small limits, and gets the same rows and metrics in the same order however
// the records are cut into blocks, and wherever the state is restored.
func TestAnyBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := servicegraph.DefaultConfig()
		cfg.Delay = time.Duration(rapid.IntRange(0, 20_000).Draw(t, "delay")) * time.Millisecond
		cfg.MaxOpen = rapid.IntRange(1, 40).Draw(t, "open")
		cfg.MaxOperations = rapid.IntRange(1, 3).Draw(t, "operations")
		cfg.Metrics.MaxSeries = rapid.IntRange(1, 20).Draw(t, "series")
		cfg.Metrics.Interval = time.Duration(rapid.IntRange(1, 20).Draw(t, "interval")) * time.Second
		cfg.Metrics.Bounds = []float64{0.1, 1}
		var records []record
		for range rapid.IntRange(1, 4).Draw(t, "waves") {
			from := base + int64(rapid.IntRange(0, 300).Draw(t, "from"))*second
			step := int64(rapid.IntRange(-1, 12).Draw(t, "step")) * second
			records = append(records, inRecords(t, shuffled(t, drawSpans(t, 400*second, true)), from, step)...)
			if rapid.Bool().Draw(t, "idle") {
				records = append(records, record{received: from + 200*second})
			}
		}
		records = append(records, flush()...)
		rows := func(block func() int, restart func() bool) (all []string) {
			newRig(t, traces.DefaultConfig(), cfg).run(records, block, restart, func(b *telemetry.Batch) {
				for kind, list := range [][]string{
					rowsOf(&telemetry.Batch{Edges: b.Edges, Buckets: b.Buckets}), rowsOf(&telemetry.Batch{ClockOffsets: b.ClockOffsets}),
					rowsOf(&telemetry.Batch{Derived: b.Derived}),
				} {
					for _, line := range list {
						all = append(all, string(rune('0'+kind))+" "+line)
					}
				}
			})
			slices.SortStableFunc(all, func(x, y string) int { return cmp.Compare(x[0], y[0]) })
			return all
		}
		want := rows(func() int { return 1 }, nil)
		got := rows(func() int { return rapid.IntRange(1, 9).Draw(t, "block") },
			func() bool { return rapid.IntRange(0, 3).Draw(t, "restart") == 0 })
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-record by record +any blocks):\n%s", diff)
		}
	})
}
