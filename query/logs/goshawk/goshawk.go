// Package goshawk serves goshawk's own API for logs: the lines around a line, and
// those of a trace. docs/api.md is the contract.
package goshawk

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
	"github.com/goshawk-observability/goshawk/query/logs/pipeline"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// API is the API over a store.
type API struct{ store *logs.Store }

var _ logs.API = (*API)(nil)

// New makes the API.
func New(store *logs.Store) *API { return &API{store} }

// Paths implements [logs.API].
func (a *API) Paths() []string {
	return []string{"GET /api/v1/logs/context", "GET /api/v1/traces/{id}/logs"}
}

// Serve implements [logs.API].
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	id := r.PathValue("id")
	name := "context"
	if id != "" {
		name = "trace"
	}
	a.store.Serve(w, r, tenant, "goshawk/"+name, func(ctx context.Context, reader *logs.Reader) (logs.Answer, error) {
		q := query{reader, traces.ParametersOf(r)}
		var data any
		var err error
		if id != "" {
			data, err = q.trace(ctx, id)
		} else {
			data, err = q.around(ctx)
		}
		if err != nil {
			return logs.Answer{}, err
		}
		var body bytes.Buffer
		encoder := json.NewEncoder(&body)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(data)
		return logs.Answer{ContentType: "application/json; charset=utf-8", Body: body.Bytes()}, err
	}, api.WriteError)
}

// query is a request that is being answered.
type query struct {
	*logs.Reader
	*traces.Parameters
}

// line is a line as answers have it.
type line struct {
	Time time.Time `json:"time"`
	// Nanoseconds is the time as Loki's API has it; a number would lose digits in
	// JavaScript.
	Nanoseconds string            `json:"time_unix_nano"`
	Service     string            `json:"service"`
	Level       string            `json:"level"`
	Body        string            `json:"body"`
	TraceID     string            `json:"trace_id,omitempty"`
	SpanID      string            `json:"span_id,omitempty"`
	Event       string            `json:"event_name,omitempty"`
	Stream      map[string]string `json:"stream"`
	Attributes  map[string]string `json:"attributes"`
}

func lineOf(l *logs.Line) line {
	one := line{
		Time: time.Unix(0, l.Time).UTC(), Nanoseconds: strconv.FormatInt(l.Time, 10), Service: l.Stream.Get("service_name"), Level: l.Stream.Get("level"),
		Body: l.Text, TraceID: l.Record.Get("trace_id"), SpanID: l.Record.Get("span_id"), Event: l.Record.Get("event_name"),
		Stream: mapOf(l.Stream), Attributes: mapOf(l.Record),
	}
	for _, name := range []string{"trace_id", "span_id", "event_name", "detected_level"} {
		delete(one.Attributes, name)
	}
	return one
}

func mapOf(labels pipeline.Labels) map[string]string {
	all := make(map[string]string, len(labels))
	for _, l := range labels {
		all[l.Name] = l.Value
	}
	return all
}

func linesOf(found []logs.Line) []line {
	all := make([]line, len(found))
	for i := range found {
		all[i] = lineOf(&found[i])
	}
	return all
}

// Limits of the lines around a line.
const (
	defaultAround = 10
	maxAround     = 1000
	// aroundReach is how far away they may be.
	aroundReach = 24 * time.Hour
)

// selected is the query for the lines among which those around a line are: of a
// service, a host and a file, or a query.
func (q *query) selected() (*logql.LogExpr, error) {
	if text := q.Get("query"); text != "" {
		e, err := logql.Parse(text)
		if err != nil {
			return nil, err
		}
		lines, ok := e.(*logql.LogExpr)
		if !ok {
			return nil, logs.Invalid("query: %q is no query for lines", text)
		}
		return lines, nil
	}
	e := &logql.LogExpr{}
	for _, of := range [][2]string{{"service", "service_name"}, {"host", "host_name"}} {
		if v := q.Get(of[0]); v != "" {
			e.Matchers = append(e.Matchers, &logql.Matcher{Name: of[1], Value: v})
		}
	}
	if len(e.Matchers) == 0 {
		return nil, logs.Invalid("one of service, host and query is needed")
	}
	if v := q.Get("file"); v != "" {
		path, name := &logql.TextFilter{Matcher: &logql.Matcher{Name: "log_file_path", Value: v}}, &logql.TextFilter{Matcher: &logql.Matcher{Name: "log_file_name", Value: v}}
		e.Stages = append(e.Stages, &logql.LogicFilter{Or: true, Left: path, Right: name})
	}
	return e, nil
}

func (q *query) around(ctx context.Context) (any, error) {
	q.Known("service", "host", "file", "query", "time", "before", "after")
	e, err := q.selected()
	t := q.moment()
	before, after := q.Number("before", defaultAround, 0, maxAround), q.Number("after", defaultAround, 0, maxAround)
	if q.Err != nil {
		return nil, q.Err
	}
	if err != nil {
		return nil, err
	}
	answer := struct {
		Time   time.Time `json:"time"`
		Before []line    `json:"before"`
		At     []line    `json:"at"`
		After  []line    `json:"after"`
	}{Time: time.Unix(0, t).UTC(), Before: []line{}, After: []line{}}
	found, err := q.Find(ctx, logs.Search{Query: e, In: logs.Range{From: t, To: t}, Limit: maxAround})
	if err != nil {
		return nil, err
	}
	answer.At = linesOf(found)
	if before > 0 {
		if found, err = q.Find(ctx, logs.Search{Query: e, In: logs.Range{From: t - int64(aroundReach), To: t - 1}, Limit: before}); err != nil {
			return nil, err
		}
		slices.Reverse(found)
		answer.Before = linesOf(found)
	}
	if after > 0 {
		if found, err = q.Find(ctx, logs.Search{Query: e, In: logs.Range{From: t + 1, To: t + int64(aroundReach)}, Limit: after, Forward: true}); err != nil {
			return nil, err
		}
		answer.After = linesOf(found)
	}
	return answer, nil
}

// moment is the parameter time: nanoseconds since 1970, or as all of goshawk's API
// takes times.
func (q *query) moment() int64 {
	text := q.Get("time")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) > 12 && !strings.HasPrefix(text, "-") {
		return min(n, logs.Range{To: n}.Within().To)
	}
	t, ok := q.Moment("time", time.Now())
	if !ok && q.Err == nil {
		q.Err = logs.Invalid("time is missing: the time of a line, in nanoseconds since 1970 or RFC 3339")
	}
	return t
}

// defaultOfTrace is how many lines of a trace are answered unless a limit is named.
const defaultOfTrace = 1000

func (q *query) trace(ctx context.Context, text string) (any, error) {
	q.Known("start", "end", "limit")
	id, err := traces.TraceIDOf(text)
	if err != nil {
		return nil, err
	}
	in := traces.Everything()
	if q.Get("start") != "" || q.Get("end") != "" {
		in = q.Between(time.Now(), time.Hour)
	}
	limit := q.Number("limit", min(defaultOfTrace, q.Config().MaxEntries), 1, q.Config().MaxEntries)
	if q.Err != nil {
		return nil, q.Err
	}
	hex := string(traces.AppendHex(nil, id[:]))
	e := &logql.LogExpr{Stages: []logql.Stage{&logql.TextFilter{Matcher: &logql.Matcher{Name: "trace_id", Value: hex}}}}
	found, err := q.Find(ctx, logs.Search{Query: e, In: in, Limit: limit + 1, Forward: true, AtOnce: true})
	if err != nil {
		return nil, err
	}
	return struct {
		TraceID string `json:"trace_id"`
		Lines   []line `json:"lines"`
		// More says that there are more lines than the limit.
		More bool `json:"more"`
	}{hex, linesOf(found[:min(limit, len(found))]), len(found) > limit}, nil
}
