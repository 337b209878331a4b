package clickhouse

import (
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// spans writes the table spans.
type spans struct {
	rows   rows[telemetry.Span]
	events lists[telemetry.Span, telemetry.Event]
	links  lists[telemetry.Span, telemetry.Link]
	sort   sorter
	block  *block
}

func newSpans(s *Sink) *spans {
	t := &spans{}
	r, sh := &t.rows, &s.shared
	t.events.rows, t.events.of = r, func(sp *telemetry.Span) telemetry.Range { return sp.Events }
	t.links.rows, t.links.of = r, func(sp *telemetry.Span) telemetry.Range { return sp.Links }
	e, l := &t.events.elements, &t.links.elements
	of := func(sp *telemetry.Span) *resource { return &sh.resources[sp.Resource] }
	attrs := func(sp *telemetry.Span) telemetry.Range { return sp.Attrs }
	t.block = s.newBlock(tables.Spans, t.use, encoders{
		"tenant":            lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return of(sp).tenant }),
		"bucket":            buckets(r, func(sp *telemetry.Span) int64 { return sp.Start }),
		"service":           lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return of(sp).service }),
		"time":              eventTimes(r, func(sp *telemetry.Span) int64 { return sp.Start }),
		"duration_ns":       int64s(r, func(sp *telemetry.Span) int64 { return storableTime(sp.End) - eventTime(sp.Start) }),
		"name":              lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return sp.Name }),
		"kind":              uint8s(r, func(sp *telemetry.Span) uint8 { return within(sp.Kind, 5) }),
		"status":            uint8s(r, func(sp *telemetry.Span) uint8 { return within(sp.Status, 2) }),
		"status_message":    lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return sp.StatusMessage }),
		"trace_id":          traceIDs(r, func(sp *telemetry.Span) *telemetry.TraceID { return &sp.TraceID }),
		"span_id":           spanIDs(r, func(sp *telemetry.Span) *telemetry.SpanID { return &sp.SpanID }),
		"parent_span_id":    spanIDs(r, func(sp *telemetry.Span) *telemetry.SpanID { return &sp.ParentID }),
		"trace_state":       lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return sp.TraceState }),
		"flags":             uint32s(r, func(sp *telemetry.Span) uint32 { return sp.Flags }),
		"attributes":        textMaps(r, sh, attrs),
		"attribute_numbers": numberMaps(r, sh, attrs),

		"events.time":               t.events.array(times(e, func(ev *telemetry.Event) int64 { return ev.Time })),
		"events.name":               t.events.array(lowTexts(e, &sh.words, func(ev *telemetry.Event) string { return ev.Name })),
		"events.attributes":         t.events.array(attributeMaps(e, sh, func(ev *telemetry.Event) telemetry.Range { return ev.Attrs })),
		"events.dropped_attributes": t.events.array(uint32s(e, func(ev *telemetry.Event) uint32 { return ev.DroppedAttrs })),

		"links.trace_id":           t.links.array(traceIDs(l, func(li *telemetry.Link) *telemetry.TraceID { return &li.TraceID })),
		"links.span_id":            t.links.array(spanIDs(l, func(li *telemetry.Link) *telemetry.SpanID { return &li.SpanID })),
		"links.trace_state":        t.links.array(lowTexts(l, &sh.words, func(li *telemetry.Link) string { return li.TraceState })),
		"links.flags":              t.links.array(uint32s(l, func(li *telemetry.Link) uint32 { return li.Flags })),
		"links.attributes":         t.links.array(attributeMaps(l, sh, func(li *telemetry.Link) telemetry.Range { return li.Attrs })),
		"links.dropped_attributes": t.links.array(uint32s(l, func(li *telemetry.Link) uint32 { return li.DroppedAttrs })),

		"dropped_attributes": uint32s(r, func(sp *telemetry.Span) uint32 { return sp.DroppedAttrs }),
		"dropped_events":     uint32s(r, func(sp *telemetry.Span) uint32 { return sp.DroppedEvents }),
		"dropped_links":      uint32s(r, func(sp *telemetry.Span) uint32 { return sp.DroppedLinks }),
		"resource":           lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return of(sp).document }),
		"scope":              lowTexts(r, &sh.words, func(sp *telemetry.Span) string { return sh.scopes[sp.Scope].document }),
		// All are kept at first.
		"sampling_probability": float64s(r, func(*telemetry.Span) float64 { return 1 }),
		"retention_days":       uint16s(r, func(sp *telemetry.Span) uint16 { return of(sp).retentionDays }),
	})
	return t
}

func (t *spans) prepare(s *Sink, b *telemetry.Batch) *block {
	t.sort.reset(len(b.Spans))
	for i := range b.Spans {
		sp := &b.Spans[i]
		start := eventTime(sp.Start)
		t.sort.add(s.shared.eventPrefix(sp.Resource, start, 0), 0, start)
	}
	t.rows.all, t.rows.order = b.Spans, t.sort.sorted()
	t.events.elements.all, t.links.elements.all = b.Events, b.Links
	t.block.rows = len(t.rows.order)
	return t.block
}

// use makes the encoders see spans [from, to) of the order.
func (t *spans) use(from, to int) {
	t.rows.use(from, to)
	t.events.gather()
	t.links.gather()
}

// within returns the number of an enumeration, 0 where it is beyond the last.
func within(n, last uint8) uint8 {
	if n > last {
		return 0
	}
	return n
}
