// Package tempo serves the HTTP API of Tempo, as Grafana's data source uses it.
package tempo

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
	"github.com/goshawk-observability/goshawk/query/traces/otlp"
)

// Prefix is what the paths of the API begin with. Without it they are Jaeger's
// and Zipkin's.
const Prefix = "/tempo"

// API is Tempo's HTTP API over a store.
type API struct {
	store   *traces.Store
	version string
}

var _ traces.API = (*API)(nil)

// New makes the API. Version is that of goshawk.
func New(store *traces.Store, version string) *API { return &API{store, version} }

// Paths implements [traces.API].
func (a *API) Paths() []string {
	var all []string
	for _, path := range []string{
		"/api/echo", "/api/status/buildinfo", "/status/buildinfo", "/ready",
		"/api/traces/{id}", "/api/v2/traces/{id}", "/api/search",
		"/api/search/tags", "/api/v2/search/tags", "/api/search/tag/{tag}/values", "/api/v2/search/tag/{tag}/values",
		"/api/metrics/query_range", "/api/metrics/query", "/api/metrics/summary",
	} {
		all = append(all, "GET "+Prefix+path)
	}
	return all
}

// name is what metrics call the API.
const name = "tempo"

// Serve implements [traces.API]. A path without the prefix is that of a trace.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	a.store.Serve(w, r, tenant, name, func(ctx context.Context, reader *traces.Reader) (traces.Answer, error) {
		q := query{reader, traces.ParametersOf(r), r}
		path := strings.TrimPrefix(r.URL.Path, Prefix)
		switch {
		case path == "/api/echo", path == "/ready":
			return plain(path[strings.LastIndexByte(path, '/')+1:]), nil
		case strings.HasSuffix(path, "/status/buildinfo"):
			return a.build()
		case path == "/api/search":
			return q.search(ctx)
		case strings.HasPrefix(path, "/api/metrics/"):
			return traces.Answer{}, store.Invalid("TraceQL metrics (%s) are not supported", path)
		}
		second := strings.HasPrefix(path, "/api/v2/")
		switch {
		case strings.HasSuffix(path, "/search/tags"):
			return q.tags(ctx, second)
		case r.PathValue("tag") != "":
			return q.values(ctx, r.PathValue("tag"), second)
		}
		return q.trace(ctx, r.PathValue("id"), second)
	}, refuse)
}

// query is a request that is being answered.
type query struct {
	*traces.Reader
	*traces.Parameters
	request *http.Request
}

const jsonType = "application/json"

// refuse answers with a text, as Tempo does.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(message + "\n")) // the client is gone
}

func plain(text string) traces.Answer {
	return traces.Answer{ContentType: "text/plain; charset=utf-8", Write: func(o *traces.Out) { o.B = append(o.B, text...) }}
}

func answer(data any) (traces.Answer, error) {
	text, err := json.Marshal(data)
	return traces.Answer{ContentType: jsonType, Write: func(o *traces.Out) { o.B = append(o.B, text...) }}, err
}

// spoken is the version of Tempo whose API this is. From 2.2 on Grafana would
// stream searches over gRPC if it is told to.
const spoken = "2.1.0"

func (a *API) build() (traces.Answer, error) {
	return answer(map[string]string{
		"version": spoken, "revision": a.version, "branch": "goshawk", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	})
}

// in is the time of a request: start and end in seconds.
func (q *query) in() traces.Range {
	start, hasStart := q.Time("start", time.Second)
	end, hasEnd := q.Time("end", time.Second)
	if hasEnd {
		end += int64(time.Second) - 1 // the whole second
	}
	// Zeros say nothing.
	return q.Bounded(start, hasStart && start > 0, end, hasEnd && end > int64(time.Second), q.Config().Lookback)
}

func (q *query) trace(ctx context.Context, text string, second bool) (traces.Answer, error) {
	id, err := traces.TraceIDOf(text)
	if err != nil {
		return traces.Answer{}, err
	}
	var hint *traces.Range
	if q.Get("start") != "" || q.Get("end") != "" {
		in := q.in()
		hint = &in
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	t, err := q.Found(ctx, id, hint)
	if err != nil {
		return traces.Answer{}, err
	}
	note := ""
	if t.Cut {
		note = q.Note
	}
	if Protobuf(q.request) {
		if second {
			return traces.Answer{ContentType: protobufType, Write: func(o *traces.Out) { o.B = secondProto(o.B, t, note) }}, nil
		}
		return traces.Answer{ContentType: protobufType, Write: func(o *traces.Out) { otlp.Proto(o, t) }}, nil
	}
	return traces.Answer{ContentType: jsonType, Write: func(o *traces.Out) { writeJSON(o, t, second, note) }}, nil
}

const protobufType = "application/protobuf"

// Protobuf reports whether a request wants protobuf.
func Protobuf(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), protobufType)
}

// partial is the status of an answer that has not all spans.
const partial = 1

// secondProto appends a TraceByIDResponse.
func secondProto(b []byte, t *traces.Trace, note string) []byte {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, otlp.AppendProto(nil, t))
	if note != "" {
		b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), partial)
		b = protowire.AppendString(protowire.AppendTag(b, 4, protowire.BytesType), note)
	}
	return b
}

func writeJSON(o *traces.Out, t *traces.Trace, second bool, note string) {
	if !second {
		o.B = append(o.B, `{"batches":`...)
		otlp.JSON(o, t)
		o.B = append(o.B, '}')
		return
	}
	o.B = append(o.B, `{"trace":{"resourceSpans":`...)
	otlp.JSON(o, t)
	o.B = append(o.B, '}')
	if note != "" {
		o.B = append(o.B, `,"status":"PARTIAL","message":`...)
		o.B = traces.AppendString(o.B, note)
	}
	o.B = append(o.B, '}')
}
