package servicegraph_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/pipeline/pipelinetest"
	"github.com/goshawk-observability/goshawk/processors/servicegraph"
	"github.com/goshawk-observability/goshawk/processors/traces"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
)

const (
	millisecond = int64(time.Millisecond)
	second      = int64(time.Second)
	minute      = int64(time.Minute)
)

// base is when the tests' time begins, the start of a minute.
const base = 28_333_333 * minute

// sent is a span as a test sends it.
type sent struct {
	tenant, service, host string
	// peer is the value of peer.service, empty for none.
	peer string
	telemetry.Span
}

// record is what one Kafka record holds.
type record struct {
	received int64
	spans    []sent
}

// flush is records that close all traces, and write all that is open then.
func flush() []record {
	at := base + 1_000_000*second
	return []record{{received: at}, {received: at + 1000*second}}
}

// batch makes a batch of records. Those without spans are idle.
func batch(records []record) *telemetry.Batch {
	b := &telemetry.Batch{Block: telemetry.Block{Topic: "test", Signal: telemetry.Spans}}
	for _, r := range records {
		tenant := "default"
		if len(r.spans) > 0 {
			tenant = r.spans[0].tenant
		}
		b.Records = append(b.Records, telemetry.Record{Tenant: tenant, ReceiveTime: r.received, Declared: -1, Idle: len(r.spans) == 0})
		for _, s := range r.spans {
			from := uint32(len(b.Attrs))
			b.Attrs = append(b.Attrs, telemetry.Attr{Key: "host.name", Value: telemetry.StringValue(strings.Clone(s.host))})
			b.Resources = append(b.Resources, telemetry.Resource{
				Service: strings.Clone(s.service), Record: uint32(len(b.Records) - 1), Attrs: telemetry.Range{Start: from, End: from + 1},
			})
			s.Resource = uint32(len(b.Resources) - 1)
			s.Attrs = telemetry.Range{Start: from + 1, End: from + 1}
			if s.peer != "" {
				b.Attrs = append(b.Attrs, telemetry.Attr{Key: "peer.service", Value: telemetry.StringValue(s.peer)})
				s.Attrs.End++
			}
			b.Spans = append(b.Spans, s.Span)
		}
	}
	return b
}

type fataler interface{ Fatal(...any) }

// rig is both processors.
type rig struct {
	t         fataler
	tracesCfg traces.Config
	cfg       servicegraph.Config
	assembler *traces.Processor
	graph     *servicegraph.Processor
}

func newRig(t fataler, tracesCfg traces.Config, cfg servicegraph.Config) *rig {
	r := &rig{t: t, tracesCfg: tracesCfg, cfg: cfg}
	r.make()
	return r
}

func (r *rig) make() {
	var err error
	if r.assembler, err = traces.New(r.tracesCfg); err != nil {
		r.t.Fatal(err)
	}
	if r.graph, err = servicegraph.New(r.cfg); err != nil {
		r.t.Fatal(err)
	}
}

// process runs records through both, as one block.
func (r *rig) process(records []record) *telemetry.Batch {
	b := batch(records)
	for _, err := range []error{r.assembler.Process(context.Background(), b), r.graph.Process(context.Background(), b)} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return b
}

// restart replaces both by new ones that have their state.
func (r *rig) restart() {
	states := [][]byte{r.assembler.Snapshot(nil), r.graph.Snapshot(nil)}
	before, _ := r.graph.Held()
	r.make()
	for _, err := range []error{r.assembler.Restore(states[0]), r.graph.Restore(states[1])} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if after, _ := r.graph.Held(); after != before || !bytes.Equal(r.graph.Snapshot(nil), states[1]) {
		r.t.Fatal("restored ", after, " of ", before, ", or something else of them")
	}
	clear(states[0])
	clear(states[1])
}

// run sends records in blocks, and restarts where restart says so.
func (r *rig) run(records []record, block func() int, restart func() bool, each func(*telemetry.Batch)) {
	for len(records) > 0 {
		n := min(max(block(), 1), len(records))
		each(r.process(records[:n]))
		records = records[n:]
		if restart != nil && restart() {
			r.restart()
		}
	}
}

// rowsOf returns what was counted, as text.
func rowsOf(b *telemetry.Batch) []string {
	only := &telemetry.Batch{Edges: b.Edges, ClockOffsets: b.ClockOffsets, Buckets: b.Buckets, Derived: b.Derived}
	return slices.Collect(strings.Lines(pipelinetest.Format(only)))
}

// sums adds up rows of the same edge and minute.
type sums map[string]*sum

type sum struct {
	Calls, Errors           uint64
	Client, Server, Network sketch.Sketch
	Slow                    int64
	SlowTrace, ErrorTrace   telemetry.TraceID
}

func keyOf(tenant string, minute int64, caller, callee, operation string, kind telemetry.EdgeKind) string {
	return fmt.Sprintf("%s %s %q->%q %q %s", tenant, time.Duration(minute-base), caller, callee, operation, kind)
}

func (s sums) at(key string) *sum {
	if s[key] == nil {
		s[key] = new(sum)
	}
	return s[key]
}

func (s sums) add(b *telemetry.Batch) {
	for i := range b.Edges {
		e := &b.Edges[i]
		at := s.at(keyOf(e.Tenant, e.Time, e.Caller, e.Callee, e.Operation, e.Kind))
		at.Calls += e.Calls
		at.Errors += e.Errors
		at.Client.Merge(b.BucketsOf(&e.Client), e.Client.Sum)
		at.Server.Merge(b.BucketsOf(&e.Server), e.Server.Sum)
		at.Network.Merge(b.BucketsOf(&e.Network), e.Network.Sum)
		at.Slow = max(at.Slow, e.SlowNanoseconds)
	}
}

// lines are the sums as text, sorted.
func (s sums) lines() []string {
	var all []string
	for key, at := range s {
		all = append(all, fmt.Sprintf("%s: %d calls %d errors client %d %v server %d %v network %d %v slow %d", key, at.Calls, at.Errors,
			at.Client.Sum(), at.Client.Append(nil), at.Server.Sum(), at.Server.Append(nil), at.Network.Sum(), at.Network.Append(nil), at.Slow))
	}
	slices.SortFunc(all, func(x, y string) int { return cmp.Compare(x, y) })
	return all
}
