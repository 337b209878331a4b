package otlp

import "github.com/goshawk-observability/goshawk/telemetry"

// mark is the state at the start of a wrapper, to which the walk goes back when
// the wrapper turns out to be rejected or empty.
type mark struct {
	resources, scopes, logs, spans, events, links, metrics uint32
	numbers, histograms, exponentials, summaries           uint32
	exemplars, attrs, floats, uints                        uint32

	accepted, rejected int64
	byReason           [reasons]int64
	rejects            int

	// Of the cutter.
	node  int32 // the enclosing node
	items int
	left  int64
}

func markOf(b *telemetry.Batch) (m mark) {
	m.resources, m.scopes = uint32(len(b.Resources)), uint32(len(b.Scopes))
	m.logs, m.spans = uint32(len(b.Logs)), uint32(len(b.Spans))
	m.events, m.links = uint32(len(b.Events)), uint32(len(b.Links))
	m.metrics, m.numbers = uint32(len(b.Metrics)), uint32(len(b.Numbers))
	m.histograms, m.exponentials = uint32(len(b.Histograms)), uint32(len(b.Exponentials))
	m.summaries, m.exemplars = uint32(len(b.Summaries)), uint32(len(b.Exemplars))
	m.attrs, m.floats, m.uints = uint32(len(b.Attrs)), uint32(len(b.Floats)), uint32(len(b.Uints))
	return m
}

// restore takes back every row that was added since the mark.
func (m *mark) restore(b *telemetry.Batch) {
	b.Resources, b.Scopes = b.Resources[:m.resources], b.Scopes[:m.scopes]
	b.Logs, b.Spans = b.Logs[:m.logs], b.Spans[:m.spans]
	b.Events, b.Links = b.Events[:m.events], b.Links[:m.links]
	b.Metrics, b.Numbers = b.Metrics[:m.metrics], b.Numbers[:m.numbers]
	b.Histograms, b.Exponentials = b.Histograms[:m.histograms], b.Exponentials[:m.exponentials]
	b.Summaries, b.Exemplars = b.Summaries[:m.summaries], b.Exemplars[:m.exemplars]
	b.Attrs, b.Floats, b.Uints = b.Attrs[:m.attrs], b.Floats[:m.floats], b.Uints[:m.uints]
}

// enter marks the state at the start of a wrapper and opens its node.
func (w *walker) enter(at, end int, tag byte) (m mark) {
	if w.picks == nil {
		m = markOf(w.b)
		m.accepted, m.rejected, m.byReason = w.events, w.rejected, w.byReason
		m.rejects = len(w.rejects)
	}
	m.node = w.node
	if w.cut != nil {
		m.items, m.left = len(w.cut.items), w.cut.left
		w.node = w.cut.open(extent{uint32(at), uint32(end)}, w.node, tag)
	}
	return m
}

// leave ends the wrapper that was entered at m: with a problem all its rows are
// rejected, and without rows nothing of it is kept.
func (w *walker) leave(m *mark, why problem, at, end int) {
	whole := extent{uint32(at), uint32(end)}
	if w.picks == nil {
		rows := w.events - m.accepted + w.rejected - m.rejected
		if why.reason != ok && rows > 0 {
			w.events, w.rejected, w.byReason = m.accepted, m.rejected, m.byReason
			w.rejects = w.rejects[:m.rejects]
			w.reject(reject{extent: whole, place: w.place, problem: why, events: rows})
			if w.cut != nil {
				w.cut.drop(m.items)
				w.cut.left += rows
			}
		}
		if w.check || w.events == m.accepted {
			m.restore(w.b)
		}
	}
	if w.cut != nil {
		w.cut.close(w.node, m.items, m.left)
		w.node = m.node
	}
}
