// Package goshawk serves goshawk's own API for traces: a trace with its critical
// path, the service map, operations, clock offsets and business lines.
// docs/api.md is the contract.
package goshawk

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/api"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// API is the API over a store.
type API struct {
	cfg   Config
	store *traces.Store
	lines []line
}

var _ traces.API = (*API)(nil)

// New makes the API. The configuration must be valid.
func New(cfg Config, store *traces.Store) *API {
	return &API{cfg: cfg, store: store, lines: linesOf(cfg.BusinessLines)}
}

const prefix = "/api/v1"

// Paths implements [traces.API].
func (a *API) Paths() []string {
	var all []string
	for _, path := range []string{"/traces/{id}", "/service-map", "/operations", "/clock-offsets", "/business-lines"} {
		all = append(all, "GET "+prefix+path)
	}
	return all
}

// name is what metrics call the API.
const name = "goshawk"

// Serve implements [traces.API].
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	a.store.Serve(w, r, tenant, name, func(ctx context.Context, reader *traces.Reader) (traces.Answer, error) {
		q := query{reader, traces.ParametersOf(r), a, time.Now()}
		switch strings.TrimPrefix(r.URL.Path, prefix) {
		case "/service-map":
			return q.serviceMap(ctx)
		case "/operations":
			return q.operations(ctx)
		case "/clock-offsets":
			return q.clockOffsets(ctx)
		case "/business-lines":
			return q.businessLines(ctx)
		}
		return q.trace(ctx, r.PathValue("id"))
	}, api.WriteError)
}

// query is a request that is being answered.
type query struct {
	*traces.Reader
	*traces.Parameters
	api *API
	now time.Time
}

// lookback is how far back requests look that name no start.
const lookback = time.Hour

// in is the time of a request.
func (q *query) in() traces.Range { return q.Between(q.now, lookback) }

const contentType = "application/json; charset=utf-8"

func answer(data any) (traces.Answer, error) {
	text, err := appendJSON(nil, data)
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) { o.B = append(o.B, text...) }}, err
}

// appendJSON appends a value as JSON with the line break of an encoder.
func appendJSON(b []byte, data any) ([]byte, error) {
	w := writer{b}
	encoder := json.NewEncoder(&w)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(data)
	return w.b, err
}

type writer struct{ b []byte }

func (w *writer) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

// timeOf is a time as answers have it.
func timeOf(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }

// secondsOf is timeOf of Unix seconds.
func secondsOf(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
