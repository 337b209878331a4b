package tempo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/otlp"
	"github.com/goshawk-observability/goshawk/query/traces/traceql"
)

// What a search answers that says nothing of it.
const (
	defaultLimit = 20
	defaultSpans = 3 // of a set
)

// maxSpans bounds the spans of a set that are answered.
const maxSpans = 1000

// found is a trace that a search matched, with what its answer shows.
type found struct {
	*traces.Trace
	*traceql.Match
}

func (q *query) search(ctx context.Context) (traces.Answer, error) {
	in := q.in()
	limit := q.Limit("limit", defaultLimit, q.Config().MaxTraces)
	spans := q.Limit("spss", defaultSpans, maxSpans)
	text := q.Get("q")
	if q.Get("tags") != "" || q.Get("minDuration") != "" || q.Get("maxDuration") != "" {
		tags, err := q.tagQuery()
		if err != nil {
			return traces.Answer{}, err
		}
		if text != "" {
			return traces.Answer{}, store.Invalid("a search has either q or tags, minDuration and maxDuration")
		}
		text = tags
	}
	if text == "" {
		text = "{}"
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	parsed, err := traceql.Parse(text)
	if err != nil {
		return traces.Answer{}, store.Invalid("invalid TraceQL query: %v", err)
	}
	matches, looked, err := q.matches(ctx, parsed, in, limit)
	if err != nil {
		return traces.Answer{}, err
	}
	return traces.Answer{ContentType: jsonType, Write: func(o *traces.Out) { q.writeSearch(o, matches, looked, spans) }}, nil
}

// How many traces are found, and of those read and evaluated, at a time.
const (
	foundAtOnce     = 1000
	evaluatedAtOnce = 200
)

// matches finds the newest traces that a query matches, and says how many were
// looked at.
func (q *query) matches(ctx context.Context, parsed *traceql.Query, in traces.Range, limit int) ([]found, int, error) {
	plan := parsed.Plan()
	var all []found
	looked := 0
	most := q.Config().MaxCandidates
	// Mostly what is found is what matches.
	batch := min(max(limit, defaultLimit), evaluatedAtOnce)
	err := q.Find(ctx, plan.Filter, in, foundAtOnce, func(hits []traces.Hit) (bool, error) {
		for len(hits) > 0 {
			some, read, err := q.Load(ctx, hits[:min(batch, len(hits))], plan.Columns)
			if err != nil {
				return false, err
			}
			looked += read
			hits = hits[read:]
			for _, t := range some {
				if m := parsed.Match(t); len(m.Sets) > 0 {
					all = append(all, found{t, m})
				}
				if len(all) == limit {
					return true, nil
				}
			}
			if looked >= most {
				q.Note = fmt.Sprintf("the search looked into %d traces and ended (query.traces.max_candidates): ask for less time, or for what fewer spans have", looked)
				return true, nil
			}
			batch = min(2*batch, evaluatedAtOnce)
		}
		return false, nil
	})
	return all, looked, err
}

// tagQuery makes TraceQL of the parameters of older searches: tags in logfmt,
// all of which one span must have, and durations of traces.
func (q *query) tagQuery() (string, error) {
	pairs, err := logfmt(q.Get("tags"))
	if err != nil {
		return "", err
	}
	var all []string
	for _, pair := range pairs {
		all = append(all, tagTerm(pair[0], pair[1]))
	}
	if d, ok := q.Duration("minDuration", 0); ok {
		all = append(all, "traceDuration >= "+time.Duration(d).String())
	}
	if d, ok := q.Duration("maxDuration", 0); ok {
		all = append(all, "traceDuration <= "+time.Duration(d).String())
	}
	return "{" + strings.Join(all, " && ") + "}", nil
}

// tagTerm is a comparison of a tag with a text, which may stand for a number.
func tagTerm(key, value string) string {
	quoted := strconv.Quote(value)
	switch key {
	case "name", "root.name":
		return map[string]string{"name": "name", "root.name": "rootName"}[key] + "=" + quoted
	case "root.service.name":
		return "rootServiceName=" + quoted
	case "status", "status.code":
		if status, ok := traces.StatusOf(value); ok {
			return "status=" + status.String()
		}
	case "error":
		if value == "true" {
			return "(status=error || .error=true)"
		}
	case "kind", "span.kind":
		if kind, ok := traces.KindOf(value); ok {
			return "kind=" + kind.String()
		}
	}
	key = "." + strconv.Quote(key)
	term := key + "=" + quoted
	if f, err := strconv.ParseFloat(value, 64); err == nil && strings.Trim(value, "0123456789.-") == "" {
		return "(" + term + " || " + key + "=" + strconv.FormatFloat(f, 'f', -1, 64) + ")"
	}
	return term
}

// logfmt reads key=value pairs, of which values may be in quotes.
func logfmt(text string) ([][2]string, error) {
	var all [][2]string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		key, rest, ok := strings.Cut(text, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \"\t\n") {
			return nil, store.Invalid("tags: want key=value or key=\"value\", with spaces between them")
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, store.Invalid("tags: the value of %s does not end", key)
			}
			if value, err = strconv.Unquote(quoted); err != nil {
				return nil, store.Invalid("tags: the value of %s has an escape that is not known", key)
			}
			text = rest[len(quoted):]
		} else {
			value, text, _ = strings.Cut(rest, " ")
		}
		all = append(all, [2]string{key, value})
	}
	return all, nil
}

// noRoot is what Tempo says of a trace whose root was not seen.
const noRoot = "<root span not yet received>"

func (q *query) writeSearch(o *traces.Out, matches []found, looked, spans int) {
	o.B = append(o.B, `{"traces":[`...)
	for i, f := range matches {
		if i > 0 {
			o.B = append(o.B, ',')
		}
		writeFound(o, f, spans)
		o.Flush()
	}
	o.B = append(o.B, `],"metrics":{"inspectedTraces":`...)
	o.B = strconv.AppendInt(o.B, int64(looked), 10)
	o.B = append(o.B, `,"inspectedBytes":`...)
	o.B = traces.AppendQuotedInt(o.B, int64(q.Bytes))
	o.B = append(o.B, `,"completedJobs":1,"totalJobs":1}}`...)
}

type stats struct{ spans, errors int }

func writeFound(o *traces.Out, f found, spans int) {
	first, last := f.Trace.Spans[0].Start, f.Trace.Spans[0].End()
	var root *traces.Span
	services := map[string]*stats{}
	var order []string
	for i := range f.Trace.Spans {
		s := &f.Trace.Spans[i]
		first, last = min(first, s.Start), max(last, s.End())
		if root == nil && s.Root() {
			root = s
		}
		one := services[s.Service]
		if one == nil {
			one = &stats{}
			services[s.Service] = one
			order = append(order, s.Service)
		}
		one.spans++
		if s.Status == traces.StatusError {
			one.errors++
		}
	}
	service, operation := noRoot, ""
	if root != nil {
		service, operation = root.Service, root.Name
	}
	o.B = append(o.B, `{"traceID":`...)
	o.B = traces.AppendQuotedHex(o.B, f.ID[:])
	o.B = append(o.B, `,"rootServiceName":`...)
	o.B = traces.AppendString(o.B, service)
	o.B = append(o.B, `,"rootTraceName":`...)
	o.B = traces.AppendString(o.B, operation)
	o.B = append(o.B, `,"startTimeUnixNano":`...)
	o.B = traces.AppendQuotedInt(o.B, first)
	o.B = append(o.B, `,"durationMs":`...)
	o.B = strconv.AppendInt(o.B, min((last-first)/int64(time.Millisecond), 1<<32-1), 10)
	o.B = append(o.B, `,"spanSet":`...)
	writeSet(o, &f, &f.Sets[0], spans)
	o.B = append(o.B, `,"spanSets":[`...)
	for i := range f.Sets {
		if i > 0 {
			o.B = append(o.B, ',')
		}
		writeSet(o, &f, &f.Sets[i], spans)
		o.Flush()
	}
	o.B = append(o.B, `],"serviceStats":{`...)
	for i, service := range order {
		if i > 0 {
			o.B = append(o.B, ',')
		}
		o.B = traces.AppendString(o.B, service)
		o.B = append(o.B, `:{"spanCount":`...)
		o.B = strconv.AppendInt(o.B, int64(services[service].spans), 10)
		if n := services[service].errors; n > 0 {
			o.B = append(o.B, `,"errorCount":`...)
			o.B = strconv.AppendInt(o.B, int64(n), 10)
		}
		o.B = append(o.B, '}')
	}
	o.B = append(o.B, '}', '}')
}

func writeSet(o *traces.Out, f *found, set *traceql.Set, most int) {
	o.B = append(o.B, `{"spans":[`...)
	for i, at := range set.Spans[:min(most, len(set.Spans))] {
		s := &f.Trace.Spans[at]
		if i > 0 {
			o.B = append(o.B, ',')
		}
		o.B = append(o.B, `{"spanID":`...)
		o.B = traces.AppendQuotedHex(o.B, s.ID[:])
		o.B = append(o.B, `,"name":`...)
		o.B = traces.AppendString(o.B, s.Name)
		o.B = append(o.B, `,"startTimeUnixNano":`...)
		o.B = traces.AppendQuotedInt(o.B, s.Start)
		o.B = append(o.B, `,"durationNanos":`...)
		o.B = traces.AppendQuotedInt(o.B, max(s.Duration, 0))
		if shown := f.Shown(at); len(shown) > 0 {
			o.B = append(o.B, `,"attributes":`...)
			o.B = otlp.AppendAttrs(o.B, shown)
		}
		o.B = append(o.B, '}')
	}
	o.B = append(o.B, `],"matched":`...)
	o.B = strconv.AppendInt(o.B, int64(len(set.Spans)), 10)
	if len(set.Attrs) > 0 {
		o.B = append(o.B, `,"attributes":`...)
		o.B = otlp.AppendAttrs(o.B, set.Attrs)
	}
	o.B = append(o.B, '}')
}

// faulty reports whether an error is of a query that cannot be parsed.
func faulty(err error) bool {
	var syntax *traceql.Error
	return errors.As(err, &syntax)
}
