package parse_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/parse"
	"github.com/goshawk-observability/goshawk/telemetry"
)

func TestScripts(t *testing.T) { pipelinetest.RunScripts(t, parse.Registration(), "testdata") }

func TestConformance(t *testing.T) { pipelinetest.Conform(t, parse.Registration(), "testdata") }

func newProcessor(t testing.TB, change func(*parse.Config)) *parse.Processor {
	t.Helper()
	cfg := parse.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	p, err := parse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// batchOf returns a batch of records with the given bodies.
func batchOf(bodies ...string) *telemetry.Batch {
	b := &telemetry.Batch{
		Records:   []telemetry.Record{{ReceiveTime: int64(480_000 * time.Hour)}},
		Resources: make([]telemetry.Resource, 1),
	}
	for _, body := range bodies {
		b.Logs = append(b.Logs, telemetry.Log{Time: 1, Observed: 1, Body: telemetry.StringValue(body)})
	}
	return b
}

func TestSeverityText(t *testing.T) {
	b := batchOf(`{"level":"Warning"}`, `{"level":40}`, "[Error] x", "<3> x", "no level", `{"level":"warn"}`, "ERROR x", "x", `{"msg":"ERROR x"}`)
	b.Logs[5].SeverityText = "mine"
	b.Logs[6].SeverityText = "mine"
	b.Logs[7].SeverityText = "fatal"
	if err := newProcessor(t, nil).Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range b.Logs {
		got = append(got, fmt.Sprint(b.Logs[i].Severity, b.Logs[i].SeverityText))
	}
	if want := "13Warning 13 17Error 17 0 13mine 17mine 21fatal 0"; strings.Join(got, " ") != want {
		t.Errorf("severities are %q, want %q", got, want)
	}
}

func TestDroppedAttributesAreCounted(t *testing.T) {
	p := newProcessor(t, func(c *parse.Config) { c.MaxFields, c.MaxKeyBytes, c.MaxValueBytes = 2, 2, 2 })
	b := batchOf(`{"long":1,"a":[1,2],"b":"cut","c":1,"d":1}`, `{"a":1}`, `{"a":1,"b":2,"c":3`)
	if err := p.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint32{3, 0, 0} {
		if got := b.Logs[i].DroppedAttrs; got != want {
			t.Errorf("%d attributes of record %d are counted as dropped, want %d", got, i, want)
		}
	}
}

// Only strings are taken apart.
func TestOtherBodies(t *testing.T) {
	b := batchOf("", "", "")
	b.Logs[0].Body = telemetry.Value{Kind: telemetry.KindBytes, Str: `{"a":1}`}
	b.Logs[1].Body = telemetry.Value{Kind: telemetry.KindMap, Str: "ERROR x"}
	b.Logs[2].Body = telemetry.Value{}
	if err := newProcessor(t, nil).Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for i := range b.Logs {
		if l := &b.Logs[i]; l.Attrs.Len() != 0 || l.Severity != 0 {
			t.Errorf("record %d has become %+v", i, l)
		}
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*parse.Config){
		"want json or logfmt": func(c *parse.Config) { c.Formats = []string{"xml"} },
		"max_fields":          func(c *parse.Config) { c.MaxFields = 513 },
		"max_depth":           func(c *parse.Config) { c.MaxDepth = 0 },
		"max_key_bytes":       func(c *parse.Config) { c.MaxKeyBytes = 0 },
		"max_value_bytes":     func(c *parse.Config) { c.MaxValueBytes = 1 << 30 },
		"max_age":             func(c *parse.Config) { c.MaxAge = 0 },
		"max_future":          func(c *parse.Config) { c.MaxFuture = -1 },
	} {
		cfg := parse.DefaultConfig()
		change(&cfg)
		if _, err := parse.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// jsonLine is a line of 300 bytes and eleven fields, as a service in Go writes it.
const jsonLine = `{"level":"info","ts":1727999999.250117,"logger":"shop.cart","caller":"cart/cart.go:117","msg":"item was added to the cart of a customer",` +
	`"items":3,"price":19.99,"request":{"path":"/cart/items/1727","method":"POST"},"trace_id":"0af7651916cd43dd8448eb211c80319c","user":"5f0e7c1b9a3d"}`

var benchLines = map[string]string{
	"json":    jsonLine,
	"escapes": strings.Replace(jsonLine, "added to", `\"added\" to`, 1),
	"logfmt":  `ts=2024-10-03T23:59:59.25Z level=info caller=cart/cart.go:117 msg="item was added to the cart" items=3 price=19.99 currency=EUR customer=c-5f0e7c1b9a3d`,
	"text":    "2024-02-29 23:59:59,250 WARN  [main] it took 250 ms to add an item to the cart of c-5f0e7c1b9a3d",
	"access":  `203.0.113.77 - - [17/May/2015:10:05:03 +0000] "GET /cart HTTP/1.1" 200 203023 "-" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1)"`,
}

// fill makes a batch of n records as they come, without memory of its own.
func fill(b *telemetry.Batch, line string, n int) {
	b.Logs, b.Attrs = b.Logs[:0], b.Attrs[:0]
	for range n {
		start := uint32(len(b.Attrs))
		b.Attrs = append(b.Attrs, telemetry.Attr{Key: "log.file.path", Value: telemetry.StringValue("/var/log/cart.log")},
			telemetry.Attr{Key: "log.iostream", Value: telemetry.StringValue("stdout")})
		b.Logs = append(b.Logs, telemetry.Log{
			Time: 1, Observed: 1, Body: telemetry.StringValue(line), Attrs: telemetry.Range{Start: start, End: uint32(len(b.Attrs))},
		})
	}
}

func TestProcessAllocatesNothing(t *testing.T) {
	for name, line := range benchLines {
		p, b := newProcessor(t, nil), batchOf()
		process := func() {
			fill(b, line, 100)
			if err := p.Process(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
		process()
		if n := testing.AllocsPerRun(10, process); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"json", "escapes", "logfmt", "text", "access"} {
		b.Run(name, func(b *testing.B) {
			const n = 1000
			p, batch := newProcessor(b, nil), batchOf()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				fill(batch, benchLines[name], n)
				b.StartTimer()
				if err := p.Process(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/line")
		})
	}
}
