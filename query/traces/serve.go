package traces

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
)

// API is one of the APIs as the query service serves it.
type API interface {
	// Paths are the patterns that the API answers, for [http.ServeMux].
	Paths() []string
	// Serve answers a request for the rows of a tenant.
	Serve(w http.ResponseWriter, r *http.Request, tenant string)
}

// Out is the body of an answer as it is written: what is appended to B goes out
// from time to time, when Flush is called.
type Out struct {
	B []byte
	w http.ResponseWriter
}

// flushAt is how much an answer holds back.
const flushAt = 128 << 10

// Flush sends what was appended, once it is worth it.
func (o *Out) Flush() {
	if len(o.B) >= flushAt {
		_, _ = o.w.Write(o.B) // the client is gone
		o.B = o.B[:0]
	}
}

// Answer is what a request is answered.
type Answer struct {
	ContentType string
	// Write appends the body. It is called after the headers are set.
	Write func(*Out)
}

// Headers of answers.
const (
	// RowsHeader says how many rows ClickHouse read for the answer.
	RowsHeader = "X-Goshawk-Rows-Read"
	// NoteHeader says what of the answer is not complete.
	NoteHeader = "X-Goshawk-Note"
)

// Serve answers a request by handle, and an error by refuse. It waits for its
// turn, and bounds the time for the answer and once more for writing it; name is
// the API's, for metrics.
func (s *Store) Serve(w http.ResponseWriter, request *http.Request, tenant, name string,
	handle func(context.Context, *Reader) (Answer, error), refuse func(http.ResponseWriter, int, string),
) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	r := s.For(tenant)
	answered := false
	err := s.Do(request.Context(), name, r, func(ctx context.Context) error {
		answer, err := handle(ctx, r)
		if err == nil {
			answered = true
			s.write(w, r, &answer)
		}
		return err
	})
	if err == nil || answered {
		return
	}
	header.Set(RowsHeader, strconv.FormatUint(r.Rows, 10))
	status, message := s.Worded(request.Context(), err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	refuse(w, status, message)
}

// write sends an answer. What was read is held until then, so a client that takes
// its time is cut off.
func (s *Store) write(w http.ResponseWriter, r *Reader, answer *Answer) {
	defer s.BoundWriting(w)()
	header := w.Header()
	header.Set(RowsHeader, strconv.FormatUint(r.Rows, 10))
	if r.Note != "" {
		header.Set(NoteHeader, r.Note)
	}
	header.Set("Content-Type", answer.ContentType)
	out := &Out{w: w}
	answer.Write(out)
	_, _ = w.Write(out.B) // the client is gone
}

// Do runs a request when it is its turn, within the time that it may take.
func (s *Store) Do(ctx context.Context, name string, r *Reader, run func(context.Context) error) error {
	return s.Store.Do(ctx, func(ctx context.Context) error {
		start := time.Now()
		defer func() {
			s.metrics.rows.WithLabelValues(name).Add(float64(r.Rows))
			s.metrics.seconds.WithLabelValues(name).Observe(time.Since(start).Seconds())
		}()
		return run(ctx)
	})
}

// Parameters reads the parameters of a request. The first that makes no sense is
// in Err.
type Parameters struct {
	Raw url.Values
	Err error
}

// ParametersOf reads the parameters in a URL.
func ParametersOf(r *http.Request) *Parameters {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &Parameters{Raw: values}
	if err != nil {
		p.Refuse("the parameters cannot be read: %v", err)
	}
	return p
}

// Refuse says of a request what makes no sense, unless something else did before.
func (p *Parameters) Refuse(format string, args ...any) {
	if p.Err == nil {
		p.Err = store.Invalid(format, args...)
	}
}

// Get returns a parameter, empty where it is not there.
func (p *Parameters) Get(name string) string { return p.Raw.Get(name) }

// Limit returns a number of at least 1 and at most the highest limit of a
// search, or the default where it is not there.
func (p *Parameters) Limit(name string, fallback, highest int) int {
	text := p.Get(name)
	if text == "" {
		return min(fallback, highest)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		p.Refuse("%s: %q is no number", name, store.Shortened(text))
		return fallback
	}
	if n == 0 {
		return min(fallback, highest)
	}
	if n > highest {
		p.Refuse("%s: %d is above the highest, %d (query.traces.max_traces)", name, n, highest)
	}
	return n
}

// Time returns a time, given in the unit, in Unix nanoseconds; ok says whether it
// is there.
func (p *Parameters) Time(name string, unit time.Duration) (t int64, ok bool) {
	text := p.Get(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		p.Refuse("%s: %q is no time in %s since 1970", name, store.Shortened(text), units[unit])
		return 0, false
	}
	return times(n, unit), true
}

var units = map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds", time.Microsecond: "microseconds", time.Nanosecond: "nanoseconds"}

// times multiplies without overflow.
func times(n int64, unit time.Duration) int64 {
	if n > lastTime/int64(unit) {
		return lastTime
	}
	return n * int64(unit)
}

// Duration returns a duration in Go's notation, or a plain number of the unit;
// ok says whether it is there.
func (p *Parameters) Duration(name string, unit time.Duration) (d int64, ok bool) {
	text := p.Get(name)
	if text == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && unit != 0 && n >= 0 {
		return times(n, unit), true
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		p.Refuse("%s: %q is no duration such as 1.2s or 100ms", name, store.Shortened(text))
		return 0, false
	}
	return int64(parsed), true
}

// future is how far ahead spans may be that were stored.
const future = 24 * time.Hour

// Lookback returns the time of a request that ends at endTs and is as long as
// lookback, both in milliseconds, or as the fallback.
func (p *Parameters) Lookback(fallback time.Duration) Range {
	end, hasEnd := p.Time("endTs", time.Millisecond)
	if back, ok := p.Duration("lookback", time.Millisecond); ok {
		fallback = time.Duration(back)
	}
	return p.Bounded(0, false, end, hasEnd, fallback)
}

// Bounded returns the range from start to end, where what is missing is the
// present and the lookback. A range that ends before it starts is an error.
func (p *Parameters) Bounded(start int64, hasStart bool, end int64, hasEnd bool, lookback time.Duration) Range {
	now := time.Now().UnixNano()
	if !hasEnd {
		end = now
	}
	// A search begins at the end, so it must not begin long after all that there is.
	end = min(end, now+int64(future))
	if !hasStart {
		start = end - int64(lookback)
	}
	in := Range{start, end}
	if in.From > in.To {
		p.Refuse("the time ends before it starts")
	}
	return in.Within()
}
