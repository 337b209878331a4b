package traces

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Hit is a trace that a search found, and when the newest span started that
// was found of it.
type Hit struct {
	ID   telemetry.TraceID
	Time int64 // Unix nanoseconds
}

// Filter says which traces are searched.
type Filter struct {
	// Span is what a span of the trace must be.
	Span Condition
	// Having, where it is not empty, is what must hold of the spans that meet Span
	// together: an expression of aggregate functions.
	Having string
}

// Find looks for traces, newest first, and hands them to take in batches of at
// most batch, until take says that it has enough or nothing is left.
//
// It goes back in time in windows that double, so that a search whose answer is
// recent reads little whatever the range is. A trace is handed over once.
// Having is asked of the spans within a window and the margin around it.
func (r *Reader) Find(ctx context.Context, f Filter, in Range, batch int, take func([]Hit) (enough bool, err error)) error {
	seen := map[telemetry.TraceID]bool{}
	for w := firstWindow(in.Within()); w.open(); w = w.before() {
		var after *Hit
		for {
			hits, err := r.window(ctx, f, w.Range, after, batch)
			if err != nil {
				return err
			}
			more := len(hits) == batch
			if more {
				after = &Hit{hits[batch-1].ID, hits[batch-1].Time}
			}
			hits = slices.DeleteFunc(hits, func(h Hit) bool { return seen[h.ID] })
			for _, h := range hits {
				seen[h.ID] = true
			}
			if len(hits) > 0 {
				if enough, err := take(hits); err != nil || enough {
					return err
				}
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// window finds the newest traces of a window, after a hit where there is one.
func (r *Reader) window(ctx context.Context, f Filter, in Range, after *Hit, limit int) ([]Hit, error) {
	var (
		out   clickhouse.Output
		ids   proto.ColFixedStr16
		times proto.ColInt64
	)
	out.Add("trace_id", &ids)
	out.Add("toUnixTimestamp64Nano(max(time))", &times)
	var having []string
	if f.Having != "" {
		having = append(having, f.Having, fmt.Sprintf("countIf(time >= fromUnixTimestamp64Nano(toInt64(%d)) AND time <= fromUnixTimestamp64Nano(toInt64(%d))) > 0", in.From, in.To))
		in = in.Wider(r.store.cfg.Margin)
	} else if after != nil {
		in.To = min(in.To, after.Time) // a trace that is known comes again where it has older spans too
	}
	if after != nil {
		having = append(having, fmt.Sprintf("(c1 < %d OR c1 = %d AND trace_id > unhex('%x'))", after.Time, after.Time, after.ID[:]))
	}
	c := f.Span.of(r.tenant, in)
	text := "SELECT " + out.Columns() + "\nFROM " + r.store.dialect.Table(tables.Spans) + "\nWHERE " + c.Where() + "\nGROUP BY trace_id"
	if len(having) > 0 {
		text += "\nHAVING " + strings.Join(having, " AND ")
	}
	text += "\nORDER BY c1 DESC, trace_id\nLIMIT " + strconv.Itoa(limit)
	var hits []Hit
	err := r.read(ctx, text, c.Parameters, &out, func() error {
		for i := range ids {
			hits = append(hits, Hit{ids[i], times[i]})
		}
		return nil
	})
	return hits, err
}

// Newest sorts hits by time, newest first.
func Newest(hits []Hit) {
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.Time, a.Time) })
}

// Around is the range in which the spans of traces are looked for that were
// found.
func (r *Reader) Around(hits []Hit) Range {
	in := Range{hits[0].Time, hits[0].Time}
	for _, h := range hits {
		in.From, in.To = min(in.From, h.Time), max(in.To, h.Time)
	}
	return in.Wider(r.store.cfg.Margin)
}

// Search returns the newest traces that have a span which meets a condition,
// with the parts of their spans that are asked for.
func (r *Reader) Search(ctx context.Context, span Condition, in Range, limit int, which Columns) ([]*Trace, error) {
	var hits []Hit
	err := r.Find(ctx, Filter{Span: span}, in, limit, func(more []Hit) (bool, error) {
		hits = append(hits, more...)
		return len(hits) >= limit, nil
	})
	if err != nil || len(hits) == 0 {
		return nil, err
	}
	Newest(hits)
	hits = hits[:min(limit, len(hits))]
	all, read, err := r.Load(ctx, hits, which)
	if rest := len(hits) - read; rest > 0 {
		r.Note = strconv.Itoa(rest) + " traces are left out: the request may read " + strconv.Itoa(r.store.cfg.MaxSpans) + " spans (query.traces.max_spans)"
	}
	return all, err
}

// Load reads the traces of hits, in their order. It ends early where the limit on
// spans is reached: the first read hits were.
func (r *Reader) Load(ctx context.Context, hits []Hit, which Columns) (all []*Trace, read int, err error) {
	const together = 50
	spans := 0
	for from := 0; from < len(hits); from += together {
		part := hits[from:min(from+together, len(hits))]
		ids := make([]telemetry.TraceID, len(part))
		for i, h := range part {
			ids[i] = h.ID
		}
		traces, err := r.Traces(ctx, ids, r.Around(part), which)
		if err != nil {
			return nil, read, err
		}
		read += len(part)
		all = append(all, traces...)
		for _, t := range traces {
			spans += len(t.Spans)
		}
		if spans >= r.store.cfg.MaxSpans {
			break
		}
	}
	return all, read, nil
}

// window is a part of a range that is looked at on its own. It begins with a
// bucket, or with the range.
type window struct {
	Range
	start   int64 // of the whole range
	buckets int64 // width of the window before
}

func firstWindow(in Range) window {
	w := window{start: in.From, buckets: 2}
	// At least ten minutes, so that the minutes after a bucket has begun are not
	// two statements.
	from := (in.To - 10*60e9) / bucketNanoseconds * bucketNanoseconds
	w.Range = Range{max(from, in.From), in.To}
	return w
}

func (w window) open() bool { return w.From <= w.To }

func (w window) before() window {
	to := w.From - 1
	from := (to/bucketNanoseconds - w.buckets + 1) * bucketNanoseconds
	return window{Range: Range{max(from, w.start), to}, start: w.start, buckets: min(2*w.buckets, 1<<22)}
}
