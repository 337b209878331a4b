// Package zipkin serves the read API of Zipkin, version 2.
package zipkin

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// Prefix is what the paths of the API may begin with.
const Prefix = "/zipkin"

// API is Zipkin's HTTP API over a store.
type API struct{ store *traces.Store }

var _ traces.API = (*API)(nil)

// New makes the API.
func New(store *traces.Store) *API { return &API{store} }

// paths are those of the API; without the prefix they are served too.
var paths = []string{
	"/api/v2/services", "/api/v2/spans", "/api/v2/remoteServices", "/api/v2/traces", "/api/v2/traceMany", "/api/v2/trace/{id}",
	"/api/v2/dependencies", "/api/v2/autocompleteKeys", "/api/v2/autocompleteValues",
}

// Paths implements [traces.API].
func (a *API) Paths() []string {
	var all []string
	for _, path := range paths {
		all = append(all, "GET "+path, "GET "+Prefix+path)
	}
	return append(all, "GET "+Prefix+"/health")
}

// name is what metrics call the API.
const name = "zipkin"

// Serve implements [traces.API].
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	a.store.Serve(w, r, tenant, name, func(ctx context.Context, reader *traces.Reader) (traces.Answer, error) {
		q := query{reader, traces.ParametersOf(r)}
		switch strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, Prefix), "/api/v2") {
		case "/health":
			return answer(map[string]string{"status": "UP"})
		case "/services":
			return q.services(ctx)
		case "/spans":
			return q.spans(ctx)
		case "/remoteServices":
			return q.remoteServices(ctx)
		case "/traces":
			return q.search(ctx)
		case "/traceMany":
			return q.many(ctx)
		case "/dependencies":
			return q.dependencies(ctx)
		case "/autocompleteKeys":
			return q.keys(ctx)
		case "/autocompleteValues":
			return q.values(ctx)
		}
		return q.trace(ctx, r.PathValue("id"))
	}, refuse)
}

// query is a request that is being answered.
type query struct {
	*traces.Reader
	*traces.Parameters
}

const contentType = "application/json"

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "message": message}) // the client is gone
}

func answer(data any) (traces.Answer, error) {
	text, err := json.Marshal(data)
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) { o.B = append(o.B, text...) }}, err
}

// texts answers with a list of texts, or why there is none.
func texts(all []string, err error) (traces.Answer, error) {
	if err != nil {
		return traces.Answer{}, err
	}
	if all == nil {
		all = []string{}
	}
	return answer(all)
}

// in is the time of a request.
func (q *query) in() traces.Range { return q.Lookback(q.Config().Lookback) }

func (q *query) services(ctx context.Context) (traces.Answer, error) {
	in := q.in()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	return texts(q.Services(ctx, in))
}

// named returns a parameter that must be there.
func (q *query) named(parameter string) (string, traces.Range, error) {
	in := q.in()
	value := q.Get(parameter)
	if value == "" && q.Err == nil {
		return "", in, store.Invalid("the parameter %s is required", parameter)
	}
	return value, in, q.Err
}

func (q *query) spans(ctx context.Context) (traces.Answer, error) {
	service, in, err := q.named("serviceName")
	if err != nil {
		return traces.Answer{}, err
	}
	found, err := q.Operations(ctx, service, in)
	var all []string
	for i, o := range found {
		if i == 0 || found[i-1].Name != o.Name {
			all = append(all, o.Name)
		}
	}
	return texts(all, err)
}

// remoteServices are those that spans of a service name as their peer.
func (q *query) remoteServices(ctx context.Context) (traces.Answer, error) {
	service, in, err := q.named("serviceName")
	if err != nil {
		return traces.Answer{}, err
	}
	var c traces.Condition
	c.Add("service = " + c.Text(service))
	c.Add(remoteSpan)
	return texts(q.Values(ctx, remoteName, c, in))
}

func (q *query) keys(ctx context.Context) (traces.Answer, error) {
	in := q.in()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	return texts(q.Keys(ctx, traces.OfSpan, in))
}

func (q *query) values(ctx context.Context) (traces.Answer, error) {
	key, in, err := q.named("key")
	if err != nil {
		return traces.Answer{}, err
	}
	var c traces.Condition
	k := c.Text(key)
	return texts(q.Values(ctx, "if(has(mapKeys(attribute_numbers), "+k+"), toString(attribute_numbers["+k+"]), attributes["+k+"])", c, in))
}

func (q *query) dependencies(ctx context.Context) (traces.Answer, error) {
	_, in, err := q.named("endTs")
	if err != nil {
		return traces.Answer{}, err
	}
	found, err := q.Dependencies(ctx, in)
	if err != nil {
		return traces.Answer{}, err
	}
	type link struct {
		Parent string `json:"parent"`
		Child  string `json:"child"`
		Calls  uint64 `json:"callCount"`
		Errors uint64 `json:"errorCount,omitempty"`
	}
	all := []link{}
	for _, d := range found {
		all = append(all, link{d.Parent, d.Child, d.Calls, d.Errors})
	}
	return answer(all)
}

func (q *query) trace(ctx context.Context, text string) (traces.Answer, error) {
	id, err := traces.TraceIDOf(text)
	if err != nil {
		return traces.Answer{}, err
	}
	t, err := q.Found(ctx, id, nil)
	if err != nil {
		return traces.Answer{}, err
	}
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) { writeTrace(o, t, false) }}, nil
}

// many answers traces by their ids, which commas separate.
func (q *query) many(ctx context.Context) (traces.Answer, error) {
	texts := strings.Split(q.Get("traceIds"), ",")
	for i := range texts {
		texts[i] = strings.TrimSpace(texts[i])
	}
	_, found, err := q.ByTexts(ctx, texts)
	if err != nil {
		return traces.Answer{}, err
	}
	return list(found, false), nil
}
