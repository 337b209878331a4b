package clickhouse

import (
	"cmp"
	"slices"
	"time"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/sketch"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// counted writes a table of what processors counted: rows of a tenant and a
// stretch of time, in the order of the table.
type counted[T any] struct {
	rows      rows[T]
	order     []uint32
	latencies []*lists[T, sketch.Bucket]
	block     *block
	// of returns the rows of a batch, and compare their order.
	of      func(*telemetry.Batch) []T
	compare func(x, y *T) int
}

// prepare puts the rows of a batch in order.
func (t *counted[T]) prepare(b *telemetry.Batch) *block {
	all := t.of(b)
	t.order = t.order[:0]
	for i := range all {
		t.order = append(t.order, uint32(i))
	}
	slices.SortFunc(t.order, func(i, j uint32) int {
		return cmp.Or(t.compare(&all[i], &all[j]), cmp.Compare(i, j))
	})
	t.rows.all, t.rows.order = all, t.order
	for _, l := range t.latencies {
		l.elements.all = b.Buckets
	}
	t.block.rows = len(t.order)
	return t.block
}

// use makes the encoders see rows [from, to) of the order.
func (t *counted[T]) use(from, to int) {
	t.rows.use(from, to)
	for _, l := range t.latencies {
		l.gather()
	}
}

// release lets go of the batch.
func (t *counted[T]) release() {
	t.rows.all = nil
	for _, l := range t.latencies {
		l.elements.all = nil
	}
}

// latency adds the encoders of the columns of durations.
func (t *counted[T]) latency(fill encoders, name string, of func(*T) *telemetry.Latency) {
	l := &lists[T, sketch.Bucket]{rows: &t.rows, of: func(row *T) telemetry.Range { return of(row).Buckets }}
	t.latencies = append(t.latencies, l)
	e := &l.elements
	fill[name+"_sum_ns"] = int64s(&t.rows, func(row *T) int64 { return of(row).Sum })
	fill[name+".bucket"] = l.array(uint16s(e, func(b *sketch.Bucket) uint16 { return uint16(b.Index) }))
	fill[name+".count"] = l.array(uint64s(e, func(b *sketch.Bucket) uint64 { return b.Count }))
}

// seconds encodes a column of DateTime from Unix nanoseconds.
func seconds[T any](r *rows[T], value func(*T) int64) encoder {
	return uint32s(r, func(row *T) uint32 { return uint32(eventTime(value(row)) / int64(time.Second)) })
}

func newEdges(s *Sink) *counted[telemetry.Edge] {
	t := &counted[telemetry.Edge]{
		of: func(b *telemetry.Batch) []telemetry.Edge { return b.Edges },
		compare: func(x, y *telemetry.Edge) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Time, y.Time), cmp.Compare(x.Caller, y.Caller),
				cmp.Compare(x.Callee, y.Callee), cmp.Compare(x.Operation, y.Operation), cmp.Compare(x.Kind, y.Kind))
		},
	}
	r, words := &t.rows, &s.shared.words
	fill := encoders{
		"tenant":    lowTexts(r, words, func(row *telemetry.Edge) string { return row.Tenant }),
		"time":      seconds(r, func(row *telemetry.Edge) int64 { return row.Time }),
		"caller":    lowTexts(r, words, func(row *telemetry.Edge) string { return row.Caller }),
		"callee":    lowTexts(r, words, func(row *telemetry.Edge) string { return row.Callee }),
		"operation": lowTexts(r, words, func(row *telemetry.Edge) string { return row.Operation }),
		"kind": uint8s(r, func(row *telemetry.Edge) uint8 {
			return within(uint8(row.Kind), uint8(len(telemetry.EdgeKinds)-1))
		}),
		"calls":          uint64s(r, func(row *telemetry.Edge) uint64 { return row.Calls }),
		"errors":         uint64s(r, func(row *telemetry.Edge) uint64 { return row.Errors }),
		"slow_trace_id":  traceIDs(r, func(row *telemetry.Edge) *telemetry.TraceID { return &row.SlowTrace }),
		"slow_ns":        int64s(r, func(row *telemetry.Edge) int64 { return row.SlowNanoseconds }),
		"error_trace_id": traceIDs(r, func(row *telemetry.Edge) *telemetry.TraceID { return &row.ErrorTrace }),
		"retention_days": uint16s(r, func(row *telemetry.Edge) uint16 { return s.cfg.Retention.days(row.Tenant, telemetry.Spans) }),
	}
	t.latency(fill, "client", func(row *telemetry.Edge) *telemetry.Latency { return &row.Client })
	t.latency(fill, "server", func(row *telemetry.Edge) *telemetry.Latency { return &row.Server })
	t.latency(fill, "network", func(row *telemetry.Edge) *telemetry.Latency { return &row.Network })
	t.block = s.newBlock(tables.Edges, t.use, fill)
	return t
}

func newOperations(s *Sink) *counted[telemetry.Operation] {
	t := &counted[telemetry.Operation]{
		of: func(b *telemetry.Batch) []telemetry.Operation { return b.Operations },
		compare: func(x, y *telemetry.Operation) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Time, y.Time), cmp.Compare(x.Service, y.Service),
				cmp.Compare(x.Version, y.Version), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Kind, y.Kind))
		},
	}
	r, words := &t.rows, &s.shared.words
	fill := encoders{
		"tenant":         lowTexts(r, words, func(row *telemetry.Operation) string { return row.Tenant }),
		"time":           seconds(r, func(row *telemetry.Operation) int64 { return row.Time }),
		"service":        lowTexts(r, words, func(row *telemetry.Operation) string { return row.Service }),
		"version":        lowTexts(r, words, func(row *telemetry.Operation) string { return row.Version }),
		"operation":      lowTexts(r, words, func(row *telemetry.Operation) string { return row.Name }),
		"kind":           uint8s(r, func(row *telemetry.Operation) uint8 { return within(row.Kind, 5) }),
		"calls":          uint64s(r, func(row *telemetry.Operation) uint64 { return row.Calls }),
		"errors":         uint64s(r, func(row *telemetry.Operation) uint64 { return row.Errors }),
		"satisfied":      uint64s(r, func(row *telemetry.Operation) uint64 { return row.Satisfied }),
		"tolerating":     uint64s(r, func(row *telemetry.Operation) uint64 { return row.Tolerating }),
		"slow_trace_id":  traceIDs(r, func(row *telemetry.Operation) *telemetry.TraceID { return &row.SlowTrace }),
		"slow_ns":        int64s(r, func(row *telemetry.Operation) int64 { return row.SlowNanoseconds }),
		"error_trace_id": traceIDs(r, func(row *telemetry.Operation) *telemetry.TraceID { return &row.ErrorTrace }),
		"retention_days": uint16s(r, func(row *telemetry.Operation) uint16 { return s.cfg.Retention.days(row.Tenant, telemetry.Spans) }),
	}
	t.latency(fill, "duration", func(row *telemetry.Operation) *telemetry.Latency { return &row.Duration })
	t.block = s.newBlock(tables.Operations, t.use, fill)
	return t
}

func newClockOffsets(s *Sink) *counted[telemetry.ClockOffset] {
	t := &counted[telemetry.ClockOffset]{
		of: func(b *telemetry.Batch) []telemetry.ClockOffset { return b.ClockOffsets },
		compare: func(x, y *telemetry.ClockOffset) int {
			return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), cmp.Compare(x.Time, y.Time),
				cmp.Compare(x.Caller, y.Caller), cmp.Compare(x.Callee, y.Callee))
		},
	}
	r, words := &t.rows, &s.shared.words
	t.block = s.newBlock(tables.ClockOffsets, t.use, encoders{
		"tenant":         lowTexts(r, words, func(row *telemetry.ClockOffset) string { return row.Tenant }),
		"time":           seconds(r, func(row *telemetry.ClockOffset) int64 { return row.Time }),
		"caller_host":    lowTexts(r, words, func(row *telemetry.ClockOffset) string { return row.Caller }),
		"callee_host":    lowTexts(r, words, func(row *telemetry.ClockOffset) string { return row.Callee }),
		"calls":          uint64s(r, func(row *telemetry.ClockOffset) uint64 { return row.Calls }),
		"lower_ns":       int64s(r, func(row *telemetry.ClockOffset) int64 { return row.Lower }),
		"upper_ns":       int64s(r, func(row *telemetry.ClockOffset) int64 { return row.Upper }),
		"retention_days": uint16s(r, func(row *telemetry.ClockOffset) uint16 { return s.cfg.Retention.days(row.Tenant, telemetry.Spans) }),
	})
	return t
}
