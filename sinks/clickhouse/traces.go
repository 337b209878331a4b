package clickhouse

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// traces writes the table traces.
type traces struct {
	rows     rows[telemetry.Trace]
	services lists[telemetry.Trace, string]
	path     lists[telemetry.Trace, telemetry.PathSpan]
	order    []uint32
	block    *block
}

func newTraces(s *Sink) *traces {
	t := &traces{}
	r, words := &t.rows, &s.shared.words
	t.services.rows, t.services.of = r, func(row *telemetry.Trace) telemetry.Range { return row.Services }
	t.path.rows, t.path.of = r, func(row *telemetry.Trace) telemetry.Range { return row.Path }
	p := &t.path.elements
	t.block = s.newBlock(tables.Traces, t.use, encoders{
		"tenant":        lowTexts(r, words, func(row *telemetry.Trace) string { return row.Tenant }),
		"trace_id":      traceIDs(r, func(row *telemetry.Trace) *telemetry.TraceID { return &row.TraceID }),
		"time":          eventTimes(r, func(row *telemetry.Trace) int64 { return row.Start }),
		"end_time":      times(r, func(row *telemetry.Trace) int64 { return row.End }),
		"root_span_id":  spanIDs(r, func(row *telemetry.Trace) *telemetry.SpanID { return &row.RootID }),
		"root_service":  lowTexts(r, words, func(row *telemetry.Trace) string { return row.RootService }),
		"root_name":     lowTexts(r, words, func(row *telemetry.Trace) string { return row.RootName }),
		"root_kind":     uint8s(r, func(row *telemetry.Trace) uint8 { return within(row.RootKind, 5) }),
		"spans":         uint32s(r, func(row *telemetry.Trace) uint32 { return row.Spans }),
		"errors":        uint32s(r, func(row *telemetry.Trace) uint32 { return row.Errors }),
		"operations":    uint32s(r, func(row *telemetry.Trace) uint32 { return row.Operations }),
		"orphans":       uint32s(r, func(row *telemetry.Trace) uint32 { return row.Orphans }),
		"depth":         uint32s(r, func(row *telemetry.Trace) uint32 { return row.Depth }),
		"services":      t.services.array(lowTexts(&t.services.elements, words, func(name *string) string { return *name })),
		"error_service": lowTexts(r, words, func(row *telemetry.Trace) string { return row.ErrorService }),
		"error_name":    lowTexts(r, words, func(row *telemetry.Trace) string { return row.ErrorName }),

		"critical_path.span_id":  t.path.array(spanIDs(p, func(on *telemetry.PathSpan) *telemetry.SpanID { return &on.ID })),
		"critical_path.service":  t.path.array(lowTexts(p, words, func(on *telemetry.PathSpan) string { return on.Service })),
		"critical_path.name":     t.path.array(lowTexts(p, words, func(on *telemetry.PathSpan) string { return on.Name })),
		"critical_path.share_ns": t.path.array(int64s(p, func(on *telemetry.PathSpan) int64 { return on.Share })),

		"closed": uint8s(r, func(row *telemetry.Trace) uint8 {
			return within(uint8(row.Closed), uint8(len(telemetry.TraceCloseds)-1))
		}),
		"oversized": uint8s(r, func(row *telemetry.Trace) uint8 { return boolByte(row.Oversized) }),
		"cyclic":    uint8s(r, func(row *telemetry.Trace) uint8 { return boolByte(row.Cyclic) }),

		"sampling_probability": float64s(r, func(*telemetry.Trace) float64 { return 1 }),
		"retention_days": uint16s(r, func(row *telemetry.Trace) uint16 {
			return s.cfg.Retention.days(row.Tenant, telemetry.Spans)
		}),
	})
	return t
}

func (t *traces) prepare(b *telemetry.Batch) *block {
	t.order = t.order[:0]
	for i := range b.Traces {
		t.order = append(t.order, uint32(i))
	}
	slices.SortFunc(t.order, func(i, j uint32) int {
		x, y := &b.Traces[i], &b.Traces[j]
		return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), bytes.Compare(x.TraceID[:], y.TraceID[:]), cmp.Compare(x.Start, y.Start), cmp.Compare(i, j))
	})
	t.rows.all, t.rows.order = b.Traces, t.order
	t.services.elements.all, t.path.elements.all = b.TraceServices, b.TracePath
	t.block.rows = len(t.order)
	return t.block
}

// use makes the encoders see rows [from, to) of the order.
func (t *traces) use(from, to int) {
	t.rows.use(from, to)
	t.services.gather()
	t.path.gather()
}

// release lets go of the batch.
func (t *traces) release() {
	t.rows.all, t.services.elements.all, t.path.elements.all = nil, nil, nil
}
