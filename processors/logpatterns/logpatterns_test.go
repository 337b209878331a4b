package logpatterns_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/logpatterns"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/logpattern"
)

func TestScripts(t *testing.T) {
	pipelinetest.RunScripts(t, logpatterns.Registration(), "testdata")
}

func TestConformance(t *testing.T) {
	pipelinetest.Conform(t, logpatterns.Registration(), "testdata")
}

func TestConfig(t *testing.T) {
	for _, n := range []int{0, -1, 100_001} {
		cfg := logpatterns.Config{MaxPatterns: n}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "max_patterns") {
			t.Errorf("%d: %v", n, err)
		}
		if _, err := logpatterns.New(cfg); err == nil {
			t.Errorf("a processor is made with %d patterns", n)
		}
	}
}

func newProcessor(t testing.TB) *logpatterns.Processor {
	t.Helper()
	p, err := logpatterns.New(logpatterns.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// field encodes a field of a message that has a length.
func field(number byte, inside ...string) string {
	text := strings.Join(inside, "")
	return string([]byte{number<<3 | 2, byte(len(text))}) + text
}

// TestMaps has bodies that are no strings.
func TestMaps(t *testing.T) {
	pair := func(key, value string) string { return field(1, field(1, key), field(2, value)) }
	text := func(s string) string { return field(1, s) }
	number := "\x18\x07" // int_value
	for _, c := range []struct {
		name string
		body telemetry.Value
		want string
	}{
		{"message", telemetry.Value{Kind: telemetry.KindMap, Str: pair("n", number) + pair("msg", text("took 7 ms")) + pair("log", text("x"))}, "took <*> ms"},
		{"keys", telemetry.Value{Kind: telemetry.KindMap, Str: pair("n", number) + pair("a", text("took 7 ms")) + pair("n", number)}, `{"a","n"}`},
		{"a message that is no text", telemetry.Value{Kind: telemetry.KindMap, Str: pair("msg", number)}, `{"msg"}`},
		{"cut short", telemetry.Value{Kind: telemetry.KindMap, Str: pair("msg", text("took 7 ms"))[:9]}, ""},
		{"garbage", telemetry.Value{Kind: telemetry.KindMap, Str: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}, ""},
		{"number", telemetry.IntValue(7), "<*>"},
		{"nothing", telemetry.Value{}, ""},
		{"bytes", telemetry.Value{Kind: telemetry.KindBytes, Str: "abc"}, ""},
	} {
		b := &telemetry.Batch{Records: make([]telemetry.Record, 1), Resources: make([]telemetry.Resource, 1), Logs: []telemetry.Log{{Body: c.body}}}
		if err := newProcessor(t).Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(b.Patterns) > 0 {
			got = b.Patterns[0].Text
		}
		if got != c.want || (got == "") != (b.Logs[0].Pattern == 0) {
			t.Errorf("%s: got %q and id %d, want %q", c.name, got, b.Logs[0].Pattern, c.want)
		}
	}
}

func FuzzMap(f *testing.F) {
	f.Add(field(1, field(1, "msg"), field(2, field(1, "took 7 ms"))))
	f.Add("\x0d1234\x09\x01")
	f.Fuzz(func(t *testing.T, body string) {
		b := &telemetry.Batch{
			Records: make([]telemetry.Record, 1), Resources: make([]telemetry.Resource, 1),
			Logs: []telemetry.Log{{Body: telemetry.Value{Kind: telemetry.KindMap, Str: body}}},
		}
		if err := newProcessor(t).Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOrder cuts the same lines, in any order, into any blocks of any number of
// processors. Ids and sums must not differ.
func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	type entry struct {
		service, body string
		at            int64
		severity      uint8
	}
	var lines []entry
	for i := range 2000 {
		lines = append(lines, entry{
			service: fmt.Sprint("s", r.IntN(3)), at: int64(r.IntN(5)) * int64(time.Minute) / 2, severity: uint8(r.IntN(25)),
			body: fmt.Sprintf("%s %d took %d ms", []string{"order", "cart", "visit"}[r.IntN(3)], i, r.IntN(100)),
		})
	}
	var want []string
	for round := range 20 {
		sums, ids := map[string]uint64{}, map[string]bool{}
		shards := make([]*logpatterns.Processor, 1+r.IntN(4))
		for i := range shards {
			shards[i] = newProcessor(t)
		}
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		for rest := lines; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 300))
			b := &telemetry.Batch{Records: []telemetry.Record{{Tenant: "a"}}}
			for i, l := range rest[:n] {
				b.Resources = append(b.Resources, telemetry.Resource{Service: l.service})
				b.Logs = append(b.Logs, telemetry.Log{Resource: uint32(i), Time: l.at, Severity: l.severity, Body: telemetry.StringValue(l.body)})
			}
			if err := shards[r.IntN(len(shards))].Process(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for i := range b.Logs {
				ids[fmt.Sprint(b.Logs[i].Pattern)] = true
			}
			for _, p := range b.Patterns {
				if p.ID != logpattern.ID([]byte(p.Text)) || !ids[fmt.Sprint(p.ID)] {
					t.Fatalf("%d is not the id of %q", p.ID, p.Text)
				}
				sums[fmt.Sprint(p.Tenant, p.Service, p.Time, p.Class, p.ID, p.Text)] += p.Lines
			}
			rest = rest[n:]
		}
		var got []string
		for name, n := range sums {
			got = append(got, fmt.Sprint(name, n))
		}
		slices.Sort(got)
		if round == 0 {
			want = got
		}
		if !slices.Equal(got, want) || len(ids) != 3 || len(got) < 100 {
			t.Fatalf("round %d: %d ids, %d rows\n%q\nwant %q", round, len(ids), len(got), got, want)
		}
	}
}

// batch has lines as services write them.
func batch(n int) *telemetry.Batch {
	b := &telemetry.Batch{Records: make([]telemetry.Record, 1), Resources: []telemetry.Resource{{Service: "cart"}}}
	for i := range n {
		text := fmt.Sprintf("order %d of user=%d from 10.0.0.%d took %d ms", i, i*7, i%200, i%1000)
		if i%3 == 0 {
			text = fmt.Sprintf(`{"level":"info","msg":"GET /cart/%d answered","status":200}`, i)
		}
		b.Logs = append(b.Logs, telemetry.Log{Time: int64(time.Minute), Severity: 9, Body: telemetry.StringValue(text)})
	}
	return b
}

func TestAllocations(t *testing.T) {
	p, b := newProcessor(t), batch(1000)
	n := testing.AllocsPerRun(10, func() {
		b.Patterns = b.Patterns[:0]
		if err := p.Process(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for a block of lines that were seen before", n)
	}
}

func BenchmarkProcess(b *testing.B) {
	p, lines := newProcessor(b), batch(1000)
	b.ReportAllocs()
	for b.Loop() {
		lines.Patterns = lines.Patterns[:0]
		if err := p.Process(context.Background(), lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/event")
}
