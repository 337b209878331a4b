// Package loki serves the HTTP API of Loki, as Grafana's data source and logcli
// use it.
package loki

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"

	"github.com/goshawk-observability/goshawk/query/logs"
	"github.com/goshawk-observability/goshawk/query/logs/logql"
)

const prefix = "/loki/api/v1"

// API is Loki's HTTP API over a store.
type API struct {
	store   *logs.Store
	version string
}

var _ logs.API = (*API)(nil)

// New makes the API. Version is that of goshawk.
func New(store *logs.Store, version string) *API { return &API{store, version} }

// Paths implements [logs.API].
func (a *API) Paths() []string {
	var all []string
	for _, path := range []string{
		"/query", "/query_range", "/labels", "/label", "/label/{name}/values", "/series", "/index/stats", "/index/volume", "/index/volume_range",
		"/patterns", "/detected_labels", "/detected_fields", "/detected_field/{name}/values", "/format_query", "/status/buildinfo", "/rules",
	} {
		all = append(all, "GET "+prefix+path, "POST "+prefix+path)
	}
	return append(all, "GET "+prefix+"/tail", "GET /ready", "GET /prometheus/api/v1/rules", "GET /prometheus/api/v1/alerts", "GET /api/prom/rules")
}

// Serve implements [logs.API].
func (a *API) Serve(w http.ResponseWriter, r *http.Request, tenant string) {
	path := strings.TrimPrefix(r.URL.Path, prefix)
	if path == "/tail" {
		a.tail(w, r, tenant)
		return
	}
	// Requests are read before their turn: a slow one is not waited for.
	parameters := parametersOf(w, r)
	name := path
	if field := r.PathValue("name"); field != "" {
		name = "/label/values"
		if strings.HasPrefix(path, "/detected_field/") {
			name = "/detected_field/values"
		}
	}
	a.store.Serve(w, r, tenant, "loki"+name, func(ctx context.Context, reader *logs.Reader) (logs.Answer, error) {
		q := &query{reader, parameters, r, a}
		if q.err != nil {
			return logs.Answer{}, q.err
		}
		return q.answer(ctx, name)
	}, refuse)
}

// query is a request that is being answered.
type query struct {
	*logs.Reader
	*parameters
	request *http.Request
	api     *API
}

func (q *query) answer(ctx context.Context, path string) (logs.Answer, error) {
	switch path {
	case "/query":
		return q.instant(ctx)
	case "/query_range":
		return q.overRange(ctx)
	case "/labels", "/label":
		return q.labelNames(ctx)
	case "/label/values":
		return q.labelValues(ctx, q.request.PathValue("name"))
	case "/series":
		return q.series(ctx)
	case "/index/stats":
		return q.stats(ctx)
	case "/index/volume":
		return q.volume(ctx, false)
	case "/index/volume_range":
		return q.volume(ctx, true)
	case "/patterns":
		return q.patterns(ctx)
	case "/detected_labels":
		return q.detectedLabels(ctx)
	case "/detected_fields":
		return q.detectedFields(ctx, "")
	case "/detected_field/values":
		return q.detectedFields(ctx, q.request.PathValue("name"))
	case "/format_query":
		e, err := q.expression()
		if err != nil {
			return logs.Answer{}, err
		}
		return success(e.String())
	case "/status/buildinfo":
		return answer(map[string]string{
			"version": spoken, "revision": q.api.version, "branch": "goshawk", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
		})
	case "/ready":
		return logs.Answer{ContentType: "text/plain; charset=utf-8", Body: []byte("ready\n")}, nil
	case "/rules", "/api/prom/rules":
		// Rules are not evaluated here: there is no group of them.
		return logs.Answer{ContentType: "application/yaml; charset=utf-8", Body: []byte("{}\n")}, nil
	case "/prometheus/api/v1/rules":
		return success(map[string]any{"groups": []any{}})
	case "/prometheus/api/v1/alerts":
		return success(map[string]any{"alerts": []any{}})
	}
	return logs.Answer{}, &logs.Fault{Status: http.StatusNotFound, Message: "there is no such path"}
}

// spoken is the version of Loki whose API this is.
const spoken = "3.5.0"

const jsonType = "application/json; charset=utf-8"

// refuse answers with the fields that Grafana reads of an error.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	body, _ := json.Marshal(map[string]any{"status": "error", "errorType": errorType(status), "code": status, "error": message, "message": message}) // texts and a number
	_, _ = w.Write(append(body, '\n'))                                                                                                               // the client is gone
}

func errorType(status int) string {
	switch {
	case status == http.StatusBadRequest:
		return "bad_data"
	case status == http.StatusGatewayTimeout:
		return "timeout"
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		return "unavailable"
	case status < 500:
		return "execution"
	}
	return "internal"
}

func answer(data any) (logs.Answer, error) {
	body, err := json.Marshal(data)
	return logs.Answer{ContentType: jsonType, Body: body}, err
}

func success(data any) (logs.Answer, error) {
	return answer(map[string]any{"status": "success", "data": data})
}

// expression is the parameter query.
func (q *query) expression() (logql.Expr, error) {
	text := q.get("query")
	if text == "" {
		return nil, logs.Invalid("the parameter query is missing")
	}
	return logql.Parse(text)
}

// lines is the parameter query as a query for lines; empty where it is not there.
func (q *query) lines() (*logql.LogExpr, error) {
	if q.get("query") == "" {
		return nil, nil
	}
	e, err := q.expression()
	if err != nil {
		return nil, err
	}
	return linesOf(e)
}

// linesOf returns the lines that a query is about, also of one for numbers.
func linesOf(e logql.Expr) (*logql.LogExpr, error) {
	switch e := e.(type) {
	case *logql.LogExpr:
		return e, nil
	case *logql.RangeExpr:
		return e.Log, nil
	case *logql.VectorExpr:
		return linesOf(e.Expr)
	case *logql.ReplaceExpr:
		return linesOf(e.Expr)
	}
	return nil, logs.Invalid("the query %s has no selector", e)
}
