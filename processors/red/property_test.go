package red_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/goshawk-observability/goshawk/processors/red"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

const (
	second = int64(time.Second)
	minute = int64(time.Minute)
	// base is when the tests' time begins, the start of a minute.
	base = 1_700_000_040 * second
)

// sent is a span as a test sends it.
type sent struct {
	service, version string
	telemetry.Span
}

// record is what one Kafka record holds.
type record struct {
	tenant   string
	received int64
	idle     bool
	spans    []sent
}

// batch makes a batch of records, in which the spans of a service share a resource.
func batch(records []record) *telemetry.Batch {
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "spans", Partition: 3, Signal: telemetry.Spans}}
	for _, r := range records {
		b.Records = append(b.Records, telemetry.Record{Tenant: r.tenant, ReceiveTime: r.received, Idle: r.idle, Declared: -1})
		resources := map[[2]string]uint32{}
		for _, s := range r.spans {
			of := [2]string{s.service, s.version}
			resource, known := resources[of]
			if known {
				s.Resource = resource
				b.Spans = append(b.Spans, s.Span)
				continue
			}
			at := uint32(len(b.Attrs))
			b.Attrs = append(b.Attrs, telemetry.Attr{Key: "host.name", Value: telemetry.StringValue("node")},
				telemetry.Attr{Key: "service.version", Value: telemetry.StringValue(s.version)})
			b.Resources = append(b.Resources, telemetry.Resource{
				Service: s.service, Record: uint32(len(b.Records) - 1), Attrs: telemetry.Range{Start: at, End: at + 2},
			})
			s.Resource = uint32(len(b.Resources) - 1)
			resources[of] = s.Resource
			b.Spans = append(b.Spans, s.Span)
		}
	}
	return b
}

// key says which row a span is counted in.
type key struct {
	tenant, service, version, name string
	minute                         int64
	kind                           uint8
}

// counted is what all rows of a key say together.
type counted struct {
	Calls, Errors, Satisfied, Tolerating uint64
	Sum, Slow                            int64
	Buckets                              map[int16]uint64
	SlowTrace                            telemetry.TraceID
}

// said is what came out of a processor.
type said struct {
	// rows are in the order in which they came, with their buckets.
	rows    []string
	derived []telemetry.Derived
	counted map[key]*counted
	// failed are the traces of failed spans that rows name.
	failed map[key][]telemetry.TraceID
}

func (s *said) take(b *telemetry.Batch) {
	for i := range b.Operations {
		o := &b.Operations[i]
		buckets := slices.Clone(b.BucketsOf(&o.Duration))
		row := *o
		row.Duration.Buckets = telemetry.Range{}
		s.rows = append(s.rows, fmt.Sprintf("%+v %v", row, buckets))
		c := s.of(key{o.Tenant, o.Service, o.Version, o.Name, o.Time, o.Kind})
		c.Calls += o.Calls
		c.Errors += o.Errors
		c.Satisfied += o.Satisfied
		c.Tolerating += o.Tolerating
		c.Sum += o.Duration.Sum
		for _, bucket := range buckets {
			c.Buckets[bucket.Index] += bucket.Count
		}
		c.slowest(o.SlowNanoseconds, o.SlowTrace)
		if o.Errors > 0 {
			k := key{o.Tenant, o.Service, o.Version, o.Name, o.Time, o.Kind}
			s.failed[k] = append(s.failed[k], o.ErrorTrace)
		}
	}
	s.derived = append(s.derived, b.Derived...)
}

func (s *said) of(k key) *counted {
	if s.counted == nil {
		s.counted, s.failed = map[key]*counted{}, map[key][]telemetry.TraceID{}
	}
	if s.counted[k] == nil {
		s.counted[k] = &counted{Buckets: map[int16]uint64{}, Slow: -1}
	}
	return s.counted[k]
}

func (c *counted) slowest(duration int64, trace telemetry.TraceID) {
	if duration > c.Slow || duration == c.Slow && bytes.Compare(trace[:], c.SlowTrace[:]) < 0 {
		c.Slow, c.SlowTrace = duration, trace
	}
}

// naive counts spans one by one, as the documentation says it.
func naive(records []record, threshold time.Duration) map[key]*counted {
	var all said
	for _, r := range records {
		for _, s := range r.spans {
			at := min(s.End, r.received)
			c := all.of(key{r.tenant, s.service, s.version, s.Name, at - at%minute, s.Kind})
			duration := max(s.End-s.Start, 0)
			c.Calls++
			c.Sum += duration
			c.Buckets[sketch.Index(duration)]++
			c.slowest(duration, s.TraceID)
			switch {
			case s.Status == 2:
				c.Errors++
			case duration <= int64(threshold):
				c.Satisfied++
			case duration <= 4*int64(threshold):
				c.Tolerating++
			}
		}
	}
	return all.counted
}

// run sends records in the given blocks. Before a record of restarts, the state
// goes through a snapshot.
func run(t interface{ Fatal(...any) }, cfg red.Config, records []record, block func() int, restart func() bool) *said {
	p, err := red.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	out := &said{}
	for len(records) > 0 {
		n := min(max(block(), 1), len(records))
		b := batch(records[:n])
		if err := p.Process(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		out.take(b)
		records = records[n:]
		if restart() {
			state := p.Snapshot(nil)
			items, size := p.Held()
			if p, err = red.New(cfg); err != nil {
				t.Fatal(err)
			}
			if err := p.Restore(state); err != nil {
				t.Fatal(err)
			}
			if i, s := p.Held(); i != items || s != size {
				t.Fatal("restored ", i, " operations of ", s, " bytes, there were ", items, " of ", size)
			}
			clear(state)
		}
	}
	if items, size := p.Held(); items != 0 || size != 0 {
		t.Fatal(items, " operations of ", size, " bytes are held at the end")
	}
	return out
}

func one() int    { return 1 }
func never() bool { return false }

// drawRecords makes records of spans that may be as wrong as senders get them,
// over some minutes, and at the end silence that closes everything.
func drawRecords(t *rapid.T) []record {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "records"), 1))
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	var all []record
	now := base
	for range 1 + r.IntN(60) {
		now += r.Int64N(8 * second)
		one := record{tenant: pick("default", "acme"), received: now - r.Int64N(3*second), idle: r.IntN(10) == 0}
		for range r.IntN(6) {
			var s sent
			s.service, s.version, s.Name = pick("", "web", "cart"), pick("", "1", "2"), pick("get", "put", "post", "")
			s.TraceID[r.IntN(2)*15], s.SpanID[7] = byte(1+r.IntN(9)), byte(1+r.IntN(9))
			s.End = now - r.Int64N(10*second)
			s.Start = s.End - r.Int64N(4*second)*r.Int64N(2)
			switch r.IntN(20) {
			case 0:
				s.End += 365 * 24 * 60 * minute
				s.Start = s.End - second
			case 1:
				s.Start = s.End + second
			case 2:
				s.End -= r.Int64N(5 * minute)
				s.Start = s.End - second
			case 3:
				s.End -= 24 * 60 * minute
				s.Start = s.End - second
			}
			s.Kind, s.Status = uint8(r.IntN(6)), uint8(r.IntN(3))
			one.spans = append(one.spans, s)
		}
		all = append(all, one)
	}
	for _, after := range []int64{minute, 2 * minute, 20 * minute} {
		all = append(all, record{tenant: "default", received: now + after, idle: true})
	}
	return all
}

func drawConfig(t *rapid.T) red.Config {
	cfg := red.DefaultConfig()
	cfg.Delay = time.Duration(rapid.IntRange(0, 30).Draw(t, "delay")) * time.Second
	cfg.MaxOpen = rapid.SampledFrom([]int{1, 10, 50_000}).Draw(t, "open")
	cfg.MaxOperations = min(rapid.SampledFrom([]int{1, 2, 500}).Draw(t, "operations"), cfg.MaxOpen)
	cfg.Metrics.Enabled = rapid.Bool().Draw(t, "metrics")
	cfg.Metrics.MaxSeries = rapid.SampledFrom([]int{1, 5, 1000}).Draw(t, "series")
	return cfg
}

// TestAnyBlocks gets the same rows and the same metrics in the same order however
// the records are cut into blocks, and wherever the state is restored.
func TestAnyBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, records := drawConfig(t), drawRecords(t)
		want := run(t, cfg, records, one, never)
		got := run(t, cfg, records, func() int { return rapid.IntRange(1, 9).Draw(t, "block") },
			func() bool { return rapid.IntRange(0, 3).Draw(t, "restart") == 0 })
		if diff := gocmp.Diff(want.rows, got.rows); diff != "" {
			t.Fatalf("rows (-record by record +any blocks):\n%s", diff)
		}
		if diff := gocmp.Diff(want.derived, got.derived); diff != "" {
			t.Fatalf("metrics (-record by record +any blocks):\n%s", diff)
		}
	})
}

// TestNaive compares the sums of all rows with spans counted one by one, and the
// last points of all series, too. The order of the spans of a record, and how long
// rows are open, do not matter.
func TestNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, records := drawConfig(t), drawRecords(t)
		cfg.MaxOperations, cfg.MaxOpen = 500, max(cfg.MaxOpen, 500)
		cfg.Metrics.MaxSeries = 1000
		cfg.Metrics.Kinds = []string{"unspecified", "internal", "server", "client", "producer", "consumer"}
		want := naive(records, cfg.Apdex.Threshold)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
		for _, one := range records {
			r.Shuffle(len(one.spans), func(i, j int) { one.spans[i], one.spans[j] = one.spans[j], one.spans[i] })
		}
		got := run(t, cfg, records, func() int { return rapid.IntRange(1, 9).Draw(t, "block") },
			func() bool { return rapid.IntRange(0, 3).Draw(t, "restart") == 0 })
		if diff := gocmp.Diff(want, got.counted); diff != "" {
			t.Fatalf("(-one by one +rows):\n%s", diff)
		}
		if diff := gocmp.Diff(failures(records), got.failed, equalWhereSeveral, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("failed traces (-one by one +rows):\n%s", diff)
		}
		if cfg.Metrics.Enabled {
			checkMetrics(t, want, got.derived)
		} else if len(got.derived) > 0 {
			t.Fatal(len(got.derived), " metrics, which are turned off")
		}
	})
}

// failures are the traces of failed spans by the row, the latest first.
func failures(records []record) map[key][]telemetry.TraceID {
	type failure struct {
		at    int64
		trace telemetry.TraceID
	}
	all := map[key][]failure{}
	for _, r := range records {
		for _, s := range r.spans {
			if at := min(s.End, r.received); s.Status == 2 {
				k := key{r.tenant, s.service, s.version, s.Name, at - at%minute, s.Kind}
				all[k] = append(all[k], failure{at, s.TraceID})
			}
		}
	}
	traces := map[key][]telemetry.TraceID{}
	for k, list := range all {
		slices.SortFunc(list, func(a, b failure) int {
			return cmp.Or(cmp.Compare(b.at, a.at), bytes.Compare(a.trace[:], b.trace[:]))
		})
		for _, f := range list {
			traces[k] = append(traces[k], f.trace)
		}
	}
	return traces
}

// equalWhereSeveral compares the failed traces of a key with those that rows name:
// the latest is named, and all that are named have failed.
var equalWhereSeveral = gocmp.Comparer(func(a, b []telemetry.TraceID) bool {
	all, named := a, b
	if len(named) > len(all) {
		all, named = named, all
	}
	return slices.Contains(named, all[0]) && !slices.ContainsFunc(named, func(id telemetry.TraceID) bool { return !slices.Contains(all, id) })
})
