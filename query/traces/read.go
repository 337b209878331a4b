package traces

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Trace reads a trace, nil where there is none. Hint is when its spans may have
// happened, give or take the margin; nil is any time.
func (r *Reader) Trace(ctx context.Context, id telemetry.TraceID, hint *Range) (*Trace, error) {
	return r.trace(ctx, id, hint, All)
}

func (r *Reader) trace(ctx context.Context, id telemetry.TraceID, hint *Range, which Columns) (*Trace, error) {
	// The row that an assembled trace has in the table traces says when it
	// happened. To look that up costs as much as the filters of all days do.
	in := Everything()
	if hint != nil {
		in = hint.Wider(r.store.cfg.Margin)
	}
	all, err := r.Traces(ctx, []telemetry.TraceID{id}, in, which)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// NotFound is what is said of a trace that is not there.
const NotFound = "trace not found"

// Found is Trace with the fault of a trace that is not there.
func (r *Reader) Found(ctx context.Context, id telemetry.TraceID, hint *Range) (*Trace, error) {
	return r.FoundWith(ctx, id, hint, All)
}

// FoundWith is Found with the parts of the spans that are asked for.
func (r *Reader) FoundWith(ctx context.Context, id telemetry.TraceID, hint *Range, which Columns) (*Trace, error) {
	t, err := r.trace(ctx, id, hint, which)
	if err == nil && t == nil {
		err = &store.Fault{Status: http.StatusNotFound, Message: NotFound}
	}
	return t, err
}

// ByTexts reads traces by texts of their ids, whenever they happened. The traces
// come in the order of the ids, without those that are not there.
func (r *Reader) ByTexts(ctx context.Context, texts []string) (ids []telemetry.TraceID, found []*Trace, err error) {
	if most := r.Config().MaxTraces; len(texts) > most {
		return nil, nil, store.Invalid("%d trace ids are more than the highest limit, %d (query.traces.max_traces)", len(texts), most)
	}
	for _, text := range texts {
		id, err := TraceIDOf(text)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	found, err = r.Traces(ctx, ids, Everything(), All)
	return ids, found, err
}

// Traces reads the spans of traces that started in the range. The traces come in
// the order of the ids, without those that have no span. Where there are more
// spans than one request may read, the first of each trace are read and the
// traces are marked; Note says so too.
func (r *Reader) Traces(ctx context.Context, ids []telemetry.TraceID, in Range, which Columns) ([]*Trace, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, cut, err := r.spans(ctx, ids, in, which, "")
	if err != nil {
		return nil, err
	}
	if cut {
		// Once more, so that what is left out does not depend on how the rows lie.
		if found, _, err = r.spans(ctx, ids, in, which, "\nORDER BY time"); err != nil {
			return nil, err
		}
		r.Note = "not all spans are shown: the request may read " + strconv.Itoa(r.store.cfg.MaxSpans) + " of them (query.traces.max_spans) and " +
			r.store.cfg.MaxSpanBytes.String() + " (query.traces.max_span_bytes)"
	}
	var all []*Trace
	for _, id := range ids {
		t := found[id]
		if t == nil {
			continue
		}
		delete(found, id) // an id that is there twice gives one trace
		t.Cut = cut
		slices.SortStableFunc(t.Spans, func(a, b Span) int {
			if a.Start != b.Start {
				return cmp.Compare(a.Start, b.Start)
			}
			return cmp.Compare(b.Duration, a.Duration)
		})
		all = append(all, t)
	}
	return all, nil
}

// spans reads spans in the given order, up to the limits; cut says that there
// are more.
func (r *Reader) spans(ctx context.Context, ids []telemetry.TraceID, in Range, which Columns, order string) (map[telemetry.TraceID]*Trace, bool, error) {
	columns := newSpanColumns(which)
	var c Condition
	c.Add(TraceIDs(ids))
	c = c.of(r.tenant, in)
	limit := r.store.cfg.MaxSpans
	text := "SELECT " + columns.out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Spans) + "\nWHERE " + c.Where() +
		order + "\nLIMIT " + strconv.Itoa(limit+1)
	found := make(map[telemetry.TraceID]*Trace, len(ids))
	total, size, cut := 0, 0, false
	err := r.read(ctx, text, c.Parameters, &columns.out, func() error {
		size += columns.hold()
		for i := range columns.times {
			if total == limit || size > int(r.store.cfg.MaxSpanBytes) && total > 0 {
				cut = true
				return errEnough
			}
			total++
			id, s := columns.span(i)
			t := found[id]
			if t == nil {
				t = &Trace{ID: id}
				found[id] = t
			}
			t.Spans = append(t.Spans, s)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, false, err
	}
	return found, cut, nil
}

// ParseTraceID reads a trace id of 1 to 32 hexadecimal digits, of which leading
// zeros may be left out.
func ParseTraceID(text string) (telemetry.TraceID, bool) {
	var id telemetry.TraceID
	ok := parseID(id[:], text)
	return id, ok && !id.IsZero()
}

// TraceIDOf is [ParseTraceID] with the fault of a text that is no id.
func TraceIDOf(text string) (telemetry.TraceID, error) {
	id, ok := ParseTraceID(text)
	if !ok {
		return id, store.Invalid("a trace id is 1 to 32 hexadecimal digits and not zero")
	}
	return id, nil
}

func parseID(id []byte, text string) bool {
	if text == "" || len(text) > 2*len(id) {
		return false
	}
	text = strings.Repeat("0", 2*len(id)-len(text)) + text
	for i := range id {
		high, low := digit(text[2*i]), digit(text[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		id[i] = high<<4 | low
	}
	return true
}

func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
