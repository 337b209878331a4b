// Package jaeger serves the read APIs of Jaeger: the HTTP API of its user
// interface, which Grafana's data source uses, and the gRPC query service v3.
package jaeger

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/query/store"
	"github.com/goshawk-observability/goshawk/query/traces"
)

// Prefix is what the paths of the API may begin with.
const Prefix = "/jaeger"

// API is Jaeger's HTTP API over a store.
type API struct{ store *traces.Store }

var _ traces.API = (*API)(nil)

// New makes the API.
func New(store *traces.Store) *API { return &API{store} }

// paths are those of the API; without the prefix they are served too.
var paths = []string{
	"/api/services", "/api/services/{service}/operations", "/api/operations",
	"/api/traces", "/api/traces/{id}", "/api/dependencies",
}

// Paths implements [traces.API].
func (a *API) Paths() []string {
	var all []string
	for _, path := range paths {
		all = append(all, "GET "+path, "GET "+Prefix+path)
	}
	return all
}

// name is what metrics call the API.
const name = "jaeger"

// Serve implements [traces.API].
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	a.store.Serve(w, r, tenant, name, func(ctx context.Context, reader *traces.Reader) (traces.Answer, error) {
		q := query{reader, traces.ParametersOf(r)}
		switch strings.TrimPrefix(r.URL.Path, Prefix) {
		case "/api/services":
			return q.services(ctx)
		case "/api/operations":
			return q.operationsAndKinds(ctx)
		case "/api/traces":
			return q.search(ctx)
		case "/api/dependencies":
			return q.dependencies(ctx)
		}
		if id := r.PathValue("id"); id != "" {
			return q.trace(ctx, id)
		}
		return q.operations(ctx, r.PathValue("service"))
	}, refuse)
}

// query is a request that is being answered.
type query struct {
	*traces.Reader
	*traces.Parameters
}

// fault is one of the errors of an answer.
type fault struct {
	Code    int    `json:"code"`
	Message string `json:"msg"`
	TraceID string `json:"traceID,omitempty"`
}

// envelope is the shape of all answers.
type envelope struct {
	Data   any     `json:"data"`
	Total  int     `json:"total"`
	Limit  int     `json:"limit"`
	Offset int     `json:"offset"`
	Errors []fault `json:"errors"`
}

const contentType = "application/json"

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(envelope{Errors: []fault{{Code: status, Message: message}}}) // the client is gone
}

// answer answers with a list.
func answer(data any, total int) (traces.Answer, error) {
	text, err := json.Marshal(envelope{Data: data, Total: total})
	return traces.Answer{ContentType: contentType, Write: func(o *traces.Out) { o.B = append(o.B, text...) }}, err
}

// recent is the time that lists of names are about.
func (q *query) recent() traces.Range {
	start, hasStart := q.Time("start", time.Microsecond)
	end, hasEnd := q.Time("end", time.Microsecond)
	return q.Bounded(start, hasStart, end, hasEnd, q.Config().Lookback)
}

func (q *query) services(ctx context.Context) (traces.Answer, error) {
	in := q.recent()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	all, err := q.Services(ctx, in)
	if err != nil {
		return traces.Answer{}, err
	}
	return answer(all, len(all))
}

// operations are the names of a service, without kinds.
func (q *query) operations(ctx context.Context, service string) (traces.Answer, error) {
	in := q.recent()
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	found, err := q.Operations(ctx, service, in)
	if err != nil {
		return traces.Answer{}, err
	}
	all := []string{}
	for i, o := range found {
		if i == 0 || found[i-1].Name != o.Name {
			all = append(all, o.Name)
		}
	}
	return answer(all, len(all))
}

// operation is a name with its kind.
type operation struct {
	Name string `json:"name"`
	Kind string `json:"spanKind"`
}

func (q *query) operationsAndKinds(ctx context.Context) (traces.Answer, error) {
	in := q.recent()
	service, kind := q.Get("service"), q.Get("spanKind")
	if service == "" {
		return traces.Answer{}, store.Invalid("the parameter service is required")
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	all, err := operationsOf(ctx, q.Reader, service, kind, in)
	if err != nil {
		return traces.Answer{}, err
	}
	return answer(all, len(all))
}

// operationsOf lists the operations of a service, of a kind where one is named.
func operationsOf(ctx context.Context, r *traces.Reader, service, kind string, in traces.Range) ([]operation, error) {
	found, err := r.Operations(ctx, service, in)
	if err != nil {
		return nil, err
	}
	all := []operation{}
	for _, o := range found {
		word := o.Kind.String()
		if o.Kind == traces.KindUnspecified {
			word = ""
		}
		if kind == "" || kind == word {
			all = append(all, operation{o.Name, word})
		}
	}
	return all, nil
}

func (q *query) trace(ctx context.Context, text string) (traces.Answer, error) {
	id, err := traces.TraceIDOf(text)
	if err != nil {
		return traces.Answer{}, err
	}
	var hint *traces.Range
	start, hasStart := q.Time("start", time.Microsecond)
	end, hasEnd := q.Time("end", time.Microsecond)
	if hasStart || hasEnd {
		hint = &traces.Range{From: start, To: traces.Everything().To}
		if hasEnd {
			hint.To = end
		}
		if hint.From > hint.To {
			return traces.Answer{}, store.Invalid("the time ends before it starts")
		}
	}
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	t, err := q.Found(ctx, id, hint)
	if err != nil {
		return traces.Answer{}, err
	}
	return render([]*traces.Trace{t}, q.Note, nil), nil
}

func (q *query) dependencies(ctx context.Context) (traces.Answer, error) {
	in := q.Lookback(q.Config().Lookback)
	if q.Err != nil {
		return traces.Answer{}, q.Err
	}
	found, err := q.Dependencies(ctx, in)
	if err != nil {
		return traces.Answer{}, err
	}
	type link struct {
		Parent string `json:"parent"`
		Child  string `json:"child"`
		Calls  uint64 `json:"callCount"`
	}
	all := []link{}
	for _, d := range found {
		all = append(all, link{d.Parent, d.Child, d.Calls})
	}
	return answer(all, len(all))
}
