package logs

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/internal/clickhouse"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
	"github.com/goshawk-observability/goshawk/telemetry/tables"
)

// Line is a line that a query found.
type Line struct {
	Time int64 // Unix nanoseconds
	Text string
	// Stream, Record and Parsed are the labels of the stream that are left, those
	// of the record, and those that were read out of the line.
	Stream, Record, Parsed pipeline.Labels
}

// Search says which lines are wanted.
type Search struct {
	Query *logql.LogExpr
	In    Range
	Limit int
	// Forward wants the oldest lines, oldest first; else it is the newest ones.
	Forward bool
	// Interval is how far apart lines have to be.
	Interval time.Duration
	// AtOnce looks at all of the time with one statement: for conditions that an
	// index answers.
	AtOnce bool
}

// planned reads the streams where they are needed and plans a query for lines.
func (r *Reader) planned(ctx context.Context, e *logql.LogExpr, in Range, c *clickhouse.Condition) (plan, error) {
	var known []*stream
	if needsStreams(e) {
		var err error
		if known, err = r.streams(ctx, e.Matchers, in); err != nil {
			return plan{}, err
		}
	}
	return planOf(c, e, known, r.Streamed), nil
}

// Find returns lines in the order of the direction.
//
// It goes through the time in windows, from where the wanted lines are, so that a
// search with a limit reads little whatever its range is.
func (r *Reader) Find(ctx context.Context, s Search) ([]Line, error) {
	in := s.In.Within()
	if in.From > in.To {
		return nil, nil
	}
	c := r.base()
	p, err := r.planned(ctx, s.Query, in, &c)
	if err != nil || p.none {
		return nil, err
	}
	run, err := pipeline.New(s.Query.Stages)
	if err != nil {
		return nil, err
	}
	f := &finder{Reader: r, search: s, plan: p, condition: c, pipeline: run, columns: newLineColumns(withBody|withRecord, streams{})}
	w := firstWindow(in, s.Forward)
	if s.AtOnce {
		w.Range = in
	}
	for ; w.open() && len(f.found) < s.Limit; w = w.next() {
		if err := f.window(ctx, w.Range); err != nil {
			return nil, err
		}
	}
	return f.found[:min(len(f.found), s.Limit)], nil
}

// finder collects the lines of a search.
type finder struct {
	*Reader
	search    Search
	plan      plan
	condition clickhouse.Condition
	pipeline  *pipeline.Pipeline
	columns   *lineColumns
	entry     pipeline.Entry
	found     []Line
	size      int // of what was found, in bytes
}

// maxBatch is how many rows one statement returns at most.
const maxBatch = 100_000

// window looks for lines in a window, in batches where not all rows that
// ClickHouse returns are wanted.
func (f *finder) window(ctx context.Context, in Range) error {
	batch := f.search.Limit - len(f.found)
	if !f.plan.exact || f.search.Interval > 0 {
		batch = max(1000, 4*batch)
	}
	for {
		before := len(f.found)
		first, last, rows, err := f.batch(ctx, in, batch)
		if err != nil {
			return err
		}
		if rows < batch || len(f.found) >= f.search.Limit && f.plan.exact && f.search.Interval == 0 {
			return nil
		}
		// The last time may have more lines than were read.
		keep := len(f.found)
		for keep > before && f.found[keep-1].Time == last {
			keep--
		}
		f.found = f.found[:keep]
		if len(f.found) >= f.search.Limit {
			return nil
		}
		if first == last && batch >= maxBatch {
			return exceeded("more than %d lines have the same time, %s: add line filters", maxBatch, time.Unix(0, last).UTC().Format(time.RFC3339Nano))
		}
		batch = min(2*batch, maxBatch)
		if f.search.Forward {
			in.From = last
		} else {
			in.To = last
		}
	}
}

// batch reads rows of a range in their order and keeps the lines that are wanted.
// It returns the times of the first and last row, and how many there were.
func (f *finder) batch(ctx context.Context, in Range, limit int) (first, last int64, rows int, err error) {
	c := within(f.condition, in)
	text := f.statement(&c, limit)
	err = f.read(ctx, text, c.Parameters, &f.columns.out, func() error {
		if f.Lines += uint64(len(f.columns.times)); f.Lines > uint64(f.store.cfg.MaxLines) {
			return f.tooManyLines()
		}
		for i := range f.columns.times {
			f.columns.entry(&f.entry, i)
			if rows == 0 {
				first = f.entry.Time
			}
			last = f.entry.Time
			rows++
			f.LineBytes += uint64(len(f.entry.Line))
			if f.pipeline.Run(&f.entry) && f.apart() {
				f.keep()
			}
		}
		if f.size > int(f.store.cfg.MaxEntryBytes) {
			return exceeded("the lines take more than query.logs.max_entry_bytes allows (%s): lower the limit", f.store.cfg.MaxEntryBytes)
		}
		return nil
	})
	return first, last, rows, err
}

func (r *Reader) tooManyLines() error {
	return exceeded("the query has goshawk look at more lines than query.logs.max_lines allows (%d): add line filters or labels that ClickHouse can filter by, or ask for less time", r.store.cfg.MaxLines)
}

// statement is that for rows in the order of the direction.
func (f *finder) statement(c *clickhouse.Condition, limit int) string {
	order := "DESC"
	if f.search.Forward {
		order = "ASC"
	}
	return "SELECT " + f.columns.out.Columns() + "\nFROM " + f.table(tables.Logs) + "\nWHERE " + c.Where() +
		"\nORDER BY time " + order + "\nLIMIT " + strconv.Itoa(limit)
}

// apart reports whether the entry is far enough from the line before.
func (f *finder) apart() bool {
	if f.search.Interval <= 0 || len(f.found) == 0 {
		return true
	}
	return abs(f.entry.Time-f.found[len(f.found)-1].Time) >= int64(f.search.Interval)
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// keep adds the entry to what was found.
func (f *finder) keep() {
	e := &f.entry
	l := Line{Time: e.Time, Text: e.Line, Stream: e.Stream, Parsed: e.Read(nil)}
	if left := e.Of(nil); len(left) < len(e.Stream) {
		l.Stream = left
	}
	l.Record = slices.Clone(e.Meta)
	l.Parsed.Sort()
	f.size += len(l.Text) + 200
	for _, labels := range []pipeline.Labels{l.Record, l.Parsed} {
		for _, one := range labels {
			f.size += len(one.Name) + len(one.Value) + 32
		}
	}
	f.found = append(f.found, l)
}

// window is a part of a range that is looked at on its own. It ends or begins with
// a bucket, or with the range.
type window struct {
	Range
	whole   Range
	forward bool
	buckets int64
}

const bucketNanoseconds = tables.BucketSeconds * int64(time.Second)

func firstWindow(in Range, forward bool) window {
	// At least ten minutes, so that the minutes beside the end of a bucket are not
	// two statements.
	const least = 10 * int64(time.Minute)
	w := window{Range: in, whole: in, forward: forward, buckets: 2}
	if forward {
		w.To = min(in.To, ((in.From+least)/bucketNanoseconds+1)*bucketNanoseconds-1)
	} else {
		w.From = max(in.From, (in.To-least)/bucketNanoseconds*bucketNanoseconds)
	}
	return w
}

func (w window) open() bool { return w.From <= w.To }

// next is the window behind, twice as wide.
func (w window) next() window {
	n := w
	n.buckets = min(2*w.buckets, 1<<22)
	if w.forward {
		n.From = w.To + 1
		n.To = min(w.whole.To, (n.From/bucketNanoseconds+w.buckets)*bucketNanoseconds-1)
		return n
	}
	n.To = w.From - 1
	n.From = max(w.whole.From, (n.To/bucketNanoseconds-w.buckets+1)*bucketNanoseconds)
	return n
}
